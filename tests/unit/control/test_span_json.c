/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "control/span_json.h"
#include "span/resource.h"
#include "span/semconv.h"

static void check(const struct span *span, const char *wanted)
{
	json_t *json = span_json(span);
	char *text;

	assert_non_null(json);
	text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(json);
}

static void test_whole_span(void **state)
{
	static struct resource resource = { .references = 1,
					    .pid = 42,
					    .service_name = VIEW_INIT("shop") };
	struct attribute attributes[] = {
		{ .key = ATTR_HTTP_RESPONSE_STATUS_CODE, .type = ATTRIBUTE_INT, .integer = 503 },
		{ .key = ATTR_URL_PATH,
		  .type = ATTRIBUTE_STRING,
		  .text = "/a\"b\n\0c",
		  .len = sizeof("/a\"b\n\0c") - 1 },
		{ .key = ATTR_WEFT_TRUNCATED, .type = ATTRIBUTE_BOOL, .boolean = true },
		{ .key = ATTR_HTTP_REQUEST_BODY_SIZE, .type = ATTRIBUTE_DOUBLE, .number = 0.5 },
		{ .key = ATTR_HTTP_RESPONSE_BODY_SIZE, .type = ATTRIBUTE_DOUBLE, .number = NAN },
	};
	const struct span span = {
		.trace_id = { 0x4b, 0xf9, 0x2f, [15] = 0x01 },
		.span_id = { 0xff, [7] = 0x02 },
		.parent_id = { [7] = 0x03 },
		.kind = SPAN_KIND_SERVER,
		.status = SPAN_STATUS_ERROR,
		.start_ns = 1700000000987654321,
		.end_ns = 1700000000987654321 + 1500,
		.name = VIEW("GET /x"),
		.resource = &resource,
		.n_attributes = 5,
		.attributes = attributes,
	};

	(void)state;
	check(&span,
	      "{\"time\":\"2023-11-14T22:13:20.987Z\",\"service\":\"shop\",\"pid\":42,"
	      "\"kind\":\"server\",\"name\":\"GET /x\",\"status\":\"error\",\"status_code\":503,"
	      "\"duration_ns\":1500,\"trace_id\":\"4bf92f00000000000000000000000001\","
	      "\"span_id\":\"ff00000000000002\",\"parent_id\":\"0000000000000003\","
	      "\"attributes\":{\"http.response.status_code\":503,"
	      "\"url.path\":\"/a\\\"b\\n\\u0000c\","
	      "\"weft.truncated\":true,\"http.request.body.size\":0.5,\"http.response.body.size\":null}}");
}

static void test_link_and_state(void **state)
{
	struct span_link link = { .trace_id = { [15] = 0x0a }, .span_id = { [7] = 0x0b } };
	const struct span span = { .kind = SPAN_KIND_SERVER,
				   .name = VIEW("GET"),
				   .trace_state = VIEW("a=b,c=d"),
				   .link = &link };

	(void)state;
	check(&span,
	      "{\"time\":\"1970-01-01T00:00:00.000Z\",\"service\":\"\",\"pid\":0,"
	      "\"kind\":\"server\",\"name\":\"GET\",\"status\":\"unset\",\"duration_ns\":0,"
	      "\"trace_id\":\"00000000000000000000000000000000\",\"span_id\":\"0000000000000000\","
	      "\"trace_state\":\"a=b,c=d\",\"links\":[{\"trace_id\":"
	      "\"0000000000000000000000000000000a\",\"span_id\":\"000000000000000b\"}],"
	      "\"attributes\":{}}");
}

/* A root without resource, code and attributes; a name that no writer should have made. */
static void test_bare_span(void **state)
{
	const struct span span = { .kind = SPAN_KIND_CLIENT, .name = VIEW("a\xff") };

	(void)state;
	check(&span,
	      "{\"time\":\"1970-01-01T00:00:00.000Z\",\"service\":\"\",\"pid\":0,"
	      "\"kind\":\"client\",\"name\":\"(not UTF-8)\",\"status\":\"unset\",\"duration_ns\":0,"
	      "\"trace_id\":\"00000000000000000000000000000000\",\"span_id\":\"0000000000000000\","
	      "\"attributes\":{}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_span),
		cmocka_unit_test(test_link_and_state),
		cmocka_unit_test(test_bare_span),
	};

	return cmocka_run_group_tests_name("control/span_json", tests, NULL, NULL);
}
