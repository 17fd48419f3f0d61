/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/clock.h"

/* What each type refuses, and in which words. */
static const struct {
	const char *option;
	const char *text;
	const char *why; /* NULL: accepted */
} judgements[] = {
	{ "command_args", "True", NULL },
	{ "command_args", "yes", "is neither true nor false" },
	{ "command_args", "", "is neither true nor false" },
	{ "request_head", "255", "is out of range" },
	{ "request_head", "256", NULL },
	{ "request_head", "8193", "is out of range" },
	{ "request_head", "0x400", "is not a whole number" },
	{ "request_head", "-300", "is not a whole number" },
	{ "request_head", "+300", "is not a whole number" },
	{ "request_head", " 300", "is not a whole number" },
	{ "request_head", "", "is not a whole number" },
	{ "request_head", "99999999999999999999999", "is not a whole number" },
	{ "ring_size", "64", NULL },
	{ "ring_size", "48", "is not a power of two" },
	{ "ring_size", "128", "is out of range" },
	{ "duration", "1.5", NULL },
	{ "duration", ".5", NULL },
	{ "duration", "5.", NULL },
	{ "duration", ".", "is not a number of seconds" },
	{ "duration", "1.5.5", "is not a number of seconds" },
	{ "duration", "1e3", "is not a number of seconds" },
	{ "duration", "-1", "is not a number of seconds" },
	{ "duration", "31536000", NULL },
	{ "duration", "31536000.1", "is out of range" },
	{ "otlp.compression", "GZIP", NULL },
	{ "otlp.compression", "zstd", "is not known" },
	{ "service_name", "", "is empty" },
	{ "service_name", "a\nb", "has a control character in it" },
	{ "otlp.certificate", "/nowhere/at/all", "cannot be read: No such file or directory" },
	{ "socket", "weft.sock", "does not start with '/'" },
	{ "export", "localhost:4318", "is not a target" },
	{ "export", "file:", "names no file" },
	{ "export", "http://", "names no host" },
	{ "export", "stdout ", "is not a target" },
	{ "port", "80,,81", "is not a whole number" },
	{ "port", "80,0", "is out of range" },
	{ "port", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", NULL },
	{ "port", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,16", NULL },
	{ "port", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
	  "is one too many: at most 16 are taken" },
	{ "query_keys", "a,,b", "is empty" },
	{ "otlp.headers", "a", "has a part without '='" },
	{ "otlp.headers", "a=b,", NULL },
	{ "otlp.headers", "a=b,,c=d", "has a part without '='" },
	{ "otlp.headers", "a=%4", "has a '%' without two hexadecimal digits" },
	{ "otlp.headers", "a=%zz", "has a '%' without two hexadecimal digits" },
	{ "otlp.headers", "a=b%00c", "has a '%' without two hexadecimal digits" },
	{ "otlp.headers", "a=b%0d%0ax: y", "has a control character in it" },
	{ "otlp.headers", "a b=c", "has a header name with a character that no name may have" },
	{ "otlp.headers", "a:=c", "has a header name with a character that no name may have" },
	{ "otlp.headers", "=c", "is empty" },
	{ "otlp.headers", "a=1,a=2", "has a key twice" },
	{ "resource_attributes", "a b=c d", NULL },
	{ "traces_sampler_arg", "1", NULL },
	{ "traces_sampler_arg", "1.01", "is out of range" },
	{ "traces_sampler_arg", "-0.1", "is out of range" },
	{ "traces_sampler_arg", "nan", "is not a number" },
	{ "traces_sampler_arg", "inf", "is not a number" },
	{ "traces_sampler_arg", "0x1p-1", "is not a number" },
	{ "traces_sampler_arg", "0.5 ", "is not a number" },
	{ "traces_sampler_arg", "0.5.5", "is not a number" },
	{ "traces_sampler_arg", ".", "is not a number" },
	{ "traces_sampler_arg", "", "is not a number" },
	{ "sampling_percentage", "100", NULL },
	{ "sampling_percentage", "100.5", "is out of range" },
	{ "traces_sampler", "jaeger_remote", "is not known" },
	{ "propagators", "b3,b3,B3", NULL },
	{ "propagators", "w3c", "is not known" },
	{ "propagators", "none,none", NULL },
	{ "propagators", "none,b3", "is not alone, and none must be" },
	{ "propagators", "b3,none", "is not alone, and none must be" },
	{ "instance", "A-z_0.9", NULL },
	{ "instance", "", "is empty" },
	{ "instance", "a/b", "has a character that no name may have" },
	{ "instance", "a b", "has a character that no name may have" },
	{ "instance", "\xc3\xa4", "has a character that no name may have" },
	{ "instance", "0123456789abcdef0123456789abcdef", NULL },
	{ "instance", "0123456789abcdef0123456789abcdefg", "is longer than 32 bytes" },
	{ "netns", "self", NULL },
	{ "netns", "/proc/self/ns/net", NULL },
	{ "netns", "/proc/self/ns/mnt", "is not a network namespace" },
	{ "netns", "/dev/null", "is not a network namespace" },
	{ "netns", "/nowhere/at/all", "cannot be opened: No such file or directory" },
	{ "netns", "4194305", "is no process of this host" },
	{ "netns", "-1", "is neither a path nor a process id nor self" },
	{ "netns", "", "is neither a path nor a process id nor self" },
	{ "netns", "../self", "is neither a path nor a process id nor self" },
};

static void test_judgements(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(judgements) / sizeof(judgements[0]); i++) {
		const struct option *option = &options[option_by_name(judgements[i].option)];
		struct config config = { 0 };
		void *field = (char *)&config + option->offset;
		char why[160] = "";
		int r = option_parse(option, field, judgements[i].text, why, sizeof(why));

		assert_int_equal(r, judgements[i].why ? -22 : 0);
		assert_string_equal(why, judgements[i].why ? judgements[i].why : "");
		option_clear(option, field);
	}
}

static void test_too_long(void **state)
{
	const struct option *option = &options[option_by_name("socket")];
	char text[109], why[160], *value = NULL;

	(void)state;
	memset(text, '/', sizeof(text));
	text[108] = '\0';
	assert_int_equal(option_parse(option, &value, text, why, sizeof(why)), -22);
	assert_string_equal(why, "is longer than 107 bytes");
	text[107] = '\0';
	assert_int_equal(option_parse(option, &value, text, why, sizeof(why)), 0);
	option_clear(option, &value);
	assert_null(value);
}

static uint64_t number(const char *name, const char *text)
{
	uint64_t value = 0;
	char why[160];

	assert_int_equal(
		option_parse(&options[option_by_name(name)], &value, text, why, sizeof(why)), 0);
	return value;
}

static void test_units(void **state)
{
	(void)state;
	assert_int_equal(number("duration", "0"), 0);
	assert_int_equal(number("duration", "1.5"), 1500 * NS_PER_MS);
	assert_int_equal(number("duration", ".25"), 250 * NS_PER_MS);
	assert_int_equal(number("duration", "0.0000000019"), 1);
	assert_int_equal(number("otlp.timeout", "250"), 250 * NS_PER_MS);
	assert_int_equal(number("ring_size", "16"), 16 << 20);
	assert_int_equal(number("request_head", "512"), 512);
}

static void test_lists(void **state)
{
	const struct option *ports = &options[option_by_name("port")];
	const struct option *keys = &options[option_by_name("query_keys")];
	struct numbers numbers = { 0 };
	struct strings strings = { 0 };
	char why[160];

	(void)state;
	assert_int_equal(option_parse(ports, &numbers, "80, 443,80", why, sizeof(why)), 0);
	assert_int_equal(option_parse(ports, &numbers, "8080", why, sizeof(why)), 0);
	assert_int_equal(numbers.n, 3);
	assert_int_equal(numbers.items[0], 80);
	assert_int_equal(numbers.items[1], 443);
	assert_int_equal(numbers.items[2], 8080);
	assert_int_equal(option_parse(keys, &strings, " page ,size,page", why, sizeof(why)), 0);
	assert_int_equal(strings.n, 2);
	assert_string_equal(strings.items[0], "page");
	assert_string_equal(strings.items[1], "size");
	option_clear(keys, &strings);
	assert_int_equal(strings.n, 0);
}

static void test_pairs(void **state)
{
	const struct option *headers = &options[option_by_name("otlp.headers")];
	struct strings pairs = { 0 };
	char why[160];

	(void)state;
	assert_int_equal(option_parse(headers, &pairs,
				      "authorization=Bearer%20a=b , x-tenant = 7,e=", why,
				      sizeof(why)),
			 0);
	assert_int_equal(pairs.n, 6);
	assert_string_equal(pairs.items[0], "authorization");
	assert_string_equal(pairs.items[1], "Bearer a=b");
	assert_string_equal(pairs.items[2], "x-tenant");
	assert_string_equal(pairs.items[3], "7");
	assert_string_equal(pairs.items[5], "");
	/* From a mapping of the file nothing is decoded. */
	assert_int_equal(option_add_pair(headers, &pairs, "p", "%20,=", why, sizeof(why)), 0);
	assert_string_equal(pairs.items[7], "%20,=");
	strings_clear(&pairs);
}

static void test_accepted(void **state)
{
	static const struct {
		const char *option;
		const char *accepted;
	} wanted[] = {
		{ "request_head", "a whole number from 256 to 8192 (bytes)" },
		{ "ring_size", "a power of two from 1 to 64 (MiB)" },
		{ "duration", "a number from 0 to 31536000 (seconds)" },
		{ "port", "whole numbers from 1 to 65535" },
		{ "otlp.compression", "gzip, none" },
		{ "command_args", "true, false" },
		{ "export", "stdout, file:PATH, http://host:port, https://host:port" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_string_equal(option_accepted(&options[option_by_name(wanted[i].option)],
						    text, sizeof(text)),
				    wanted[i].accepted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judgements), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_units),	   cmocka_unit_test(test_lists),
		cmocka_unit_test(test_pairs),	   cmocka_unit_test(test_accepted),
	};

	return cmocka_run_group_tests_name("config/value", tests, NULL, NULL);
}
