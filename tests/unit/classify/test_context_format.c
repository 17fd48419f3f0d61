/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"

struct row {
	const char *value;
	uint8_t flags;
	uint8_t hints;
};

/* The value is found in that field, with the ids above; `low`: only the trace id's last half. */
static void assert_valid(const char *name, const struct row *row, enum propagator propagator,
			 bool low)
{
	static const uint8_t zeroes[8];
	struct found found;
	char lines[512];

	snprintf(lines, sizeof(lines), "%s: %s\r\n", name, row->value);
	found = find(lines, ALL);
	if (found.kind != CONTEXT_PARENT)
		fail_msg("%s is not found", lines);
	assert_int_equal(found.refused, 0);
	assert_memory_equal(found.context.trace_id, low ? zeroes : trace_bytes, 8);
	assert_memory_equal(&found.context.trace_id[1], trace_bytes + 8, 8);
	assert_memory_equal(&found.context.span_id, span_bytes, 8);
	assert_int_equal(found.context.flags, row->flags);
	assert_int_equal(found.context.hints, row->hints);
	assert_int_equal(found.context.propagator, propagator);
}

static void assert_refused(const char *name, const char *value)
{
	struct context_fields fields;
	struct found found;
	char lines[1024];

	snprintf(lines, sizeof(lines), "%s: %s\r\n", name, value);
	fields = read_fields(lines);
	assert_true(context_present(&fields));
	found = find(lines, ALL);
	if (found.kind != CONTEXT_NONE || found.refused != 1)
		fail_msg("%s is %d, %d refused", lines, found.kind, found.refused);
}

#define ASSERT_ALL_REFUSED(name, values)                                                           \
	for (size_t i = 0; i < sizeof(values) / sizeof((values)[0]); i++)                          \
	assert_refused(name, (values)[i])

/* --- W3C --- */

static void test_traceparent(void **state)
{
	static const struct row rows[] = {
		{ "00-" TRACE "-" SPAN "-00", 0, 0 },
		{ "00-" TRACE "-" SPAN "-01", SAMPLED, 0 },
		{ "00-" TRACE "-" SPAN "-02", RANDOM, 0 },
		{ "00-" TRACE "-" SPAN "-03", SAMPLED | RANDOM, 0 },
		/* flags that nobody knows yet are no reason to refuse the rest */
		{ "00-" TRACE "-" SPAN "-ff", SAMPLED | RANDOM, 0 },
		{ "00-" TRACE "-" SPAN "-fc", 0, 0 },
		/* later versions: the first fields are as they were, others may follow */
		{ "01-" TRACE "-" SPAN "-01", SAMPLED, 0 },
		{ "cc-" TRACE "-" SPAN "-03-what-the-future-brings", SAMPLED | RANDOM, 0 },
		{ "fe-" TRACE "-" SPAN "-01-", SAMPLED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_valid("traceparent", &rows[i], PROPAGATOR_TRACECONTEXT, false);
}

static void test_traceparent_refused(void **state)
{
	static const char *const values[] = {
		"",
		"0",
		"00-" TRACE "-" SPAN,
		"00-" TRACE "-" SPAN "-0",
		"00-" TRACE "-" SPAN "-01-",
		"00-" TRACE "-" SPAN "-01-more",
		"00-" TRACE "-" SPAN "-011",
		"00-" TRACE "-" SPAN "-01,00-" TRACE "-" SPAN "-01",
		"01-" TRACE "-" SPAN "-01.more",
		"01-" TRACE "-" SPAN "-012",
		"ff-" TRACE "-" SPAN "-01",
		"FE-" TRACE "-" SPAN "-01",
		"0-" TRACE "-" SPAN "-001",
		"0x-" TRACE "-" SPAN "-01",
		"00-00000000000000000000000000000000-" SPAN "-01",
		"00-" TRACE "-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
		"00-" TRACE "-B7AD6B7169203331-01",
		"00-" TRACE "-" SPAN "-0A",
		"00-" TRACE "-" SPAN "-0g",
		"00-" TRACE "-" SPAN "- 1",
		"00-0af7651916cd43dd8448eb211c80319-c" SPAN "-01",
		"00_" TRACE "-" SPAN "-01",
		"00-" TRACE "_" SPAN "-01",
		"00-" TRACE "-" SPAN "_01",
		"\"00-" TRACE "-" SPAN "-01\"",
		"00-0af7651916cd43dd8448eb211c80319\xff-" SPAN "-01",
		"00-" TRACE "-" SPAN "-01\r",
		"\r00-" TRACE "-" SPAN "-01",
		"00-" TRACE "-" SPAN "-01 \r ",
		"00-" TRACE "-" SPAN "-01 x",
	};

	(void)state;
	ASSERT_ALL_REFUSED("traceparent", values);
}

/* At each place of the ids every byte but a digit or a small letter up to f is refused. */
static void test_digits(void **state)
{
	static const char value[] = PARENT;
	struct context_ids ids;
	struct piece piece = { .data = { 0 } };

	(void)state;
	for (size_t at = 0; at < sizeof(value) - 1; at++) {
		if (value[at] == '-')
			continue;
		for (unsigned int c = 0; c < 256; c++) {
			bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
			bool version = at < 2 && c != '0'; /* a later one may end here, too */
			int flags;

			memcpy(piece.data, value, sizeof(value));
			piece.data[at] = (uint8_t)c;
			flags = context_traceparent(&ids, &piece, 0, sizeof(value) - 1);
			assert_int_equal(flags != CONTEXT_BAD, digit);
			if (!digit || version || at >= 53)
				continue;
			assert_int_equal(flags, CONTEXT_DECIDED | SAMPLED);
		}
	}
}

/* --- B3 --- */

static void test_b3(void **state)
{
	static const struct row rows[] = {
		{ TRACE "-" SPAN, 0, DEFERRED },
		{ TRACE "-" SPAN "-0", 0, 0 },
		{ TRACE "-" SPAN "-1", SAMPLED, 0 },
		{ TRACE "-" SPAN "-d", SAMPLED, DEBUG },
		{ TRACE "-" SPAN "-1-" OTHER, SAMPLED, 0 },
		{ TRACE "-" SPAN "-0-0000000000000000", 0, 0 },
	};
	static const struct row low[] = {
		{ LOW "-" SPAN, 0, DEFERRED },
		{ LOW "-" SPAN "-1", SAMPLED, 0 },
		{ LOW "-" SPAN "-d-" OTHER, SAMPLED, DEBUG },
		{ "0000000000000000" LOW "-" SPAN "-0", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_valid("b3", &rows[i], PROPAGATOR_B3, false);
	for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++)
		assert_valid("b3", &low[i], PROPAGATOR_B3, true);
}

static void test_b3_refused(void **state)
{
	static const char *const values[] = {
		"",
		"2",
		"D",
		"true",
		"00",
		"-",
		TRACE,
		TRACE "-",
		TRACE "-" SPAN "-",
		TRACE "-" SPAN "-2",
		TRACE "-" SPAN "-D",
		TRACE "-" SPAN "-10",
		TRACE "-" SPAN "-1-",
		TRACE "-" SPAN "-1-" OTHER "0",
		TRACE "-" SPAN "-1-" OTHER "-",
		TRACE "-" SPAN "-1-00f067aa0ba902b",
		TRACE "-" SPAN "-1-00f067aa0ba902bg",
		TRACE "-" SPAN "-" OTHER,
		TRACE "-" SPAN "0",
		TRACE "_" SPAN "-1",
		TRACE "-" SPAN "_1",
		"0" TRACE "-" SPAN "-1",
		"af7651916cd43dd8448eb211c80319c-" SPAN "-1",
		"0AF7651916CD43DD8448EB211C80319C-" SPAN "-1",
		TRACE "-B7AD6B7169203331-1",
		"00000000000000000000000000000000-" SPAN "-1",
		"0000000000000000-" SPAN "-1",
		TRACE "-0000000000000000-1",
		TRACE "-b7ad6b716920333-1",
		TRACE " - " SPAN,
	};

	(void)state;
	ASSERT_ALL_REFUSED("b3", values);
}

/* Without ids: only whether to sample. */
static void test_b3_decision(void **state)
{
	static const struct {
		const char *lines;
		uint8_t flags;
		uint8_t hints;
		enum propagator propagator;
	} rows[] = {
		{ "b3: 0\r\n", 0, 0, PROPAGATOR_B3 },
		{ "b3:0\n", 0, 0, PROPAGATOR_B3 },
		{ "b3: 1\r\n", SAMPLED, 0, PROPAGATOR_B3 },
		{ "b3: d\r\n", SAMPLED, DEBUG, PROPAGATOR_B3 },
		{ "X-B3-Sampled: 0\r\n", 0, 0, PROPAGATOR_B3MULTI },
		{ "X-B3-Sampled: 1\r\n", SAMPLED, 0, PROPAGATOR_B3MULTI },
		{ "X-B3-Flags: 1\r\n", SAMPLED, DEBUG, PROPAGATOR_B3MULTI },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct found found = find(rows[i].lines, ALL);

		assert_int_equal(found.kind, CONTEXT_DECISION);
		assert_int_equal(found.context.trace_id[0] | found.context.trace_id[1], 0);
		assert_int_equal(found.context.span_id, 0);
		assert_int_equal(found.context.flags, rows[i].flags);
		assert_int_equal(found.context.hints, rows[i].hints);
		assert_int_equal(found.context.propagator, rows[i].propagator);
		assert_int_equal(found.refused, 0);
	}
}

static void test_b3_multi(void **state)
{
	static const struct row rows[] = {
		{ MULTI_IDS, 0, DEFERRED },
		{ MULTI_IDS "X-B3-Sampled: 0\r\n", 0, 0 },
		{ MULTI_IDS "X-B3-Sampled: 1\r\n", SAMPLED, 0 },
		{ MULTI_IDS "X-B3-Sampled: true\r\n", SAMPLED, 0 },
		{ MULTI_IDS "X-B3-Sampled: false\r\n", 0, 0 },
		{ MULTI_IDS "X-B3-Flags: 1\r\n", SAMPLED, DEBUG },
		{ MULTI_IDS "X-B3-Flags: 0\r\n", 0, DEFERRED },
		{ MULTI_IDS "X-B3-Flags: what\r\n", 0, DEFERRED },
		{ MULTI_IDS "X-B3-Flags: 1\r\nX-B3-Sampled: 0\r\n", SAMPLED, DEBUG },
		{ MULTI_IDS "X-B3-ParentSpanId: " OTHER "\r\n", 0, DEFERRED },
		{ MULTI_IDS "X-B3-ParentSpanId: not ours\r\n", 0, DEFERRED },
		{ "x-b3-sampled:1\nX-B3-SPANID: " SPAN "\nx-b3-traceid:\t" TRACE "\n", SAMPLED, 0 },
	};
	struct found found;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		found = find(rows[i].value, ALL);
		assert_int_equal(found.kind, CONTEXT_PARENT);
		assert_int_equal(found.refused, 0);
		assert_memory_equal(found.context.trace_id, trace_bytes, 16);
		assert_memory_equal(&found.context.span_id, span_bytes, 8);
		assert_int_equal(found.context.flags, rows[i].flags);
		assert_int_equal(found.context.hints, rows[i].hints);
		assert_int_equal(found.context.propagator, PROPAGATOR_B3MULTI);
	}
	found = find("X-B3-SpanId: " SPAN "\r\nX-B3-TraceId: " LOW "\r\n", ALL);
	assert_int_equal(found.kind, CONTEXT_PARENT);
	assert_int_equal(found.context.trace_id[0], 0);
	assert_memory_equal(&found.context.trace_id[1], trace_bytes + 8, 8);
}

/* One bad field of B3's takes the others with it. */
static void test_b3_multi_refused(void **state)
{
	static const char *const texts[] = {
		"X-B3-TraceId: " TRACE "\r\n",
		"X-B3-SpanId: " SPAN "\r\nX-B3-Sampled: 1\r\n",
		"X-B3-TraceId: " TRACE "\r\nX-B3-SpanId: 0000000000000000\r\n",
		"X-B3-TraceId: 00000000000000000000000000000000\r\nX-B3-SpanId: " SPAN "\r\n",
		"X-B3-TraceId: 0" TRACE "\r\nX-B3-SpanId: " SPAN "\r\n",
		"X-B3-TraceId: a" LOW "\r\nX-B3-SpanId: " SPAN "\r\n",
		"X-B3-TraceId: \r\nX-B3-SpanId: " SPAN "\r\n",
		"X-B3-TraceId: 0AF7651916CD43DD8448EB211C80319C\r\nX-B3-SpanId: " SPAN "\r\n",
		"X-B3-TraceId: " TRACE "\r\nX-B3-SpanId: " TRACE "\r\n",
		MULTI_IDS "X-B3-Sampled: d\r\n",
		MULTI_IDS "X-B3-Sampled: TRUE\r\n",
		MULTI_IDS "X-B3-Sampled: 2\r\n",
		MULTI_IDS "X-B3-Sampled: 11\r\n",
		MULTI_IDS "X-B3-Sampled: truely\r\n",
		MULTI_IDS "X-B3-Sampled: tru\r\n",
		MULTI_IDS "X-B3-Sampled:\r\n",
		MULTI_IDS "X-B3-SpanId: " SPAN "\r\n",
		MULTI_IDS "X-B3-Sampled: 1\r\nX-B3-Sampled: 1\r\n",
		MULTI_IDS "X-B3-Flags: 0\r\nX-B3-Flags: 0\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct found found = find(texts[i], ALL);

		if (found.kind != CONTEXT_NONE || found.refused != 1)
			fail_msg("%s is %d, %d refused", texts[i], found.kind, found.refused);
	}
}

/* --- Jaeger --- */

static void test_jaeger(void **state)
{
	static const struct row rows[] = {
		{ TRACE ":" SPAN ":0:1", SAMPLED, 0 },
		{ TRACE ":" SPAN ":0:0", 0, 0 },
		{ TRACE ":" SPAN ":" OTHER ":01", SAMPLED, 0 },
		{ TRACE ":" SPAN ":f067aa0ba902b7:3", SAMPLED, DEBUG },
		{ TRACE ":" SPAN ":0:2", SAMPLED, DEBUG },
		{ TRACE ":" SPAN ":0:8", 0, 0 },
		{ TRACE ":" SPAN ":0:ff", SAMPLED, DEBUG },
		{ TRACE "%3A" SPAN "%3A0%3A1", SAMPLED, 0 },
		{ TRACE "%3a" SPAN "%3A0%3a01", SAMPLED, 0 },
		{ "af7651916cd43dd8448eb211c80319c:" SPAN ":0:1", SAMPLED, 0 },
		{ "0AF7651916CD43DD8448EB211C80319C:B7AD6B7169203331:0:1", SAMPLED, 0 },
	};
	static const struct row low = { LOW ":" SPAN ":0:1", SAMPLED, 0 };
	struct found found;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_valid("uber-trace-id", &rows[i], PROPAGATOR_JAEGER, false);
	assert_valid("uber-trace-id", &low, PROPAGATOR_JAEGER, true);
	found = find("Uber-Trace-Id: 1:2:0:1\r\n", ALL);
	assert_int_equal(found.kind, CONTEXT_PARENT);
	assert_int_equal(found.context.trace_id[0], 0);
	assert_memory_equal(&found.context.trace_id[1], "\0\0\0\0\0\0\0\1", 8);
	assert_memory_equal(&found.context.span_id, "\0\0\0\0\0\0\0\2", 8);
}

static void test_jaeger_refused(void **state)
{
	static const char *const values[] = {
		"",
		":",
		":::",
		TRACE,
		TRACE ":" SPAN,
		TRACE ":" SPAN ":0",
		TRACE ":" SPAN ":0:",
		TRACE ":" SPAN "::1",
		TRACE "::0:1",
		":" SPAN ":0:1",
		TRACE ":" SPAN ":0:1:",
		TRACE ":" SPAN ":0:1:0",
		TRACE ":" SPAN ":0:100",
		TRACE ":" SPAN ":0:x",
		TRACE ":" SPAN ":0:-1",
		TRACE ":" SPAN ":" TRACE ":1",
		TRACE ":" SPAN ":what:1",
		"0" TRACE ":" SPAN ":0:1",
		TRACE ":0" SPAN ":0:1",
		"0:" SPAN ":0:1",
		TRACE ":0:0:1",
		TRACE "%3" SPAN "%3A0%3A1",
		TRACE "%3B" SPAN "%3A0%3A1",
		TRACE "%3A" SPAN ":0:1",
		TRACE "%3A" SPAN "%3A0%3A",
		TRACE "%3A" SPAN "%3A0%3",
		TRACE ": " SPAN ":0:1",
	};

	(void)state;
	ASSERT_ALL_REFUSED("uber-trace-id", values);
}

/* --- X-Ray --- */

static void test_xray(void **state)
{
	static const struct row rows[] = {
		{ XRAY, SAMPLED, 0 },
		{ ROOT ";" PARENT_KEY ";Sampled=0", 0, 0 },
		{ ROOT ";" PARENT_KEY ";Sampled=?", 0, DEFERRED },
		{ ROOT ";" PARENT_KEY, 0, DEFERRED },
		{ "Sampled=1;" PARENT_KEY ";" ROOT, SAMPLED, 0 },
		{ PARENT_KEY " ; Sampled=1 \t;  " ROOT, SAMPLED, 0 },
		{ "Self=1-67891234-12456789abcdef012345678;" XRAY ";Lineage=a:1|b:2", SAMPLED, 0 },
		{ ";" XRAY ";;", SAMPLED, 0 },
		{ "Root2=x;root=y;" XRAY ";SampledBy=z;k", SAMPLED, 0 },
		{ "Root=1-0AF76519-16CD43DD8448EB211C80319C;Parent=B7AD6B7169203331", 0, DEFERRED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_valid("X-Amzn-Trace-Id", &rows[i], PROPAGATOR_XRAY, false);
}

/* Fifteen parts with nothing in them. */
#define PARTS ";;;;;;;;;;;;;;;"

static void test_xray_refused(void **state)
{
	static const char *const values[] = {
		"",
		";",
		PARENT_KEY,
		PARENT_KEY ";Sampled=1",
		"Root=",
		"Root=1-0af76519-16cd43dd8448eb211c80319",
		"Root=1-0af76519-16cd43dd8448eb211c80319c0;" PARENT_KEY,
		"Root=2-0af76519-16cd43dd8448eb211c80319c;" PARENT_KEY,
		"Root=1-0af76519_16cd43dd8448eb211c80319c;" PARENT_KEY,
		"Root=1_0af76519-16cd43dd8448eb211c80319c;" PARENT_KEY,
		"Root=1-0af7651x-16cd43dd8448eb211c80319c;" PARENT_KEY,
		"Root=1-0af76519-16cd43dd8448eb211c80319x;" PARENT_KEY,
		"Root=1-0af76519-000000000000000000000000;" PARENT_KEY,
		"Root=" TRACE ";" PARENT_KEY,
		"Root= 1-0af76519-16cd43dd8448eb211c80319c;" PARENT_KEY,
		ROOT ";Parent=",
		ROOT ";Parent=0000000000000000",
		ROOT ";Parent=b7ad6b716920333",
		ROOT ";Parent=b7ad6b71692033311",
		ROOT ";Parent=b7ad6b716920333g",
		ROOT ";" PARENT_KEY ";Sampled=",
		ROOT ";" PARENT_KEY ";Sampled=d",
		ROOT ";" PARENT_KEY ";Sampled=11",
		ROOT ";" PARENT_KEY ";Sampled=true",
		ROOT ";" XRAY,
		XRAY ";" PARENT_KEY,
		XRAY ";Sampled=1",
		XRAY ";" PARTS,
		PARTS ";" XRAY,
	};

	(void)state;
	ASSERT_ALL_REFUSED("x-amzn-trace-id", values);
}

/* What a load balancer says is neither a parent nor a mistake. */
static void test_xray_root_alone(void **state)
{
	static const char *const texts[] = {
		"X-Amzn-Trace-Id: " ROOT "\r\n",
		"X-Amzn-Trace-Id: " ROOT ";Sampled=1\r\n",
		"X-Amzn-Trace-Id: Self=1-67891234-12456789abcdef012345678;" ROOT "\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct context_fields fields = read_fields(texts[i]);
		struct found found = find(texts[i], ALL);

		assert_int_equal(found.kind, CONTEXT_NONE);
		assert_int_equal(found.refused, 0);
		assert_true(context_present(&fields));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traceparent),
		cmocka_unit_test(test_traceparent_refused),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_b3),
		cmocka_unit_test(test_b3_refused),
		cmocka_unit_test(test_b3_decision),
		cmocka_unit_test(test_b3_multi),
		cmocka_unit_test(test_b3_multi_refused),
		cmocka_unit_test(test_jaeger),
		cmocka_unit_test(test_jaeger_refused),
		cmocka_unit_test(test_xray),
		cmocka_unit_test(test_xray_refused),
		cmocka_unit_test(test_xray_root_alone),
	};

	return cmocka_run_group_tests_name("classify/context_format", tests, NULL, NULL);
}
