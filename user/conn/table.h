/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open exchanges by connection: puts the kernel's records together to requests and responses.
 * Bounded: when there are too many, in all or on one connection, the oldest is given up and
 * reported as EXCHANGE_LOST.
 */
#ifndef WEFT_CONN_TABLE_H
#define WEFT_CONN_TABLE_H

#include "conn/exchange.h"
#include "ingest/decode.h"

struct conn_table;

/* Both may read the exchange during the call and keep nothing of it. */
struct conn_callbacks {
	/* The head of a request is there, as far as it will come. Once for each exchange. */
	void (*started)(void *context, struct exchange *exchange);
	/* The exchange is over; it is freed after the call. */
	void (*finished)(void *context, struct exchange *exchange);
	void *context;
};

struct conn_limits {
	size_t exchanges;      /* open at a time */
	uint32_t request_head; /* bytes kept of a head */
	uint32_t response_head;
};

struct conn_counters {
	uint64_t exchanges; /* begun */
	uint64_t open;	    /* now */
	uint64_t evicted;   /* given up because there were too many */
	uint64_t unmatched; /* records of exchanges that are not known (a lost record) */
	uint64_t no_memory; /* requests that found none: they are not among `exchanges` */
};

/* -ENOMEM. */
int conn_table_new(const struct conn_limits *limits, const struct conn_callbacks *callbacks,
		   struct conn_table **ret_table);

/* Takes one record in. */
void conn_table_event(struct conn_table *table, union event event);

/* Reports every open exchange as EXCHANGE_LOST: at the end. */
void conn_table_drain(struct conn_table *table);

const struct conn_counters *conn_table_counters(const struct conn_table *table);

/* Frees without reporting; NULL is accepted. Returns NULL. */
struct conn_table *conn_table_free(struct conn_table *table);

#endif
