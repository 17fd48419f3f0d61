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

/* --- names, blanks, lines --- */

static void assert_found(const char *lines)
{
	struct found found = find(lines, ALL);

	if (found.kind != CONTEXT_PARENT || found.refused)
		fail_msg("%s is %d, %d refused", lines, found.kind, found.refused);
	assert_memory_equal(found.context.trace_id, trace_bytes, 16);
	assert_memory_equal(&found.context.span_id, span_bytes, 8);
}

static void test_letter_case(void **state)
{
	static const char *const names[] = {
		"traceparent: " PARENT,
		"TRACEPARENT: " PARENT,
		"TraceParent: " PARENT,
		"tRACEPARENt: " PARENT,
		"b3: " TRACE "-" SPAN,
		"B3: " TRACE "-" SPAN,
		"uber-trace-id: " TRACE ":" SPAN ":0:1",
		"UBER-TRACE-ID: " TRACE ":" SPAN ":0:1",
		"Uber-Trace-Id: " TRACE ":" SPAN ":0:1",
		"x-amzn-trace-id: " XRAY,
		"X-AMZN-TRACE-ID: " XRAY,
		"X-Amzn-Trace-Id: " XRAY,
		"X-B3-TRACEID: " TRACE "\r\nX-B3-SPANID: " SPAN,
		"x-b3-traceid: " TRACE "\r\nx-b3-spanid: " SPAN,
	};
	char lines[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(lines, sizeof(lines), "%s\r\n", names[i]);
		assert_found(lines);
	}
}

/* Optional white space, RFC 9110 section 5.6.3, and both line ends. */
static void test_blanks(void **state)
{
	static const char *const formats[] = { "b3:%s" TRACE "-" SPAN "-1%s%s",
					       "traceparent:%s" PARENT "%s%s",
					       "uber-trace-id:%s" TRACE ":" SPAN ":0:1%s%s",
					       "X-Amzn-Trace-Id:%s" XRAY "%s%s" };
	char blanks[PIECE_BLANKS_MAX + 20], lines[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		for (size_t n = 0; n <= PIECE_BLANKS_MAX; n++) {
			for (size_t b = 0; b < n; b++)
				blanks[b] = b % 3 == 1 ? '\t' : ' ';
			blanks[n] = '\0';
			snprintf(lines, sizeof(lines), formats[i], blanks, blanks, "\r\n");
			assert_found(lines);
			snprintf(lines, sizeof(lines), formats[i], "", blanks, "\n");
			assert_found(lines);
		}
	}
	/* more than anybody writes; X-Ray's keys have blanks of their own */
	memset(blanks, ' ', sizeof(blanks));
	blanks[sizeof(blanks) - 1] = '\0';
	for (size_t i = 0; i < 3; i++) {
		snprintf(lines, sizeof(lines), formats[i], blanks, "", "\r\n");
		assert_int_equal(find(lines, ALL).refused, 1);
		snprintf(lines, sizeof(lines), formats[i], "", blanks, "\r\n");
		assert_int_equal(find(lines, ALL).refused, 1);
	}
}

/* Lines that are none of ours, whatever stands in them. */
static void test_other_names(void **state)
{
	static const char *const lines[] = {
		"X-traceparent: " PARENT,
		"traceparents: " PARENT,
		"traceparen: " PARENT,
		"traceparent " PARENT,
		"traceparent : " PARENT,
		"trace-parent: " PARENT,
		"\x14raceparent: " PARENT,
		"traceparent\x1a " PARENT,
		"traceparent",
		"tr",
		"t",
		"b33: 0",
		"b3 : 0",
		"b\x13: 0",
		"b3\x1a 0",
		"b",
		"bb3: 0",
		"uber-trace-ids: " TRACE ":" SPAN ":0:1",
		"uber\rtrace-id: " TRACE ":" SPAN ":0:1",
		"uberctx-key: value",
		"x-amzn-trace-i: " XRAY,
		"x-amzn-trace-id2: " XRAY,
		"x-amzn-requestid: " XRAY,
		"x_b3_traceid: " TRACE,
		"x-b3-trace-id: " TRACE,
		"x-b3-span: " SPAN,
		"x-b3-sample: 1",
		"x-b3-flag: 1",
		"x-b3-parentspani: " SPAN,
		"x-b3-parentspanids: " SPAN,
		"x-",
		"User-Agent: traceparent: " PARENT,
		": " PARENT,
		"Cookie: b3: 0",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct context_fields fields;

		snprintf(text, sizeof(text), "%s\r\n", lines[i]);
		fields = read_fields(text);
		if (context_present(&fields))
			fail_msg("%s is taken for 0x%x", text, fields.seen);
		assert_int_equal(find(text, ALL).kind, CONTEXT_NONE);
	}
}

/* The injector keeps off a head with any of these, be it valid or not. */
static void test_present(void **state)
{
	static const char *const lines[] = {
		"traceparent: what",	 "tracestate: a=b",	    "b3: what",
		"X-B3-TraceId: what",	 "X-B3-SpanId: ",	    "X-B3-Flags: 0",
		"X-B3-Sampled: what",	 "X-B3-ParentSpanId: what", "uber-trace-id: 0",
		"X-Amzn-Trace-Id: what",
	};
	char text[256];
	uint32_t all = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct context_fields fields;

		snprintf(text, sizeof(text), "%s\r\n", lines[i]);
		fields = read_fields(text);
		assert_true(context_present(&fields));
		assert_int_equal(all & fields.seen, 0);
		all |= fields.seen;
		assert_int_equal(find(text, ALL).kind, CONTEXT_NONE);
		/* nobody asked for it: it is not counted */
		assert_int_equal(context_refused(&fields, 0), 0);
	}
	assert_int_equal(all & (all + CONTEXT_BIT(CONTEXT_TRACEPARENT)), 0);
}

/* A field that comes twice, with the same value or another: both are refused. */
static void test_doubled(void **state)
{
	static const char *const values[][2] = {
		{ "traceparent: " PARENT, "Traceparent: " PARENT },
		{ "traceparent: " PARENT, "traceparent: 00-" TRACE "-" OTHER "-01" },
		{ "traceparent: " PARENT, "traceparent: what" },
		{ "b3: " TRACE "-" SPAN, "b3: 0" },
		{ "b3: " TRACE "-" SPAN, "b3: what" },
		{ "uber-trace-id: " TRACE ":" SPAN ":0:1", "uber-trace-id: 1:2:0:1" },
		{ "X-Amzn-Trace-Id: " XRAY, "X-Amzn-Trace-Id: " XRAY },
		{ "X-Amzn-Trace-Id: " XRAY, "X-Amzn-Trace-Id: " ROOT },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		for (size_t first = 0; first < 2; first++) {
			struct found found;

			snprintf(text, sizeof(text), "%s\r\nA: b\r\n%s\r\n", values[i][first],
				 values[i][!first]);
			found = find(text, ALL);
			assert_int_equal(found.kind, CONTEXT_NONE);
			assert_int_equal(found.refused, 1);
			snprintf(text, sizeof(text), "%s\r\n%s\r\n%s\r\n", values[i][first],
				 values[i][!first], values[i][first]);
			assert_int_equal(find(text, ALL).kind, CONTEXT_NONE);
		}
	}
}

/* A line that goes on in the next one (obs-fold) does not say what it seems to say. */
static void test_folded(void **state)
{
	static const char *const refused[] = {
		"traceparent: " PARENT "\r\n more\r\n",
		"traceparent: " PARENT "\r\n\t\r\n",
		"traceparent: " PARENT "\n \n",
		"traceparent:\r\n " PARENT "\r\n",
		"traceparent: " PARENT "\r\n " PARENT "\r\n more\r\n",
		"b3: " TRACE "-" SPAN "\r\n -1\r\n",
		MULTI_IDS " \r\n",
	};
	static const char *const kept[] = {
		"A: b\r\n " TRACEPARENT "b3: " TRACE "-" SPAN "\r\n",
		TRACEPARENT "A: b\r\n more\r\n",
		TRACEPARENT "X-A: b\r\n more\r\n",
		TRACEPARENT "tr:b\r\n more\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct found found = find(refused[i], ALL);

		if (found.kind != CONTEXT_NONE || found.refused != 1)
			fail_msg("%s is %d, %d refused", refused[i], found.kind, found.refused);
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_found(kept[i]);
}

/* --- which one counts --- */

#define B3_OTHER     "b3: " TRACE "-" OTHER "-0\r\n"
#define JAEGER_THIRD "uber-trace-id: " TRACE ":3:0:1\r\n"
#define XRAY_FOURTH  "x-amzn-trace-id: " ROOT ";Parent=0000000000000004\r\n"

static void test_order(void **state)
{
	static const char *const heads[] = {
		TRACEPARENT B3_OTHER JAEGER_THIRD XRAY_FOURTH,
		XRAY_FOURTH JAEGER_THIRD B3_OTHER TRACEPARENT,
		B3_OTHER XRAY_FOURTH TRACEPARENT JAEGER_THIRD,
	};
	static const struct {
		uint64_t order;
		enum propagator expected;
	} rows[] = {
		{ ORDER(TRACECONTEXT, B3, JAEGER, XRAY), PROPAGATOR_TRACECONTEXT },
		{ ORDER(B3, TRACECONTEXT, JAEGER, XRAY), PROPAGATOR_B3 },
		{ ORDER(B3MULTI, TRACECONTEXT, NONE, NONE), PROPAGATOR_B3 },
		{ ORDER(JAEGER, B3, TRACECONTEXT, NONE), PROPAGATOR_JAEGER },
		{ ORDER(XRAY, TRACECONTEXT, NONE, NONE), PROPAGATOR_XRAY },
		{ ORDER(XRAY, NONE, NONE, NONE), PROPAGATOR_XRAY },
		/* the last one that there can be, and numbers that mean nothing */
		{ 0xf | (uint64_t)PROPAGATOR_XRAY << 5 * PROPAGATOR_BITS, PROPAGATOR_XRAY },
	};
	struct found found;

	(void)state;
	for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			found = find(heads[h], rows[i].order);
			assert_int_equal(found.kind, CONTEXT_PARENT);
			assert_int_equal(found.context.propagator, rows[i].expected);
			assert_int_equal(found.refused, 0);
		}
		assert_int_equal(find(heads[h], 0).kind, CONTEXT_NONE);
	}
}

/* What is refused, or was not asked for, does not keep others from being found. */
static void test_next_in_order(void **state)
{
	struct found found;

	(void)state;
	found = find("traceparent: what\r\n" B3_OTHER, ALL);
	assert_int_equal(found.context.propagator, PROPAGATOR_B3);
	assert_int_equal(found.refused, 1);
	found = find(TRACEPARENT TRACEPARENT B3_OTHER JAEGER_THIRD, ALL);
	assert_int_equal(found.context.propagator, PROPAGATOR_B3);
	assert_int_equal(found.refused, 1);
	found = find(TRACEPARENT TRACEPARENT "b3: x\r\n" JAEGER_THIRD, ALL);
	assert_int_equal(found.context.propagator, PROPAGATOR_JAEGER);
	assert_int_equal(found.refused, 2);
	found = find("x-amzn-trace-id: " ROOT "\r\n" TRACEPARENT,
		     ORDER(XRAY, TRACECONTEXT, NONE, NONE));
	assert_int_equal(found.context.propagator, PROPAGATOR_TRACECONTEXT);
	found = find("b3: what\r\n" TRACEPARENT, ORDER(TRACECONTEXT, NONE, NONE, NONE));
	assert_int_equal(found.context.propagator, PROPAGATOR_TRACECONTEXT);
	assert_int_equal(found.refused, 0);
	found = find("b3: what\r\n" B3_OTHER, ORDER(TRACECONTEXT, JAEGER, XRAY, NONE));
	assert_int_equal(found.kind, CONTEXT_NONE);
	assert_int_equal(found.refused, 0);
}

/* A parent, whoever names it, is worth more than a decision alone. */
static void test_parent_over_decision(void **state)
{
	struct found found = find("b3: 0\r\n" TRACEPARENT, ORDER(B3, TRACECONTEXT, NONE, NONE));

	(void)state;
	assert_int_equal(found.kind, CONTEXT_PARENT);
	assert_int_equal(found.context.propagator, PROPAGATOR_TRACECONTEXT);
	assert_int_equal(found.context.flags, SAMPLED);
	found = find(TRACEPARENT "b3: 0\r\n", ORDER(JAEGER, B3, XRAY, NONE));
	assert_int_equal(found.kind, CONTEXT_DECISION);
	assert_int_equal(found.context.span_id, 0);
}

/* One field of B3 wins over several, in whatever order they come; a malformed one leaves them. */
static void test_b3_single_wins(void **state)
{
	static const char *const parts[] = {
		"b3: " TRACE "-" SPAN "-0\r\n",
		"X-B3-TraceId: 11111111111111111111111111111111\r\n",
		"X-B3-SpanId: " OTHER "\r\n",
		"X-B3-Flags: 1\r\n",
	};
	char text[512];
	struct found found;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%s%s%s%s", parts[i], parts[(i + 1) % 4],
			 parts[(i + 2) % 4], parts[(i + 3) % 4]);
		found = find(text, ALL);
		assert_int_equal(found.kind, CONTEXT_PARENT);
		assert_int_equal(found.context.propagator, PROPAGATOR_B3);
		assert_memory_equal(found.context.trace_id, trace_bytes, 16);
		assert_memory_equal(&found.context.span_id, span_bytes, 8);
		assert_int_equal(found.context.flags, 0);
		assert_int_equal(found.context.hints, 0);

		/* doubled: nothing of B3's counts */
		strncat(text, parts[0], sizeof(text) - strlen(text) - 1);
		found = find(text, ALL);
		assert_int_equal(found.kind, CONTEXT_NONE);
		assert_int_equal(found.refused, 1);
	}
	found = find("b3: what\r\n" MULTI_IDS, ALL);
	assert_int_equal(found.context.propagator, PROPAGATOR_B3MULTI);
	assert_memory_equal(found.context.trace_id, trace_bytes, 16);
	assert_int_equal(found.refused, 1);
	found = find("b3: 0\r\n" MULTI_IDS "X-B3-Sampled: 1\r\n", ALL);
	assert_int_equal(found.kind, CONTEXT_DECISION);
	assert_int_equal(found.context.flags, 0);
	found = find("b3: " TRACE "-" SPAN "\r\nX-B3-TraceId: what\r\n", ALL);
	assert_int_equal(found.kind, CONTEXT_PARENT);
	assert_int_equal(found.refused, 1);
}

/* --- heads in pieces --- */

static void feed(struct head_scan *scan, const char *text, size_t size, size_t step)
{
	head_scan_init(scan);
	for (size_t at = 0; at < size; at += step)
		head_scan_feed(scan, (const uint8_t *)text + at,
			       size - at < step ? size - at : step);
	assert_true(scan->head.done);
}

/* Wherever a head is cut, it says the same: no line of these is too long to be kept. */
static void test_cuts(void **state)
{
	static const char text[] = "GET /path HTTP/1.1\r\nHost: a\r\n" TRACEPARENT B3_OTHER
				   "tracestate: a=b\r\nA: b\r\n" JAEGER_THIRD XRAY_FOURTH MULTI_IDS
				   "X-B3-Sampled: 1\r\n more\r\nX-B3-Flags: 0\r\n\r\n";
	static struct head_scan whole, cut;

	(void)state;
	feed(&whole, text, sizeof(text) - 1, sizeof(text));
	assert_int_not_equal(whole.fields.spoilt, 0);
	for (size_t step = 1; step < sizeof(text); step++) {
		feed(&cut, text, sizeof(text) - 1, step);
		assert_memory_equal(&cut.fields, &whole.fields, sizeof(whole.fields));
	}
}

/* Far behind other fields: each piece ends somewhere else in the line, however long it is. */
static void test_far_behind(void **state)
{
	static struct head_scan scan;
	struct trace_context context;

	(void)state;
	for (int n = 1000; n < 3100; n += 3) {
		char *text;
		int size = asprintf(&text,
				    "GET / HTTP/1.1\r\nCookie: %0*d\r\nA: %05000d\r\n%s"
				    "X-Amzn-Trace-Id: " XRAY ";k=%0300d\r\n\r\n",
				    n, 0, 0, n % 2 ? TRACEPARENT : "", 0);

		assert_true(size > 0);
		feed(&scan, text, (size_t)size, (size_t)size);
		free(text);
		assert_int_equal(context_refused(&scan.fields, ALL), 0);
		assert_int_equal(context_resolve(&scan.fields, ALL, &context), CONTEXT_PARENT);
		assert_int_equal(context.propagator,
				 n % 2 ? PROPAGATOR_TRACECONTEXT : PROPAGATOR_XRAY);
		assert_memory_equal(&context.span_id, span_bytes, 8);
	}
}

/* A line that is too long to be kept until its end comes: what it says is lost, not that it is
 * there. */
static void test_torn(void **state)
{
	static const char *const starts[] = { "GET / HTTP/1.1\r\nX-Amzn-Trace-Id: " XRAY ";k=",
					      "GET / HTTP/1.1\r\nA: b\r\ntraceparent: 01-" TRACE
					      "-",
					      "GET / HTTP/1.1\r\n" TRACEPARENT
					      " more, and more: " };
	static struct head_scan scan;
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		size_t len = strlen(starts[i]), size;
		struct trace_context context;

		size = (size_t)snprintf(text, sizeof(text), "%s%0200d\r\n%s\r\n\r\n", starts[i], 0,
					"B3: 0");
		head_scan_init(&scan);
		head_scan_feed(&scan, (const uint8_t *)text, len + 100);
		head_scan_feed(&scan, (const uint8_t *)text + len + 100, size - len - 100);
		assert_true(scan.head.done);
		assert_int_equal(context_refused(&scan.fields, ALL), 1);
		assert_int_equal(context_resolve(&scan.fields, ALL, &context), CONTEXT_DECISION);
	}
	/* others are none of ours, and a long start line is none either */
	feed(&scan, text,
	     (size_t)snprintf(text, sizeof(text),
			      "GET /%0300d HTTP/1.1\r\nX-A: %0300d\r\nb: %0300d\r\n\r\n", 0, 0, 0),
	     150);
	assert_false(context_present(&scan.fields));
}

/* Answers and trailer fields carry no context. */
static void test_requests_only(void **state)
{
	static const char response[] = "HTTP/1.1 200 OK\r\n" TRACEPARENT "b3: 0\r\n\r\n";
	static struct head_scan scan;

	(void)state;
	feed(&scan, response, sizeof(response) - 1, sizeof(response));
	assert_false(context_present(&scan.fields));
	feed(&scan, response, sizeof(response) - 1, 100);
	assert_false(context_present(&scan.fields));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letter_case),
		cmocka_unit_test(test_blanks),
		cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_present),
		cmocka_unit_test(test_doubled),
		cmocka_unit_test(test_folded),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_next_in_order),
		cmocka_unit_test(test_parent_over_decision),
		cmocka_unit_test(test_b3_single_wins),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_far_behind),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_requests_only),
	};

	return cmocka_run_group_tests_name("classify/trace_context", tests, NULL, NULL);
}
