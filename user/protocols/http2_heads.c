/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/http2_heads.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/hashmap.h"
#include "base/list.h"
#include "bpf/classify/trace_context.h"
#include "protocols/http2_block.h"
#include "protocols/http2_fields.h"

/* Of a head's kept fields, in all its records: more than conn/table.h keeps at most of it. */
#define HEAD_MAX 16384
/* A field that carries context, and is looked at: longer ones are none. */
#define CONTEXT_LINE_MAX 1024

/* What a block turned out to be. */
enum block_kind {
	BLOCK_TRAILERS, /* or one whose beginning is not known */
	BLOCK_REQUEST,
	BLOCK_ANSWER, /* a server's, of which no field has come */
	BLOCK_RESPONSE,
	BLOCK_INTERIM,
};

/* One direction of a connection. */
struct side {
	struct http2_block_reader reader;
	bool known; /* the reader has begun */
	enum block_kind kind;
	uint32_t exchange; /* the block's */
	uint32_t kept;	   /* bytes of the block's fields in its records so far */
	bool cut;	   /* fields of it are missing */
	/* of a request: */
	uint8_t untrusted; /* the client is, if it comes in */
	uint8_t role;
	uint8_t trace_flags;	       /* as they were decided before its head was read */
	struct event_context found;    /* by the kernel, without the head */
	struct context_fields context; /* in the head, so far */
	/* of an answer: */
	bool early;
	uint16_t status;
	uint64_t begun_ns;
};

struct connection {
	struct list_link age;
	uint64_t conn;
	struct side side[2]; /* by enum message_kind */
};

struct http2_heads {
	struct hashmap connections; /* socket cookie -> struct connection * */
	struct list by_age;	    /* struct connection, by when it last said something */
	uint64_t propagators;
	bool parent_based;
	nghttp2_mem memory;
	struct http2_heads_counters counters;
	/* the record that is handed out, and whose block it is of */
	struct http2_writer writer;
	struct side *reading;
	_Alignas(8) uint8_t record[sizeof(struct event_request) + HEAD_MAX];
};

/* --- memory of the decoders --- */

static void *memory_malloc(size_t size, void *context)
{
	struct http2_heads *heads = context;
	void *block = malloc(size);

	heads->counters.memory += block ? malloc_usable_size(block) : 0;
	return block;
}

static void memory_free(void *block, void *context)
{
	struct http2_heads *heads = context;

	heads->counters.memory -= block ? malloc_usable_size(block) : 0;
	free(block);
}

static void *memory_calloc(size_t n, size_t size, void *context)
{
	struct http2_heads *heads = context;
	void *block = calloc(n, size);

	heads->counters.memory += block ? malloc_usable_size(block) : 0;
	return block;
}

static void *memory_realloc(void *block, size_t size, void *context)
{
	struct http2_heads *heads = context;
	size_t before = block ? malloc_usable_size(block) : 0;
	void *grown = realloc(block, size);

	if (grown)
		heads->counters.memory += malloc_usable_size(grown) - before;
	return grown;
}

/* --- connections --- */

static struct connection *oldest_connection(const struct http2_heads *heads)
{
	return list_item(heads->by_age.oldest, struct connection, age);
}

static void connection_free(struct http2_heads *heads, struct connection *connection)
{
	list_remove(&heads->by_age, &connection->age);
	hashmap_delete(&heads->connections, &connection->conn);
	http2_block_clear(&connection->side[MESSAGE_REQUEST].reader);
	http2_block_clear(&connection->side[MESSAGE_RESPONSE].reader);
	free(connection);
	heads->counters.connections--;
}

static void make_room(struct http2_heads *heads, const struct connection *keep)
{
	struct connection *oldest;

	while ((hashmap_full(&heads->connections) || heads->counters.memory > HTTP2_MEMORY_MAX) &&
	       (oldest = oldest_connection(heads)) && oldest != keep) {
		connection_free(heads, oldest);
		heads->counters.forgotten++;
	}
}

/* NULL: no memory. */
static struct connection *connection_get(struct http2_heads *heads, uint64_t conn)
{
	struct connection **found = hashmap_get(&heads->connections, &conn);
	struct connection *connection = found ? *found : NULL;

	if (connection) {
		list_renew(&heads->by_age, &connection->age);
		return connection;
	}
	make_room(heads, NULL);
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return NULL;
	connection->conn = conn;
	if (hashmap_add(&heads->connections, &conn, &connection) < 0) {
		free(connection);
		return NULL;
	}
	list_append(&heads->by_age, &connection->age);
	heads->counters.connections++;
	return connection;
}

/* --- fields --- */

/* A field as a line of text, for those who look for context in such lines. */
static void context_take(struct side *side, struct view name, struct view value)
{
	struct piece piece;
	uint32_t len = (uint32_t)(name.len + 2 + value.len);

	if (name.len + value.len > CONTEXT_LINE_MAX)
		return;
	memcpy(piece.data, name.data, name.len);
	memcpy(piece.data + name.len, ": ", 2);
	if (value.len > 0)
		memcpy(piece.data + name.len + 2, value.data, value.len);
	memset(piece.data + len, 0, 16);
	memcpy(piece.data + len, "\r\n", 2);
	if (context_likely(piece_word(&piece, 0)))
		context_field(&side->context, &piece, 0, len + 1);
}

static uint16_t parse_status(struct view value)
{
	int64_t status = value.len == 3 ? view_number(value) : -1;

	return status > 0 ? (uint16_t)status : 0;
}

/* Fields that carry context start with one of these. */
static bool may_be_context(struct view name)
{
	return name.data[0] == 't' || name.data[0] == 'b' || name.data[0] == 'u' ||
	       name.data[0] == 'x';
}

/*
 * A response, a part of it that comes before, or its trailers: the first field says which. The
 * status goes before all others, and trailers have none (RFC 9113 sections 8.1 and 8.3).
 */
static void answer_sort(struct side *side, uint16_t status)
{
	side->status = status;
	if (!status)
		side->kind = BLOCK_TRAILERS;
	else
		side->kind = status < 200 ? BLOCK_INTERIM : BLOCK_RESPONSE;
}

static void on_field(void *context, struct view name, struct view value)
{
	struct http2_heads *heads = context;
	struct side *side = heads->reading;
	enum http2_field field = http2_field_of(name);

	if (side->kind == BLOCK_ANSWER)
		answer_sort(side, field == HTTP2_FIELD_STATUS ? parse_status(value) : 0);
	if (name.len == 0) {
		http2_field_write(&heads->writer, HTTP2_FIELD_UNKNOWN, VIEW(""));
		return;
	}
	if (side->kind == BLOCK_REQUEST && may_be_context(name))
		context_take(side, name, value);
	if (field != HTTP2_FIELD_MAX)
		http2_field_write(&heads->writer, field, value);
}

/* --- records --- */

/* What is known of the direction before this record, as its flags say. */
static void side_prepare(struct http2_heads *heads, struct side *side, uint8_t flags)
{
	if (side->known && !(flags & (EVENT_F_FIRST | EVENT_F_GAP)))
		return;
	side->known = true;
	http2_block_reset(&side->reader, &heads->memory, flags & EVENT_F_FIRST);
}

static struct view piece_of(const uint8_t *head, uint32_t len)
{
	return (struct view){ .data = (const char *)head, .len = len };
}

/* Decodes a record's piece of a head into `heads->writer`. */
static void side_read(struct http2_heads *heads, struct side *side, uint8_t flags,
		      struct view piece)
{
	bool final = flags & EVENT_F_HEAD_END;

	side_prepare(heads, side, flags);
	heads->reading = side;
	heads->writer.len = 0;
	heads->writer.size = HEAD_MAX - side->kept;
	heads->writer.cut = side->cut;
	/* a block of which only the end was seen says nothing */
	if (piece.len == 0 && final) {
		side->reader.broken = false;
		http2_field_write(&heads->writer, HTTP2_FIELD_UNKNOWN, VIEW(""));
		return;
	}
	if (http2_block_read(&side->reader, piece, final, on_field, heads) == 0)
		return;
	heads->writer.cut = true;
	http2_field_write(&heads->writer, HTTP2_FIELD_UNKNOWN, VIEW(""));
	if (!final)
		return;
	heads->counters.broken++;
	http2_block_reset(&side->reader, &heads->memory, false);
}

/* What is known of a request before its head. That its sender is not trusted says nothing yet. */
static void context_begin(struct side *side, struct event_request *event)
{
	struct event_context *context = &event->context;

	side->role = event->role;
	side->untrusted = context->use == CONTEXT_FOREIGN;
	if (side->untrusted && context->evidence == EVIDENCE_NONE)
		context->use = CONTEXT_UNUSED;
	side->found = *context;
	side->trace_flags = event->trace_flags;
	memset(&side->context, 0, sizeof(side->context));
}

/*
 * The end of a request's head: the context that came in it goes before what the kernel has found,
 * its sender's decision to sample before the one that was made here, if that is to be obeyed.
 */
static void context_settle(const struct http2_heads *heads, const struct side *side,
			   struct event_context *context, uint8_t *trace_flags)
{
	struct trace_context carried = {};
	bool parent = context_resolve(&side->context, heads->propagators, &carried) ==
		      CONTEXT_PARENT;

	*context = side->found;
	*trace_flags = side->trace_flags;
	context->settled = 1;
	context->refused = (uint8_t)context_refused(&side->context, heads->propagators);
	if (!parent)
		return;
	context->carried = carried;
	context->head_span_id = carried.span_id;
	context->evidence = EVIDENCE_HEADER;
	if (side->role == ROLE_CLIENT)
		context->use = CONTEXT_CARRIED;
	else
		context->use = side->untrusted ? CONTEXT_FOREIGN : CONTEXT_TAKEN;
	if (context->use == CONTEXT_TAKEN && heads->parent_based &&
	    !(carried.hints & CONTEXT_F_DEFERRED))
		*trace_flags = carried.flags;
}

/* A server's request goes on in its caller's trace. */
static void request_place(struct event_request *event)
{
	const struct trace_context *carried = &event->context.carried;

	if (event->context.use != CONTEXT_TAKEN || event->context.evidence != EVIDENCE_HEADER)
		return;
	memcpy(event->trace_id, carried->trace_id, sizeof(event->trace_id));
	memcpy(event->parent_id, &carried->span_id, sizeof(event->parent_id));
	event->evidence = EVIDENCE_HEADER;
}

/* Puts the decoded head behind the fixed part of the record that is handed out. */
static void *record_begin(struct http2_heads *heads, const void *fixed, size_t size)
{
	memcpy(heads->record, fixed, size);
	heads->writer.data = heads->record + size;
	return heads->record;
}

/* A block begins: nothing of it is kept yet. One that no record begins is trailers. */
static void side_begin(struct side *side, enum block_kind kind, uint32_t exchange)
{
	side->kind = kind;
	side->exchange = exchange;
	side->kept = 0;
	side->cut = false;
}

/*
 * That fields are missing is said with the block's end: a truncated head counts as one that has
 * come, and its context may stand behind what did not fit.
 */
static void record_end(struct http2_heads *heads, struct event_header *header, size_t fixed,
		       uint32_t *head_len)
{
	struct side *side = heads->reading;

	*head_len = (uint32_t)heads->writer.len;
	header->size = (uint32_t)(fixed + heads->writer.len);
	side->kept += *head_len;
	side->cut = heads->writer.cut;
	if (!(header->flags & EVENT_F_HEAD_END))
		return;
	if (side->cut)
		header->flags |= EVENT_F_TRUNCATED;
	side_begin(side, BLOCK_TRAILERS, 0);
}

static bool unpack_request(struct http2_heads *heads, struct side *side, union event *event)
{
	const struct event_request *from = event->request;
	struct event_request *to = record_begin(heads, from, sizeof(*from));

	side_begin(side, BLOCK_REQUEST, from->header.exchange);
	context_begin(side, to);
	side_read(heads, side, from->header.flags, piece_of(from->head, from->head_len));
	record_end(heads, &to->header, sizeof(*to), &to->head_len);
	if (to->header.flags & EVENT_F_HEAD_END) {
		context_settle(heads, side, &to->context, &to->trace_flags);
		request_place(to);
	}
	event->request = to;
	return true;
}

/* Trailers go behind the head: they are more fields of it. */
static void trailers_make(struct http2_heads *heads, const struct event_response *from)
{
	struct event_head_more more = {
		.header = from->header,
		.body_bytes = from->body_bytes,
		.messages = from->messages,
		.end_ns = from->end_ns,
	};

	more.header.type = EVENT_HEAD_MORE;
	memmove(heads->record + sizeof(more), heads->writer.data, heads->writer.len);
	memcpy(heads->record, &more, sizeof(more));
}

/*
 * A piece of an answer that is not known yet, or may not be all: nothing is handed on before its
 * first field. `from`: the record of a response that begins with this piece.
 */
static bool unpack_answer(struct http2_heads *heads, struct side *side,
			  const struct event_response *from, struct view piece, union event *event)
{
	struct event_response *to = record_begin(heads, from, sizeof(*from));
	uint8_t flags = from->header.flags;

	side_read(heads, side, flags, piece);
	/* there are no fields, or they cannot be decoded */
	if (side->kind == BLOCK_ANSWER && (flags & EVENT_F_HEAD_END || heads->writer.len > 0))
		answer_sort(side, 0);
	if (side->kind == BLOCK_ANSWER)
		return false;
	if (side->kind == BLOCK_TRAILERS) {
		struct event_head_more *more = (struct event_head_more *)heads->record;

		trailers_make(heads, from);
		record_end(heads, &more->header, sizeof(*more), &more->head_len);
		event->more = more;
		return from->header.exchange != 0;
	}
	to->status = side->status;
	if (side->kind == BLOCK_INTERIM && !(flags & EVENT_F_END))
		to->header.flags |= EVENT_F_INTERIM;
	record_end(heads, &to->header, sizeof(*to), &to->head_len);
	event->response = to;
	return from->header.exchange != 0;
}

static bool unpack_response(struct http2_heads *heads, struct side *side, union event *event)
{
	const struct event_response *from = event->response;

	side_begin(side, BLOCK_ANSWER, from->header.exchange);
	side->early = from->early;
	side->begun_ns = from->header.time_ns;
	return unpack_answer(heads, side, from, piece_of(from->head, from->head_len), event);
}

/* Whether what comes before a response is all that comes is said with the block's end. */
static bool unpack_more_of_answer(struct http2_heads *heads, struct side *side, union event *event)
{
	const struct event_head_more *more = event->more;
	struct event_response from = {
		.header = more->header,
		.body_bytes = more->body_bytes,
		.messages = more->messages,
		.end_ns = more->end_ns,
		.early = side->early,
	};

	from.header.type = EVENT_RESPONSE;
	from.header.time_ns = side->begun_ns;
	return unpack_answer(heads, side, &from, piece_of(more->head, more->head_len), event);
}

static bool unpack_more(struct http2_heads *heads, struct side *side, union event *event)
{
	const struct event_head_more *from = event->more;
	struct event_head_more *to;

	/* the end of the block that the records before were of has been lost */
	if (from->header.exchange != side->exchange)
		side_begin(side, BLOCK_TRAILERS, from->header.exchange);
	if (side->kind == BLOCK_ANSWER || side->kind == BLOCK_INTERIM)
		return unpack_more_of_answer(heads, side, event);
	to = record_begin(heads, from, sizeof(*from));
	side_read(heads, side, from->header.flags, piece_of(from->head, from->head_len));
	if (side->kind == BLOCK_REQUEST && to->header.flags & EVENT_F_HEAD_END)
		context_settle(heads, side, &to->context, &to->trace_flags);
	record_end(heads, &to->header, sizeof(*to), &to->head_len);
	event->more = to;
	return from->header.exchange != 0;
}

static void unpack_close(struct http2_heads *heads, const struct event_header *header)
{
	struct connection **connection = hashmap_get(&heads->connections, &header->conn);

	if (connection)
		connection_free(heads, *connection);
}

bool http2_heads_unpack(struct http2_heads *heads, union event *event)
{
	const struct event_header *header = event->header;
	struct connection *connection;
	struct side *side;
	bool r;

	if (header->type == EVENT_CLOSE)
		unpack_close(heads, header);
	if (header->type != EVENT_REQUEST && header->type != EVENT_RESPONSE &&
	    header->type != EVENT_HEAD_MORE)
		return true;
	connection = connection_get(heads, header->conn);
	if (!connection)
		return false;
	side = &connection->side[header->message];
	if (header->type == EVENT_REQUEST)
		r = unpack_request(heads, side, event);
	else if (header->type == EVENT_RESPONSE)
		r = unpack_response(heads, side, event);
	else
		r = unpack_more(heads, side, event);
	make_room(heads, connection);
	return r;
}

/* --- */

int http2_heads_new(const struct config *config, struct http2_heads **ret_heads)
{
	struct http2_heads *heads = calloc(1, sizeof(*heads));

	if (!heads)
		return -ENOMEM;
	if (hashmap_init_inner(&heads->connections, sizeof(uint64_t), sizeof(struct connection *),
			       HTTP2_CONNECTIONS_MAX) < 0) {
		free(heads);
		return -ENOMEM;
	}
	heads->propagators = config_propagators(config);
	heads->parent_based = config->sampler >= CONFIG_SAMPLER_PARENT_ALWAYS_ON;
	heads->memory = (nghttp2_mem){
		.mem_user_data = heads,
		.malloc = memory_malloc,
		.free = memory_free,
		.calloc = memory_calloc,
		.realloc = memory_realloc,
	};
	*ret_heads = heads;
	return 0;
}

const struct http2_heads_counters *http2_heads_counters(const struct http2_heads *heads)
{
	return &heads->counters;
}

struct http2_heads *http2_heads_free(struct http2_heads *heads)
{
	struct connection *connection;

	if (!heads)
		return NULL;
	while ((connection = oldest_connection(heads)))
		connection_free(heads, connection);
	hashmap_clear(&heads->connections);
	free(heads);
	return NULL;
}
