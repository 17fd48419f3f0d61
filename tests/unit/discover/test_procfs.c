/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/procfs.h"

#include <errno.h>

#include "fake_proc.h"

static int set_up(void **state)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	fake_init(fake);
	fake_process(fake, "/usr/bin/shop (deleted)");
	*state = fake;
	return 0;
}

static int tear_down(void **state)
{
	fake_clear(*state);
	free(*state);
	return 0;
}

static void test_stat(void **state)
{
	struct fake *fake = *state;
	struct procfs_stat stat;
	int dir;

	assert_int_equal(procfs_open(fake->dir, 43, &dir), -ESRCH);
	assert_int_equal(procfs_open(fake->dir, 42, &dir), 0);
	assert_int_equal(procfs_read_stat(dir, &stat), 0);
	assert_string_equal(stat.comm, "a (b) c");
	assert_int_equal(stat.parent_pid, 7);
	assert_int_equal(stat.start_ticks, FAKE_START_TICKS);
	assert_false(stat.kernel_thread);
	fake_write(fake, "42/stat", TEXT("42 (x) S 2"));
	assert_int_equal(procfs_read_stat(dir, &stat), -EBADMSG);
	fake_write(fake, "42/stat", TEXT("42 no parentheses"));
	assert_int_equal(procfs_read_stat(dir, &stat), -EBADMSG);
	close(dir);
}

static void test_own_stat(void **state)
{
	struct procfs_stat stat;
	int dir;

	(void)state;
	assert_int_equal(procfs_open("/proc", getpid(), &dir), 0);
	assert_int_equal(procfs_read_stat(dir, &stat), 0);
	assert_int_equal(stat.parent_pid, getppid());
	assert_string_equal(stat.comm, "test_procfs");
	assert_true(stat.start_ticks > 0);
	close(dir);
}

static void test_bounds(void **state)
{
	struct fake *fake = *state;
	struct procfs_file file = { 0 };
	char data[10000];
	int dir;

	memset(data, 'x', sizeof(data));
	fake_write(fake, "42/cmdline", data, sizeof(data));
	assert_int_equal(procfs_open(fake->dir, 42, &dir), 0);
	assert_int_equal(procfs_read(dir, "cmdline", 20000, &file), 0);
	assert_int_equal(file.len, sizeof(data));
	assert_false(file.cut);
	assert_int_equal(file.data[file.len], '\0');
	procfs_file_clear(&file);
	assert_int_equal(procfs_read(dir, "cmdline", 100, &file), 0);
	assert_int_equal(file.len, 100);
	assert_true(file.cut);
	procfs_file_clear(&file);
	fake_link(fake, "42/environ", "cmdline");
	assert_int_equal(procfs_read(dir, "environ", 100, &file), -ELOOP);
	assert_null(file.data);
	close(dir);
}

static void test_deleted(void **state)
{
	struct fake *fake = *state;
	char *target = NULL;
	int dir;

	assert_int_equal(procfs_open(fake->dir, 42, &dir), 0);
	assert_int_equal(procfs_readlink(dir, "exe", &target), 0);
	assert_string_equal(target, "/usr/bin/shop");
	free(target);
	close(dir);
}

/* Field 9 has PF_EXITING; field 20 says how many threads there are. */
static void test_ending(void **state)
{
	static const struct {
		const char *flags;
		const char *threads;
		bool ending;
	} rows[] = { { "4194304", "1", false },
		     { "4194308", "1", true },
		     { "4194308", "2", false } };
	struct fake *fake = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct procfs_stat stat = {};
		char text[256];
		int dir, n;

		n = snprintf(text, sizeof(text),
			     "42 (shop) Z 7 42 42 0 -1 %s 1 2 3 4 5 6 7 8 20 0 %s 0 98765 0 0\n",
			     rows[i].flags, rows[i].threads);
		fake_write(fake, "42/stat", text, (size_t)n);
		assert_int_equal(procfs_open(fake->dir, 42, &dir), 0);
		assert_int_equal(procfs_read_stat(dir, &stat), 0);
		assert_int_equal(stat.ending, rows[i].ending);
		assert_int_equal(stat.start_ticks, 98765);
		close(dir);
	}
}

static void assert_in_root(int dir, const char *path, const char *wanted)
{
	struct procfs_file file = { 0 };

	assert_int_equal(procfs_read_in_root(dir, path, 100, &file), 0);
	assert_string_equal(file.data, wanted);
	procfs_file_clear(&file);
}

/* What a hostile process can put in the way of a reader with more rights than its own. */
static void test_in_root(void **state)
{
	struct fake *fake = *state;
	struct procfs_file file = { 0 };
	char *target = NULL;
	int dir;

	fake_write(fake, "secret", TEXT("outside"));
	fake_write(fake, "rootfs/secret", TEXT("inside"));
	fake_link(fake, "rootfs/app/absolute", "/secret");
	fake_link(fake, "rootfs/app/relative", "../../../../secret");
	fake_link(fake, "rootfs/app/loop", "loop");
	fake_link(fake, "rootfs/app/magic", "/proc/self/exe");
	assert_int_equal(mkfifo(fake_path(fake, "rootfs/app/fifo"), 0600), 0);
	assert_int_equal(procfs_open(fake->dir, 42, &dir), 0);
	assert_in_root(dir, "/secret", "inside");
	assert_in_root(dir, "/../secret", "inside");
	assert_in_root(dir, "/app/absolute", "inside");
	assert_in_root(dir, "/app/relative", "inside");
	assert_int_equal(procfs_read_in_root(dir, "/app/loop", 100, &file), -ELOOP);
	assert_int_equal(procfs_read_in_root(dir, "/app/magic", 100, &file), -ENOENT);
	assert_int_equal(procfs_read_in_root(dir, "/app/fifo", 100, &file), -EINVAL);
	assert_int_equal(procfs_read_in_root(dir, "/app", 100, &file), -EINVAL);
	assert_null(file.data);
	assert_int_equal(procfs_readlink_in_root(dir, "/app/absolute", &target), 0);
	assert_string_equal(target, "/secret");
	free(target);
	assert_int_equal(procfs_readlink_in_root(dir, "/secret", &target), -EINVAL);
	close(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stat, set_up, tear_down),
		cmocka_unit_test(test_own_stat),
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deleted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ending, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_in_root, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("discover/procfs", tests, NULL, NULL);
}
