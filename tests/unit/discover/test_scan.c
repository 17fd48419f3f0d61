/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/scan.h"

#include <errno.h>

#include "fake_proc.h"

struct found {
	pid_t pids[8];
	size_t n;
	int answer;
};

static int on_found(void *context, pid_t pid)
{
	struct found *found = context;

	if (found->n < 8)
		found->pids[found->n] = pid;
	found->n++;
	return found->answer;
}

static void test_fake(void **state)
{
	struct found found = { 0 };
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake_process(&fake, "/usr/bin/shop");
	/* a kernel thread (PF_KTHREAD), one that is gone, and what is no process */
	fake_write(&fake, "2/stat",
		   TEXT("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n"));
	fake_write(&fake, "99/other", TEXT(""));
	fake_write(&fake, "sys/stat", TEXT(""));
	fake_write(&fake, "42x/stat", TEXT(""));
	assert_int_equal(scan_processes(fake.dir, on_found, &found), 0);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.pids[0], 42);
	fake_clear(&fake);
	assert_int_equal(scan_processes(fake.dir, on_found, &found), -ENOENT);
}

static int on_self(void *context, pid_t pid)
{
	return pid == *(pid_t *)context ? 7 : 0;
}

static void test_real(void **state)
{
	struct found found = { .answer = 3 };
	pid_t self = getpid();

	(void)state;
	assert_int_equal(scan_processes("/proc", on_self, &self), 7);
	/* an answer ends it */
	assert_int_equal(scan_processes("/proc", on_found, &found), 3);
	assert_int_equal(found.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fake),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests_name("discover/scan", tests, NULL, NULL);
}
