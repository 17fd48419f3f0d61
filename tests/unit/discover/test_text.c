/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/text.h"

#include "fake_proc.h"

static void assert_clean(const char *data, size_t len, size_t max, const char *wanted)
{
	char *clean = text_clean((struct view){ .data = data, .len = len }, max);

	assert_non_null(clean);
	assert_string_equal(clean, wanted);
	free(clean);
}

static void test_clean(void **state)
{
	(void)state;
	assert_clean(TEXT(""), 10, "");
	assert_clean(TEXT("shop"), 10, "shop");
	assert_clean(TEXT("a\0b\nc\x7f"), 10, "a b c ");
	assert_clean(TEXT("gr\xc3\xbc\xc3\x9f"), 10, "gr\xc3\xbc\xc3\x9f");
	/* a stray byte, an overlong form, a surrogate, a cut character */
	assert_clean(TEXT("a\xff"), 10, "a\xef\xbf\xbd");
	assert_clean(TEXT("\xc0\xaf"), 10, "\xef\xbf\xbd\xef\xbf\xbd");
	assert_clean(TEXT("\xed\xa0\x80"), 10, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_clean(TEXT("\xe2\x82"), 10, "\xef\xbf\xbd\xef\xbf\xbd");
	/* never half a character at the limit */
	assert_clean(TEXT("ab\xe2\x82\xac"), 4, "ab");
	assert_clean(TEXT("ab\xe2\x82\xac"), 5, "ab\xe2\x82\xac");
	assert_clean(TEXT("abcdef"), 3, "abc");
}

static void test_paths(void **state)
{
	(void)state;
	assert_true(view_equal(text_basename(VIEW("/a/b//")), VIEW("b")));
	assert_true(view_equal(text_basename(VIEW("b")), VIEW("b")));
	assert_int_equal(text_basename(VIEW("///")).len, 0);
	assert_true(view_equal(text_dirname(VIEW("/a/b")), VIEW("/a")));
	assert_true(view_equal(text_dirname(VIEW("/a")), VIEW("/")));
	assert_int_equal(text_dirname(VIEW("a")).len, 0);
	assert_int_equal(text_dirname(VIEW("/")).len, 0);
}

static void test_parts(void **state)
{
	struct view rest = VIEW("a,,b,"), part;

	(void)state;
	assert_true(text_next(&rest, ',', &part) && view_equal(part, VIEW("a")));
	assert_true(text_next(&rest, ',', &part) && part.len == 0);
	assert_true(text_next(&rest, ',', &part) && view_equal(part, VIEW("b")));
	assert_false(text_next(&rest, ',', &part));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests_name("discover/text", tests, NULL, NULL);
}
