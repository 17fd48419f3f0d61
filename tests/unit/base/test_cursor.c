/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/cursor.h"

static const char untouched[] = "untouched";

#define UNTOUCHED VIEW(untouched)

static void assert_view(struct view got, struct view expected)
{
	assert_int_equal(got.len, expected.len);
	assert_memory_equal(got.data, expected.data, expected.len);
}

/* A failure moves nothing and gives nothing. */
static void assert_unmoved(const struct cursor *cursor, size_t at, struct view result)
{
	assert_int_equal(cursor->at, at);
	assert_ptr_equal(result.data, untouched);
}

static void test_take(void **state)
{
	struct cursor cursor = cursor_of(VIEW("abcde"));
	struct view got = UNTOUCHED;

	(void)state;
	assert_int_equal(cursor_take(&cursor, 6, &got), -ENODATA);
	assert_unmoved(&cursor, 0, got);
	assert_int_equal(cursor_take(&cursor, 2, &got), 0);
	assert_view(got, VIEW("ab"));
	assert_int_equal(cursor_left(&cursor), 3);
	assert_view(cursor_rest(&cursor), VIEW("cde"));
	got = UNTOUCHED;
	assert_int_equal(cursor_take(&cursor, SIZE_MAX, &got), -ENODATA);
	assert_unmoved(&cursor, 2, got);
	assert_int_equal(cursor_take(&cursor, 3, &got), 0);
	assert_int_equal(cursor_left(&cursor), 0);
	assert_int_equal(cursor_take(&cursor, 0, &got), 0);
	assert_int_equal(got.len, 0);
}

static void test_peek(void **state)
{
	struct cursor cursor = cursor_of(VIEW("\xff"));
	struct view got;

	(void)state;
	assert_int_equal(cursor_peek(&cursor), 0xff);
	assert_int_equal(cursor_take(&cursor, 1, &got), 0);
	assert_int_equal(cursor_peek(&cursor), -ENODATA);
}

static void test_take_until(void **state)
{
	struct cursor cursor = cursor_of(VIEW("key:value"));
	struct view got = UNTOUCHED;

	(void)state;
	assert_int_equal(cursor_take_until(&cursor, ';', &got), -ENODATA);
	assert_unmoved(&cursor, 0, got);
	assert_int_equal(cursor_take_until(&cursor, ':', &got), 0);
	assert_view(got, VIEW("key"));
	assert_view(cursor_rest(&cursor), VIEW("value"));
}

static void test_take_line(void **state)
{
	struct cursor cursor = cursor_of(VIEW("one\r\ntwo\n\r\n\r\r\nfour"));
	struct view got = UNTOUCHED;

	(void)state;
	assert_int_equal(cursor_take_line(&cursor, &got), 0);
	assert_view(got, VIEW("one"));
	assert_int_equal(cursor_take_line(&cursor, &got), 0);
	assert_view(got, VIEW("two"));
	assert_int_equal(cursor_take_line(&cursor, &got), 0);
	assert_view(got, VIEW(""));
	assert_int_equal(cursor_take_line(&cursor, &got), 0);
	assert_view(got, VIEW("\r"));
	got = UNTOUCHED;
	assert_int_equal(cursor_take_line(&cursor, &got), -ENODATA);
	assert_unmoved(&cursor, 14, got);
	assert_view(cursor_rest(&cursor), VIEW("four"));
}

static bool is_a(char byte)
{
	return byte == 'a';
}

static void test_take_while(void **state)
{
	struct cursor cursor = cursor_of(VIEW("aab"));

	(void)state;
	assert_view(cursor_take_while(&cursor, is_a), VIEW("aa"));
	assert_view(cursor_take_while(&cursor, is_a), VIEW(""));
	assert_view(cursor_rest(&cursor), VIEW("b"));
	cursor = cursor_of(VIEW("aa"));
	assert_view(cursor_take_while(&cursor, is_a), VIEW("aa"));
	assert_int_equal(cursor_left(&cursor), 0);
}

static void test_expect(void **state)
{
	struct cursor cursor = cursor_of(VIEW("HTTP"));

	(void)state;
	assert_int_equal(cursor_expect(&cursor, VIEW("HTTP/1")), -ENODATA);
	assert_int_equal(cursor_expect(&cursor, VIEW("HX")), -EBADMSG);
	assert_int_equal(cursor_expect(&cursor, VIEW("HTTX/1")), -EBADMSG);
	assert_int_equal(cursor.at, 0);
	assert_int_equal(cursor_expect(&cursor, VIEW("HT")), 0);
	assert_int_equal(cursor.at, 2);
	assert_int_equal(cursor_expect(&cursor, VIEW("TP")), 0);
	assert_int_equal(cursor_left(&cursor), 0);
}

static void test_no_bytes_at_all(void **state)
{
	struct cursor cursor = cursor_of((struct view){ 0 });
	struct view got = UNTOUCHED;

	(void)state;
	assert_int_equal(cursor_peek(&cursor), -ENODATA);
	assert_int_equal(cursor_take(&cursor, 1, &got), -ENODATA);
	assert_int_equal(cursor_take_line(&cursor, &got), -ENODATA);
	assert_int_equal(cursor_expect(&cursor, VIEW("a")), -ENODATA);
	assert_unmoved(&cursor, 0, got);
	assert_int_equal(cursor_take_while(&cursor, is_a).len, 0);
	assert_int_equal(cursor_rest(&cursor).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_peek),
		cmocka_unit_test(test_take_until),
		cmocka_unit_test(test_take_line),
		cmocka_unit_test(test_take_while),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_no_bytes_at_all),
	};

	return cmocka_run_group_tests_name("base/cursor", tests, NULL, NULL);
}
