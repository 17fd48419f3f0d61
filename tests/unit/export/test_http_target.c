/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "export/curl_library.h"
#include "export/http_target.h"

static void the_path_is_completed(void **state)
{
	static const struct {
		const char *text;
		const char *url;
	} cases[] = {
		{ "http://host:4318", "http://host:4318/v1/traces" },
		{ "http://host:4318/", "http://host:4318/v1/traces" },
		{ "http://host", "http://host/v1/traces" },
		{ "https://host/otlp", "https://host/otlp" },
		{ "https://host/otlp//", "https://host/otlp//" },
		{ "http://host:4318/v1/traces", "http://host:4318/v1/traces" },
		{ "http://host/otlp/v1/traces", "http://host/otlp/v1/traces" },
		{ "http://[::1]:4318", "http://[::1]:4318/v1/traces" },
		{ "http://host/?key=a", "http://host/v1/traces?key=a" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_target target;
		const char *reason = NULL;

		assert_int_equal(http_target_parse(cases[i].text, &target, &reason), 0);
		assert_string_equal(target.url, cases[i].url);
		http_target_clear(&target);
		assert_null(target.url);
	}
}

static void secrets_are_not_shown(void **state)
{
	struct http_target target;
	const char *reason = NULL;

	(void)state;
	assert_int_equal(
		http_target_parse("https://me:secret@host/x?token=secret", &target, &reason), 0);
	assert_string_equal(target.url, "https://me:secret@host/x?token=secret");
	assert_string_equal(target.shown, "https://host/x");
	http_target_clear(&target);
}

static void loopback_is_known(void **state)
{
	static const struct {
		const char *text;
		bool loopback;
	} cases[] = {
		{ "http://localhost:4318", true },
		{ "http://LOCALHOST.", true },
		{ "http://a.localhost", true },
		{ "http://127.0.0.1:4318", true },
		{ "http://127.8.9.1", true },
		{ "http://[::1]", true },
		{ "http://host", false },
		{ "http://notlocalhost", false },
		{ "http://localhost.example", false },
		{ "http://[::2]", false },
		{ "http://128.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_target target;
		const char *reason = NULL;

		assert_int_equal(http_target_parse(cases[i].text, &target, &reason), 0);
		if (target.loopback != cases[i].loopback)
			fail_msg("%s", cases[i].text);
		http_target_clear(&target);
	}
}

static void bad_urls_have_a_reason(void **state)
{
	static const char *const texts[] = {
		"http://",	"http:///v1/traces", "http://host:99999", "http://host:port",
		"http://ho st", "http://[::1",	     "http://host\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct http_target target = { .loopback = true };
		const char *reason = NULL;

		if (http_target_parse(texts[i], &target, &reason) != -EINVAL)
			fail_msg("taken: %s", texts[i]);
		assert_non_null(reason);
		assert_true(strlen(reason) > 3);
		assert_true(target.loopback);
	}
}

static int load(void **state)
{
	(void)state;
	return curl_library_load();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_is_completed),
		cmocka_unit_test(secrets_are_not_shown),
		cmocka_unit_test(loopback_is_known),
		cmocka_unit_test(bad_urls_have_a_reason),
	};

	return cmocka_run_group_tests_name("export/http_target", tests, load, NULL);
}
