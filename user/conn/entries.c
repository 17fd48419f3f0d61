/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/entries.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hashmap.h"

/* Exchanges that are not in use are kept, with their head buffers, for the next ones; so are
 * connections. */
#define SPARE_MAX 256
/* A spare head buffer beyond this is given back. */
#define SPARE_HEAD 2048

/* Twice as many lists as there are open exchanges, at least, so that they are short, as what is in
 * them lies in far apart lines of memory: to begin with, 256. */
#define BUCKET_BITS_MIN 8

static void message_release(struct message *message)
{
	if (message->head_cap > SPARE_HEAD) {
		free(message->head);
		message->head = NULL;
		message->head_cap = 0;
	}
}

static void entry_free(struct entry *entry)
{
	free(entry->exchange.request.head);
	free(entry->exchange.response.head);
	free(entry);
}

/* An empty exchange, with the head buffers that it had in its last life. */
static struct entry *entry_take(struct entries *entries)
{
	struct entry *entry = entries->spare;
	struct message request = {}, response = {};

	if (!entry)
		return calloc(1, sizeof(*entry));
	entries->spare = entry->next;
	entries->n_spare--;
	request.head = entry->exchange.request.head;
	request.head_cap = entry->exchange.request.head_cap;
	response.head = entry->exchange.response.head;
	response.head_cap = entry->exchange.response.head_cap;
	*entry = (struct entry){ .exchange = { .request = request, .response = response } };
	return entry;
}

void entries_give(struct entries *entries, struct entry *entry)
{
	if (entries->n_spare >= SPARE_MAX) {
		entry_free(entry);
		return;
	}
	message_release(&entry->exchange.request);
	message_release(&entry->exchange.response);
	entry->next = entries->spare;
	entries->spare = entry;
	entries->n_spare++;
}

/* --- connections --- */

/* The kernel numbers sockets: peers choose no keys here that a stronger hash must stand up to. */
static uint64_t connection_hash(const struct entries *entries, uint64_t conn)
{
	return hashmap_mix(entries->seed, conn);
}

static struct connection **connection_bucket(const struct entries *entries, uint64_t conn)
{
	return &entries->connections[connection_hash(entries, conn) >> (64 - entries->bucket_bits)];
}

struct connection *entries_connection(const struct entries *entries, uint64_t conn)
{
	struct connection *connection = *connection_bucket(entries, conn);

	while (connection && connection->conn != conn)
		connection = connection->next;
	return connection;
}

static void connection_insert(struct entries *entries, struct connection *connection)
{
	struct connection **link = connection_bucket(entries, connection->conn);

	connection->link = link;
	connection->next = *link;
	if (*link)
		(*link)->link = &connection->next;
	*link = connection;
}

/* Made if it is not there, without an exchange. NULL: no memory. */
static struct connection *connection_get(struct entries *entries, uint64_t conn)
{
	struct connection *connection = entries_connection(entries, conn);

	if (connection)
		return connection;
	connection = entries->spare_connections;
	if (connection) {
		entries->spare_connections = connection->next;
		entries->n_spare_connections--;
	} else {
		connection = malloc(sizeof(*connection));
		if (!connection)
			return NULL;
	}
	*connection = (struct connection){ .conn = conn };
	connection_insert(entries, connection);
	return connection;
}

/* Forgets it, unless it has exchanges. */
static void connection_put(struct entries *entries, struct connection *connection)
{
	if (connection->n > 0)
		return;
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	if (entries->n_spare_connections >= SPARE_MAX) {
		free(connection);
		return;
	}
	connection->next = entries->spare_connections;
	entries->spare_connections = connection;
	entries->n_spare_connections++;
}

static void connection_append(struct connection *connection, struct entry *entry)
{
	entry->connection = connection;
	list_append(&connection->entries, &entry->sibling);
	connection->n++;
}

static void connection_remove(struct entries *entries, struct entry *entry)
{
	struct connection *connection = entry->connection;

	list_remove(&connection->entries, &entry->sibling);
	connection->n--;
	connection_put(entries, connection);
}

/* --- by connection and number --- */

/* Peers may choose the number, but know nothing of what it is hashed with. */
static struct entry **bucket_of(const struct entries *entries, uint64_t conn, uint32_t serial)
{
	uint64_t hash = hashmap_mix(entries->seed, connection_hash(entries, conn) + serial);

	return &entries->buckets[hash >> (64 - entries->bucket_bits)];
}

static void bucket_append(struct entries *entries, struct entry *entry)
{
	struct entry **link = bucket_of(entries, entry->exchange.conn, entry->exchange.serial);

	while (*link)
		link = &(*link)->next;
	*link = entry;
	entry->link = link;
	entry->next = NULL;
}

static void bucket_remove(struct entry *entry)
{
	*entry->link = entry->next;
	if (entry->next)
		entry->next->link = entry->link;
}

/* More lists, when there are more exchanges than those. Without memory they just get longer. */
static void buckets_grow(struct entries *entries)
{
	size_t n = (size_t)1 << entries->bucket_bits;
	struct entry **buckets;
	struct connection **connections;

	if (entries->n < n / 2)
		return;
	buckets = calloc(2 * n, sizeof(*buckets));
	connections = calloc(2 * n, sizeof(*connections));
	if (!buckets || !connections) {
		free(buckets);
		free(connections);
		return;
	}
	free(entries->buckets);
	free(entries->connections);
	entries->buckets = buckets;
	entries->connections = connections;
	entries->bucket_bits++;
	for (struct list_link *link = entries->all.oldest; link; link = link->younger) {
		struct entry *entry = list_item(link, struct entry, age);

		bucket_append(entries, entry);
		if (!entry->sibling.older)
			connection_insert(entries, entry->connection);
	}
}

struct entry *entries_find(const struct entries *entries, uint64_t conn, uint32_t serial)
{
	struct entry *entry = *bucket_of(entries, conn, serial);

	while (entry && (entry->exchange.conn != conn || entry->exchange.serial != serial))
		entry = entry->next;
	return entry;
}

/* --- */

struct entry *entries_add(struct entries *entries, uint64_t conn, uint32_t serial)
{
	struct connection *connection = connection_get(entries, conn);
	struct entry *entry;

	if (!connection)
		return NULL;
	entry = entry_take(entries);
	if (!entry) {
		connection_put(entries, connection);
		return NULL;
	}
	entry->exchange.conn = conn;
	entry->exchange.serial = serial;
	connection_append(connection, entry);
	list_append(&entries->all, &entry->age);
	bucket_append(entries, entry);
	entries->n++;
	buckets_grow(entries);
	return entry;
}

void entries_remove(struct entries *entries, struct entry *entry)
{
	bucket_remove(entry);
	connection_remove(entries, entry);
	list_remove(&entries->all, &entry->age);
	entries->n--;
}

int entries_init(struct entries *entries)
{
	uint64_t seed[2];

	*entries = (struct entries){ .bucket_bits = BUCKET_BITS_MIN };
	entries->buckets = calloc((size_t)1 << BUCKET_BITS_MIN, sizeof(struct entry *));
	entries->connections = calloc((size_t)1 << BUCKET_BITS_MIN, sizeof(struct connection *));
	hashmap_seed(seed);
	entries->seed = seed[0];
	return entries->buckets && entries->connections ? 0 : -ENOMEM;
}

void entries_clear(struct entries *entries)
{
	struct connection *connection;
	struct entry *entry;

	while ((entry = entries_oldest(entries))) {
		entries_remove(entries, entry);
		entry_free(entry);
	}
	while ((entry = entries->spare)) {
		entries->spare = entry->next;
		entry_free(entry);
	}
	while ((connection = entries->spare_connections)) {
		entries->spare_connections = connection->next;
		free(connection);
	}
	free(entries->buckets);
	free(entries->connections);
	*entries = (struct entries){};
}
