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
	PROPAGATOR_TRACECONTEXT,
	PROPAGATOR_B3,
	PROPAGATOR_B3MULTI,
	PROPAGATOR_JAEGER,
	PROPAGATOR_XRAY,
	PROPAGATOR_MAX,
};

struct trace_context {
	__u64 trace_id[2];
	__u64 span_id;
	__u8 flags;
	__u8 propagator; /* enum propagator */
	__u8 pad[6];
};

_Static_assert(sizeof(struct trace_context) == 32, "ABI");

#endif
