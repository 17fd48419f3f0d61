/* SPDX-License-Identifier: Apache-2.0 */
#include "process/route_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hashmap.h"
#include "process/route_shape.h"

/* What remains when each method stands alone ("OPTIONS") and with the overflow route. */
#define NAMES_LEARNED_MAX (ROUTE_NAMES_MAX - 2 * ROUTE_METHODS_MAX)

/* Names that a service's refusals (4xx) of unknown paths may take. */
#define NAMES_REFUSED_MAX 8

/* A word that was seen this often keeps its name when its position becomes {slug}. */
#define WORD_KEPT_HITS 10

#define SERVICE_IDLE_NS	   (3600 * NS_PER_SEC)
#define NODES_INITIAL	   16
#define LONGEST_SHAPE_TEXT 7

/* Index of a node; the root is zero, which is no node's child: so zero also says "none". */
typedef uint16_t node_index;

#define ROOT ((node_index)0)
#define NONE ((node_index)0)

struct node {
	uint64_t key; /* hash of the word, or the number of the shape */
	node_index first_child;
	node_index next_sibling; /* also chains the free nodes */
	uint16_t methods;	 /* bit set: the name with this method has been let out */
	uint8_t hits;		 /* up to WORD_KEPT_HITS */
	uint8_t words;		 /* children that are literal */
	bool collapsed;		 /* no new words here: {slug} */
};

static_assert(sizeof(struct node) == 24, "the header states this size");
static_assert(ROUTE_METHODS_MAX <= 16, "methods has a bit for each");

struct service {
	uint64_t used_ns;
	struct node *nodes;
	uint16_t n_nodes; /* ever used, the root among them */
	uint16_t capacity;
	node_index free_nodes;
	uint16_t names;
	uint16_t names_refused;
};

struct route_table {
	struct hashmap services; /* hash of the name -> struct service */
	uint64_t seed[2];
	size_t nodes_memory;
};

struct segment {
	enum route_shape shape;
	struct view text;
	uint64_t key;
};

struct route_path {
	unsigned int n;
	struct segment segments[ROUTE_DEPTH_MAX + 1];
};

/* --- Paths --- */

static uint64_t word_key(const struct route_table *table, struct view word)
{
	uint64_t hash = hashmap_hash(table->seed, word.data, word.len);

	/* Small numbers are the shapes'. */
	return hash < N_ROUTE_SHAPES ? hash + N_ROUTE_SHAPES : hash;
}

static bool is_word(const struct node *node)
{
	return node->key >= N_ROUTE_SHAPES;
}

static void segment_set_shape(struct segment *segment, enum route_shape shape)
{
	*segment = (struct segment){
		.shape = shape,
		.text = route_shape_text(shape),
		.key = (uint64_t)shape,
	};
}

static void segment_init(const struct route_table *table, struct segment *segment, struct view text)
{
	enum route_shape shape = route_shape_of(text);

	if (shape != ROUTE_LITERAL)
		segment_set_shape(segment, shape);
	else
		*segment = (struct segment){ .text = text, .key = word_key(table, text) };
}

static struct view until(struct view text, char stop)
{
	const char *found = text.len > 0 ? memchr(text.data, stop, text.len) : NULL;

	return (struct view){ .data = text.data,
			      .len = found ? (size_t)(found - text.data) : text.len };
}

/*
 * Empty segments count for nothing ("//", a slash at the end), nor do a segment's parameters
 * (";jsessionid=..."). The room taken for a word suffices for the placeholder that it may become.
 */
static void path_parse(const struct route_table *table, struct view text, struct route_path *path)
{
	size_t room = ROUTE_LEN_MAX - 2; /* for the star */

	path->n = 0;
	while (text.len > 0) {
		struct segment *segment = &path->segments[path->n];
		struct view part = until(text, '/');
		size_t cost;

		text = view_from(text, part.len + 1);
		part = until(part, ';');
		if (part.len == 0)
			continue;
		segment_init(table, segment, part);
		cost = 1 + (segment->text.len > LONGEST_SHAPE_TEXT ? segment->text.len
								   : LONGEST_SHAPE_TEXT);
		if (path->n == ROUTE_DEPTH_MAX || cost > room) {
			segment_set_shape(segment, ROUTE_REST);
			path->n++;
			return;
		}
		room -= cost;
		path->n++;
	}
}

static size_t path_write(const struct route_path *path, char *out)
{
	size_t used = 0;

	for (unsigned int i = 0; i < path->n; i++) {
		struct view text = path->segments[i].text;

		out[used++] = '/';
		memcpy(out + used, text.data, text.len);
		used += text.len;
	}
	if (used == 0)
		out[used++] = '/';
	return used;
}

static size_t overflow_write(char *out)
{
	memcpy(out, "/*", 2);
	return 2;
}

/* --- The tree of one service --- */

static node_index child_find(const struct service *service, node_index parent, uint64_t key)
{
	node_index child = service->nodes[parent].first_child;

	while (child != NONE && service->nodes[child].key != key)
		child = service->nodes[child].next_sibling;
	return child;
}

static int nodes_grow(struct route_table *table, struct service *service)
{
	size_t capacity = service->capacity ? 2 * (size_t)service->capacity : NODES_INITIAL;
	struct node *nodes;

	if (capacity > ROUTE_NODES_MAX)
		return -ENOSPC;
	nodes = realloc(service->nodes, capacity * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	table->nodes_memory += (capacity - service->capacity) * sizeof(*nodes);
	service->nodes = nodes;
	service->capacity = (uint16_t)capacity;
	return 0;
}

/* -ENOSPC, -ENOMEM */
static int node_new(struct route_table *table, struct service *service, node_index *ret_node)
{
	node_index index = service->free_nodes;

	if (index != NONE) {
		service->free_nodes = service->nodes[index].next_sibling;
	} else {
		if (service->n_nodes == service->capacity) {
			int r = nodes_grow(table, service);

			if (r < 0)
				return r;
		}
		index = service->n_nodes++;
	}
	service->nodes[index] = (struct node){ 0 };
	*ret_node = index;
	return 0;
}

static int child_add(struct route_table *table, struct service *service, node_index parent,
		     const struct segment *segment, node_index *ret_child)
{
	struct node *node;
	node_index child;
	int r;

	r = node_new(table, service, &child);
	if (r < 0)
		return r;
	node = &service->nodes[child];
	node->key = segment->key;
	node->next_sibling = service->nodes[parent].first_child;
	service->nodes[parent].first_child = child;
	service->nodes[parent].words += segment->shape == ROUTE_LITERAL;
	*ret_child = child;
	return 0;
}

/* Depth is at most ROUTE_DEPTH_MAX + 1. */
static void subtree_free(struct service *service, node_index root)
{
	node_index child = service->nodes[root].first_child;

	while (child != NONE) {
		node_index next = service->nodes[child].next_sibling;

		subtree_free(service, child);
		child = next;
	}
	service->nodes[root].next_sibling = service->free_nodes;
	service->free_nodes = root;
}

/* From now on new words here are {slug}; those that were seen but seldom become so, too. */
static void collapse(struct service *service, node_index parent)
{
	node_index *link = &service->nodes[parent].first_child;

	service->nodes[parent].collapsed = true;
	while (*link != NONE) {
		node_index child = *link;
		const struct node *node = &service->nodes[child];

		if (!is_word(node) || node->hits >= WORD_KEPT_HITS) {
			link = &service->nodes[child].next_sibling;
			continue;
		}
		*link = node->next_sibling;
		service->nodes[parent].words--;
		subtree_free(service, child);
	}
}

/*
 * Words that a position may have. Two variable positions in a row ("/{owner}/{repo}") multiply:
 * were the limit fixed, they would use up all names before either of them reached it.
 */
static unsigned int words_max(const struct service *service)
{
	if (service->names < NAMES_LEARNED_MAX / 2)
		return ROUTE_WORDS_MAX;
	return service->names < NAMES_LEARNED_MAX * 3 / 4 ? ROUTE_WORDS_MAX / 2
							  : ROUTE_WORDS_MAX / 5;
}

static bool is_refusal(const struct route_request *request)
{
	return request->status >= 400 && request->status <= 499;
}

static bool may_learn(const struct service *service, const struct route_request *request)
{
	return service->names < NAMES_LEARNED_MAX &&
	       (!is_refusal(request) || service->names_refused < NAMES_REFUSED_MAX);
}

/* The segment's child, made if need be; a word may turn into {slug}. -EDQUOT: no more names. */
static int descend(struct route_table *table, struct service *service,
		   const struct route_request *request, struct segment *segment, node_index *node)
{
	node_index parent = *node;
	node_index child = child_find(service, parent, segment->key);

	if (child == NONE && segment->shape == ROUTE_LITERAL && service->nodes[parent].collapsed) {
		segment_set_shape(segment, ROUTE_SLUG);
		child = child_find(service, parent, segment->key);
	}
	if (child == NONE) {
		if (!may_learn(service, request))
			return -EDQUOT;
		if (segment->shape == ROUTE_LITERAL &&
		    service->nodes[parent].words >= words_max(service)) {
			collapse(service, parent);
			segment_set_shape(segment, ROUTE_SLUG);
			child = child_find(service, parent, segment->key);
		}
	}
	if (child == NONE) {
		int r = child_add(table, service, parent, segment, &child);

		if (r < 0)
			return r;
	}
	*node = child;
	return 0;
}

/* Counts the name, if it is new. -EDQUOT: no more names. */
static int admit(struct service *service, const struct route_request *request, node_index index)
{
	struct node *node = &service->nodes[index];
	uint16_t bit = (uint16_t)(1u << request->method);

	if (node->methods & bit)
		return 0;
	if (!may_learn(service, request))
		return -EDQUOT;
	node->methods |= bit;
	service->names++;
	service->names_refused += is_refusal(request);
	return 0;
}

static int learn(struct route_table *table, struct service *service,
		 const struct route_request *request, struct route_path *path)
{
	node_index node = ROOT;
	int r;

	for (unsigned int i = 0; i < path->n; i++) {
		r = descend(table, service, request, &path->segments[i], &node);
		if (r < 0)
			return r;
		if (!is_refusal(request) && service->nodes[node].hits < WORD_KEPT_HITS)
			service->nodes[node].hits++;
	}
	return admit(service, request, node);
}

/* --- Services --- */

static void service_drop(struct route_table *table, uint64_t key, struct service *service)
{
	table->nodes_memory -= service->capacity * sizeof(*service->nodes);
	free(service->nodes);
	hashmap_delete(&table->services, &key);
}

/* Makes room for one service, if one has been idle for long. */
static void service_evict(struct route_table *table, uint64_t now_ns)
{
	struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
	struct service *oldest = NULL;
	uint64_t oldest_key = 0;
	const void *key;
	void *value;

	while (hashmap_next(&table->services, &cursor, &key, &value)) {
		struct service *service = value;

		if (oldest && oldest->used_ns <= service->used_ns)
			continue;
		oldest = service;
		oldest_key = *(const uint64_t *)key;
	}
	if (oldest && now_ns > oldest->used_ns && now_ns - oldest->used_ns > SERVICE_IDLE_NS)
		service_drop(table, oldest_key, oldest);
}

/* NULL: no memory, or one service too many. */
static struct service *service_obtain(struct route_table *table,
				      const struct route_request *request)
{
	uint64_t key = hashmap_hash(table->seed, request->service.data, request->service.len);
	struct service *service = hashmap_get(&table->services, &key);
	node_index root;

	if (!service && hashmap_full(&table->services))
		service_evict(table, request->now_ns);
	if (!service)
		service = hashmap_put(&table->services, &key, NULL);
	if (!service)
		return NULL;
	if (service->n_nodes == 0 && node_new(table, service, &root) < 0) {
		service_drop(table, key, service);
		return NULL;
	}
	if (service->used_ns < request->now_ns)
		service->used_ns = request->now_ns;
	return service;
}

int route_table_new(struct route_table **ret_table)
{
	struct route_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	/* its keys are hashes already */
	r = hashmap_init_inner(&table->services, sizeof(uint64_t), sizeof(struct service),
			       ROUTE_SERVICES_MAX);
	if (r < 0) {
		free(table);
		return r;
	}
	/* Random already, and the map's keys are hashed once more: sharing gives nothing away. */
	memcpy(table->seed, table->services.seed, sizeof(table->seed));
	*ret_table = table;
	return 0;
}

struct route_table *route_table_free(struct route_table *table)
{
	struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
	void *value;

	if (!table)
		return NULL;
	while (hashmap_next(&table->services, &cursor, NULL, &value))
		free(((struct service *)value)->nodes);
	hashmap_clear(&table->services);
	free(table);
	return NULL;
}

size_t route_table_route(struct route_table *table, const struct route_request *request, char *out)
{
	struct service *service = service_obtain(table, request);
	struct route_path path;

	if (!service)
		return overflow_write(out);
	path_parse(table, request->path, &path);
	if (learn(table, service, request, &path) < 0)
		return overflow_write(out);
	return path_write(&path, out);
}

size_t route_table_memory(const struct route_table *table)
{
	return sizeof(*table) + table->nodes_memory +
	       table->services.capacity * table->services.stride;
}
