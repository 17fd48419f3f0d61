/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>

static void test_forms(void **state)
{
	struct fixture fixture = { 0 };
	const struct config *config = &fixture.config;
	char ports[] = "--port=80,81", more[] = "--port", number[] = "82",
	     args[] = "--command-args";
	char head[] = "--request-head", bytes[] = "512", last[] = "--request-head=600";
	char text[64];

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN,
				      LIST(ports, args, head, bytes, more, number, last), LIST(),
				      NULL),
			 0);
	/* Lists grow, of other options the last one counts. */
	assert_int_equal(config->ports.n, 3);
	assert_int_equal(config->ports.items[2], 82);
	assert_true(config->command_args);
	assert_int_equal(config->request_head, 600);
	assert_string_equal(config_origin_text(config, "request_head", text, sizeof(text)),
			    "--request-head");
	assert_string_equal(config_origin_text(config, "ring_size", text, sizeof(text)), "default");
	fixture_clear(&fixture);
}

static void test_switch_off(void **state)
{
	struct fixture fixture = { 0 };
	char off[] = "--command-args=false";

	(void)state;
	assert_int_equal(
		fixture_load(&fixture, CONFIG_RUN, LIST(off), LIST(), "command_args: true\n"), 0);
	assert_false(fixture.config.command_args);
	fixture_clear(&fixture);
}

/* One or two arguments each, and the whole text of the error. */
static void test_errors(void **state)
{
	static const struct {
		char arguments[2][64];
		const char *error;
	} cases[] = {
		{ { "--prot", "80" }, "--prot: unknown option; did you mean --port?" },
		{ { "--bananas" }, "--bananas: unknown option; --help lists the known ones" },
		{ { "--disabled" }, "--disabled: unknown option; --help lists the known ones" },
		{ { "--json" }, "--json: unknown option; --help lists the known ones" },
		{ { "--request_head=300" },
		  "--request_head: unknown option; did you mean --request-head?" },
		{ { "80" }, "'80': unexpected argument; options start with --, --help lists them" },
		{ { "-p", "80" },
		  "'-p': unexpected argument; options start with --, --help lists them" },
		{ { "--" }, "'--': unexpected argument; options start with --, --help lists them" },
		{ { "--port" }, "--port: has no value; accepted: whole numbers from 1 to 65535" },
		{ { "--port", "http" },
		  "--port: 'http' is not a whole number; accepted: whole numbers from 1 to 65535" },
		{ { "--ring-size", "3" },
		  "--ring-size: '3' is not a power of two; accepted: a power of two from 1 to 64 "
		  "(MiB)" },
		{ { "--command-args=perhaps" },
		  "--command-args: 'perhaps' is neither true nor false; accepted: true, false" },
		{ { "--export", "localhost:4318" },
		  "--export: 'localhost:4318' is not a target; accepted: stdout, file:PATH, "
		  "http://host:port, https://host:port" },
		{ { "--otlp-protocol", "grpc" },
		  "--otlp-protocol: 'grpc' is not known; accepted: http/protobuf; grpc and "
		  "http/json are "
		  "not supported yet: export to the OTLP/HTTP port, usually 4318" },
		/* A token must not get into a log. */
		{ { "--otlp-headers", "secret" },
		  "--otlp-headers: the value has a part without '='; accepted: name=value,"
		  "name=value" },
		{ { "--config", "/nowhere" },
		  "--config: '/nowhere' cannot be read: No such file or directory; accepted: a "
		  "file that "
		  "can be read" },
		{ { "--user", "no-such-account" },
		  "--user: this host has no account 'no-such-account'; accepted: an account of "
		  "this host "
		  "without privileges" },
		{ { "--user", "root" },
		  "--user: 'root' is root or of root's group; accepted: an account of this host "
		  "without "
		  "privileges" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture = { 0 };
		char first[64], second[64];

		snprintf(first, sizeof(first), "%s", cases[i].arguments[0]);
		snprintf(second, sizeof(second), "%s", cases[i].arguments[1]);
		assert_int_equal(fixture_load(&fixture, CONFIG_RUN,
					      LIST(first, second[0] ? second : NULL), LIST(), NULL),
				 -EINVAL);
		assert_string_equal(fixture.messages.error, cases[i].error);
		/* Nothing is left behind. */
		assert_int_equal(fixture.config.targets.n, 0);
		fixture_clear(&fixture);
	}
}

static void test_too_many(void **state)
{
	static char *many[CONFIG_ARGUMENTS_MAX + 2];
	static struct arguments arguments;
	struct config_messages messages = { 0 };
	char flag[] = "--command-args";

	(void)state;
	for (int i = 0; i <= CONFIG_ARGUMENTS_MAX; i++)
		many[i] = flag;
	assert_int_equal(
		arguments_parse(CONFIG_RUN, CONFIG_ARGUMENTS_MAX, many, &arguments, &messages), 0);
	assert_int_equal(arguments_parse(CONFIG_RUN, CONFIG_ARGUMENTS_MAX + 1, many, &arguments,
					 &messages),
			 -EINVAL);
	assert_string_equal(messages.error, "more than 1024 options on the command line");
}

/* Each command takes its own flags only. */
static void test_commands(void **state)
{
	struct fixture fixture = { 0 };
	char json[] = "--json", socket[] = "--socket=/tmp/s", port[] = "--port=1";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_PS, LIST(json, socket), LIST(), NULL), 0);
	assert_true(fixture.config.json);
	assert_string_equal(fixture.config.socket, "/tmp/s");
	assert_int_equal(fixture_load(&fixture, CONFIG_TAIL, LIST(port), LIST(), NULL), -EINVAL);
	fixture_clear(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),	 cmocka_unit_test(test_switch_off),
		cmocka_unit_test(test_errors),	 cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests_name("config/command_line", tests, NULL, NULL);
}
