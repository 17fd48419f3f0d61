/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of processes with an SDK. 2 is such a process: its server request is 0x21, what it asks of
 * others 0x41. 0x77 is a span of its caller, 0x88 one of its SDK's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

#define OTHER_TRACE "abababababababababababababababab"
#define STRAY(span)                                                                                \
	"traceparent: 00-" OTHER_TRACE "-" span span span span span span span span "-01\r\n"

/* A call that is made for 0x21. */
static struct end call_end(void)
{
	return (struct end){ .role = ROLE_CLIENT,
			     .trace = 0x20,
			     .span = 0x41,
			     .parent = 0x21,
			     .evidence = EVIDENCE_UNIT,
			     .join = 2,
			     .pid = 2,
			     .start_ns = 1020,
			     .end_ns = 1080 };
}

/* The request at the other end of that call, in a process without an SDK. */
static struct end next_end(void)
{
	return (struct end){ .role = ROLE_SERVER,
			     .trace = 0x50,
			     .span = 0x51,
			     .join = 2,
			     .pid = 3,
			     .start_ns = 1030,
			     .end_ns = 1070 };
}

/* As the pipeline does: it is known by now that the process has an SDK. */
static void finish_sdk(struct world *world, struct end *end)
{
	end->exchange.sdk = true;
	finish(world, end);
}

static void settle(struct world *world)
{
	correlator_drain(world->correlator);
	assert_int_equal(counters(world)->held, 0);
}

/* The SDK sends its own context: its span stands between the two. */
static void test_call_of_the_sdk(void **state)
{
	struct world *world = *state;
	struct end call = call_end(), next = next_end();

	call.parent = 0;
	call.evidence = EVIDENCE_NONE;
	call.fields = next.fields = TRACEPARENT("88", "01");
	for (unsigned int i = 0; i < 2; i++) {
		start(world, i ? &next : &call);
		start(world, i ? &call : &next);
		finish(world, &next);
		finish_sdk(world, &call);
		settle(world);
		assert_int_equal(counters(world)->left, 1);
		assert_int_equal(world->n_spans, 1);
		SERVER_SPAN(world, 0x51, .trace = X_TRACE_BYTE, .parent = 0x88,
			    .evidence = "header");
		world_clear(world);
		world_init(world, 1000, 1000);
	}
}

/* A library that the SDK does not know: nobody else shows the call. */
static void test_call_without_context(void **state)
{
	struct world *world = *state;
	struct end call = call_end(), next = next_end();

	call.parent = 0;
	call.evidence = EVIDENCE_NONE;
	start(world, &call);
	start(world, &next);
	finish(world, &next);
	finish_sdk(world, &call);
	settle(world);
	assert_int_equal(counters(world)->left, 0);
	CLIENT_SPAN(world, 0x41, .trace = 0x20);
	SERVER_SPAN(world, 0x51, .trace = 0x20, .parent = 0x41, .evidence = "same_host");
}

/* Both ends see the header: the SDK's span stands where weft's would. */
static void test_request_with_header(void **state)
{
	struct world *world = *state;
	struct end server = server_end();

	server.fields = TRACEPARENT("77", "01");
	start(world, &server);
	finish_sdk(world, &server);
	settle(world);
	assert_int_equal(counters(world)->left, 1);
	assert_int_equal(world->n_spans, 0);
}

/* What is kept below a span that is left hangs under the caller, which is known. */
static void test_kept_call_moves_up(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), call = call_end(), next = next_end();

	server.fields = TRACEPARENT("77", "01");
	start(world, &server);
	start(world, &call);
	start(world, &next);
	finish(world, &next);
	finish_sdk(world, &call);
	finish_sdk(world, &server);
	settle(world);
	assert_int_equal(counters(world)->left, 1);
	assert_int_equal(world->n_spans, 2);
	assert_id(find(world, SPAN_KIND_CLIENT, 0x41)->parent_id, SPAN_ID_LEN, 0x77);
	assert_id(find(world, SPAN_KIND_CLIENT, 0x41)->trace_id, TRACE_ID_LEN, X_TRACE_BYTE);
	assert_true(find(world, SPAN_KIND_CLIENT, 0x41)->flags & SPAN_FLAG_IS_REMOTE);
	SERVER_SPAN(world, 0x51, .trace = X_TRACE_BYTE, .parent = 0x41, .evidence = "same_host");
}

/* The SDK in the middle of a chain: its two spans take the places of weft's. */
static void test_middle_of_a_chain(void **state)
{
	struct world *world = *state;
	struct end front = client_end(), server = server_end(), call = call_end(),
		   next = next_end();

	/* weft's own header, and the SDK's */
	front.fields = NULL;
	server.fields = "traceparent: 00-10101010101010101010101010101010-1111111111111111-01\r\n";
	call.fields = next.fields =
		"traceparent: 00-10101010101010101010101010101010-8888888888888888-01\r\n";
	start(world, &front);
	start(world, &server);
	start(world, &call);
	start(world, &next);
	finish(world, &next);
	finish_sdk(world, &call);
	finish_sdk(world, &server);
	finish(world, &front);
	settle(world);
	assert_int_equal(counters(world)->left, 2);
	assert_int_equal(world->n_spans, 2);
	CLIENT_SPAN(world, 0x11, .trace = 0x10);
	SERVER_SPAN(world, 0x51, .trace = 0x10, .parent = 0x88, .evidence = "header");
}

/* Only weft knows the caller: without its span the caller's trace would end in nothing. */
static void test_joined_request(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end();

	start(world, &client);
	start(world, &server);
	finish_sdk(world, &server);
	finish(world, &client);
	settle(world);
	assert_int_equal(counters(world)->left, 0);
	CLIENT_SPAN(world, 0x11, .trace = 0x10);
	assert_null(SERVER_SPAN(world, 0x21, .trace = 0x10, .parent = 0x11, .evidence = "same_host")
			    ->link);
}

/* ... and where the SDK's trace shows itself, it points there. */
static void test_joined_request_has_a_link(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end(), call = call_end();
	const struct span *span;

	call.fields = STRAY("88");
	start(world, &client);
	start(world, &server);
	start(world, &call);
	finish_sdk(world, &call);
	finish_sdk(world, &server);
	finish(world, &client);
	settle(world);
	assert_int_equal(counters(world)->left, 1);
	assert_int_equal(world->n_spans, 2);
	span = SERVER_SPAN(world, 0x21, .trace = 0x10, .parent = 0x11, .evidence = "same_host");
	assert_non_null(span->link);
	assert_id(span->link->trace_id, TRACE_ID_LEN, 0xab);
	assert_id(span->link->span_id, SPAN_ID_LEN, 0x88);
}

/* The SDK knows clients only: it has not taken the header's trace on. */
static void test_header_not_taken(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), call = call_end();
	const struct span *span;

	server.public = true;
	server.fields = TRACEPARENT("77", "01");
	call.fields = STRAY("88");
	start(world, &server);
	start(world, &call);
	finish_sdk(world, &call);
	finish_sdk(world, &server);
	settle(world);
	span = SERVER_SPAN(world, 0x21, .trace = X_TRACE_BYTE, .parent = 0x77,
			   .evidence = "header");
	assert_id(span->link->trace_id, TRACE_ID_LEN, 0xab);
}

/* A request without a caller is the SDK's root, and would be weft's once more. */
static void test_root(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), call = call_end();

	server.public = true;
	call.fields = STRAY("88");
	start(world, &server);
	start(world, &call);
	finish_sdk(world, &call);
	finish_sdk(world, &server);
	settle(world);
	assert_int_equal(counters(world)->left, 2);
	assert_int_equal(world->n_spans, 0);
}

/* Unless weft has something to hang under it, be it over before or after the request is. */
static void test_root_of_kept_calls(void **state)
{
	struct world *world = *state;

	for (unsigned int i = 0; i < 2; i++) {
		struct end server = server_end(), call = call_end();

		server.public = true;
		start(world, &server);
		start(world, &call);
		finish_sdk(world, i ? &server : &call);
		finish_sdk(world, i ? &call : &server);
		settle(world);
		assert_int_equal(counters(world)->left, 0);
		SERVER_SPAN(world, 0x21, .trace = 0x20);
		CLIENT_SPAN(world, 0x41, .trace = 0x20, .parent = 0x21, .evidence = "unit");
		world_clear(world);
		world_init(world, 1000, 1000);
	}
}

/* An export within a request makes no span, so it is no reason to keep one. */
static void test_root_with_export(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), call = call_end();

	server.public = true;
	start(world, &server);
	exchange_make(&call);
	call.exchange.telemetry = TELEMETRY_SPANS;
	correlator_started(world->correlator, &call.exchange);
	drop(world, &call);
	finish_sdk(world, &server);
	settle(world);
	assert_int_equal(counters(world)->left, 1);
	assert_int_equal(world->n_spans, 0);
}

/* The sender is not trusted by weft, but the SDK does not ask. */
static void test_foreign_request(void **state)
{
	struct world *world = *state;
	struct end server = server_end();

	server.public = server.foreign = true;
	server.fields = TRACEPARENT("77", "01");
	start(world, &server);
	finish_sdk(world, &server);
	settle(world);
	assert_int_equal(counters(world)->left, 1);
}

/*
 * The SDK is noticed in the middle of a request: spans that went out with the server span as their
 * parent keep it.
 */
static void test_noticed_late(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), call = call_end(), sdk_call = call_end();

	server.public = true;
	server.fields = TRACEPARENT("77", "01");
	sdk_call.join = 3;
	sdk_call.span = 0x42;
	start(world, &server);
	start(world, &call);
	finish(world, &call);
	CLIENT_SPAN(world, 0x41, .trace = X_TRACE_BYTE, .parent = 0x21, .evidence = "unit");
	start(world, &sdk_call);
	finish_sdk(world, &sdk_call);
	finish_sdk(world, &server);
	settle(world);
	assert_int_equal(counters(world)->left, 0);
	SERVER_SPAN(world, 0x21, .trace = X_TRACE_BYTE, .parent = 0x77, .evidence = "header");
	CLIENT_SPAN(world, 0x42, .trace = X_TRACE_BYTE, .parent = 0x21, .evidence = "unit");
}

/* Other processes are not concerned. */
static void test_without_sdk(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), call = call_end();

	server.public = true;
	server.fields = TRACEPARENT("77", "01");
	call.fields = TRACEPARENT("88", "01");
	start(world, &server);
	start(world, &call);
	finish(world, &call);
	finish(world, &server);
	settle(world);
	assert_int_equal(counters(world)->left, 0);
	CLIENT_SPAN(world, 0x88, .trace = X_TRACE_BYTE, .parent = 0x21, .evidence = "unit");
	SERVER_SPAN(world, 0x21, .trace = X_TRACE_BYTE, .parent = 0x77, .evidence = "header");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_call_of_the_sdk),
		TEST(test_call_without_context),
		TEST(test_request_with_header),
		TEST(test_kept_call_moves_up),
		TEST(test_middle_of_a_chain),
		TEST(test_joined_request),
		TEST(test_joined_request_has_a_link),
		TEST(test_header_not_taken),
		TEST(test_root),
		TEST(test_root_of_kept_calls),
		TEST(test_root_with_export),
		TEST(test_foreign_request),
		TEST(test_noticed_late),
		TEST(test_without_sdk),
	};

	return cmocka_run_group_tests_name("correlate/sdk", tests, NULL, NULL);
}
