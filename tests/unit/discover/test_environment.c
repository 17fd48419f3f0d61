/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/environment.h"

#include <errno.h>

#include "fake_proc.h"

static void test_get(void **state)
{
	static const struct view environment = VIEW_INIT("AB=1\0A=2\0EMPTY=\0NOVALUE\0C=x=y");
	static const char *const names[] = { "NONE", "EMPTY", "C", "A", NULL };

	(void)state;
	assert_true(view_equal(environment_get(environment, VIEW("A")), VIEW("2")));
	assert_true(view_equal(environment_get(environment, VIEW("C")), VIEW("x=y")));
	assert_int_equal(environment_get(environment, VIEW("EMPTY")).len, 0);
	assert_int_equal(environment_get(environment, VIEW("NOVALUE")).len, 0);
	assert_int_equal(environment_get(environment, VIEW("B")).len, 0);
	assert_true(view_equal(environment_get_any(environment, names), VIEW("x=y")));
}

static void test_attributes(void **state)
{
	struct attributes attributes = { 0 };

	(void)state;
	assert_int_equal(environment_parse_attributes(
				 VIEW("service.version=1.2, team = pay%20ments ,a%2Cb=%C3%BC=,"),
				 &attributes),
			 0);
	assert_int_equal(attributes.n, 3);
	assert_string_equal(attributes_get(&attributes, VIEW("service.version")), "1.2");
	assert_string_equal(attributes_get(&attributes, VIEW("team")), "pay ments");
	assert_string_equal(attributes_get(&attributes, VIEW("a,b")), "\xc3\xbc=");
	attributes_clear(&attributes);
}

/* One bad pair, and none of the others counts. */
static void test_bad(void **state)
{
	static const struct view bad[] = {
		VIEW_INIT("a=1,b"),	 VIEW_INIT("a=1,=2"),	 VIEW_INIT("a=1,b=%2"),
		VIEW_INIT("a=1,b=%zz"),	 VIEW_INIT("a=1,b=%ff"), VIEW_INIT("a=1,b=%00"),
		VIEW_INIT("a=1,b=\xff"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct attributes attributes = { 0 };

		assert_int_equal(environment_parse_attributes(bad[i], &attributes), -EBADMSG);
		assert_int_equal(attributes.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests_name("discover/environment", tests, NULL, NULL);
}
