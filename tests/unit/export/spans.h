/* SPDX-License-Identifier: Apache-2.0 */
/* Spans and resources for the tests of this room. */
#ifndef WEFT_TESTS_UNIT_EXPORT_SPANS_H
#define WEFT_TESTS_UNIT_EXPORT_SPANS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "span/resource.h"
#include "span/semconv.h"
#include "span/span.h"

/* 2026-01-02 03:04:05.678 UTC */
#define TEST_TIME_NS 1767323045678000000ull

static inline struct resource *test_resource(const char *service)
{
	const char *const pairs[] = {
		"service.name", service, "process.pid", "4321", "host.name", "robot",
	};
	struct resource *resource = NULL;

	assert_int_equal(resource_new(4321, pairs, 3, &resource), 0);
	return resource;
}

/* A server span "GET /users/{id}" of 1.5 ms, its last id byte `number`. */
static inline struct span *test_span(struct resource *resource, uint8_t number)
{
	static struct span_builder builder;
	struct span *span;

	span_builder_init(&builder);
	for (uint8_t i = 0; i < TRACE_ID_LEN; i++)
		builder.span.trace_id[i] = (uint8_t)(0xa0 + i);
	for (uint8_t i = 0; i < SPAN_ID_LEN; i++)
		builder.span.span_id[i] = (uint8_t)(0x10 + i);
	builder.span.span_id[SPAN_ID_LEN - 1] = number;
	builder.span.flags = SPAN_FLAG_SAMPLED | SPAN_FLAG_RANDOM | SPAN_FLAG_HAS_IS_REMOTE;
	builder.span.kind = SPAN_KIND_SERVER;
	builder.span.start_ns = TEST_TIME_NS;
	builder.span.end_ns = TEST_TIME_NS + 1500 * NS_PER_US;
	builder.span.name = span_text(&builder, VIEW("GET /users/{id}"));
	builder.span.resource = resource;
	span_set_string(&builder, ATTR_HTTP_REQUEST_METHOD, VIEW("GET"));
	span_set_string(&builder, ATTR_URL_PATH, VIEW("/users/1234"));
	span_set_int(&builder, ATTR_HTTP_RESPONSE_STATUS_CODE, 200);
	span = span_new(&builder);
	assert_non_null(span);
	return span;
}

#endif
