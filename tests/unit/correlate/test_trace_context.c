/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "correlate/trace_context.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"

static const struct trace_context untouched = { .flags = 0x77,
						.trace_id = { 1 },
						.span_id = { 2 } };

/* In memory of just its size. */
static int parse(const char *text, size_t len, struct trace_context *ret_context)
{
	_cleanup_free_ char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return trace_context_parse((struct view){ .data = copy, .len = len }, ret_context);
}

static void test_valid(void **state)
{
	static const uint8_t trace_id[] = { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
					    0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c };
	static const uint8_t span_id[] = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 };
	static const struct {
		const char *text;
		uint8_t flags;
	} rows[] = {
		{ "00-" TRACE "-" SPAN "-01", 0x01 },
		{ "00-" TRACE "-" SPAN "-00", 0x00 },
		{ "00-" TRACE "-" SPAN "-03", 0x03 },
		/* flags that nobody knows yet are no reason to refuse the rest */
		{ "00-" TRACE "-" SPAN "-ff", 0xff },
		/* later versions: the first fields are as they were, others may follow */
		{ "01-" TRACE "-" SPAN "-01", 0x01 },
		{ "cc-" TRACE "-" SPAN "-01-what-the-future-brings", 0x01 },
		{ "fe-" TRACE "-" SPAN "-01-", 0x01 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace_context context = untouched;

		assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &context), 0);
		assert_memory_equal(context.trace_id, trace_id, sizeof(trace_id));
		assert_memory_equal(context.span_id, span_id, sizeof(span_id));
		assert_int_equal(context.flags, rows[i].flags);
	}
}

static void test_invalid(void **state)
{
	static const char *const texts[] = {
		"",
		"00",
		"00-" TRACE "-" SPAN "-0",
		"00-" TRACE "-" SPAN "-01-",
		"00-" TRACE "-" SPAN "-01-more",
		"00-" TRACE "-" SPAN "-011",
		"01-" TRACE "-" SPAN "-01.more",
		"01-" TRACE "-" SPAN "-012",
		"ff-" TRACE "-" SPAN "-01",
		"FF-" TRACE "-" SPAN "-01",
		"0-" TRACE "-" SPAN "-001",
		"0x-" TRACE "-" SPAN "-01",
		"00-00000000000000000000000000000000-" SPAN "-01",
		"00-" TRACE "-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
		"00-" TRACE "-B7AD6B7169203331-01",
		"00-" TRACE "-" SPAN "-0A",
		"00-" TRACE "-" SPAN "-0g",
		"00-0af7651916cd43dd8448eb211c80319-c" SPAN "-01",
		"00_" TRACE "-" SPAN "-01",
		"00-" TRACE "_" SPAN "-01",
		"00-" TRACE "-" SPAN "_01",
		" 00-" TRACE "-" SPAN "-01",
		"00-" TRACE "-" SPAN "-01 ",
		"00-0af7651916cd43dd8448eb211c80319\xff-" SPAN "-01",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct trace_context context = untouched;

		assert_int_equal(parse(texts[i], strlen(texts[i]), &context), -EINVAL);
		assert_memory_equal(&context, &untouched, sizeof(context));
	}
}

/* Every beginning of a right value is wrong, and is not read beyond its end. */
static void test_cut(void **state)
{
	static const char text[] = "00-" TRACE "-" SPAN "-01";
	struct trace_context context = untouched;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(parse(text, len, &context), -EINVAL);
	assert_int_equal(trace_context_parse((struct view){ .data = NULL, .len = 0 }, &context),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests_name("correlate/trace_context", tests, NULL, NULL);
}
