/* SPDX-License-Identifier: Apache-2.0 */
/* Records through all rooms: what comes out, and what is counted of that which does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/records.h"
#include "pipeline/flow.h"
#include "span/resource.h"

struct fixture {
	struct flow flow;
	unsigned int n_spans;
	char name[64];
	char service[64];
	struct totals totals;
};

static void span_out(void *context, struct span *span)
{
	struct fixture *fixture = context;
	struct view service = span->resource->service_name;

	fixture->n_spans++;
	snprintf(fixture->name, sizeof(fixture->name), "%.*s", (int)span->name.len,
		 span->name.data);
	snprintf(fixture->service, sizeof(fixture->service), "%.*s", (int)service.len,
		 service.data);
}

static int setup(void **state)
{
	static struct fixture fixture;
	const struct config config = { .request_head = 8192, .response_head = 1024 };

	memset(&fixture, 0, sizeof(fixture));
	fixture.flow.span = span_out;
	fixture.flow.context = &fixture;
	*state = &fixture;
	return flow_init(&fixture.flow, &config);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	flow_clear(&fixture->flow);
	flow_clear(&fixture->flow);
	return 0;
}

static void put(struct fixture *fixture, const struct record_facts *facts)
{
	static struct record record;

	record_make(&record, facts);
	if (facts->type == EVENT_REQUEST)
		((struct event_request *)record.bytes)->trace_flags = TRACE_FLAG_SAMPLED;
	flow_record(&fixture->flow, record.bytes, record.size);
}

/* One exchange at its server, with a peer of another host: its trace waits for nobody. */
static void put_exchange(struct fixture *fixture, const char *head, uint8_t flags)
{
	put(fixture, &(struct record_facts){ .type = EVENT_REQUEST,
					     .flags = flags,
					     .conn = 1,
					     .exchange = 1,
					     .pid = 7,
					     .time_ns = 1000,
					     .head = head,
					     .role = ROLE_SERVER,
					     .family = AF_INET,
					     .trace = 1,
					     .span = 2 });
	put(fixture, &(struct record_facts){ .type = EVENT_RESPONSE,
					     .message = MESSAGE_RESPONSE,
					     .flags = EVENT_F_HEAD_END | EVENT_F_END,
					     .conn = 1,
					     .exchange = 1,
					     .pid = 7,
					     .time_ns = 2000,
					     .end_ns = 3000,
					     .head = "HTTP/1.1 200 OK\r\n\r\n",
					     .status = 200 });
	correlator_drain(fixture->flow.correlator);
}

static const struct totals *account(struct fixture *fixture)
{
	static const struct totals base = { .captured = 10 };

	flow_account(&fixture->flow, &base, &fixture->totals);
	return &fixture->totals;
}

static void test_a_span_comes_out(void **state)
{
	struct fixture *fixture = *state;

	put_exchange(fixture, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", EVENT_F_HEAD_END | EVENT_F_END);
	assert_int_equal(fixture->n_spans, 1);
	assert_string_equal(fixture->name, "GET /a");
	assert_string_equal(fixture->service, "unknown_service:program");
	assert_int_equal(account(fixture)->captured, 11);
	assert_int_equal(totals_dropped(&fixture->totals), 0);
	assert_int_equal(fixture->flow.record_ns, 2000);
}

static void test_half_heads(void **state)
{
	struct fixture *fixture = *state;

	put_exchange(fixture, "GET /a HT", 0);
	assert_int_equal(fixture->n_spans, 0);
	assert_int_equal(account(fixture)->dropped[DROP_HALF_HEAD], 1);
	assert_int_equal(totals_dropped(&fixture->totals), 1);
}

static void test_what_is_no_request(void **state)
{
	struct fixture *fixture = *state;

	put_exchange(fixture, "GET a b c\r\n\r\n", EVENT_F_HEAD_END | EVENT_F_END);
	assert_int_equal(fixture->n_spans, 0);
	assert_int_equal(account(fixture)->dropped[DROP_NOT_PROTOCOL], 1);
	assert_int_equal(totals_dropped(&fixture->totals), 1);
}

static void test_exports_of_weft_itself(void **state)
{
	struct fixture *fixture = *state;

	put_exchange(fixture, "POST /v1/traces HTTP/1.1\r\nuser-agent:  weft/9\r\n\r\n",
		     EVENT_F_HEAD_END | EVENT_F_END);
	assert_int_equal(fixture->n_spans, 0);
	assert_int_equal(account(fixture)->dropped[DROP_OWN_EXPORT], 1);
	put_exchange(fixture, "POST /v1/traces HTTP/1.1\r\nUser-Agent: wefty/9\r\n\r\n",
		     EVENT_F_HEAD_END | EVENT_F_END);
	assert_int_equal(fixture->n_spans, 1);
}

static void test_bad_records(void **state)
{
	const uint64_t nothing[4] = {};
	struct fixture *fixture = *state;

	flow_record(&fixture->flow, nothing, sizeof(nothing));
	flow_record(&fixture->flow, nothing, 0);
	assert_int_equal(account(fixture)->bad_records, 2);
	assert_int_equal(fixture->totals.captured, 10);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_span_comes_out),   TEST(test_half_heads),
		TEST(test_what_is_no_request), TEST(test_exports_of_weft_itself),
		TEST(test_bad_records),
	};

	return cmocka_run_group_tests_name("pipeline/flow", tests, NULL, NULL);
}
