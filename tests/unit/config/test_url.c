/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "config/url.h"

static void test_good_urls(void **state)
{
	static const char *const urls[] = {
		"http://a",
		"https://tempo.example:4318/otlp/v1/traces",
		"http://127.0.0.1:65535/",
		"http://[::1]:4318",
		"http://[fe80::1]",
		"http://a_b-c.d:1?x=y",
		"https://a/p:1/[q]@r?s=t:9",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		assert_null(url_fault(urls[i]));
}

static void test_bad_urls(void **state)
{
	static const struct {
		const char *url;
		const char *fault;
	} urls[] = {
		{ "", "does not start with http:// or https://" },
		{ "ftp://a", "does not start with http:// or https://" },
		{ "a:4318", "does not start with http:// or https://" },
		{ "http:///v1/traces", "names no host" },
		{ "http://:4318", "names no host" },
		{ "http://a:", "has a port that is not a number from 1 to 65535" },
		{ "http://a:0", "has a port that is not a number from 1 to 65535" },
		{ "http://a:65536", "has a port that is not a number from 1 to 65535" },
		{ "http://a:4318x", "has a port that is not a number from 1 to 65535" },
		{ "http://u:p@a", "has a user name in it: put credentials into otlp.headers" },
		{ "http://a b", "has a space or a character outside of ASCII in it" },
		{ "http://a/\xc3\xa4", "has a space or a character outside of ASCII in it" },
		{ "http://a/#x", "has a fragment (#) in it" },
		{ "http://a*b", "has a character in its host that no host name may have" },
		{ "http://::1", "has a character in its host that no host name may have" },
		{ "http://[]", "has a character in its host that no host name may have" },
		{ "http://[::g]:1", "has a character in its host that no host name may have" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const char *fault = url_fault(urls[i].url);

		assert_string_equal(fault ? fault : "nothing", urls[i].fault);
	}
}

static void test_targets(void **state)
{
	(void)state;
	assert_null(target_fault("stdout"));
	assert_null(target_fault("file:a"));
	assert_null(target_fault("https://a"));
	assert_non_null(target_fault("file:"));
	assert_non_null(target_fault("grpc://a"));
	assert_non_null(target_fault(""));
}

static void test_join(void **state)
{
	static const char *const cases[][2] = {
		{ "http://a", "http://a/v1/traces" },
		{ "http://a/", "http://a/v1/traces" },
		{ "http://a/b//", "http://a/b/v1/traces" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *joined = url_join(cases[i][0], "/v1/traces");

		assert_string_equal(joined, cases[i][1]);
		free(joined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_urls),
		cmocka_unit_test(test_bad_urls),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests_name("config/url", tests, NULL, NULL);
}
