/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/untraced.h"
#include "world.h"

#define SECOND_NS 1000000000ull

static struct untraced untraced;

static int begin(void **state)
{
	(void)state;
	memset(&untraced, 0, sizeof(untraced));
	untraced_init(&untraced);
	return 0;
}

/* One end of the connection from the client's port to the server's; `conn` is the end's own. */
static struct exchange end_of(enum conn_role role, uint64_t conn, uint16_t port)
{
	struct exchange exchange = { .role = role, .conn = conn, .family = AF_INET };
	struct conn_address *client = role == ROLE_CLIENT ? &exchange.local : &exchange.remote;
	struct conn_address *server = role == ROLE_CLIENT ? &exchange.remote : &exchange.local;

	address_set(client, "\x7f\x00\x00\x01");
	address_set(server, "\x7f\x00\x00\x01");
	client->port = port;
	server->port = 80;
	return exchange;
}

static uint64_t peers_of(const struct exchange *exchange)
{
	return untraced_peers(&untraced, exchange);
}

static bool is(const struct exchange *exchange)
{
	return untraced_is(&untraced, exchange, peers_of(exchange));
}

static void waited(const struct exchange *exchange, unsigned int times)
{
	while (times--)
		untraced_waited(&untraced, exchange->conn, peers_of(exchange),
				exchange->request.start_ns);
}

static void test_both_ends_name_their_connection_alike(void **state)
{
	struct exchange client = end_of(ROLE_CLIENT, 1, 5000),
			server = end_of(ROLE_SERVER, 2, 5000);
	struct exchange other = end_of(ROLE_CLIENT, 3, 5001);
	struct exchange local = { .role = ROLE_CLIENT, .family = AF_UNIX, .join = { 7, 8 } };
	struct exchange unix_server = { .role = ROLE_SERVER, .family = AF_UNIX, .join = { 7, 8 } };

	(void)state;
	assert_true(peers_of(&client) == peers_of(&server));
	assert_true(peers_of(&client) != peers_of(&other));
	assert_true(peers_of(&local) == peers_of(&unix_server));
}

static void test_some_that_waited_in_vain_are_enough(void **state)
{
	struct exchange server = end_of(ROLE_SERVER, 2, 5000), other = end_of(ROLE_SERVER, 4, 5001);

	(void)state;
	assert_false(is(&server));
	waited(&server, 2);
	assert_false(is(&server));
	waited(&server, 1);
	assert_true(is(&server));
	assert_false(is(&other));
}

/* A connection that has the addresses of one that is over, or of one in another namespace. */
static void test_a_connection_is_told_by_its_socket(void **state)
{
	struct exchange server = end_of(ROLE_SERVER, 2, 5000), next = end_of(ROLE_SERVER, 3, 5000);

	(void)state;
	waited(&server, 3);
	assert_false(is(&next));
	waited(&next, 1);
	assert_false(is(&server));
	assert_false(is(&next));
}

static void test_a_client_that_shows_up_ends_it(void **state)
{
	struct exchange client = end_of(ROLE_CLIENT, 1, 5000),
			server = end_of(ROLE_SERVER, 2, 5000);

	(void)state;
	waited(&server, 3);
	untraced_not(&untraced, peers_of(&client));
	assert_false(is(&server));
	waited(&server, 2);
	assert_false(is(&server));
}

static void test_now_and_then_one_waits_again(void **state)
{
	struct exchange server = end_of(ROLE_SERVER, 2, 5000);

	(void)state;
	waited(&server, 3);
	server.request.start_ns = SECOND_NS - 1;
	assert_true(is(&server));
	server.request.start_ns = SECOND_NS;
	assert_false(is(&server));
	assert_true(is(&server));
	server.request.start_ns = 2 * SECOND_NS - 1;
	assert_true(is(&server));
	server.request.start_ns = 2 * SECOND_NS;
	assert_false(is(&server));
}

/* --- through the correlator --- */

/* A request at the server, answered before anything else happens; it is given up if it waits. */
static void serve(struct world *world, uint8_t span, uint64_t start_ns)
{
	struct end server = server_end();

	server.span = span;
	server.join = span;
	server.start_ns = start_ns;
	server.end_ns = start_ns + 10;
	exchange_make(&server);
	server.exchange.conn = 77;
	correlator_started(world->correlator, &server.exchange);
	finish(world, &server);
	correlator_tick(world->correlator, start_ns + WINDOW_NS);
}

static void test_spans_wait_no_more(void **state)
{
	struct world *world = *state;
	struct end server = server_end();

	for (uint8_t i = 0; i < 3; i++)
		serve(world, (uint8_t)(0x50 + i), 1000 + 1000 * i);
	assert_int_equal(counters(world)->unjoined, 3);
	assert_int_equal(world->n_spans, 3);

	exchange_make(&server);
	server.exchange.conn = 77;
	server.exchange.request.start_ns = 5000;
	correlator_started(world->correlator, &server.exchange);
	finish(world, &server);
	assert_int_equal(counters(world)->untraced, 1);
	assert_int_equal(counters(world)->unjoined, 3);
	assert_false(correlator_waiting(world->correlator));
	assert_int_equal(world->n_spans, 4);
	SERVER_SPAN(world, 0x21, .trace = 0x20);
}

/* The client's process is traced from now on: its first request that comes in time is joined. */
static void test_a_client_that_was_there_first_is_joined(void **state)
{
	struct world *world = *state;
	struct end client = client_end(), server = server_end();

	for (uint8_t i = 0; i < 3; i++)
		serve(world, (uint8_t)(0x50 + i), 1000 + 1000 * i);
	client.start_ns = 5000;
	start(world, &client);
	exchange_make(&server);
	server.exchange.conn = 77;
	server.exchange.request.start_ns = 5010;
	correlator_started(world->correlator, &server.exchange);
	finish(world, &server);
	finish(world, &client);
	assert_int_equal(counters(world)->joined, 1);
	SERVER_SPAN(world, 0x21, .trace = 0x10, .parent = 0x11, .evidence = "same_host");
	CLIENT_SPAN(world, 0x11, .trace = 0x10);
	/* and from here on requests wait again, whichever end comes first */
	serve(world, 0x60, 6000);
	assert_int_equal(counters(world)->unjoined, 4);
	assert_int_equal(counters(world)->untraced, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_both_ends_name_their_connection_alike, begin),
		cmocka_unit_test_setup(test_some_that_waited_in_vain_are_enough, begin),
		cmocka_unit_test_setup(test_a_connection_is_told_by_its_socket, begin),
		cmocka_unit_test_setup(test_a_client_that_shows_up_ends_it, begin),
		cmocka_unit_test_setup(test_now_and_then_one_waits_again, begin),
		TEST(test_spans_wait_no_more),
		TEST(test_a_client_that_was_there_first_is_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
