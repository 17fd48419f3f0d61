/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "export/otlp_answer.h"

#define PROTOBUF "application/x-protobuf"

static void verdict_hangs_on_the_status(void **state)
{
	static const struct {
		long status;
		enum otlp_verdict verdict;
	} cases[] = {
		{ 200, OTLP_ACCEPTED },	 { 202, OTLP_ACCEPTED }, { 429, OTLP_RETRY },
		{ 502, OTLP_RETRY },	 { 503, OTLP_RETRY },	 { 504, OTLP_RETRY },
		{ 0, OTLP_REJECTED },	 { 301, OTLP_REJECTED }, { 400, OTLP_REJECTED },
		{ 401, OTLP_REJECTED },	 { 404, OTLP_REJECTED }, { 408, OTLP_REJECTED },
		{ 413, OTLP_TOO_LARGE }, { 500, OTLP_REJECTED }, { 501, OTLP_REJECTED },
		{ 505, OTLP_REJECTED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct otlp_answer answer;

		otlp_answer_read(cases[i].status, NULL, VIEW(""), &answer);
		assert_int_equal(answer.verdict, cases[i].verdict);
		assert_int_equal(answer.rejected, 0);
		assert_string_equal(answer.message, "");
		assert_true(strlen(otlp_answer_advice(cases[i].status)) > 0);
	}
}

static void a_partial_success_is_read(void **state)
{
	struct otlp_answer answer;

	(void)state;
	otlp_answer_read(200, PROTOBUF "; charset=x",
			 VIEW("\x0a\x07\x08\x02\x12\x03"
			      "old"),
			 &answer);
	assert_int_equal(answer.verdict, OTLP_ACCEPTED);
	assert_int_equal(answer.rejected, 2);
	assert_string_equal(answer.message, "old");
	/* The same bytes as another type are not looked at. */
	otlp_answer_read(200, "text/html",
			 VIEW("\x0a\x07\x08\x02\x12\x03"
			      "old"),
			 &answer);
	assert_int_equal(answer.rejected, 0);
	assert_string_equal(answer.message, "");
}

static void errors_have_a_message(void **state)
{
	static char large[10000];
	struct otlp_answer answer;

	(void)state;
	otlp_answer_read(400, PROTOBUF,
			 VIEW("\x08\x03\x12\x04"
			      "what"),
			 &answer);
	assert_string_equal(answer.message, "what");
	otlp_answer_read(503, "text/plain; charset=utf-8", VIEW(" wait\r\n\033[2J  \xc3\xa9 a\n"),
			 &answer);
	assert_string_equal(answer.message, "wait [2J a");
	otlp_answer_read(503, "text/html", VIEW("<html>"), &answer);
	assert_string_equal(answer.message, "");
	memset(large, 'x', sizeof(large));
	otlp_answer_read(500, "application/json", (struct view){ large, sizeof(large) }, &answer);
	assert_int_equal(strlen(answer.message), OTLP_MESSAGE_MAX - 1);
}

static void broken_bodies_change_nothing(void **state)
{
	struct otlp_answer answer;

	(void)state;
	otlp_answer_read(200, PROTOBUF, VIEW("\x0a\x7f\x08"), &answer);
	assert_int_equal(answer.verdict, OTLP_ACCEPTED);
	assert_int_equal(answer.rejected, 0);
	otlp_answer_read(503, PROTOBUF, VIEW("\xff\xff"), &answer);
	assert_int_equal(answer.verdict, OTLP_RETRY);
	assert_string_equal(answer.message, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdict_hangs_on_the_status),
		cmocka_unit_test(a_partial_success_is_read),
		cmocka_unit_test(errors_have_a_message),
		cmocka_unit_test(broken_bodies_change_nothing),
	};

	return cmocka_run_group_tests_name("export/otlp_answer", tests, NULL, NULL);
}
