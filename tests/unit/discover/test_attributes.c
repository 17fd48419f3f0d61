/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/attributes.h"

#include "base/utf8.h"
#include "fake_proc.h"

static void test_first_wins(void **state)
{
	struct attributes attributes = { 0 };

	(void)state;
	assert_int_equal(attributes_add(&attributes, VIEW("a"), VIEW("1")), 0);
	assert_int_equal(attributes_add(&attributes, VIEW("a"), VIEW("2")), 0);
	assert_int_equal(attributes_add(&attributes, VIEW(""), VIEW("3")), 0);
	assert_int_equal(attributes_add_string(&attributes, "b", ""), 0);
	assert_int_equal(attributes_add_string(&attributes, "c", NULL), 0);
	assert_int_equal(attributes.n, 1);
	assert_string_equal(attributes_get(&attributes, VIEW("a")), "1");
	assert_null(attributes_get(&attributes, VIEW("b")));
	attributes_clear(&attributes);
	assert_int_equal(attributes.n, 0);
}

static void test_limits(void **state)
{
	struct attributes attributes = { 0 };
	char key[ATTRIBUTES_KEY_MAX + 2], *value = calloc(1, 5000);

	(void)state;
	assert_non_null(value);
	memset(value, 'v', 4999);
	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	attributes_add_string(&attributes, key, "too long a key");
	assert_int_equal(attributes.n, 0);
	attributes_add_string(&attributes, "long", value);
	assert_int_equal(strlen(attributes_get(&attributes, VIEW("long"))), ATTRIBUTES_VALUE_MAX);
	for (int i = 0; i < 2 * ATTRIBUTES_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		attributes_add_string(&attributes, key, "v");
	}
	assert_int_equal(attributes.n, ATTRIBUTES_MAX);
	attributes_clear(&attributes);
	free(value);
}

static void test_invalid_bytes(void **state)
{
	struct attributes attributes = { 0 };

	(void)state;
	attributes_add(&attributes, VIEW("k\xff"), VIEW("\xfe"));
	attributes_add(&attributes, VIEW("k\xfe"), VIEW("the same key once it is cleaned"));
	assert_int_equal(attributes.n, 1);
	assert_true(utf8_is_valid(view_of(attributes.pairs[0])));
	assert_true(utf8_is_valid(view_of(attributes.pairs[1])));
	attributes_clear(&attributes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_wins),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_invalid_bytes),
	};

	return cmocka_run_group_tests_name("discover/attributes", tests, NULL, NULL);
}
