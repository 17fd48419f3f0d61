/* SPDX-License-Identifier: Apache-2.0 */
/* Heads with trace context in them, and what is found there. */
#ifndef WEFT_TESTS_UNIT_CLASSIFY_CONTEXT_H
#define WEFT_TESTS_UNIT_CLASSIFY_CONTEXT_H

#include <stdio.h>
#include <stdlib.h>

#include "lib/head_scan.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define LOW   "8448eb211c80319c" /* the last 16 digits of TRACE */
#define SPAN  "b7ad6b7169203331"
#define OTHER "00f067aa0ba902b7"

#define PARENT	    "00-" TRACE "-" SPAN "-01"
#define TRACEPARENT "traceparent: " PARENT "\r\n"
#define XRAY	    "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=" SPAN ";Sampled=1"

#define ORDER(a, b, c, d)                                                                          \
	((uint64_t)PROPAGATOR_##a | (uint64_t)PROPAGATOR_##b << PROPAGATOR_BITS |                  \
	 (uint64_t)PROPAGATOR_##c << 2 * PROPAGATOR_BITS |                                         \
	 (uint64_t)PROPAGATOR_##d << 3 * PROPAGATOR_BITS)
#define ALL ORDER(TRACECONTEXT, B3, JAEGER, XRAY)

#define SAMPLED	   TRACE_FLAG_SAMPLED
#define RANDOM	   TRACE_FLAG_RANDOM
#define DEFERRED   CONTEXT_F_DEFERRED
#define DEBUG	   CONTEXT_F_DEBUG
#define MULTI_IDS  "X-B3-TraceId: " TRACE "\r\nX-B3-SpanId: " SPAN "\r\n"
#define ROOT	   "Root=1-0af76519-16cd43dd8448eb211c80319c"
#define PARENT_KEY "Parent=" SPAN

static const uint8_t trace_bytes[] = { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
				       0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c };
static const uint8_t span_bytes[] = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 };

/* A request with these field lines, and more behind its head. Gives what they say. */
static inline struct context_fields read_fields(const char *lines)
{
	static struct head_scan scan;
	char *text;
	int size = asprintf(&text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n%sb3: 0\r\n\r\n", lines,
			    TRACEPARENT);

	assert_true(size > 0);
	head_scan_init(&scan);
	head_scan_feed(&scan, (const uint8_t *)text, (size_t)size);
	assert_true(scan.head.done);
	free(text);
	return scan.fields;
}

/* What is found, and how many fields were refused. */
struct found {
	struct trace_context context;
	enum context_kind kind;
	int refused;
};

static inline struct found find(const char *lines, uint64_t order)
{
	struct context_fields fields = read_fields(lines);
	struct found found = { .refused = context_refused(&fields, order) };

	found.kind = (enum context_kind)context_resolve(&fields, order, &found.context);
	return found;
}

#endif
