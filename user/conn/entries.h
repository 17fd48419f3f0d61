/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where conn/table.c keeps open exchanges: found by connection and number, and listed by connection
 * and by age, each in a time that does not depend on how many there are.
 */
#ifndef WEFT_CONN_ENTRIES_H
#define WEFT_CONN_ENTRIES_H

#include <stddef.h>

#include "base/list.h"
#include "conn/exchange.h"

/* A connection that has open exchanges. */
struct connection {
	uint64_t conn;
	struct connection *next;  /* in the bucket, or the next spare one */
	struct connection **link; /* what points to this one in the bucket */
	struct list entries;	  /* struct entry, by `sibling` */
	unsigned int n;
};

/* An open exchange. It is in three lists. */
struct entry {
	struct exchange exchange; /* first: an exchange is its entry */
	struct entry *next;	  /* in the bucket, or the next spare one */
	struct entry **link;	  /* what points to this one in the bucket */
	struct connection *connection;
	struct list_link sibling; /* of the same connection */
	struct list_link age;	  /* of all */
	/* conn/table.c's: */
	struct message response; /* as it was before its head was lent */
	bool started;
	bool early; /* only the response is known so far */
	bool lent;  /* the response's head lies in the record that ended the exchange */
};

struct entries {
	size_t n;
	struct list all;		 /* struct entry, by `age` */
	struct entry **buckets;		 /* by the hash of socket cookie and number */
	struct connection **connections; /* by the hash of the socket cookie */
	unsigned int bucket_bits;	 /* of both */
	uint64_t seed;
	struct entry *spare;
	size_t n_spare;
	struct connection *spare_connections;
	size_t n_spare_connections;
};

/* The oldest of all; NULL: there is none. */
static inline struct entry *entries_oldest(const struct entries *entries)
{
	return list_item(entries->all.oldest, struct entry, age);
}

/* The oldest of the connection's: it has one. */
static inline struct entry *connection_oldest(const struct connection *connection)
{
	return list_item(connection->entries.oldest, struct entry, sibling);
}

/* The next younger one of the same connection; NULL: there is none. */
static inline struct entry *entry_after(const struct entry *entry)
{
	return list_item(entry->sibling.younger, struct entry, sibling);
}

/* -ENOMEM: entries_clear() is due all the same. */
int entries_init(struct entries *entries);

/* An empty exchange of that connection and number, the youngest one. NULL: no memory. */
struct entry *entries_add(struct entries *entries, uint64_t conn, uint32_t serial);

/* The oldest one of that connection and number; NULL: there is none. */
struct entry *entries_find(const struct entries *entries, uint64_t conn, uint32_t serial);

/* NULL: the connection has no open exchange. Good until its last one is removed. */
struct connection *entries_connection(const struct entries *entries, uint64_t conn);

/* Takes it out of the lists. It can be read until it is given back. */
void entries_remove(struct entries *entries, struct entry *entry);

/* The end of one that was removed. Heads that it has are its own. */
void entries_give(struct entries *entries, struct entry *entry);

/* Frees all. Accepts a zeroed struct. */
void entries_clear(struct entries *entries);

#endif
