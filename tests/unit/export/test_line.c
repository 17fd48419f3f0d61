/* SPDX-License-Identifier: Apache-2.0 */
#include "spans.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "export/bytes.h"
#include "export/line.h"

static const struct line sample = {
	.start_ns = TEST_TIME_NS,
	.duration_ns = 1234567,
	.kind = SPAN_KIND_SERVER,
	.http_status = 200,
	.trace_id = { 0x4b, 0xf9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0xe4 },
	.service = VIEW_INIT("shop"),
	.name = VIEW_INIT("GET /users/{id}"),
	.path = VIEW_INIT("/users/7"),
};

static const char *format(const struct line *line, bool colour)
{
	static char text[LINE_MAX_LEN + 1];
	size_t len = line_format(line, colour, text);

	assert_in_range(len, 1, LINE_MAX_LEN);
	text[len] = '\0';
	/* One line, whatever went in. */
	assert_ptr_equal(strchr(text, '\n'), text + len - 1);
	return text;
}

static void fields_stand_in_columns(void **state)
{
	(void)state;
	assert_string_equal(
		format(&sample, false),
		"03:04:05.678  shop              SERVER    GET /users/{id}           200    1.23 ms  "
		"4bf90102030405060708090a0b0c0de4  /users/7\n");
}

static void a_path_in_the_name_is_not_repeated(void **state)
{
	struct line line = sample;

	(void)state;
	line.name = VIEW("GET /users/7");
	assert_null(strstr(format(&line, false), "e4  "));
	line.name = VIEW("GET x/users/7");
	assert_non_null(strstr(format(&line, false), "e4  /users/7\n"));
	line.name = VIEW("/users/7");
	assert_non_null(strstr(format(&line, false), "e4  /users/7\n"));
}

static void status_says_the_most_telling(void **state)
{
	struct line line = sample;

	(void)state;
	line.status = SPAN_STATUS_ERROR;
	line.error_type = VIEW("timeout");
	assert_non_null(strstr(format(&line, false), "{id}           timeout  "));
	line.error_type = (struct view){ 0 };
	line.http_status = 0;
	assert_non_null(strstr(format(&line, false), "{id}           error  "));
	line.status = SPAN_STATUS_UNSET;
	assert_non_null(strstr(format(&line, false), "{id}           -     "));
	line.status = SPAN_STATUS_OK;
	assert_non_null(strstr(format(&line, false), "{id}           ok    "));
}

static void durations_have_three_digits_and_a_unit(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "  0.00 us  " },
		{ 450, "  0.45 us  " },
		{ 9994, "  9.99 us  " },
		{ 9996, "  10.0 us  " },
		{ 999499, "   999 us  " },
		{ 999500, "  1.00 ms  " },
		{ 99960000, "   100 ms  " },
		{ 999500000, "  1.00 s   " },
		{ 61 * NS_PER_SEC, "  61.0 s   " },
		{ 86400 * NS_PER_SEC, " 86400 s   " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct line line = sample;

		line.duration_ns = cases[i].ns;
		if (!strstr(format(&line, false), cases[i].text))
			fail_msg("%llu ns: no '%s' in %s", (unsigned long long)cases[i].ns,
				 cases[i].text, format(&line, false));
	}
}

static void nothing_steers_the_terminal(void **state)
{
	static const struct {
		struct view name;
		const char *shown;
	} cases[] = {
		{ VIEW_INIT("a\033[2Jb"), "a?[2Jb" },
		{ VIEW_INIT("a\r\n\tb\0c\x7f"), "a???b?c?" },
		{ VIEW_INIT("a\xc2\x9b"
			    "31m"),
		  "a?31m" }, /* C1: CSI */
		{ VIEW_INIT("a\xe2\x80\xae"
			    "cba"),
		  "a?cba" },				/* right-to-left override */
		{ VIEW_INIT("a\xe2\x81\xa6z"), "a?z" }, /* isolate */
		{ VIEW_INIT("a\xff\xfe"
			    "b"),
		  "a??b" }, /* not UTF-8 */
		{ VIEW_INIT("a\xc0\x8a"
			    "b"),
		  "a??b" }, /* overlong newline */
		{ VIEW_INIT("a\xe0\x82\x9b"
			    "b"),
		  "a???b" }, /* overlong C1 */
		{ VIEW_INIT("a\xed\xa0\x80"
			    "b"),
		  "a???b" }, /* surrogate */
		{ VIEW_INIT("a\xf4\x90\x80\x80"
			    "b"),
		  "a????b" }, /* beyond Unicode */
		{ VIEW_INIT("a\xf3\xa0\x80\xa1"
			    "b"),
		  "a?b" }, /* tag */
		{ VIEW_INIT("na\xc3\xafve \xf0\x9f\x98\x80"), "na\xc3\xafve \xf0\x9f\x98\x80" },
		{ VIEW_INIT("cut \xe2\x82"), "cut ??" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct line line = sample;
		struct bytes wanted = { 0 };

		bytes_append_view(&wanted, VIEW("SERVER    "));
		for (const char *c = cases[i].shown; *c; c++)
			bytes_append_view(&wanted,
					  *c == '?' ? VIEW("\xef\xbf\xbd") : (struct view){ c, 1 });
		bytes_append(&wanted, "  ", sizeof("  "));
		line.name = cases[i].name;
		if (!strstr(format(&line, false), (const char *)wanted.data))
			fail_msg("case %zu: no '%s' in %s", i, wanted.data, format(&line, false));
		bytes_free(&wanted);
	}
}

static void long_texts_are_cut(void **state)
{
	static char text[3 * 5000];
	struct line line = sample;
	const char *cut;

	(void)state;
	/* Three bytes a character. */
	for (size_t i = 0; i < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	line.service = line.name = line.path = line.error_type =
		(struct view){ text, sizeof(text) };
	cut = format(&line, true);
	assert_in_range(strlen(cut), 3 * 300, LINE_MAX_LEN);
	assert_non_null(strstr(cut, "\xe2\x82\xac…"));
	/* A text of just the largest width is not cut. */
	line = sample;
	line.service = VIEW("12345678901234567890123456789012");
	assert_non_null(strstr(format(&line, false), "  12345678901234567890123456789012  "));
	line.service = VIEW("123456789012345678901234567890123");
	assert_non_null(strstr(format(&line, false), "  1234567890123456789012345678901…  "));
}

static void errors_stand_out_in_colour(void **state)
{
	struct line line = sample;

	(void)state;
	assert_null(strchr(format(&line, false), '\033'));
	assert_null(strstr(format(&line, true), "\033[1;31m"));
	line.http_status = 404;
	assert_non_null(strstr(format(&line, true), "\033[33m404 "));
	line.status = SPAN_STATUS_ERROR;
	assert_non_null(strstr(format(&line, true), "\033[1;31m404 "));
}

static void a_span_becomes_a_line(void **state)
{
	struct resource *shop = test_resource("shop");
	struct span *span = test_span(shop, 1);
	struct line line;

	(void)state;
	line_of_span(span, &line);
	assert_int_equal(line.start_ns, TEST_TIME_NS);
	assert_int_equal(line.duration_ns, 1500000);
	assert_int_equal(line.kind, SPAN_KIND_SERVER);
	assert_int_equal(line.http_status, 200);
	assert_true(view_equal(line.service, VIEW("shop")));
	assert_true(view_equal(line.name, VIEW("GET /users/{id}")));
	assert_true(view_equal(line.path, VIEW("/users/1234")));
	assert_int_equal(line.error_type.len, 0);
	/* A clock that was set back between the two ends. */
	span->end_ns = span->start_ns - 1;
	line_of_span(span, &line);
	assert_int_equal(line.duration_ns, 0);
	span_free(span);
	resource_unref(shop);
}

static int use_utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_stand_in_columns),
		cmocka_unit_test(a_path_in_the_name_is_not_repeated),
		cmocka_unit_test(status_says_the_most_telling),
		cmocka_unit_test(durations_have_three_digits_and_a_unit),
		cmocka_unit_test(nothing_steers_the_terminal),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(errors_stand_out_in_colour),
		cmocka_unit_test(a_span_becomes_a_line),
	};

	return cmocka_run_group_tests_name("export/line", tests, use_utc, NULL);
}
