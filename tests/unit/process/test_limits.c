/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "process/limits.h"
#include "span/semconv.h"

static struct span_builder builder;

static void run(const struct processor_options *options)
{
	struct processor *processor;

	assert_int_equal(processor_limits.start(options, &processor), 0);
	processor_limits.process(processor, &builder);
	(*processor_limits.stop)(processor); /* stop() is a macro of cmocka 2 */
}

static void fill(void)
{
	span_builder_init(&builder);
	span_set_string(&builder, ATTR_URL_PATH, VIEW("/gr\xc3\xbc\xc3\x9fz"));
	span_set_string(&builder, ATTR_URL_SCHEME, VIEW("http"));
	span_set_int(&builder, ATTR_SERVER_PORT, 80);
}

static void assert_path(const char *expected)
{
	struct view path = attribute_text(span_attribute(&builder.span, ATTR_URL_PATH));

	assert_int_equal(path.len, strlen(expected));
	assert_memory_equal(path.data, expected, path.len);
}

static void test_defaults_change_nothing(void **state)
{
	const struct processor_options options = { 0 };

	(void)state;
	fill();
	run(&options);
	assert_int_equal(builder.span.n_attributes, 3);
	assert_int_equal(builder.span.dropped_attributes, 0);
	assert_path("/gr\xc3\xbc\xc3\x9fz");
}

/* Characters are counted, and none is cut in two. */
static void test_value_length(void **state)
{
	static const char *const expected[] = {
		"",
		"/",
		"/g",
		"/gr",
		"/gr\xc3\xbc",
		"/gr\xc3\xbc\xc3\x9f",
		"/gr\xc3\xbc\xc3\x9fz",
		"/gr\xc3\xbc\xc3\x9fz",
	};

	(void)state;
	for (size_t limit = 1; limit < sizeof(expected) / sizeof(expected[0]); limit++) {
		const struct processor_options options = { .attribute_value_length_limit = limit };

		fill();
		run(&options);
		assert_path(expected[limit]);
		assert_int_equal(span_attribute(&builder.span, ATTR_SERVER_PORT)->integer, 80);
	}
}

static void test_count(void **state)
{
	const struct processor_options options = { .attribute_count_limit = 2 };

	(void)state;
	fill();
	run(&options);
	assert_int_equal(builder.span.n_attributes, 2);
	assert_int_equal(builder.span.dropped_attributes, 1);
	assert_null(span_attribute(&builder.span, ATTR_SERVER_PORT));
	assert_non_null(span_attribute(&builder.span, ATTR_URL_SCHEME));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_change_nothing),
		cmocka_unit_test(test_value_length),
		cmocka_unit_test(test_count),
	};

	return cmocka_run_group_tests_name("process/limits", tests, NULL, NULL);
}
