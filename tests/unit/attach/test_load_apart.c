/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "attach/load_apart.h"

#ifdef LIBBPF_MAJOR_VERSION

/* What libbpf calls. */
int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t n_insns,
			 struct bpf_prog_load_opts *options);

#define LARGE	 3000
#define STAND_IN 2 /* instructions of a program that does nothing */

static struct bpf_insn insns[LARGE];

/* A large program; one that reads a register without a value is refused. */
static int load(bool good)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options);

	for (size_t i = 0; i < LARGE - 1; i++)
		insns[i] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K,
					      .dst_reg = BPF_REG_0 };
	insns[LARGE - 1] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	if (!good)
		insns[LARGE - 2] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X,
						      .dst_reg = BPF_REG_0,
						      .src_reg = BPF_REG_5 };
	return __wrap_bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "apart", "GPL", insns, LARGE,
				    &options);
}

static unsigned int instructions(int fd)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	return info.xlated_prog_len / sizeof(struct bpf_insn);
}

static int may_load(void **state)
{
	int fd = load(true);

	(void)state;
	if (fd < 0)
		skip();
	close(fd);
	return 0;
}

static void test_without_it_a_load_is_done_at_once(void **state)
{
	int fd = load(true);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(instructions(fd), LARGE);
	close(fd);
	assert_true(load(false) < 0);
}

static void test_programs_are_there_at_the_end(void **state)
{
	int fds[3];

	(void)state;
	load_apart_begin();
	for (size_t i = 0; i < 3; i++) {
		fds[i] = load(true);
		assert_true(fds[i] >= 0);
		assert_int_equal(instructions(fds[i]), STAND_IN);
	}
	assert_int_equal(load_apart_end(0), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(instructions(fds[i]), LARGE);
		close(fds[i]);
	}
}

static void test_one_that_is_refused_is_told_at_the_end(void **state)
{
	int good, bad;

	(void)state;
	load_apart_begin();
	bad = load(false);
	good = load(true);
	assert_true(bad >= 0 && good >= 0);
	assert_int_equal(load_apart_end(0), -EACCES);
	assert_int_equal(instructions(bad), STAND_IN);
	assert_int_equal(instructions(good), LARGE);
	close(bad);
	close(good);
}

/* libbpf has closed its descriptors then, and their numbers may be others'. */
static void test_after_a_failed_load_nothing_is_replaced(void **state)
{
	int fd, ends[2];

	(void)state;
	load_apart_begin();
	fd = load(true);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(load_apart_end(-ENOENT), -ENOENT);
	assert_int_equal(write(ends[1], "x", 1), 1);
	close(ends[0]);
	close(ends[1]);
}

static void test_more_than_may_be_apart_are_loaded_at_once(void **state)
{
	int fds[12];
	size_t apart = 0;

	(void)state;
	load_apart_begin();
	for (size_t i = 0; i < 12; i++) {
		fds[i] = load(true);
		apart += instructions(fds[i]) == STAND_IN;
	}
	assert_in_range(apart, 1, 11);
	assert_int_equal(load_apart_end(0), 0);
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(instructions(fds[i]), LARGE);
		close(fds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_without_it_a_load_is_done_at_once, may_load),
		cmocka_unit_test_setup(test_programs_are_there_at_the_end, may_load),
		cmocka_unit_test_setup(test_one_that_is_refused_is_told_at_the_end, may_load),
		cmocka_unit_test_setup(test_after_a_failed_load_nothing_is_replaced, may_load),
		cmocka_unit_test_setup(test_more_than_may_be_apart_are_loaded_at_once, may_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_nothing_changes(void **state)
{
	(void)state;
	load_apart_begin();
	assert_int_equal(load_apart_end(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nothing_changes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
