/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces whose kernel-made id is not, or may not be, the final one: one for each server request. A
 * trace points to the trace that it continues, if that is known and itself not final; so they form
 * a forest, and the answer is at the root.
 */
#ifndef WEFT_CORRELATE_TRACE_H
#define WEFT_CORRELATE_TRACE_H

#include "base/hashmap.h"
#include "base/list.h"
#include "bpf/abi/event.h"
#include "span/span.h"

/* What is known of a place in a trace. */
struct trace_place {
	uint8_t trace_id[TRACE_ID_LEN];
	uint8_t parent_id[SPAN_ID_LEN]; /* zero: none */
	uint8_t flags;			/* W3C trace-flags */
	const char *evidence;		/* constant, NULL: none */
};

/* One exchange, as both of its ends name it. */
struct exchange_key {
	struct join_key join;
	uint64_t serial; /* unix sockets: the cookies name the connection only */
};

/* Does the entry span go out, or is it left to the SDK of its process? correlate/sdk.h */
enum trace_fate {
	FATE_OPEN,
	FATE_KEPT,
	FATE_LEFT,
};

struct trace {
	struct list_link age;
	uint8_t entry[SPAN_ID_LEN]; /* the server span that the trace was made for: its key */
	struct trace_place place;   /* of the entry span: what holds if nothing better is learnt */
	struct trace *continues;    /* the entry span's trace is that one's; NULL: place.trace_id is
				       final */
	struct exchange_key awaits; /* while waiting: the exchange whose other end is awaited */
	bool waiting;		    /* the place is not final yet */
	bool awaited;		    /* the other end will look for this one */
	bool plain;		    /* the trace's spans have their final ids already */
	bool ended;		    /* the entry span's exchange is over */
	/* for correlate/sdk.h */
	bool sdk;	      /* the entry span's process has an SDK */
	bool head_has_caller; /* the request's head names one: the SDK knows it, too */
	bool has_calls;	      /* a span that weft makes of a call hangs under the entry span */
	bool strays;	      /* the process works for the request in `other` trace */
	enum trace_fate fate;
	struct trace_context other;
	char *state; /* tracestate that the entry span's request came with, heap; NULL: none */
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t conn;	   /* the entry span's connection, */
	uint64_t peers;	   /* and its two ends: correlate/untraced.h */
	struct span *held; /* spans that wait, in the order in which they ended, at the tree's root
			    */
	struct span **held_tail;
	unsigned int references; /* by `continues` of others, and one while it is in the table */
};

struct trace_table {
	struct hashmap traces; /* entry -> struct trace * */
	struct list by_age;    /* struct trace */
	struct trace *waiting; /* no trace that is older than this one waits */
	struct list spare;     /* struct trace, by when they were given back */
	size_t n_waiting;
};

/* -ENOMEM, -EINVAL. */
int trace_table_init(struct trace_table *table, size_t max);

/* Frees all traces and the spans that wait in them. */
void trace_table_clear(struct trace_table *table);

/* NULL: not there, the id is final as it is. */
struct trace *trace_find(const struct trace_table *table, const uint8_t *entry);

/* The oldest of all; NULL: there is none. */
static inline struct trace *trace_oldest(const struct trace_table *table)
{
	return list_item(table->by_age.oldest, struct trace, age);
}

/* The next younger one; NULL: there is none. */
static inline struct trace *trace_younger(const struct trace *trace)
{
	return list_item(trace->age.younger, struct trace, age);
}

/* The oldest trace that waits, NULL: none does. O(1) on average. */
struct trace *trace_oldest_waiting(struct trace_table *table);

/* A new trace, waiting. NULL: the table is full, or there is no memory. */
struct trace *trace_add(struct trace_table *table, const uint8_t *entry);

/* Takes a trace out of the table; it goes when nobody continues it any more. */
void trace_remove(struct trace_table *table, struct trace *trace);

/* The trace whose state decides: the last one on the way of `continues`. */
struct trace *trace_root(struct trace *trace);

/* From now on `trace` continues `other`: its spans wait where that one's wait. */
void trace_continue(struct trace *trace, struct trace *other);

/* Adds a span to those that wait for the trace. */
void trace_hold(struct trace *trace, struct span *span);

#endif
