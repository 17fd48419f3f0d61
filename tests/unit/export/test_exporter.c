/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/exporter.h"

static void targets_are_found_by_scheme(void **state)
{
	static const struct {
		const char *target;
		const char *name;
	} cases[] = {
		{ "stdout", "stdout" },		 { "file:/tmp/spans.jsonl", "file" },
		{ "file:spans", "file" },	 { "http://localhost:4318", "otlp_http" },
		{ "https://host", "otlp_http" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[256] = "untouched";
		const struct exporter_ops *ops =
			exporter_find(cases[i].target, error, sizeof(error));

		assert_non_null(ops);
		assert_string_equal(ops->name, cases[i].name);
		assert_string_equal(error, "untouched");
	}
}

static void errors_name_what_is_accepted(void **state)
{
	static const struct {
		const char *target;
		const char *reason;
	} cases[] = {
		{ "", "names no kind" },
		{ "htp://x", "names no kind" },
		{ "stdoutx", "nothing may follow" },
		{ "file:", "path is missing" },
		{ "localhost:4318", "names no kind" },
		{ "http://", "ost" },
		{ "http://host:x", "port" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[256] = "";

		assert_null(exporter_find(cases[i].target, error, sizeof(error)));
		if (!strstr(error, cases[i].reason) || !strstr(error, "file:PATH") ||
		    !strstr(error, cases[i].target))
			fail_msg("'%s' says: %s", cases[i].target, error);
	}
}

static void files_are_opened_for_appending(void **state)
{
	char directory[] = "/tmp/weft-test-XXXXXX";
	char target[64];
	struct stat stat;
	int fd = -1;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(target, sizeof(target), "file:%s/spans", directory);
	assert_int_equal(exporter_prepare(target, &fd), 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat), 0);
	assert_int_equal(stat.st_mode & 0777, 0600);
	assert_true(fcntl(fd, F_GETFL) & O_APPEND);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	unlink(target + 5);
	rmdir(directory);
	fd = 77;
	assert_int_equal(exporter_prepare(target, &fd), -ENOENT);
	assert_int_equal(fd, 77);
}

static void other_targets_need_no_file(void **state)
{
	int fd = 77;

	(void)state;
	assert_int_equal(exporter_prepare("http://host", &fd), 0);
	assert_int_equal(fd, -1);
}

static void stdout_is_opened_for_itself(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(exporter_prepare("stdout", &fd), 0);
	assert_true(fd > STDERR_FILENO);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static unsigned int n_closed;

static void fake_close(struct exporter *exporter)
{
	(void)exporter;
	n_closed++;
}

static void close_settles_the_counters(void **state)
{
	static const struct exporter_ops ops = { .close = fake_close };
	struct exporter exporter = {
		.ops = &ops,
		.counters = { .accepted = 10,
			      .exported = 6,
			      .queued = 3,
			      .dropped_unreachable = 1 },
	};
	struct export_counters counters;

	(void)state;
	exporter_close(&exporter, &counters);
	assert_int_equal(n_closed, 1);
	assert_int_equal(counters.queued, 0);
	assert_int_equal(counters.dropped_unreachable, 4);
	assert_int_equal(counters.exported, 6);
	exporter_close(&exporter, NULL);
	exporter_close(NULL, &counters);
	assert_int_equal(n_closed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_found_by_scheme),
		cmocka_unit_test(errors_name_what_is_accepted),
		cmocka_unit_test(files_are_opened_for_appending),
		cmocka_unit_test(other_targets_need_no_file),
		cmocka_unit_test(stdout_is_opened_for_itself),
		cmocka_unit_test(close_settles_the_counters),
	};

	return cmocka_run_group_tests_name("export/exporter", tests, NULL, NULL);
}
