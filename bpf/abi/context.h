/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Trace context as it travels on the wire. The numbers of the propagators stand in
 * weft_knobs.propagators, four bits each.
 */
#ifndef WEFT_ABI_CONTEXT_H
#define WEFT_ABI_CONTEXT_H

#include "types.h"

enum propagator {
	PROPAGATOR_NONE,
	PROPAGATOR_TRACECONTEXT, /* W3C traceparent */
	PROPAGATOR_B3,		 /* b3 in one field */
	PROPAGATOR_B3MULTI,	 /* b3 in several fields */
	PROPAGATOR_JAEGER,	 /* uber-trace-id */
	PROPAGATOR_XRAY,	 /* X-Amzn-Trace-Id */
	PROPAGATOR_MAX,
};

/* Of W3C Trace Context Level 2, section "trace-flags". */
#define TRACE_FLAG_SAMPLED (1 << 0)
#define TRACE_FLAG_RANDOM  (1 << 1)

#define CONTEXT_F_DEFERRED (1 << 0) /* the sender leaves it to the receiver whether to sample */
#define CONTEXT_F_DEBUG	   (1 << 1) /* sampled, and to be passed on as debug (B3, Jaeger) */
/* TCP option: the head\'s context was handed on unchanged, and this is the span that did so */
#define CONTEXT_F_NEARER (1 << 2)

struct trace_context {
	__u64 trace_id[2]; /* bytes in wire order */
	__u64 span_id;	   /* the same */
	__u8 flags;	   /* TRACE_FLAG_* */
	__u8 propagator;   /* enum propagator: the format that it came in */
	__u8 hints;	   /* CONTEXT_F_* */
	__u8 pad[5];
};

/* Key of the map `options`: which bytes a context in a TCP option has come with. */
struct option_key {
	__u64 cookie; /* of the socket */
	__u32 seq;    /* sequence number of the segment's first byte */
	__u32 pad;
};

_Static_assert(sizeof(struct trace_context) == 32, "ABI");
_Static_assert(sizeof(struct option_key) == 16, "ABI");

#endif
