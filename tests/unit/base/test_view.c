/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/view.h"

static void test_parts(void **state)
{
	struct view view = VIEW("abcd");

	(void)state;
	assert_true(view_equal(view_from(view, 1), VIEW("bcd")));
	assert_int_equal(view_from(view, 4).len, 0);
	assert_int_equal(view_from(view, 9).len, 0);
	assert_true(view_equal(view_to(view, 1), VIEW("a")));
	assert_int_equal(view_to(view, 0).len, 0);
	assert_true(view_equal(view_to(view, 9), view));
}

static void test_trim(void **state)
{
	(void)state;
	assert_true(view_equal(view_trim(VIEW(" \t\r\na b\n\r\t ")), VIEW("a b")));
	assert_true(view_equal(view_trim(VIEW("a")), VIEW("a")));
	assert_true(view_equal(view_trim(VIEW("\va\0")), VIEW("\va\0")));
	assert_int_equal(view_trim(VIEW(" \t")).len, 0);
	assert_int_equal(view_trim((struct view){ 0 }).len, 0);
}

static void test_number(void **state)
{
	(void)state;
	assert_int_equal(view_number(VIEW("0")), 0);
	assert_int_equal(view_number(VIEW("0042")), 42);
	assert_int_equal(view_number(VIEW("999999999999999999")), 999999999999999999);
	assert_int_equal(view_number(VIEW("1000000000000000000")), -1);
	assert_int_equal(view_number(VIEW("")), -1);
	assert_int_equal(view_number((struct view){ 0 }), -1);
	assert_int_equal(view_number(VIEW("+1")), -1);
	assert_int_equal(view_number(VIEW("1 ")), -1);
	assert_int_equal(view_number(VIEW("1\0")), -1);
	assert_int_equal(view_number(VIEW("0x1")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_number),
	};

	return cmocka_run_group_tests_name("base/view", tests, NULL, NULL);
}
