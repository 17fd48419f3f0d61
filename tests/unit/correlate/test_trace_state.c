/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/trace_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#define FIELDS 3

struct sample {
	const char *fields[FIELDS];
	const char *expected; /* NULL: void */
};

static const struct sample samples[] = {
	{ { "a=1" }, "a=1" },
	{ { "a=1,b=2" }, "a=1,b=2" },
	{ { "a=1", "b=2", "c=3" }, "a=1,b=2,c=3" },
	{ { " a=1 ,\tb=2\t", "" }, "a=1,b=2" },
	{ { "a=1,\r\n b=2" }, "a=1,b=2" },
	/* empty members are allowed */
	{ { ",,a=1,,", ",", "b=2," }, "a=1,b=2" },
	{ { "" }, "" },
	/* a value may hold what separates names elsewhere */
	{ { "t@v=x y:z/=!~" }, "t@v=x y:z/=!~" },
	/* neither key nor value may be missing, and other bytes are not text */
	{ { "a" }, NULL },
	{ { "=1" }, NULL },
	{ { "a=" }, NULL },
	{ { "a=1,b" }, NULL },
	{ { "a=1", "b=\xc3\xa9" }, NULL },
	{ { "a=1\x01" }, NULL },
	{ { "a=1\tb" }, NULL },
};

static void test_samples(void **state)
{
	char text[TRACE_STATE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct view fields[FIELDS];
		size_t n = 0, len = 77;
		int r;

		for (; n < FIELDS && samples[i].fields[n]; n++)
			fields[n] = view_of(samples[i].fields[n]);
		r = trace_state_join(fields, n, text, &len);
		if (!samples[i].expected) {
			assert_int_equal(r, -EBADMSG);
			assert_int_equal(len, 77);
			continue;
		}
		assert_int_equal(r, 0);
		if (len != strlen(samples[i].expected) ||
		    memcmp(text, samples[i].expected, len) != 0)
			fail_msg("sample %zu: expected \"%s\", got \"%.*s\"", i,
				 samples[i].expected, (int)len, text);
	}
}

/* `n` members "kNN=vvv" of `size` bytes each. */
static struct view list(char *text, size_t n, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		memset(text + len, 'v', size);
		text[len] = 'k';
		text[len + 1] = (char)('0' + i / 10);
		text[len + 2] = (char)('0' + i % 10);
		text[len + 3] = '=';
		len += size;
		text[len++] = ',';
	}
	return (struct view){ .data = text, .len = len };
}

static void test_members_max(void **state)
{
	char in[8192], out[TRACE_STATE_MAX];
	struct view field = list(in, TRACE_STATE_MEMBERS_MAX, 8);
	size_t len;

	(void)state;
	assert_int_equal(trace_state_join(&field, 1, out, &len), 0);
	assert_int_equal(len, TRACE_STATE_MEMBERS_MAX * 9 - 1);
	field = list(in, TRACE_STATE_MEMBERS_MAX + 1, 8);
	assert_int_equal(trace_state_join(&field, 1, out, &len), -EBADMSG);
}

/* Just what fits is kept whole; of more, the last members go. */
static void test_long_list(void **state)
{
	char in[8192], out[TRACE_STATE_MAX];
	/* 27 * 19 - 1 = 512 */
	struct view field = list(in, 27, 18);
	size_t len;

	(void)state;
	assert_int_equal(trace_state_join(&field, 1, out, &len), 0);
	assert_int_equal(len, TRACE_STATE_MAX);
	field = list(in, 28, 18);
	assert_int_equal(trace_state_join(&field, 1, out, &len), 0);
	assert_int_equal(len, TRACE_STATE_MAX);
	assert_memory_equal(out + len - 18, "k26=", 4);
	field = list(in, 32, 19);
	assert_int_equal(trace_state_join(&field, 1, out, &len), 0);
	assert_int_equal(len, 25 * 20 - 1);
}

/* Long members go first, wherever they stand; while all fit, they stay. */
static void test_long_members(void **state)
{
	char large[8192], out[TRACE_STATE_MAX];
	struct view fields[] = { list(large, 1, 129), VIEW("a=1"), list(large, 1, 129),
				 list(large, 1, 129), list(large, 1, 129) };
	size_t len;

	(void)state;
	assert_int_equal(trace_state_join(fields, 3, out, &len), 0);
	assert_int_equal(len, 129 + 1 + 3 + 1 + 129);
	assert_int_equal(trace_state_join(fields, 5, out, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(out, "a=1", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_members_max),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_long_members),
	};

	return cmocka_run_group_tests_name("correlate/trace_state", tests, NULL, NULL);
}
