/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The header lines that carry a context, written out. Pure functions of their arguments, of fixed
 * sizes; built for BPF and for the host from this one text.
 */
#ifndef WEFT_LIB_HEADER_H
#define WEFT_LIB_HEADER_H

#include "abi/config.h"
#include "abi/context.h"
#include "lib/piece.h"

#define HEADER_TRACEPARENT "traceparent: 00-"
#define HEADER_B3	   "b3: "
#define HEADER_B3_TRACE	   "X-B3-TraceId: "
#define HEADER_B3_SPAN	   "\r\nX-B3-SpanId: "
#define HEADER_B3_SAMPLED  "\r\nX-B3-Sampled: "

#define TRACE_HEX (2 * WEFT_TRACE_ID_LEN)
#define SPAN_HEX  (2 * WEFT_SPAN_ID_LEN)

#define HEADER_TRACEPARENT_LEN (sizeof(HEADER_TRACEPARENT) - 1 + TRACE_HEX + 1 + SPAN_HEX + 5)
#define HEADER_B3_LEN	       (sizeof(HEADER_B3) - 1 + TRACE_HEX + 1 + SPAN_HEX + 4)
#define HEADER_B3MULTI_LEN                                                                         \
	(sizeof(HEADER_B3_TRACE HEADER_B3_SPAN HEADER_B3_SAMPLED) - 1 + TRACE_HEX + SPAN_HEX + 3)

/* Without a branch: what one decides the verifier follows both ways, digit by digit. */
static __always_inline char hex_digit(__u8 value)
{
	return '0' + value + ((value + 6) >> 4) * ('a' - '0' - 10);
}

/* Two digits for each of `n` bytes, a constant; gives what is behind them. */
static __always_inline char *hex_write(char *to, const void *from, __u32 n)
{
	for (__u32 i = 0; i < n; i++) {
		__u8 byte = ((const __u8 *)from)[i];

		to[2 * i] = hex_digit(byte >> 4);
		to[2 * i + 1] = hex_digit(byte & 15);
	}
	return to + 2 * n;
}

/* Writes a literal without its NUL; gives what is behind it. */
#define literal_write(to, text)                                                                    \
	(__builtin_memcpy(to, text, sizeof(text) - 1), (to) + sizeof(text) - 1)

/* "traceparent: 00-TRACE-SPAN-0F": Trace Context section 3.2. HEADER_TRACEPARENT_LEN bytes. */
static __always_inline void header_traceparent(char *to, const struct trace_context *context)
{
	to = literal_write(to, HEADER_TRACEPARENT);
	to = hex_write(to, context->trace_id, WEFT_TRACE_ID_LEN);
	*to++ = '-';
	to = hex_write(to, &context->span_id, WEFT_SPAN_ID_LEN);
	*to++ = '-';
	*to++ = '0';
	*to++ = hex_digit(context->flags & (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM));
	(void)literal_write(to, "\r\n");
}

static __always_inline char *sampled_write(char *to, const struct trace_context *context)
{
	*to++ = context->flags & TRACE_FLAG_SAMPLED ? '1' : '0';
	return literal_write(to, "\r\n");
}

/* "b3: TRACE-SPAN-S": B3 propagation, single header. HEADER_B3_LEN bytes. */
static __always_inline void header_b3(char *to, const struct trace_context *context)
{
	to = literal_write(to, HEADER_B3);
	to = hex_write(to, context->trace_id, WEFT_TRACE_ID_LEN);
	*to++ = '-';
	to = hex_write(to, &context->span_id, WEFT_SPAN_ID_LEN);
	*to++ = '-';
	sampled_write(to, context);
}

/* The three lines of B3's multiple headers. HEADER_B3MULTI_LEN bytes. */
static __always_inline void header_b3multi(char *to, const struct trace_context *context)
{
	to = literal_write(to, HEADER_B3_TRACE);
	to = hex_write(to, context->trace_id, WEFT_TRACE_ID_LEN);
	to = literal_write(to, HEADER_B3_SPAN);
	to = hex_write(to, &context->span_id, WEFT_SPAN_ID_LEN);
	to = literal_write(to, HEADER_B3_SAMPLED);
	sampled_write(to, context);
}

/*
 * The same as fields of a head that is compressed: literals, which no table keeps and nobody on
 * the way may put into one, without Huffman's code (RFC 7541 section 6.2.3). Each is a byte, the
 * name's length and the name, the value's length and the value.
 */
#define FIELD_NEVER "\x10"
#define FIELD_TRACEPARENT                                                                          \
	FIELD_NEVER "\x0b"                                                                         \
		    "traceparent"                                                                  \
		    "\x37"                                                                         \
		    "00-"
#define FIELD_B3                                                                                   \
	FIELD_NEVER "\x02"                                                                         \
		    "b3"                                                                           \
		    "\x33"
#define FIELD_B3_TRACE                                                                             \
	FIELD_NEVER "\x0c"                                                                         \
		    "x-b3-traceid"                                                                 \
		    "\x20"
#define FIELD_B3_SPAN                                                                              \
	FIELD_NEVER "\x0b"                                                                         \
		    "x-b3-spanid"                                                                  \
		    "\x10"
#define FIELD_B3_SAMPLED                                                                           \
	FIELD_NEVER "\x0c"                                                                         \
		    "x-b3-sampled"                                                                 \
		    "\x01"

#define FIELD_TRACEPARENT_LEN (sizeof(FIELD_TRACEPARENT) - 1 + TRACE_HEX + 1 + SPAN_HEX + 3)
#define FIELD_B3_LEN	      (sizeof(FIELD_B3) - 1 + TRACE_HEX + 1 + SPAN_HEX + 2)
#define FIELD_B3MULTI_LEN                                                                          \
	(sizeof(FIELD_B3_TRACE FIELD_B3_SPAN FIELD_B3_SAMPLED) - 1 + TRACE_HEX + SPAN_HEX + 1)

/* Bytes of the fields that a head gains: weft_knobs.propagators. */
static __always_inline __u32 fields_len(__u64 propagators)
{
	__u32 len = 0;

	for (__u32 i = 0; i < PROPAGATOR_MAX; i++, propagators >>= PROPAGATOR_BITS) {
		enum propagator form = propagators & ((1 << PROPAGATOR_BITS) - 1);

		if (form == PROPAGATOR_TRACECONTEXT)
			len += FIELD_TRACEPARENT_LEN;
		else if (form == PROPAGATOR_B3)
			len += FIELD_B3_LEN;
		else if (form == PROPAGATOR_B3MULTI)
			len += FIELD_B3MULTI_LEN;
	}
	return len;
}

/* A frame's first three bytes say how long it is: RFC 9113 section 4.1. */
static __always_inline void frame_length_write(__u8 *to, __u32 length)
{
	to[0] = length >> 16;
	to[1] = length >> 8;
	to[2] = length;
}

static __always_inline char field_sampled(const struct trace_context *context)
{
	return context->flags & TRACE_FLAG_SAMPLED ? '1' : '0';
}

/* FIELD_TRACEPARENT_LEN bytes. */
static __always_inline void field_traceparent(char *to, const struct trace_context *context)
{
	to = literal_write(to, FIELD_TRACEPARENT);
	to = hex_write(to, context->trace_id, WEFT_TRACE_ID_LEN);
	*to++ = '-';
	to = hex_write(to, &context->span_id, WEFT_SPAN_ID_LEN);
	*to++ = '-';
	*to++ = '0';
	*to = hex_digit(context->flags & (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM));
}

/* FIELD_B3_LEN bytes. */
static __always_inline void field_b3(char *to, const struct trace_context *context)
{
	to = literal_write(to, FIELD_B3);
	to = hex_write(to, context->trace_id, WEFT_TRACE_ID_LEN);
	*to++ = '-';
	to = hex_write(to, &context->span_id, WEFT_SPAN_ID_LEN);
	*to++ = '-';
	*to = field_sampled(context);
}

/* FIELD_B3MULTI_LEN bytes. */
static __always_inline void field_b3multi(char *to, const struct trace_context *context)
{
	to = literal_write(to, FIELD_B3_TRACE);
	to = hex_write(to, context->trace_id, WEFT_TRACE_ID_LEN);
	to = literal_write(to, FIELD_B3_SPAN);
	to = hex_write(to, &context->span_id, WEFT_SPAN_ID_LEN);
	to = literal_write(to, FIELD_B3_SAMPLED);
	*to = field_sampled(context);
}

#endif
