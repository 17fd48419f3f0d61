/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn, protocols, correlate, span, process and pipeline, with every allocation failing once:
 * whatever cannot be had, each exchange is exported or counted as dropped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/failing.h"
#include "lib/records.h"
#include "pipeline/flow.h"

#define APP	  7
#define BACKEND	  8
#define LONG_HEAD 1000
#define STATE	  "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
#define GET	  "GET /item/7?key=x HTTP/1.1\r\nHost: a\r\n" STATE "tracestate: a=b,c=d\r\n\r\n"
#define OK	  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
#define EXPORT                                                                                     \
	"POST /v1/traces HTTP/1.1\r\nHost: c\r\nContent-Type: application/x-protobuf\r\n"          \
	"User-Agent: OTel-OTLP-Exporter-Python/1.45.2\r\n\r\n"

struct world {
	struct flow flow;
	struct channel_message message;
	unsigned int spans;
	unsigned int requests;
	struct record record;
	char long_head[LONG_HEAD + 64];
};

static struct world world;

static void span_out(void *context, struct span *span)
{
	(void)context;
	assert_non_null(span->resource);
	world.spans++;
}

static void put(const struct record_facts *facts, bool carried)
{
	struct event_request *request = (struct event_request *)world.record.bytes;

	record_make(&world.record, facts);
	if (facts->type == EVENT_REQUEST) {
		world.requests++;
		request->trace_flags = TRACE_FLAG_SAMPLED;
	}
	if (facts->type == EVENT_REQUEST && carried) {
		memset(&request->context.carried, 0x80, sizeof(uint64_t) * 3);
		request->context.carried.flags = TRACE_FLAG_SAMPLED;
		request->context.carried.propagator = PROPAGATOR_TRACECONTEXT;
		request->context.use = CONTEXT_TAKEN;
		request->context.evidence = EVIDENCE_HEADER;
	}
	flow_record(&world.flow, world.record.bytes, world.record.size);
}

/* One end of an exchange. Both ends of one have the same `join`. */
static void pass(uint32_t pid, enum conn_role role, unsigned int join, const char *head)
{
	unsigned int n = world.requests + 1;
	struct record_facts facts = {
		.type = EVENT_REQUEST,
		.flags = EVENT_F_HEAD_END | EVENT_F_END,
		.conn = n,
		.exchange = 1,
		.pid = pid,
		.time_ns = n * 1000,
		.end_ns = n * 1000,
		.head = head,
		.role = role,
		.family = AF_INET,
		.join = { .client = join, .server = join },
		.trace = (uint8_t)n,
		.span = (uint8_t)n,
	};

	put(&facts, head != world.long_head && role == ROLE_SERVER);
	facts.type = EVENT_RESPONSE;
	facts.message = MESSAGE_RESPONSE;
	facts.status = 200;
	facts.head = OK;
	put(&facts, false);
}

static int tell(const char *const *strings)
{
	channel_message_init(&world.message, CHANNEL_PROCESS, APP);
	for (; *strings; strings++)
		assert_int_equal(channel_message_add(&world.message, *strings), 0);
	return processes_told(world.flow.processes, &world.message);
}

/* A connection begins to carry TLS: its client names the other end. */
static void greet(unsigned int conn)
{
	static const char hello[] = "\x01\x00\x01\x00\x03\x03"
				    "0123456789abcdef0123456789abcdef"
				    "\x00\x00\x02\x13\x01\x01\x00\x00\x0a"
				    "\x00\x00\x00\x06\x00\x04\x00\x00\x01x";
	const struct record_facts facts = {
		.type = EVENT_TLS_HELLO,
		.conn = conn,
		.head = hello,
		.head_len = sizeof(hello) - 1,
	};

	put(&facts, false);
}

static void drive(void)
{
	static const char *const told[] = {
		"python",    "thread", "script", "/usr/bin/python3", "", "", "service.name", "shop",
		"host.name", "h",      NULL,
	};
	int r = tell(told);

	assert_true(r == 0 || (r == -ENOMEM && failing_happened()));
	greet(world.requests + 1);
	pass(APP, ROLE_SERVER, 1, GET);
	pass(APP, ROLE_CLIENT, 2, "GET /a HTTP/1.1\r\nHost: b\r\n\r\n");
	pass(BACKEND, ROLE_SERVER, 2, "GET /a HTTP/1.1\r\nHost: b\r\n\r\n");
	pass(BACKEND, ROLE_CLIENT, 3, world.long_head);
	pass(APP, ROLE_CLIENT, 4, EXPORT);
	r = tell(told);
	assert_true(r == 0 || (r == -ENOMEM && failing_happened()));
	pass(APP, ROLE_CLIENT, 5, GET);
	correlator_tick(world.flow.correlator, 10000000000ull);
}

static void check_account(void)
{
	static const struct totals base;
	struct totals totals = { 0 };

	conn_table_drain(world.flow.connections);
	correlator_drain(world.flow.correlator);
	flow_account(&world.flow, &base, &totals);
	assert_int_equal(totals.captured, world.requests);
	assert_int_equal(totals.captured, world.spans + totals_dropped(&totals));
	assert_int_equal(totals.unmatched_records == 0 || failing_happened(), 1);
	if (!failing_happened())
		assert_int_equal(totals.dropped[DROP_NO_MEMORY], 0);
}

static void shown(json_t *json)
{
	assert_true(json || failing_happened());
	json_decref(json);
}

static void run(void *context)
{
	const struct config config = { .request_head = 8192, .response_head = 1024 };
	struct totals totals = { .captured = 1 };
	int r;

	(void)context;
	memset(&world.flow, 0, sizeof(world.flow));
	world.spans = world.requests = 0;
	world.flow.span = span_out;
	r = flow_init(&world.flow, &config);
	if (r == 0) {
		drive();
		shown(processes_json(world.flow.processes));
		shown(totals_json(&totals));
		check_account();
	} else {
		assert_int_equal(r, -ENOMEM);
		assert_true(failing_happened());
	}
	flow_clear(&world.flow);
}

static void test_flow(void **state)
{
	(void)state;
	strcpy(world.long_head, "GET /b HTTP/1.1\r\nX: ");
	memset(world.long_head + strlen(world.long_head), 'x', LONG_HEAD);
	strcat(world.long_head, "\r\n\r\n");
	every_allocation_fails(run, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flow) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
