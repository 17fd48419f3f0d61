/* SPDX-License-Identifier: Apache-2.0 */
/* The W3C Trace Context propagator, reading side. */
#ifndef WEFT_CORRELATE_TRACE_CONTEXT_H
#define WEFT_CORRELATE_TRACE_CONTEXT_H

#include <stdint.h>

#include "base/view.h"
#include "span/span.h"

struct trace_context {
	uint8_t trace_id[TRACE_ID_LEN];
	uint8_t span_id[SPAN_ID_LEN];
	uint8_t flags; /* trace-flags as received */
};

/*
 * Parses the value of a traceparent field, without surrounding white space (W3C Trace Context Level
 * 2, section 3.2). Version 00 must have exactly its 55 characters; of a later version the first 55
 * count and a '-' must follow if there are more. -EINVAL: malformed, version ff, or an id of all
 * zeroes: then the context is to be ignored as a whole.
 */
int trace_context_parse(struct view value, struct trace_context *ret_context);

#endif
