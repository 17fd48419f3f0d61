/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "protocols/http2_fields.h"

/* In no order. */
static const char *const names[] = {
	":method",
	"host",
	":path",
	"user-agent",
	":scheme",
	"content-type",
	":authority",
	":status",
	"content-length",
	"tracestate",
	"grpc-status",
	"grpc-timeout",
	"connect-protocol-version",
	"connect-timeout-ms",
};

/* Each field has one name, and each name its field. */
static void test_names(void **state)
{
	unsigned int seen = 0;

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(names[0]), HTTP2_FIELD_MAX);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		enum http2_field field = http2_field_of(view_of(names[i]));

		assert_in_range(field, 0, HTTP2_FIELD_MAX - 1);
		assert_false(seen & 1u << field);
		seen |= 1u << field;
	}
	assert_int_equal(http2_field_of(VIEW(":path")), HTTP2_FIELD_PATH);
	assert_int_equal(http2_field_of(VIEW("grpc-timeout")), HTTP2_FIELD_GRPC_TIMEOUT);
}

/* Of a known length, of none, and longer than any. */
static void test_other_names(void **state)
{
	static const char *const others[] = { "",
					      "a",
					      "hose",
					      ":pats",
					      ":methods",
					      "grpc-statuS",
					      "connect-protocol-version-",
					      "access-control-allow-origin" };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(http2_field_of(view_of(others[i])), HTTP2_FIELD_MAX);
}

static void test_values(void **state)
{
	uint8_t bytes[64];
	struct http2_writer writer = { .data = bytes, .size = 24 };
	struct cursor cursor;
	enum http2_field field;
	struct view value;

	(void)state;
	http2_field_write(&writer, HTTP2_FIELD_PATH, VIEW("/a"));
	http2_field_write(&writer, HTTP2_FIELD_HOST, VIEW("longer than the room"));
	http2_field_write(&writer, HTTP2_FIELD_UNKNOWN, VIEW(""));
	assert_true(writer.cut);
	cursor = cursor_of((struct view){ .data = (const char *)bytes, .len = writer.len });
	assert_int_equal(http2_field_read(&cursor, &field, &value), 0);
	assert_int_equal(field, HTTP2_FIELD_PATH);
	assert_true(view_equal(value, VIEW("/a")));
	assert_int_equal(http2_field_read(&cursor, &field, &value), 0);
	assert_int_equal(field, HTTP2_FIELD_UNKNOWN);
	assert_int_equal(http2_field_read(&cursor, &field, &value), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
