/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

static void test_context_received(void **state)
{
	struct world *world = *state;
	struct end server = server_end();

	server.public = true;
	server.fields = TRACEPARENT("77", "01");
	start(world, &server);
	finish(world, &server);
	SERVER_SPAN(world, 0x21, .trace = X_TRACE_BYTE, .parent = 0x77, .evidence = "header");
	assert_int_equal(counters(world)->invalid_context, 0);
	assert_int_equal(find(world, SPAN_KIND_SERVER, 0x21)->flags & 0xff, 0x01);
}

/* A call that is made for a request goes where the request goes. */
static void test_context_received_and_used(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), client = client_end();

	server.fields = TRACEPARENT("77", "03");
	client.join = 2;
	client.pid = server.pid;
	client.trace = server.trace;
	client.parent = server.span;
	client.evidence = EVIDENCE_UNIT;
	start(world, &server);
	start(world, &client);
	finish(world, &client);
	finish(world, &server);
	assert_int_equal(world->n_spans, 0);
	assert_int_equal(counters(world)->held, 2);
	correlator_tick(world->correlator, 1010 + WINDOW_NS);
	SERVER_SPAN(world, 0x21, .trace = X_TRACE_BYTE, .parent = 0x77, .evidence = "header");
	CLIENT_SPAN(world, 0x11, .trace = X_TRACE_BYTE, .parent = 0x21, .evidence = "unit");
	assert_int_equal(find(world, SPAN_KIND_CLIENT, 0x11)->flags & 0xff, 0x03);
}

/* The client's own tracer has written the field: its span is that one, on both sides. */
static void test_client_with_context(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), client = client_end();

	server.fields = client.fields = TRACEPARENT("77", "01");
	for (unsigned int i = 0; i < 2; i++) {
		start(world, i ? &server : &client);
		start(world, i ? &client : &server);
		finish(world, &server);
		finish(world, &client);
		SERVER_SPAN(world, 0x21, .trace = X_TRACE_BYTE, .parent = 0x77,
			    .evidence = "header");
		CLIENT_SPAN(world, 0x77, .trace = X_TRACE_BYTE);
		assert_int_equal(counters(world)->joined, 1);
		world_clear(world);
		world_init(world, 1000, 1000);
	}
}

/* A tracer in the process continues the trace of the request: the span stays under it. */
static void test_client_continues_trace(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), client = client_end();

	server.public = true;
	server.fields = TRACEPARENT("77", "01");
	client.fields = TRACEPARENT("88", "01");
	client.join = 2;
	client.pid = server.pid;
	client.trace = server.trace;
	client.parent = server.span;
	client.evidence = EVIDENCE_UNIT;
	start(world, &server);
	start(world, &client);
	finish(world, &client);
	finish(world, &server);
	CLIENT_SPAN(world, 0x88, .trace = X_TRACE_BYTE, .parent = 0x21, .evidence = "unit");
}

/* The tracer's span is known by the thread, too: it is not its own parent. */
static void test_client_in_its_own_span(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), other;

	client.fields = TRACEPARENT("88", "01");
	client.trace = X_TRACE_BYTE;
	client.parent = 0x88;
	client.evidence = EVIDENCE_THREAD_CONTEXT;
	other = client;
	other.join = 2;
	other.span = 0x12;
	other.parent = 0x99;
	other.fields = NULL;
	start(world, &client);
	finish(world, &client);
	CLIENT_SPAN(world, 0x88, .trace = X_TRACE_BYTE);
	start(world, &other);
	finish(world, &other);
	CLIENT_SPAN(world, 0x12, .trace = X_TRACE_BYTE, .parent = 0x99,
		    .evidence = "thread_context");
}

/* ... or has a trace of its own: then weft's guess was wrong, or of no use. */
static void test_client_leaves_trace(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), client = client_end();

	server.public = true;
	client.fields = TRACEPARENT("88", "01");
	client.join = 2;
	client.pid = server.pid;
	client.trace = server.trace;
	client.parent = server.span;
	client.evidence = EVIDENCE_UNIT;
	start(world, &server);
	start(world, &client);
	finish(world, &client);
	finish(world, &server);
	CLIENT_SPAN(world, 0x88, .trace = X_TRACE_BYTE);
	SERVER_SPAN(world, 0x21, .trace = 0x20);
}

/* A proxy hands on what it received: its own span stands in between. */
static void test_passed_through(void **state)
{
	struct world *world = *state;
	struct end front = server_end(), client = client_end(), back = server_end();

	front.public = true;
	front.fields = client.fields = back.fields = TRACEPARENT("77", "01");
	client.pid = front.pid;
	client.join = back.join = 2;
	back.pid = 3;
	back.trace = 0x30;
	back.span = 0x31;
	start(world, &front);
	start(world, &back);
	start(world, &client);
	finish(world, &back);
	finish(world, &client);
	finish(world, &front);
	SERVER_SPAN(world, 0x21, .trace = X_TRACE_BYTE, .parent = 0x77, .evidence = "header");
	CLIENT_SPAN(world, 0x11, .trace = X_TRACE_BYTE, .parent = 0x21, .evidence = "header");
	SERVER_SPAN(world, 0x31, .trace = X_TRACE_BYTE, .parent = 0x11, .evidence = "same_host");
}

/* Another process that sends the same field is no proxy of this request. */
static void test_passed_by_another_process(void **state)
{
	struct world *world = *state;
	struct end front = server_end(), client = client_end();

	front.public = true;
	front.fields = client.fields = TRACEPARENT("77", "01");
	client.pid = 99;
	client.join = 2;
	start(world, &front);
	start(world, &client);
	finish(world, &client);
	finish(world, &front);
	CLIENT_SPAN(world, 0x77, .trace = X_TRACE_BYTE);
}

/* Several requests at a time under one caller's id: no guess which of them a call is made for. */
static void test_passed_through_shared(void **state)
{
	struct world *world = *state;
	struct end one = server_end(), two = server_end(), known = client_end(), unknown;

	one.public = two.public = true;
	one.fields = two.fields = known.fields = TRACEPARENT("77", "01");
	two.trace = 0x30;
	two.span = 0x31;
	two.join = 2;
	known.pid = one.pid;
	known.join = 3;
	unknown = known;
	unknown.trace = 0x40;
	unknown.span = 0x41;
	unknown.join = 4;
	known.trace = one.trace;
	known.parent = one.span;
	known.evidence = EVIDENCE_UNIT;
	start(world, &one);
	start(world, &two);
	/* the other one's end does not make it certain: its id may be the one that is remembered */
	finish(world, &two);
	start(world, &known);
	start(world, &unknown);
	finish(world, &known);
	finish(world, &unknown);
	finish(world, &one);
	CLIENT_SPAN(world, 0x11, .trace = X_TRACE_BYTE, .parent = 0x21, .evidence = "unit");
	CLIENT_SPAN(world, 0x41, .trace = X_TRACE_BYTE, .parent = 0x77, .evidence = "header");
}

/* When all are over, the id is as good as new. */
static void test_caller_forgotten(void **state)
{
	struct world *world = *state;
	struct end one = server_end(), two = server_end(), client = client_end();

	one.public = two.public = true;
	one.fields = two.fields = client.fields = TRACEPARENT("77", "01");
	two.trace = 0x30;
	two.span = 0x31;
	two.join = 2;
	client.pid = one.pid;
	client.join = 3;
	start(world, &one);
	drop(world, &one);
	start(world, &two);
	start(world, &client);
	finish(world, &client);
	finish(world, &two);
	CLIENT_SPAN(world, 0x11, .trace = X_TRACE_BYTE, .parent = 0x31, .evidence = "header");
}

static void test_not_sampled(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), client = client_end(), next = server_end();
	struct end alone = client_end();

	/* the request, the call that is made for it, and the request at that call's other end */
	server.public = true;
	server.fields = TRACEPARENT("77", "00");
	client.join = next.join = 2;
	client.pid = server.pid;
	client.trace = server.trace;
	client.parent = server.span;
	client.evidence = EVIDENCE_UNIT;
	next.trace = 0x30;
	next.span = 0x31;
	start(world, &server);
	start(world, &client);
	start(world, &next);
	finish(world, &next);
	finish(world, &client);
	finish(world, &server);
	assert_int_equal(counters(world)->not_sampled, 3);
	/* and a client that says so itself */
	alone.fields = TRACEPARENT("88", "fe");
	alone.join = 5;
	start(world, &alone);
	finish(world, &alone);
	assert_int_equal(counters(world)->not_sampled, 4);
	assert_int_equal(world->n_spans, 0);
	assert_int_equal(counters(world)->held, 0);
}

static void test_invalid_context(void **state)
{
	static const char *const fields[] = {
		TRACEPARENT("77", "01") TRACEPARENT("88", "01"),
		TRACEPARENT("77", "01") "TraceParent:\r\n",
		TRACEPARENT("00", "01"),
		TRACEPARENT("77", "1"),
		TRACEPARENT("7G", "01"),
		"traceparent: \r\n",
		"traceparent: 00\r\n",
	};
	struct world *world = *state;

	for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct end server = server_end(), client = client_end();

		server.public = true;
		server.fields = client.fields = fields[i];
		client.join = 2;
		start(world, &server);
		start(world, &client);
		assert_int_equal(counters(world)->invalid_context, 2 * (i + 1));
		finish(world, &server);
		finish(world, &client);
		SERVER_SPAN(world, 0x21, .trace = 0x20);
		CLIENT_SPAN(world, 0x11, .trace = 0x10);
		while (world->n_spans)
			span_free(world->spans[--world->n_spans]);
		/* long enough for the trace to be forgotten */
		correlator_tick(world->correlator, (i + 1) * 10000000000ull);
	}
}

static void assert_state(const struct span *span, const char *state)
{
	assert_int_equal(span->trace_state.len, strlen(state));
	assert_memory_equal(span->trace_state.data, state, strlen(state));
}

/* tracestate goes with the request's span, and with those of the calls that are made for it. */
static void test_trace_state(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), client = client_end(), other = client_end();

	server.public = true;
	server.fields = TRACEPARENT("77", "01") "tracestate: a=1\r\nTraceState: b=2, c=3\r\n";
	client.join = 2;
	client.pid = server.pid;
	client.trace = server.trace;
	client.parent = server.span;
	client.evidence = EVIDENCE_UNIT;
	other.join = 3;
	other.trace = 0x40;
	other.span = 0x41;
	start(world, &server);
	start(world, &client);
	start(world, &other);
	finish(world, &client);
	finish(world, &other);
	finish(world, &server);
	assert_state(find(world, SPAN_KIND_SERVER, 0x21), "a=1,b=2,c=3");
	assert_state(find(world, SPAN_KIND_CLIENT, 0x11), "a=1,b=2,c=3");
	assert_state(find(world, SPAN_KIND_CLIENT, 0x41), "");
}

/* A client's own tracer says what its span's is. */
static void test_client_trace_state(void **state)
{
	struct world *world = *state;
	struct end client = client_end();

	client.fields = TRACEPARENT("77", "01") "tracestate: a=1\r\n";
	start(world, &client);
	finish(world, &client);
	assert_state(find(world, SPAN_KIND_CLIENT, 0x77), "a=1");
}

/* It belongs to traceparent, and to nothing else. */
static void test_trace_state_alone(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), next = server_end();

	server.public = next.public = true;
	server.fields = "tracestate: a=1\r\n";
	next.fields = TRACEPARENT("77", "01") "tracestate: a=1\r\n";
	next.join = 2;
	next.span = 0x31;
	start(world, &server);
	finish(world, &server);
	assert_state(find(world, SPAN_KIND_SERVER, 0x21), "");
	start(world, &next);
	next.exchange.context.carried.propagator = PROPAGATOR_B3;
	finish(world, &next);
	/* it was taken when the request began */
	assert_state(find(world, SPAN_KIND_SERVER, 0x31), "a=1");
	next.span = 0x32;
	exchange_make(&next);
	next.exchange.context.carried.propagator = PROPAGATOR_B3;
	correlator_started(world->correlator, &next.exchange);
	finish(world, &next);
	assert_state(find(world, SPAN_KIND_SERVER, 0x32), "");
}

/* Who is not trusted does not choose the trace: the request starts one, and points to the other. */
static void test_foreign(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), client = client_end();
	const struct span *span;

	server.public = server.foreign = true;
	server.fields = TRACEPARENT("77", "01") "tracestate: a=1\r\n";
	client.join = 2;
	client.pid = server.pid;
	client.trace = server.trace;
	client.parent = server.span;
	client.evidence = EVIDENCE_UNIT;
	start(world, &server);
	start(world, &client);
	finish(world, &client);
	finish(world, &server);
	span = SERVER_SPAN(world, 0x21, .trace = 0x20);
	assert_non_null(span->link);
	assert_id(span->link->trace_id, TRACE_ID_LEN, X_TRACE_BYTE);
	assert_id(span->link->span_id, SPAN_ID_LEN, 0x77);
	assert_int_equal(span->link->flags,
			 SPAN_FLAG_SAMPLED | SPAN_FLAG_HAS_IS_REMOTE | SPAN_FLAG_IS_REMOTE);
	assert_int_equal(span->link->trace_state.len, 3);
	assert_memory_equal(span->link->trace_state.data, "a=1", 3);
	assert_state(span, "");
	span = CLIENT_SPAN(world, 0x11, .trace = 0x20, .parent = 0x21, .evidence = "unit");
	assert_null(span->link);
	assert_state(span, "");
}

/* Other fields are no context. */
static void test_no_context(void **state)
{
	struct world *world = *state;
	struct end server = server_end();

	server.public = true;
	server.fields = "X-Traceparent: 00\r\ntraceparents: 00\r\ntracestate: a=b\r\n";
	start(world, &server);
	finish(world, &server);
	SERVER_SPAN(world, 0x21, .trace = 0x20);
	assert_int_equal(counters(world)->invalid_context, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_context_received),
		TEST(test_context_received_and_used),
		TEST(test_client_with_context),
		TEST(test_client_continues_trace),
		TEST(test_client_leaves_trace),
		TEST(test_passed_through),
		TEST(test_passed_by_another_process),
		TEST(test_passed_through_shared),
		TEST(test_caller_forgotten),
		TEST(test_not_sampled),
		TEST(test_invalid_context),
		TEST(test_no_context),
		TEST(test_trace_state),
		TEST(test_client_trace_state),
		TEST(test_trace_state_alone),
		TEST(test_foreign),
		TEST(test_client_in_its_own_span),
	};

	return cmocka_run_group_tests_name("correlate/correlate_context", tests, NULL, NULL);
}
