/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records through event_decode, the connection table and the correlator, with limits so low that
 * all of them are met. Six bytes of the input are one record; '!' makes all that is left one raw
 * record. Every exchange that is started ends, and every span that is made is handed on or counted.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conn/table.h"
#include "correlate/correlate.h"
#include "lib/records.h"
#include "protocols/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEP	  6
#define WINDOW_NS 50

struct world {
	struct conn_table *table;
	struct correlator *correlator;
	uint64_t started;
	uint64_t finished;
	uint64_t spans; /* given to the correlator */
	uint64_t settled;
	uint64_t now_ns;
};

static void require(bool right)
{
	if (!right)
		abort();
}

static void on_settled(void *context, struct span *span)
{
	struct world *world = context;

	world->settled++;
	require(span->flags & SPAN_FLAG_SAMPLED);
	span_free(span);
}

static void on_started(void *context, struct exchange *exchange)
{
	struct world *world = context;

	world->started++;
	correlator_started(world->correlator, exchange);
}

/* As the pipeline does it. */
static void on_finished(void *context, struct exchange *exchange)
{
	static struct span_builder builder;
	struct world *world = context;
	const struct protocol *protocol = protocol_by_id(exchange->protocol);

	world->finished++;
	require(world->finished <= world->started);
	span_builder_init(&builder);
	if (!protocol || protocol->describe(exchange, &builder) < 0) {
		correlator_dropped(world->correlator, exchange);
		return;
	}
	world->spans++;
	correlator_finished(world->correlator, exchange, &builder);
}

static void put(struct world *world, const void *bytes, size_t size)
{
	union event event;

	if (event_decode(bytes, size, &event) == 0)
		conn_table_event(world->table, event);
}

/* The bytes as they are, in memory of just their size. */
static void put_raw(struct world *world, const uint8_t *data, size_t size)
{
	void *copy = malloc(size ? size : 1);

	require(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	put(world, copy, size);
	free(copy);
}

#define X_TRACE "0af7651916cd43dd8448eb211c80319c"

static const char *const heads[] = {
	NULL,
	"GET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\ntraceparent: 00-" X_TRACE "-b7ad6b7169203331-01\r\n\r\n",
	"GET / HTTP/1.1\r\ntraceparent: 00-" X_TRACE "-b7ad6b7169203332-00\r\n\r\n",
	"GET / HTTP/1.1\r\ntraceparent: a\r\ntraceparent: b\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\n",
	"x: y\r\n\r\n",
};

/* Few connections, exchanges and ids, so that records meet each other. */
static void put_made(struct world *world, const uint8_t byte[STEP])
{
	static struct record record;
	const struct record_facts facts = {
		.type = (enum event_type)(1 + byte[0] % 5),
		.message = byte[4] & 1 ? MESSAGE_RESPONSE : MESSAGE_REQUEST,
		.flags = byte[3] & 0x3f,
		.conn = byte[1] % 4,
		.exchange = byte[2] % 8,
		.pid = byte[1] >> 2 & 1,
		.time_ns = world->now_ns,
		.end_ns = byte[4] & 4 ? world->now_ns + 3 : 0,
		.body_bytes = byte[5],
		.head = heads[byte[5] % (sizeof(heads) / sizeof(heads[0]))],
		.role = byte[1] & 1 ? ROLE_SERVER : ROLE_CLIENT,
		.family = byte[1] & 8 ? AF_UNIX : AF_INET,
		.status = byte[4] * 3u,
		.error = byte[4] % 8 == 7 ? 104 : 0,
		.join = { byte[2] % 4, 0 },
		.trace = (uint8_t)(1 + (byte[4] >> 3) % 6),
		.span = (uint8_t)(1 + byte[5] % 16),
		.parent = byte[4] >> 5,
	};

	record_make(&record, &facts);
	if (facts.type == EVENT_REQUEST && byte[1] & 16) {
		struct event_request *event = (struct event_request *)record.bytes;

		/* an address of this host */
		memset(event->tuple.remote_ip, 0, 16);
		event->tuple.remote_ip[15] = 1;
		event->evidence = byte[5] % EVIDENCE_MAX;
	}
	put_raw(world, record.bytes, record.size);
}

static void step(struct world *world, const uint8_t byte[STEP])
{
	world->now_ns += byte[3] >> 4;
	switch (byte[0] % 8) {
	case 6:
		correlator_tick(world->correlator, world->now_ns);
		break;
	case 7:
		world->now_ns += byte[1] & 1 ? 10000000000ull : WINDOW_NS;
		correlator_tick(world->correlator, world->now_ns);
		break;
	default:
		put_made(world, byte);
	}
}

static void finish(struct world *world)
{
	const struct correlate_counters *counters = correlator_counters(world->correlator);

	conn_table_drain(world->table);
	correlator_drain(world->correlator);
	require(world->started == world->finished);
	require(world->finished == conn_table_counters(world->table)->exchanges);
	require(conn_table_counters(world->table)->open == 0);
	require(counters->held == 0);
	require(!correlator_waiting(world->correlator));
	require(world->settled + counters->not_sampled == world->spans);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = { .now_ns = 1000 };
	const struct conn_limits limits = { .exchanges = 6,
					    .request_head = 96,
					    .response_head = 16 };
	const struct conn_callbacks callbacks = { on_started, on_finished, &world };
	const struct correlate_options options = {
		.join_window_ns = WINDOW_NS,
		.traces = 4,
		.held_spans = 3,
		.settled = on_settled,
		.context = &world,
	};

	if (correlator_new(&options, &world.correlator) < 0 ||
	    conn_table_new(&limits, &callbacks, &world.table) < 0)
		abort();
	while (size >= STEP && data[0] != '!') {
		step(&world, data);
		data += STEP;
		size -= STEP;
	}
	if (size && data[0] == '!')
		put_raw(&world, data + 1, size - 1);
	finish(&world);
	conn_table_free(world.table);
	correlator_free(world.correlator);
	return 0;
}
