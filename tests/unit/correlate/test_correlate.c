/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "world.h"

/* --- the two ends of one exchange --- */

static void test_server_after_client(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end();

	start(world, &client);
	assert_false(correlator_waiting(world->correlator));
	start(world, &server);
	assert_false(correlator_waiting(world->correlator));
	finish(world, &server);
	assert_int_equal(world->n_spans, 1);
	finish(world, &client);
	SERVER_SPAN(world, 0x21, .trace = 0x10, .parent = 0x11, .evidence = "same_host");
	CLIENT_SPAN(world, 0x11, .trace = 0x10);
	assert_int_equal(counters(world)->joined, 1);
	assert_int_equal(counters(world)->unjoined, 0);
	assert_int_equal(counters(world)->held, 0);
}

static void test_client_after_server(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end();

	start(world, &server);
	assert_true(correlator_waiting(world->correlator));
	finish(world, &server);
	assert_int_equal(world->n_spans, 0);
	assert_int_equal(counters(world)->held, 1);
	start(world, &client);
	assert_int_equal(world->n_spans, 1);
	assert_int_equal(counters(world)->held, 0);
	assert_false(correlator_waiting(world->correlator));
	finish(world, &client);
	SERVER_SPAN(world, 0x21, .trace = 0x10, .parent = 0x11, .evidence = "same_host");
	CLIENT_SPAN(world, 0x11, .trace = 0x10);
	assert_int_equal(counters(world)->joined, 1);
}

/* The sender's record may bear a later time than the receiver's; its span begins no later. */
static void test_times(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end();

	server.start_ns = 990;
	start(world, &server);
	start(world, &client);
	assert_int_equal(client.exchange.request.start_ns, 990);
	finish(world, &server);
	finish(world, &client);
	assert_int_equal(CLIENT_SPAN(world, 0x11, .trace = 0x10)->start_ns, 990);
}

static void test_window(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end();

	start(world, &server);
	finish(world, &server);
	correlator_tick(world->correlator, 1010 + WINDOW_NS - 1);
	assert_int_equal(world->n_spans, 0);
	assert_int_equal(counters(world)->unjoined, 0);
	correlator_tick(world->correlator, 1010 + WINDOW_NS);
	assert_int_equal(counters(world)->unjoined, 1);
	assert_int_equal(counters(world)->held, 0);
	SERVER_SPAN(world, 0x21, .trace = 0x20);
	/* too late: the server's span is out */
	start(world, &client);
	finish(world, &client);
	CLIENT_SPAN(world, 0x11, .trace = 0x10);
	assert_int_equal(counters(world)->joined, 0);
}

/* The window passes while the request is still served. */
static void test_window_in_progress(void **state)
{
	struct world *world = *state;
	struct end server = server_end();

	start(world, &server);
	correlator_tick(world->correlator, 1010 + WINDOW_NS);
	assert_false(correlator_waiting(world->correlator));
	finish(world, &server);
	SERVER_SPAN(world, 0x21, .trace = 0x20);
	assert_int_equal(counters(world)->unjoined, 1);
}

/* Two exchanges that happen to have one key: the server's answer was over before the client began.
 */
static void test_key_used_again(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end(), other = server_end();

	/* only unix sockets: TCP's sequence numbers do not come again */
	client.family = server.family = other.family = AF_UNIX;
	start(world, &server);
	finish(world, &server);
	client.start_ns = 1200;
	start(world, &client);
	assert_int_equal(counters(world)->joined, 0);
	/* the client waits in its place */
	other.trace = 0x30;
	other.span = 0x31;
	other.start_ns = 1210;
	start(world, &other);
	assert_int_equal(counters(world)->joined, 1);
	finish(world, &other);
	finish(world, &client);
	correlator_drain(world->correlator);
	SERVER_SPAN(world, 0x31, .trace = 0x10, .parent = 0x11, .evidence = "same_host");
	SERVER_SPAN(world, 0x21, .trace = 0x20);
}

/* An exchange that is gone is not found any more: the sanitizer would see its memory read. */
static void test_dropped(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end(), late = client_end();

	start(world, &client);
	drop(world, &client);
	start(world, &server);
	assert_int_equal(counters(world)->joined, 0);
	drop(world, &server);
	/* its trace is still there, for what was done on its behalf */
	late.start_ns = 1020;
	start(world, &late);
	assert_int_equal(counters(world)->joined, 1);
	finish(world, &late);
	CLIENT_SPAN(world, 0x11, .trace = 0x10);
	assert_int_equal(world->n_spans, 1);
}

static void test_unix_sockets(void **state)
{
	struct world *world = *state;
	struct end client[3], server[3];

	/* one connection: the key is the same, the number tells the exchanges apart */
	for (uint8_t i = 0; i < 3; i++) {
		client[i] = client_end();
		server[i] = server_end();
		client[i].family = server[i].family = AF_UNIX;
		client[i].serial = server[i].serial = i + 1u;
		client[i].trace = (uint8_t)(0x10 + i);
		client[i].span = (uint8_t)(0x20 + i);
		server[i].trace = (uint8_t)(0x30 + i);
		server[i].span = (uint8_t)(0x40 + i);
	}
	start(world, &server[1]);
	start(world, &client[0]);
	start(world, &client[2]);
	assert_int_equal(counters(world)->joined, 0);
	start(world, &client[1]);
	start(world, &server[2]);
	start(world, &server[0]);
	assert_int_equal(counters(world)->joined, 3);
	for (uint8_t i = 0; i < 3; i++) {
		finish(world, &server[i]);
		finish(world, &client[i]);
		SERVER_SPAN(world, (uint8_t)(0x40 + i), .trace = (uint8_t)(0x10 + i),
			    .parent = (uint8_t)(0x20 + i), .evidence = "same_host");
	}
}

/* TCP names the exchange by its place in the stream: ends may number it differently. */
static void test_tcp_serials_differ(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end();

	client.serial = 5;
	server.serial = 2;
	start(world, &client);
	start(world, &server);
	assert_int_equal(counters(world)->joined, 1);
	finish(world, &client);
	finish(world, &server);
}

/* --- whose peer may be here --- */

static void test_public_peers(void **state)
{
	static const uint8_t tcp4[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	static const struct {
		uint8_t ip[16]; /* four bytes of IPv4, or all */
		bool ipv6;
		bool waits;
	} rows[] = {
		{ { 127, 0, 0, 1 }, false, true },
		{ { 10, 1, 2, 3 }, false, true },
		{ { 172, 16, 0, 1 }, false, true },
		{ { 172, 31, 255, 255 }, false, true },
		{ { 172, 15, 0, 1 }, false, false },
		{ { 172, 32, 0, 1 }, false, false },
		{ { 192, 168, 4, 5 }, false, true },
		{ { 192, 169, 4, 5 }, false, false },
		{ { 169, 254, 1, 1 }, false, true },
		{ { 100, 64, 0, 1 }, false, true },
		{ { 100, 127, 0, 1 }, false, true },
		{ { 100, 128, 0, 1 }, false, false },
		{ { 8, 8, 8, 8 }, false, false },
		{ { 203, 0, 113, 9 }, false, false },
		{ { [15] = 1 }, true, true },
		{ { [15] = 2 }, true, false },
		{ { 0xfd, 1 }, true, true },
		{ { 0xfe, 0x80 }, true, true },
		{ { 0xfe, 0xc0 }, true, false },
		{ { 0x20, 0x01, 0x0d, 0xb8 }, true, false },
		/* this host's own public address, IPv4 and IPv6 (see below) */
		{ { 8, 8, 4, 4 }, false, true },
		{ { 0x20, 0x01, 0x0d, 0xb9 }, true, true },
	};
	static const size_t n = sizeof(rows) / sizeof(rows[0]);
	struct world *world = *state;

	for (size_t i = 0; i < n; i++) {
		struct end server = server_end();
		uint8_t *ip = server.exchange.remote.ip;

		exchange_make(&server);
		memset(server.exchange.span_id, (int)i + 1, SPAN_ID_LEN);
		if (!rows[i].ipv6) {
			memcpy(ip, tcp4, sizeof(tcp4));
			memcpy(ip + sizeof(tcp4), rows[i].ip, 4);
		} else {
			memcpy(ip, rows[i].ip, 16);
		}
		if (i >= n - 2)
			server.exchange.local = server.exchange.remote;
		correlator_started(world->correlator, &server.exchange);
		assert_int_equal(correlator_waiting(world->correlator), rows[i].waits);
		finish(world, &server);
		correlator_drain(world->correlator);
		assert_int_equal(world->n_spans, i + 1);
	}
	assert_int_equal(counters(world)->unjoined, 0);
}

/* --- chains --- */

#define HOPS 3

/* A client without a parent, and HOPS servers behind each other, all but the last one with a
 * client. */
struct chain {
	struct end client[HOPS];
	struct end server[HOPS];
};

static void chain_init(struct chain *chain)
{
	for (uint8_t i = 0; i < HOPS; i++) {
		chain->client[i] = (struct end){
			.role = ROLE_CLIENT,
			.trace = i ? (uint8_t)(0x20 + i - 1) : 0x10,
			.span = (uint8_t)(0x40 + i),
			.parent = i ? (uint8_t)(0x50 + i - 1) : 0,
			.evidence = i ? EVIDENCE_UNIT : EVIDENCE_NONE,
			.join = 1u + i,
			.pid = 1u + i,
			.start_ns = 1000 + 20u * i,
			.end_ns = 1400 - 20u * i,
		};
		chain->server[i] = (struct end){
			.role = ROLE_SERVER,
			.trace = (uint8_t)(0x20 + i),
			.span = (uint8_t)(0x50 + i),
			.join = 1u + i,
			.pid = 2u + i,
			.start_ns = 1010 + 20u * i,
			.end_ns = 1390 - 20u * i,
		};
	}
}

/* Two events for each end, in the order of their numbers: start and finish. */
enum {
	CLIENT_START,
	CLIENT_FINISH,
	SERVER_START,
	SERVER_FINISH,
	EVENTS_PER_HOP
};

#define EVENTS (HOPS * EVENTS_PER_HOP)

/*
 * May the event come now? The kernel side reports a process' own doings in their order, and an
 * answer is received behind the record of the request that was answered. All else is left to
 * chance.
 */
static bool chain_ready(unsigned int event, unsigned int done)
{
	unsigned int hop = event / EVENTS_PER_HOP;
	unsigned int here = hop * EVENTS_PER_HOP;
	unsigned int need = 0;

	switch (event % EVENTS_PER_HOP) {
	case CLIENT_START:
		need = hop ? 1u << (here - EVENTS_PER_HOP + SERVER_START) : 0;
		break;
	case CLIENT_FINISH:
		need = 1u << (here + CLIENT_START) | 1u << (here + SERVER_START);
		break;
	case SERVER_FINISH:
		need = 1u << (here + SERVER_START);
		break;
	}
	return !(done & 1u << event) && (done & need) == need;
}

static void chain_event(struct world *world, struct chain *chain, unsigned int event)
{
	unsigned int hop = event / EVENTS_PER_HOP;

	switch (event % EVENTS_PER_HOP) {
	case CLIENT_START:
		start(world, &chain->client[hop]);
		break;
	case CLIENT_FINISH:
		finish(world, &chain->client[hop]);
		break;
	case SERVER_START:
		start(world, &chain->server[hop]);
		break;
	case SERVER_FINISH:
		finish(world, &chain->server[hop]);
		break;
	}
}

static void assert_chain(const struct world *world, uint8_t trace)
{
	assert_int_equal(world->n_spans, 2 * HOPS);
	for (uint8_t i = 0; i < HOPS; i++) {
		CLIENT_SPAN(world, (uint8_t)(0x40 + i), .trace = trace,
			    .parent = i ? (uint8_t)(0x50 + i - 1) : 0,
			    .evidence = i ? "unit" : NULL);
		SERVER_SPAN(world, (uint8_t)(0x50 + i), .trace = trace,
			    .parent = (uint8_t)(0x40 + i), .evidence = "same_host");
	}
	assert_int_equal(counters(world)->joined, HOPS);
	assert_int_equal(counters(world)->held, 0);
	assert_false(correlator_waiting(world->correlator));
}

static void test_chain_orders(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15;
	struct chain chain;

	(void)state;
	for (unsigned int round = 0; round < 3000; round++) {
		struct world world;
		unsigned int done = 0;

		world_init(&world, 100, 100);
		chain_init(&chain);
		while (done != (1u << EVENTS) - 1) {
			unsigned int event;

			random = random * 6364136223846793005ull + 1442695040888963407ull;
			event = (unsigned int)(random >> 33) % EVENTS;
			if (!chain_ready(event, done))
				continue;
			chain_event(&world, &chain, event);
			done |= 1u << event;
		}
		assert_chain(&world, 0x10);
		world_clear(&world);
	}
}

/* The far end first, each hop as late as it can be: everything waits for the last record. */
static void test_chain_waits(void **state)
{
	static const unsigned int order[] = {
		0 * EVENTS_PER_HOP + SERVER_START,  1 * EVENTS_PER_HOP + SERVER_START,
		2 * EVENTS_PER_HOP + SERVER_START,  2 * EVENTS_PER_HOP + SERVER_FINISH,
		1 * EVENTS_PER_HOP + SERVER_FINISH, 0 * EVENTS_PER_HOP + SERVER_FINISH,
		2 * EVENTS_PER_HOP + CLIENT_START,  2 * EVENTS_PER_HOP + CLIENT_FINISH,
		1 * EVENTS_PER_HOP + CLIENT_START,  1 * EVENTS_PER_HOP + CLIENT_FINISH,
	};
	struct world *world = *state;
	struct chain chain;

	chain_init(&chain);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		chain_event(world, &chain, order[i]);
	assert_int_equal(world->n_spans, 0);
	assert_int_equal(counters(world)->held, 5);
	chain_event(world, &chain, CLIENT_START);
	assert_int_equal(world->n_spans, 5);
	chain_event(world, &chain, CLIENT_FINISH);
	assert_chain(world, 0x10);
}

/* Context from outside at the chain's beginning reaches its end. */
static void test_chain_from_outside(void **state)
{
	struct world *world = *state;
	struct chain chain;

	chain_init(&chain);
	chain.server[0].fields = TRACEPARENT("77", "01");
	chain.server[0].public = true;
	for (unsigned int hop = 0; hop < HOPS; hop++) {
		chain_event(world, &chain, hop * EVENTS_PER_HOP + SERVER_START);
		if (hop + 1 < HOPS)
			chain_event(world, &chain, (hop + 1) * EVENTS_PER_HOP + CLIENT_START);
	}
	for (unsigned int hop = HOPS; hop-- > 0;) {
		chain_event(world, &chain, hop * EVENTS_PER_HOP + SERVER_FINISH);
		if (hop)
			chain_event(world, &chain, hop * EVENTS_PER_HOP + CLIENT_FINISH);
	}
	SERVER_SPAN(world, 0x50, .trace = X_TRACE_BYTE, .parent = 0x77, .evidence = "header");
	for (uint8_t i = 1; i < HOPS; i++) {
		CLIENT_SPAN(world, (uint8_t)(0x40 + i), .trace = X_TRACE_BYTE,
			    .parent = (uint8_t)(0x50 + i - 1), .evidence = "unit");
		SERVER_SPAN(world, (uint8_t)(0x50 + i), .trace = X_TRACE_BYTE,
			    .parent = (uint8_t)(0x40 + i), .evidence = "same_host");
	}
}

/* A trace is remembered for a while after its end: what was begun for it may end later. */
static void test_linger(void **state)
{
	const uint64_t second = 1000000000;
	struct world *world = *state;
	struct end server = server_end(), client = client_end();

	server.public = true;
	server.fields = TRACEPARENT("77", "01");
	client.join = 2;
	client.pid = server.pid;
	client.trace = server.trace;
	client.parent = server.span;
	client.evidence = EVIDENCE_UNIT;
	start(world, &server);
	finish(world, &server);
	correlator_tick(world->correlator, second);
	start(world, &client);
	finish(world, &client);
	CLIENT_SPAN(world, 0x11, .trace = X_TRACE_BYTE, .parent = 0x21, .evidence = "unit");
}

/* --- limits --- */

/* More spans wait than may: the trace of the one that is too many is settled as it is. */
static void test_held_limit(void **state)
{
	struct end servers[4];
	struct world world;

	(void)state;
	world_init(&world, 100, 2);
	for (uint8_t i = 0; i < 4; i++) {
		servers[i] = server_end();
		servers[i].trace = (uint8_t)(0x20 + i);
		servers[i].span = (uint8_t)(0x50 + i);
		servers[i].join = 1u + i;
		start(&world, &servers[i]);
	}
	for (uint8_t i = 0; i < 4; i++)
		finish(&world, &servers[i]);
	assert_int_equal(counters(&world)->held, 2);
	assert_int_equal(counters(&world)->early, 2);
	assert_int_equal(world.n_spans, 2);
	SERVER_SPAN(&world, 0x52, .trace = 0x22);
	SERVER_SPAN(&world, 0x53, .trace = 0x23);
	correlator_drain(world.correlator);
	assert_int_equal(world.n_spans, 4);
	assert_int_equal(counters(&world)->unjoined, 0);
	world_clear(&world);
}

/* More traces than may be remembered: the oldest is settled and forgotten, its spans are not lost.
 */
static void test_trace_limit(void **state)
{
	struct end servers[5], late = client_end();
	struct world world;

	(void)state;
	world_init(&world, 3, 100);
	for (uint8_t i = 0; i < 5; i++) {
		servers[i] = server_end();
		servers[i].trace = (uint8_t)(0x20 + i);
		servers[i].span = (uint8_t)(0x50 + i);
		servers[i].join = 1u + i;
		start(&world, &servers[i]);
		if (i == 0)
			finish(&world, &servers[i]);
	}
	assert_int_equal(counters(&world)->early, 2);
	assert_int_equal(world.n_spans, 1);
	/* the other end of one that was forgotten */
	late.join = 2;
	start(&world, &late);
	assert_int_equal(counters(&world)->joined, 0);
	finish(&world, &late);
	for (uint8_t i = 1; i < 5; i++)
		finish(&world, &servers[i]);
	correlator_drain(world.correlator);
	assert_int_equal(world.n_spans, 6);
	for (uint8_t i = 0; i < 5; i++)
		SERVER_SPAN(&world, (uint8_t)(0x50 + i), .trace = (uint8_t)(0x20 + i));
	world_clear(&world);
}

static void test_drain(void **state)
{
	struct world *world = *state;
	struct chain chain;

	chain_init(&chain);
	for (unsigned int hop = 1; hop < HOPS; hop++) {
		chain_event(world, &chain, (hop - 1) * EVENTS_PER_HOP + SERVER_START);
		chain_event(world, &chain, hop * EVENTS_PER_HOP + CLIENT_START);
	}
	chain_event(world, &chain, 2 * EVENTS_PER_HOP + SERVER_START);
	for (unsigned int hop = HOPS; hop-- > 0;) {
		chain_event(world, &chain, hop * EVENTS_PER_HOP + SERVER_FINISH);
		if (hop)
			chain_event(world, &chain, hop * EVENTS_PER_HOP + CLIENT_FINISH);
	}
	assert_int_equal(world->n_spans, 0);
	correlator_drain(world->correlator);
	assert_int_equal(world->n_spans, 5);
	assert_int_equal(counters(world)->held, 0);
	assert_false(correlator_waiting(world->correlator));
	/* the first client was not seen: the first server's trace is the root */
	SERVER_SPAN(world, 0x50, .trace = 0x20);
	SERVER_SPAN(world, 0x52, .trace = 0x20, .parent = 0x42, .evidence = "same_host");
	correlator_drain(world->correlator);
	assert_int_equal(world->n_spans, 5);
}

/* Spans that wait are freed with the correlator: the sanitizer would tell. */
static void test_freed(void **state)
{
	struct world *world = *state;
	struct chain chain;

	chain_init(&chain);
	chain_event(world, &chain, SERVER_START);
	chain_event(world, &chain, EVENTS_PER_HOP + CLIENT_START);
	chain_event(world, &chain, EVENTS_PER_HOP + SERVER_START);
	chain_event(world, &chain, EVENTS_PER_HOP + SERVER_FINISH);
	chain_event(world, &chain, SERVER_FINISH);
	assert_int_equal(counters(world)->held, 2);
}

/* --- records that no kernel makes --- */

static void test_same_trace_twice(void **state)
{
	struct world *world = *state;
	struct end one = server_end(), two = server_end();

	two.span = 0x22;
	two.join = 2;
	start(world, &one);
	start(world, &two);
	finish(world, &two);
	finish(world, &one);
	correlator_drain(world->correlator);
	assert_int_equal(world->n_spans, 2);
}

/* Both ends in one trace: it continues itself. */
static void test_ring(void **state)
{
	struct world *world = *state;
	struct end server = server_end(), client = client_end();

	client.trace = server.trace;
	start(world, &server);
	start(world, &client);
	finish(world, &client);
	finish(world, &server);
	correlator_drain(world->correlator);
	assert_int_equal(world->n_spans, 2);
	SERVER_SPAN(world, 0x21, .trace = 0x20, .parent = 0x11, .evidence = "same_host");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_server_after_client),
		TEST(test_client_after_server),
		TEST(test_times),
		TEST(test_window),
		TEST(test_window_in_progress),
		TEST(test_key_used_again),
		TEST(test_dropped),
		TEST(test_unix_sockets),
		TEST(test_tcp_serials_differ),
		TEST(test_public_peers),
		cmocka_unit_test(test_chain_orders),
		TEST(test_chain_waits),
		TEST(test_chain_from_outside),
		TEST(test_linger),
		cmocka_unit_test(test_held_limit),
		cmocka_unit_test(test_trace_limit),
		TEST(test_drain),
		TEST(test_freed),
		TEST(test_same_trace_twice),
		TEST(test_ring),
	};

	return cmocka_run_group_tests_name("correlate/correlate", tests, NULL, NULL);
}
