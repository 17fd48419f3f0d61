/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections within this host, or so it seems, whose other end nobody traces: a client that is not
 * chosen, another host with a private address. Requests on them need not wait for a record that
 * will not come.
 *
 * A connection is known for one when some of its requests in a row have waited in vain. It is no
 * more as soon as its client's end shows up in a record; where addresses are translated on the way
 * that is not seen, so now and then a request waits again. What is remembered has a fixed size:
 * connections that fall on the same place forget each other, and wait.
 */
#ifndef WEFT_CORRELATE_UNTRACED_H
#define WEFT_CORRELATE_UNTRACED_H

#include "conn/exchange.h"

#define UNTRACED_CONNECTIONS 4096 /* a power of two */

struct untraced_connection {
	uint64_t conn;	  /* of the server's end, as in records */
	uint64_t peers;	  /* untraced_peers() */
	uint64_t look_ns; /* from here on a request waits again */
	uint32_t vain;	  /* requests in a row that have waited in vain */
};

struct untraced {
	uint64_t seed;
	struct untraced_connection connections[UNTRACED_CONNECTIONS];
};

void untraced_init(struct untraced *untraced);

/* The two ends of the exchange's connection as one number, the same at both. */
uint64_t untraced_peers(const struct untraced *untraced, const struct exchange *exchange);

/* Need the server's request not wait? `peers`: of its connection. */
bool untraced_is(struct untraced *untraced, const struct exchange *exchange, uint64_t peers);

/* A server's request on the connection, of that time, has waited in vain. */
void untraced_waited(struct untraced *untraced, uint64_t conn, uint64_t peers, uint64_t start_ns);

/* The client's end is traced. */
void untraced_not(struct untraced *untraced, uint64_t peers);

#endif
