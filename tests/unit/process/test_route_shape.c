/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "process/route_shape.h"

static const struct {
	const char *segment;
	enum route_shape shape;
} samples[] = {
	/* words of programmers */
	{ "users", ROUTE_LITERAL },
	{ "api", ROUTE_LITERAL },
	{ "v1", ROUTE_LITERAL },
	{ "v2.1", ROUTE_LITERAL },
	{ "v1beta1", ROUTE_LITERAL },
	{ "1.0", ROUTE_LITERAL },
	{ "3.11", ROUTE_LITERAL },
	{ "oauth2", ROUTE_LITERAL },
	{ "s3", ROUTE_LITERAL },
	{ "sha256", ROUTE_LITERAL },
	{ "utf-16", ROUTE_LITERAL },
	{ "base64Encode", ROUTE_LITERAL },
	{ "getUserNotificationPreferences", ROUTE_LITERAL },
	{ "GetUserById", ROUTE_LITERAL },
	{ "package.Service", ROUTE_LITERAL },
	{ "index.php", ROUTE_LITERAL },
	{ "main.css", ROUTE_LITERAL },
	{ "font.woff2", ROUTE_LITERAL },
	{ ".well-known", ROUTE_LITERAL },
	{ "$metadata", ROUTE_LITERAL },
	{ "@alice", ROUTE_LITERAL },
	{ "create-or-update-user", ROUTE_LITERAL },
	{ "messages:batchDelete", ROUTE_LITERAL },
	{ "deadbeef", ROUTE_LITERAL },
	{ "facade", ROUTE_LITERAL },
	{ "-", ROUTE_LITERAL },
	/* values */
	{ "0", ROUTE_ID },
	{ "1234", ROUTE_ID },
	{ "-12", ROUTE_ID },
	{ "20240131", ROUTE_ID },
	{ "10.0.0.1", ROUTE_ID },
	{ "52.5200,13.4050", ROUTE_ID },
	{ "555-1234", ROUTE_ID },
	{ "order-4711", ROUTE_ID },
	{ "WEFT-7", ROUTE_ID },
	{ "user_12345", ROUTE_ID },
	{ "a1b2x3", ROUTE_ID },
	{ "123e4567-e89b-12d3-a456-426614174000", ROUTE_UUID },
	{ "123E4567-E89B-12D3-A456-426614174000", ROUTE_UUID },
	{ "123e4567e89b12d3a456426614174000", ROUTE_HASH },
	{ "507f1f77bcf86cd799439011", ROUTE_HASH },
	{ "3f2a1b9c", ROUTE_HASH },
	{ "a1b2c3d", ROUTE_HASH },
	{ "0x3f2a1b9c", ROUTE_HASH },
	{ "deadbeefdeadbeef", ROUTE_HASH },
	{ "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b", ROUTE_HASH },
	{ "2024-01-31", ROUTE_DATE },
	{ "2024-01", ROUTE_DATE },
	{ "2024-01-31T10:00:00Z", ROUTE_DATE },
	{ "2024-13-31", ROUTE_ID },
	{ "bob@example.com", ROUTE_EMAIL },
	{ "bob%40example.com", ROUTE_EMAIL },
	{ "IMG_2041.jpg", ROUTE_FILE },
	{ "app-3f2a1b9c.js", ROUTE_FILE },
	{ "jquery-3.6.0.min.js", ROUTE_FILE },
	{ "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", ROUTE_TOKEN },
	{ "dQw4w9WgXcQ", ROUTE_TOKEN },
	{ "9s6XKzkNRiz8i3PTb4Rv", ROUTE_TOKEN },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaz",
	  ROUTE_TOKEN },
	{ "hello%20world", ROUTE_SLUG },
	{ "caf\xc3\xa9", ROUTE_SLUG },
	{ "{id}", ROUTE_SLUG },
	{ "a<b", ROUTE_SLUG },
	{ "how-to-write-a-good-test", ROUTE_SLUG },
};

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		enum route_shape shape = route_shape_of(view_of(samples[i].segment));

		if (shape != samples[i].shape)
			fail_msg("%s: %s expected, got %s", samples[i].segment,
				 route_shape_text(samples[i].shape).data,
				 route_shape_text(shape).data);
	}
}

/* Any one byte: what is taken literally is printable ASCII, and never forges a placeholder. */
static void test_literals_are_plain(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		char text[] = { 'x', (char)byte, 'y' };
		enum route_shape shape = route_shape_of((struct view){ text, sizeof(text) });

		if (byte <= ' ' || byte >= 0x7f || byte == '{' || byte == '}' || byte == '%' ||
		    byte == '?' || byte == '#' || byte == '"')
			assert_int_equal(shape, ROUTE_SLUG);
		if (byte >= 'a' && byte <= 'z')
			assert_int_equal(shape, ROUTE_LITERAL);
	}
}

static void test_length_limit(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 4; i < sizeof(text); i += 5)
		text[i] = 'z';
	assert_int_equal(route_shape_of((struct view){ text, ROUTE_LITERAL_MAX }), ROUTE_LITERAL);
	assert_int_equal(route_shape_of((struct view){ text, ROUTE_LITERAL_MAX + 1 }), ROUTE_TOKEN);
	assert_int_equal(route_shape_of((struct view){ text, sizeof(text) }), ROUTE_TOKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_literals_are_plain),
		cmocka_unit_test(test_length_limit),
	};

	return cmocka_run_group_tests_name("process/route_shape", tests, NULL, NULL);
}
