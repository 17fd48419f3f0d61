/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of exchanges on their way, and that each of them is accounted for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "base/version.h"
#include "lib/records.h"
#include "pipeline/flow.h"

#define APP	  7
#define COLLECTOR 8
#define SPANS_MAX 16

#define EXPORT	"POST /v1/traces HTTP/1.1\r\nHost: c\r\nContent-Type: application/x-protobuf\r\n"
#define BY_SDK	"User-Agent: OTel-OTLP-Exporter-Python/1.45.2\r\n\r\n"
#define BY_WEFT "User-Agent: weft/" WEFT_VERSION "\r\n\r\n"
#define GET	"GET /item HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK	"HTTP/1.1 200 OK\r\n\r\n"

struct world {
	struct flow flow;
	unsigned int spans;
	unsigned int exchanges; /* so far, each on a connection of its own */
};

static void span_out(void *context, struct span *span)
{
	struct world *world = context;

	(void)span;
	world->spans++;
}

static void world_start(struct world *world, enum config_sdk_spans sdk_spans)
{
	const struct config config = { .request_head = 8192,
				       .response_head = 1024,
				       .sdk_spans = (int)sdk_spans };

	memset(world, 0, sizeof(*world));
	world->flow.span = span_out;
	world->flow.context = world;
	assert_int_equal(flow_init(&world->flow, &config), 0);
}

static int setup(void **state)
{
	static struct world world;

	world_start(&world, CONFIG_SDK_JOIN);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	flow_clear(&world->flow);
	return 0;
}

/* A whole exchange at one end, with a peer of another host. `carries`: a context of its own. */
static void pass(struct world *world, uint32_t pid, enum conn_role role, const char *head,
		 bool carries)
{
	static struct record record;
	struct event_request *request = (struct event_request *)record.bytes;
	unsigned int n = ++world->exchanges;
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
		.join = { .client = n, .server = n },
		.trace = (uint8_t)n,
		.span = (uint8_t)n,
	};

	record_make(&record, &facts);
	request->trace_flags = TRACE_FLAG_SAMPLED;
	if (carries) {
		memset(&request->context.carried, 0x80 + (int)n, sizeof(uint64_t) * 3);
		request->context.carried.flags = TRACE_FLAG_SAMPLED;
		request->context.head_span_id = request->context.carried.span_id;
		request->context.use = CONTEXT_CARRIED;
		request->context.evidence = EVIDENCE_HEADER;
	}
	flow_record(&world->flow, record.bytes, record.size);
	facts.type = EVENT_RESPONSE;
	facts.message = MESSAGE_RESPONSE;
	facts.status = 200;
	facts.head = OK;
	record_make(&record, &facts);
	flow_record(&world->flow, record.bytes, record.size);
}

/* All that passed is exported or dropped: `left` and `exports` of it for their own reasons. */
static void assert_account(struct world *world, unsigned int spans, uint64_t left, uint64_t exports)
{
	static const struct totals base;
	struct totals totals = { 0 };

	correlator_drain(world->flow.correlator);
	flow_account(&world->flow, &base, &totals);
	assert_int_equal(world->spans, spans);
	assert_int_equal(totals.dropped[DROP_SDK_INSTRUMENTED], left);
	assert_int_equal(totals.dropped[DROP_SDK_EXPORT], exports);
	assert_int_equal(totals.captured, world->exchanges);
	assert_int_equal(totals.captured, spans + totals_dropped(&totals));
}

/* Spans of the SDK's are doubled until it exports for the first time, and not from then on. */
static void test_first_export(void **state)
{
	struct world *world = *state;

	pass(world, APP, ROLE_CLIENT, GET, true);
	assert_account(world, 1, 0, 0);
	pass(world, APP, ROLE_CLIENT, EXPORT BY_SDK, false);
	pass(world, APP, ROLE_CLIENT, GET, true);
	pass(world, APP, ROLE_SERVER, GET, false);
	/* what the SDK does not know stays */
	pass(world, APP, ROLE_CLIENT, GET, false);
	assert_account(world, 2, 2, 1);
}

/* The collector's end of it is noise as well, and the collector has no SDK for that. */
static void test_collector(void **state)
{
	struct world *world = *state;

	pass(world, COLLECTOR, ROLE_SERVER, EXPORT BY_SDK, false);
	pass(world, COLLECTOR, ROLE_CLIENT, EXPORT BY_SDK, false);
	pass(world, COLLECTOR, ROLE_SERVER, GET, false);
	assert_account(world, 1, 0, 2);
}

/* Another weft is neither, whatever it exports. */
static void test_weft(void **state)
{
	struct world *world = *state;
	struct totals totals = { 0 };
	static const struct totals base;

	pass(world, APP, ROLE_CLIENT, EXPORT BY_WEFT, false);
	pass(world, APP, ROLE_SERVER, GET, false);
	assert_account(world, 1, 0, 0);
	flow_account(&world->flow, &base, &totals);
	assert_int_equal(totals.dropped[DROP_OWN_EXPORT], 1);
}

static void test_keep(void **state)
{
	static struct world world;

	(void)state;
	world_start(&world, CONFIG_SDK_KEEP);
	pass(&world, APP, ROLE_CLIENT, EXPORT BY_SDK, false);
	pass(&world, APP, ROLE_CLIENT, GET, true);
	pass(&world, APP, ROLE_SERVER, GET, false);
	assert_account(&world, 3, 0, 0);
	flow_clear(&world.flow);
}

/* What does not become a span has its reason. */
static void test_reasons(void **state)
{
	static const struct totals base = { .captured = 10, .bad_records = 5 };
	const uint64_t nothing[4] = {};
	struct world *world = *state;
	struct totals totals = { 0 };

	pass(world, APP, ROLE_SERVER, "GET a b c\r\n\r\n", false);
	flow_record(&world->flow, nothing, sizeof(nothing));
	flow_record(&world->flow, nothing, 0);
	flow_account(&world->flow, &base, &totals);
	assert_int_equal(world->spans, 0);
	assert_int_equal(totals.captured, 11);
	assert_int_equal(totals.dropped[DROP_NOT_PROTOCOL], 1);
	assert_int_equal(totals_dropped(&totals), 1);
	assert_int_equal(totals.bad_records, 7);
	flow_clear(&world->flow);
}

/* What the kernel side could not hand on, or let pass: of this pipeline's time and of one before.
 */
static void test_kernel_losses(void **state)
{
	static const struct totals base = {
		.captured = 30, .dropped = { [DROP_RING_FULL] = 4, [DROP_CPU_BUDGET] = 6 }
	};
	struct world *world = *state;
	struct totals totals = base;

	totals.kernel[STAT_REQUESTS_LOST] = 5;
	totals.kernel[STAT_REQUESTS_PASSED] = 9;
	pass(world, APP, ROLE_SERVER, GET, false);
	correlator_drain(world->flow.correlator);
	flow_account(&world->flow, &base, &totals);
	assert_int_equal(totals.dropped[DROP_RING_FULL], 5);
	assert_int_equal(totals.dropped[DROP_CPU_BUDGET], 9);
	assert_int_equal(totals.captured, 20 + 1 + 5 + 9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_export), TEST(test_collector),	   TEST(test_weft),
		TEST(test_reasons),	 TEST(test_kernel_losses), cmocka_unit_test(test_keep),
	};

	return cmocka_run_group_tests_name("pipeline/flow", tests, NULL, NULL);
}
