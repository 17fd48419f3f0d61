/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weft knows of one protocol, behind one descriptor. protocol.c holds the table; README.md
 * says how to add a row.
 */
#ifndef WEFT_PROTOCOLS_PROTOCOL_H
#define WEFT_PROTOCOLS_PROTOCOL_H

#include "config/config.h"
#include "conn/exchange.h"
#include "ingest/decode.h"
#include "span/span.h"

struct protocol_counter {
	const char *name; /* a constant */
	uint64_t value;
};

#define PROTOCOL_COUNTERS_MAX 8

struct protocol {
	enum protocol_id id;
	const char *name; /* as in protocols.def */

	/*
	 * Writes name, kind, status, times and attributes of the exchange into the builder. Ids and
	 * resource are the caller's. The request's head may be cut or hostile; the response may be
	 * missing. Secrets in URLs are still there: process/redact.h takes them out before export.
	 * 0, or -EBADMSG: the head is not of this protocol, and the builder is untouched.
	 */
	int (*describe)(const struct exchange *exchange, struct span_builder *builder);

	/*
	 * Values of the fields of that name in the request's head ("tracestate"), in order and
	 * without surrounding white space, any letter case of the name. The first `max` of them are
	 * put down. Gives how many there are.
	 */
	size_t (*request_fields)(const struct exchange *exchange, struct view name,
				 struct view *ret_values, size_t max);

	/*
	 * Where a head says only what changed since earlier ones of its connection: what is
	 * remembered of those. NULL: heads stand for themselves. unpack_new(): -ENOMEM.
	 */
	int (*unpack_new)(const struct config *config, void **ret_state);

	/*
	 * Takes a record as the kernel made it, in the order in which they came, and puts another
	 * one in its place, whose head can be described; it is good until the next call. False: it
	 * says nothing of an exchange, or not yet.
	 */
	bool (*unpack)(void *state, union event *event);

	/* What there is to tell of what is remembered. Gives how many counters there are. */
	size_t (*unpack_counters)(const void *state,
				  struct protocol_counter ret_counters[PROTOCOL_COUNTERS_MAX]);

	/* NULL is accepted. Returns NULL. */
	void *(*unpack_free)(void *state);

	/* Does the request export telemetry? protocols/telemetry.h knows which do. */
	enum telemetry (*telemetry)(const struct exchange *exchange);
};

/* One descriptor for each row of protocols.def, in the protocol's own file. */
#define PROTOCOL(constant, name) extern const struct protocol protocol_##constant;
#include "bpf/abi/protocols.def"
#undef PROTOCOL

/* NULL for PROTOCOL_UNKNOWN and for numbers out of range. */
const struct protocol *protocol_by_id(enum protocol_id id);

#endif
