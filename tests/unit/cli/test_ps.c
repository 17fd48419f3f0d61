/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/ps.h"

static char *printed(const char *json)
{
	json_t *answer = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(answer);
	assert_int_equal(ps_print(out, answer), 0);
	fclose(out);
	json_decref(answer);
	return text;
}

static void test_table(void **state)
{
	char *text = printed(
		"{\"version\":\"1.2\",\"uptime_s\":61.25,\"hooks\":{\"socket data\":\"tp_btf\","
		"\"x\":{\"a\":1}},"
		"\"processes\":[{\"pid\":7,\"runtime\":\"python\",\"service\":\"shop\\u001b[2J\","
		"\"service_source\":\"script\",\"executable\":\"/usr/bin/python3\","
		"\"unit\":\"thread\","
		"\"protocols\":[\"a\",\"b\"],\"server_spans\":1,\"client_spans\":2,"
		"\"state\":\"traced\","
		"\"reason\":null},{\"pid\":4194304,\"runtime\":\"go\",\"service\":\"s\","
		"\"service_source\":\"executable\",\"protocols\":[],\"server_spans\":0,"
		"\"client_spans\":0,"
		"\"state\":\"ignored\",\"reason\":\"not selected\"}],"
		"\"counters\":{\"captured\":13,\"exported\":9,\"open\":1,\"restarts\":1,\"bad\":0,"
		"\"dropped\":{\"queue_full\":2,\"rejected\":0,\"lost\":1},"
		"\"kernel\":{\"a\":0,\"b\":5}}}");

	(void)state;
	assert_string_equal(
		text,
		"PID      RUNTIME  SERVICE   FROM        PROTOCOLS  SPANS        TRACED\n"
		"7        python   shop?[2J  script      a,b        1 in, 2 out  traced\n"
		"4194304  go       s         executable  -          0 in, 0 out  ignored: not "
		"selected\n"
		"\n"
		"weft 1.2, up 61 s\n"
		"hook socket data: tp_btf\n"
		"hook x: {\"a\":1}\n"
		"captured 13 = exported 9 + dropped 3 (queue_full 2, lost 1) + open 1\n"
		"also counted: restarts 1\n"
		"kernel: b 5\n");
	free(text);
}

/* An answer of another version: what is missing is shown as such. */
static void test_missing_members(void **state)
{
	char *text = printed("{\"processes\":[{},3]}");

	(void)state;
	assert_string_equal(text, "PID  RUNTIME  SERVICE  FROM  PROTOCOLS  SPANS        TRACED\n"
				  "0    -        -        -     -          0 in, 0 out  -\n"
				  "0    -        -        -     -          0 in, 0 out  -\n"
				  "\n"
				  "weft -, up 0 s\n"
				  "captured 0 = exported 0 + dropped 0\n");
	free(text);
}

/* The last column of a process of which that is known. */
static void assert_traced(const char *members, const char *expected)
{
	json_t *answer = json_pack("{s:[o]}", "processes", json_loads(members, 0, NULL));
	char *json = json_dumps(answer, 0);
	char *text = printed(json), *row = strchr(text, '\n') + 1, *end = strchr(row, '\n');

	*end = '\0';
	assert_true(strlen(row) > strlen(expected));
	assert_string_equal(end - strlen(expected), expected);
	free(text);
	free(json);
	json_decref(answer);
}

static void test_sdk(void **state)
{
	(void)state;
	assert_traced("{\"state\":\"traced\",\"sdk\":\"agent\",\"sdk_spans\":\"left\"}",
		      "  traced: SDK-instrumented (agent), its spans are left to it");
	assert_traced("{\"state\":\"traced\",\"sdk\":\"agent\",\"sdk_spans\":\"kept\"}",
		      "  traced: SDK-instrumented (agent), its spans are made all the same "
		      "(sdk.spans)");
	assert_traced("{\"state\":\"gone\",\"reason\":\"r\",\"sdk\":\"agent\","
		      "\"sdk_spans\":\"left\"}",
		      "  gone: r; SDK-instrumented (agent), its spans are left to it");
	assert_traced("{\"state\":\"traced\",\"sdk\":null,\"sdk_spans\":null}", "  traced");
}

static void test_long_lists(void **state)
{
	json_t *protocols = json_array();
	json_t *answer = json_pack("{s:[{s:o}]}", "processes", "protocols", protocols);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	for (int i = 0; i < 1000; i++)
		json_array_append_new(protocols, json_string("something"));
	assert_int_equal(ps_print(out, answer), 0);
	fclose(out);
	assert_in_range(strlen(text), 500, 5000);
	free(text);
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_missing_members),
		cmocka_unit_test(test_sdk),
		cmocka_unit_test(test_long_lists),
	};

	return cmocka_run_group_tests_name("cli/ps", tests, NULL, NULL);
}
