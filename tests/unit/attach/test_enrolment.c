/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach/enrolment.h"
#include "attach/loopback.h"
#include "base/clock.h"
#include "bpf/abi/config.h"

#define PAIRS 40

static struct pair pairs[PAIRS];
static int listener = -1;

static int setup(void **state)
{
	(void)state;
	if (loopback_listen(AF_INET, &listener) < 0)
		return -1;
	for (int i = 0; i < PAIRS; i++)
		if (pair_open(&pairs[i], listener, clock_monotonic_ns() + 5 * NS_PER_SEC) < 0)
			return -1;
	return 0;
}

static int make_map(enum bpf_map_type type, uint32_t key_size, uint32_t value_size, uint32_t n)
{
	int fd = bpf_map_create(type, "test", key_size, value_size, n, NULL);

	if (fd < 0 && (errno == EPERM || errno == EINVAL)) {
		print_message("test_enrolment: maps of this kind cannot be made here: %d\n", errno);
		skip();
	}
	assert_true(fd >= 0);
	return fd;
}

static struct enrolment make(enum wire_mode mode)
{
	struct enrolment enrolment = { { -1, -1, -1 } };
	const struct wire_config config = { .mode = mode, .test_pid = 7 };
	uint32_t slot = 0;

	enrolment.fds[ENROLMENT_SOCKS] = make_map(BPF_MAP_TYPE_SOCKHASH, 8, 8, 64);
	enrolment.fds[ENROLMENT_CONFIG] = make_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(config), 1);
	assert_int_equal(
		bpf_map_update_elem(enrolment.fds[ENROLMENT_CONFIG], &slot, &config, BPF_ANY), 0);
	return enrolment;
}

static void clear(const struct enrolment *enrolment)
{
	close(enrolment->fds[ENROLMENT_SOCKS]);
	close(enrolment->fds[ENROLMENT_CONFIG]);
}

static struct wire_config told(const struct enrolment *enrolment)
{
	struct wire_config config = {};
	uint32_t slot = 0;

	assert_int_equal(bpf_map_lookup_elem(enrolment->fds[ENROLMENT_CONFIG], &slot, &config), 0);
	return config;
}

static void test_end(void **state)
{
	struct enrolment enrolment = make(WIRE_EARLY_LEAVE);
	uint64_t key;

	(void)state;
	for (int i = 0; i < PAIRS; i++) {
		uint64_t cookie = 1000 + (uint64_t)i, fd = (uint64_t)pairs[i].client;

		assert_int_equal(bpf_map_update_elem(enrolment.fds[ENROLMENT_SOCKS], &cookie, &fd,
						     BPF_NOEXIST),
				 0);
	}
	enrolment_end(&enrolment);
	assert_int_equal(told(&enrolment).mode, WIRE_ENDING);
	assert_int_equal(bpf_map_get_next_key(enrolment.fds[ENROLMENT_SOCKS], NULL, &key), -ENOENT);
	clear(&enrolment);
}

static void test_end_of_nothing(void **state)
{
	struct enrolment enrolment = make(WIRE_EARLY_LEAVE);

	(void)state;
	enrolment_end(&enrolment);
	assert_int_equal(told(&enrolment).mode, WIRE_ENDING);
	clear(&enrolment);
}

static void test_resume(void **state)
{
	static const enum wire_mode modes[][2] = {
		{ WIRE_ENDING, WIRE_EARLY_LEAVE },
		{ WIRE_EARLY_LEAVE, WIRE_EARLY_LEAVE },
		{ WIRE_OFF, WIRE_OFF },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct enrolment enrolment = make(modes[i][0]);

		assert_int_equal(enrolment_resume(&enrolment), 0);
		assert_int_equal(told(&enrolment).mode, modes[i][1]);
		assert_int_equal(told(&enrolment).test_pid, 7);
		clear(&enrolment);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_end_of_nothing),
		cmocka_unit_test(test_resume),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
