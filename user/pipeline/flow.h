/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of the bytes through the pipeline's rooms: records of the kernel side go in, settled
 * spans come out. It has no event loop and no descriptors, so that tests/bench/replay.c can run it
 * by itself.
 */
#ifndef WEFT_PIPELINE_FLOW_H
#define WEFT_PIPELINE_FLOW_H

#include "config/config.h"
#include "conn/table.h"
#include "conn/tls_names.h"
#include "correlate/correlate.h"
#include "pipeline/processes.h"
#include "process/processor.h"
#include "stats/totals.h"

/* Why records and exchanges of this process did not become spans. */
struct flow_counters {
	uint64_t bad_records;
	uint64_t not_protocol;
	uint64_t half_heads;
	uint64_t own_exports;
	uint64_t sdk_exports;
	uint64_t no_memory;
};

struct flow {
	struct conn_table *connections;
	struct tls_names *tls_names;
	struct correlator *correlator;
	struct process_chain *chain;
	struct processes *processes;
	void *unpacked[PROTOCOL_ID_MAX]; /* what protocols remember of their connections */
	struct flow_counters counters;
	bool join;	    /* spans of SDKs are not doubled */
	uint64_t record_ns; /* time of the last record, CLOCK_MONOTONIC */
	/* Takes each settled span, once; it may change it and keeps nothing of it. */
	void (*span)(void *context, struct span *span);
	void *context;
	struct span_builder builder;
};

/*
 * Starts the rooms; `flow` is zeroed but for the callback. The configuration must stay. -ENOMEM,
 * -EINVAL: flow_clear() is due all the same.
 */
int flow_init(struct flow *flow, const struct config *config);

/* Goes on with those options of this configuration that can change (config/change.h). It must stay.
 */
void flow_configure(struct flow *flow, const struct config *config);

/* One record, 8-byte aligned, as the ring buffer gave it. */
void flow_record(struct flow *flow, const void *data, size_t size);

/* Adds what the rooms have counted to `base`, the account at this process' start. */
void flow_account(const struct flow *flow, const struct totals *base, struct totals *totals);

/* Half-built flows are accepted. Spans that wait are freed, not handed on. */
void flow_clear(struct flow *flow);

#endif
