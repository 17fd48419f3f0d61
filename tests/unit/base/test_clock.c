/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/clock.h"

static void test_offsets(void **state)
{
	static const struct {
		const char *text;
		int r;
		int64_t ns;
	} rows[] = {
		{ "monotonic           0         0\nboottime            0         0\n", 0, 0 },
		{ "monotonic     5000000         7\nboottime            1         2\n", 0,
		  5000000000000007 },
		{ "boottime            1         2\nmonotonic         -10 500000000\n", 0,
		  -9500000000 },
		{ "boottime            1         2\n", -EBADMSG, 42 },
		{ "monotonic\n", -EBADMSG, 42 },
		{ "", -EBADMSG, 42 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ns = 42;

		assert_int_equal(clock_parse_offsets(rows[i].text, &ns), rows[i].r);
		assert_int_equal(ns, rows[i].ns);
	}
}

/* Unix time is the same in every namespace, whatever its monotonic clock says. */
static void test_namespace(void **state)
{
	uint64_t own, kernel;
	int64_t before, after;

	(void)state;
	before = clock_unix_offset_ns();
	own = clock_ns(CLOCK_MONOTONIC);
	clock_namespace_ns = 1000 * (int64_t)NS_PER_SEC;
	kernel = clock_monotonic_ns();
	after = clock_unix_offset_ns();
	clock_namespace_ns = 0;
	assert_true(own - kernel < 1000 * NS_PER_SEC && own - kernel > 900 * NS_PER_SEC);
	assert_true(after - before > 900 * (int64_t)NS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
