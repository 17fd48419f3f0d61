/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C tracestate: what the systems that a trace has passed through have noted in it. weft hands it
 * on into the spans as it is.
 */
#ifndef WEFT_CORRELATE_TRACE_STATE_H
#define WEFT_CORRELATE_TRACE_STATE_H

#include "base/view.h"
#include "conn/exchange.h"

/* Trace Context, section 3.3.1.1: at most so many members; so many characters should be kept. */
#define TRACE_STATE_MEMBERS_MAX 32
#define TRACE_STATE_MAX		512

/*
 * Puts the members of several fields together, without white space around them, into `text` of
 * TRACE_STATE_MAX bytes. Of a list that is too long members of more than 128 characters go first,
 * then those at its end, as section 3.3.1.5 has it. -EBADMSG: too many members, or bytes that no
 * tracestate has: then it is void as a whole.
 */
int trace_state_join(const struct view *fields, size_t n, char *text, size_t *ret_len);

/*
 * The one that came with the exchange's request, if its context came as a W3C traceparent; else the
 * context is of another format and has none. Gives its length in `text` of TRACE_STATE_MAX bytes,
 * 0: none.
 */
size_t trace_state_of(const struct exchange *exchange, char *text);

#endif
