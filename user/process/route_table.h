/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns URL paths into routes of low cardinality, without any knowledge of the framework behind
 * them: "/users/1234/orders" -> "/users/{id}/orders".
 *
 * First each segment is judged by its looks (process/route_shape.h). Then, per service, the table
 * learns: it keeps a tree of the segments that it has let out, and where too many different words
 * stand under one prefix, that position becomes "{slug}"; words that were seen often by then keep
 * their names. The more of its names a service has used up, the fewer words does a position get.
 * Once all are used, those known keep their names and new paths get the overflow route, a slash
 * and a star. Paths that the service refuses (4xx) and that are not known get only a few names: a
 * scanner must not use up the names of a service.
 *
 * The result depends on the order of the calls alone. Memory is bounded: ROUTE_SERVICES_MAX
 * services of ROUTE_NODES_MAX * 24 bytes, 3 MiB, allocated as needed. Cost: O(segments * words in a
 * position).
 */
#ifndef WEFT_PROCESS_ROUTE_TABLE_H
#define WEFT_PROCESS_ROUTE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

/* Names ("METHOD route") that one service can show, in all. */
#define ROUTE_NAMES_MAX 100

/* Methods that the table is asked for: each may also stand alone, and with the overflow. */
#define ROUTE_METHODS_MAX 11

#define ROUTE_SERVICES_MAX 128
#define ROUTE_NODES_MAX	   1024

/* Different words that one position may show before it becomes {slug}. */
#define ROUTE_WORDS_MAX 20

/* A route has no more bytes than this; deeper or longer paths end in a star. */
#define ROUTE_LEN_MAX	200
#define ROUTE_DEPTH_MAX 10

struct route_table;

struct route_request {
	struct view service; /* any bytes; empty: the service without a name */
	struct view path;    /* starts with '/' */
	unsigned int method; /* < ROUTE_METHODS_MAX */
	uint16_t status;     /* HTTP's; 0: none */
	uint64_t now_ns;     /* monotonic: ages services */
};

/* -ENOMEM. */
int route_table_new(struct route_table **ret_table);

/* NULL is accepted. Returns NULL. */
struct route_table *route_table_free(struct route_table *table);

/*
 * Writes the route into `out`, which has room for ROUTE_LEN_MAX bytes (no NUL is added), and
 * returns its length. Never fails: without memory, or for one service too many, the route is the
 * overflow. When there are too many services, one that was idle for an hour gives way.
 */
size_t route_table_route(struct route_table *table, const struct route_request *request, char *out);

/* Bytes that the table has allocated, for counters and tests. */
size_t route_table_memory(const struct route_table *table);

#endif
