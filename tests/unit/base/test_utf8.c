/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define FFFD "\xef\xbf\xbd"

struct repair {
	struct view in;
	struct view expected;
};

static const struct repair repairs[] = {
	{ VIEW_INIT(""), VIEW_INIT("") },
	{ VIEW_INIT("plain text, longer than eight bytes"),
	  VIEW_INIT("plain text, longer than eight bytes") },
	{ VIEW_INIT("a\0b"), VIEW_INIT("a\0b") },
	{ VIEW_INIT("gr\xc3\xbc\xc3\x9f"), VIEW_INIT("gr\xc3\xbc\xc3\x9f") },
	{ VIEW_INIT("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"),
	  VIEW_INIT("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf") },
	/* a byte that begins nothing, a lead byte alone, a continuation alone */
	{ VIEW_INIT("a\xff"
		    "b"),
	  VIEW_INIT("a" FFFD "b") },
	{ VIEW_INIT("\xc3"), VIEW_INIT(FFFD) },
	{ VIEW_INIT("\x80\xbf"), VIEW_INIT(FFFD FFFD) },
	/* overlong forms */
	{ VIEW_INIT("\xc0\xaf"), VIEW_INIT(FFFD FFFD) },
	{ VIEW_INIT("\xe0\x80\xaf"), VIEW_INIT(FFFD FFFD FFFD) },
	{ VIEW_INIT("\xf0\x8f\xbf\xbf"), VIEW_INIT(FFFD FFFD FFFD FFFD) },
	/* surrogate, above U+10FFFF */
	{ VIEW_INIT("\xed\xa0\x80"), VIEW_INIT(FFFD FFFD FFFD) },
	{ VIEW_INIT("\xf4\x90\x80\x80"), VIEW_INIT(FFFD FFFD FFFD FFFD) },
	/* a character that is cut off is one piece (Unicode standard, table 3-8) */
	{ VIEW_INIT("\xf0\x9f\x98"), VIEW_INIT(FFFD) },
	{ VIEW_INIT("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), VIEW_INIT(FFFD FFFD FFFD FFFD "A") },
};

#define N_REPAIRS (sizeof(repairs) / sizeof(repairs[0]))

/* On the heap and of just that size: the sanitizer sees a byte too many. */
static struct view heap_copy(struct view text)
{
	char *copy = malloc(text.len ? text.len : 1);

	assert_non_null(copy);
	memcpy(copy, text.data, text.len);
	return (struct view){ copy, text.len };
}

static void assert_view(struct view got, struct view expected)
{
	assert_int_equal(got.len, expected.len);
	assert_memory_equal(got.data, expected.data, expected.len);
}

static void test_repair(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < N_REPAIRS; i++) {
		struct view in = heap_copy(repairs[i].in);

		assert_view((struct view){ out, utf8_repair(in, out, sizeof(out)) },
			    repairs[i].expected);
		assert_true(utf8_repair_bound(in) >= repairs[i].expected.len);
		free((char *)in.data);
	}
}

static void test_only_what_is_valid_stays_as_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_REPAIRS; i++) {
		assert_int_equal(utf8_is_valid(repairs[i].in),
				 view_equal(repairs[i].in, repairs[i].expected));
		assert_true(utf8_is_valid(repairs[i].expected));
		if (utf8_is_valid(repairs[i].in))
			assert_int_equal(utf8_repair_bound(repairs[i].in), repairs[i].in.len);
	}
}

/* Whatever the room is, the result is the beginning of the whole one and is valid. */
static void test_no_room_cuts_between_characters(void **state)
{
	char whole[64];

	(void)state;
	for (size_t i = 0; i < N_REPAIRS; i++) {
		size_t len = utf8_repair(repairs[i].in, whole, sizeof(whole));

		for (size_t size = 0; size <= len; size++) {
			char *out = malloc(size ? size : 1);
			size_t got = utf8_repair(repairs[i].in, out, size);

			assert_true(got <= size && size - got < 4);
			assert_memory_equal(out, whole, got);
			assert_true(utf8_is_valid((struct view){ out, got }));
			free(out);
		}
	}
}

static void test_valid_len_ends_before_the_first_fault(void **state)
{
	(void)state;
	assert_int_equal(utf8_valid_len(VIEW("abcdefghijk\xffzz")), 11);
	assert_int_equal(utf8_valid_len(VIEW("ab\xc3\xbc\xe2\x82")), 4);
	assert_int_equal(utf8_valid_len(VIEW("\x80")), 0);
	assert_int_equal(utf8_valid_len((struct view){ 0 }), 0);
}

static void test_cut(void **state)
{
	struct view text = VIEW("a\xe2\x82\xac"
				"b"); /* a, euro sign, b */
	static const size_t expected[] = { 0, 1, 1, 1, 4, 5, 5 };

	(void)state;
	for (size_t max = 0; max < sizeof(expected) / sizeof(expected[0]); max++)
		assert_int_equal(utf8_cut(text, max), expected[max]);
}

static void test_character_len(void **state)
{
	(void)state;
	assert_int_equal(utf8_character_len(VIEW("a\x80")), 1);
	assert_int_equal(utf8_character_len(VIEW("\0")), 1);
	assert_int_equal(utf8_character_len(VIEW("\xc3\xbc\xc3")), 2);
	assert_int_equal(utf8_character_len(VIEW("\xf0\x9f\x98\x80 ok")), 4);
	assert_int_equal(utf8_character_len(VIEW("\xf0\x9f\x98")), 0);
	assert_int_equal(utf8_character_len(VIEW("\xf4\x90\x80\x80")), 0);
	assert_int_equal(utf8_character_len(VIEW("\x80")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_only_what_is_valid_stays_as_it_is),
		cmocka_unit_test(test_no_room_cuts_between_characters),
		cmocka_unit_test(test_valid_len_ends_before_the_first_fault),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_character_len),
	};

	return cmocka_run_group_tests_name("base/utf8", tests, NULL, NULL);
}
