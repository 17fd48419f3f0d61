/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach/loopback.h"
#include "base/clock.h"

#define SOON_NS (5 * NS_PER_SEC)
#define LITTLE	(20 * NS_PER_MS)

static int listener = -1;

static int setup(void **state)
{
	(void)state;
	return loopback_listen(AF_INET, &listener);
}

static int teardown(void **state)
{
	(void)state;
	close(listener);
	return 0;
}

static void test_both_ways(void **state)
{
	struct pair pair;
	char got[8];

	(void)state;
	assert_int_equal(pair_open(&pair, listener, clock_monotonic_ns() + SOON_NS), 0);
	assert_int_equal(pair_send(&pair, pair.client, "question", 8, 0), 0);
	assert_int_equal(pair_arrive(&pair, pair.server), 0);
	assert_int_equal(pair_look(pair.server, POLLIN), POLLIN);
	assert_int_equal(pair_receive(&pair, pair.server, got, 8), 0);
	assert_memory_equal(got, "question", 8);
	assert_int_equal(pair_send(&pair, pair.server, "answer", 6, 0), 0);
	assert_int_equal(pair_arrive(&pair, pair.client), 0);
	/* what is read has arrived all the same */
	assert_int_equal(pair_receive(&pair, pair.client, got, 6), 0);
	assert_int_equal(pair_arrive(&pair, pair.client), 0);
	assert_memory_equal(got, "answer", 6);
	pair_close(&pair);
	assert_int_equal(pair.client, -1);
	assert_int_equal(pair.server, -1);
}

static void test_nothing_comes(void **state)
{
	struct pair pair;
	uint64_t start = clock_monotonic_ns();
	char byte;

	(void)state;
	assert_int_equal(pair_open(&pair, listener, start + LITTLE), 0);
	assert_int_equal(pair_receive(&pair, pair.client, &byte, 1), -ETIME);
	assert_in_range(clock_monotonic_ns() - start, LITTLE, LITTLE + SOON_NS);
	/* afterwards nothing is waited for */
	assert_int_equal(pair_wait(&pair, pair.server, POLLIN), -ETIME);
	pair_sent(&pair, pair.client, 1);
	assert_int_equal(pair_arrive(&pair, pair.server), -ETIME);
	pair_close(&pair);
}

static void test_ends(void **state)
{
	struct pair pair;
	char got[4];

	(void)state;
	assert_int_equal(pair_open(&pair, listener, clock_monotonic_ns() + SOON_NS), 0);
	assert_int_equal(pair_send(&pair, pair.client, "ab", 2, 0), 0);
	shutdown(pair.client, SHUT_WR);
	assert_int_equal(pair_receive(&pair, pair.server, got, 3), -ENODATA);
	assert_int_equal(pair_receive_end(&pair, pair.server), 0);
	assert_int_equal(pair_send(&pair, pair.server, "c", 1, 0), 0);
	assert_int_equal(pair_receive_end(&pair, pair.client), -EMSGSIZE);
	pair_close(&pair);
}

/* A stranger that connects first is not taken for the client. */
static void test_stranger(void **state)
{
	struct pair pair, other;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	int stranger = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte;

	(void)state;
	assert_true(stranger >= 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(connect(stranger, (struct sockaddr *)&address, len), 0);
	assert_int_equal(pair_open(&pair, listener, clock_monotonic_ns() + SOON_NS), 0);
	assert_int_equal(pair_send(&pair, pair.client, "y", 1, 0), 0);
	assert_int_equal(pair_receive(&pair, pair.server, &byte, 1), 0);
	assert_int_equal(byte, 'y');
	pair_close(&pair);
	close(stranger);
	assert_int_equal(pair_open(&other, listener, clock_monotonic_ns() + SOON_NS), 0);
	pair_close(&other);
}

static void test_nobody_listens(void **state)
{
	struct pair pair;
	int gone;

	(void)state;
	assert_int_equal(loopback_listen(AF_INET, &gone), 0);
	close(gone);
	assert_true(pair_open(&pair, gone, clock_monotonic_ns() + SOON_NS) < 0);
	assert_int_equal(pair.client, -1);
	assert_int_equal(pair.server, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),      cmocka_unit_test(test_nothing_comes),
		cmocka_unit_test(test_ends),	       cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_nobody_listens),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
