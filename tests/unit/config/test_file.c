/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>

static void test_whole_file(void **state)
{
	static const char yaml[] = "# a comment\n"
				   "export:\n"
				   "  - stdout\n"
				   "  - \"http://localhost:4318\"\n"
				   "port: [80, 443]\n"
				   "exe: /usr/bin/*\n"
				   "pid:\n"
				   "otlp:\n"
				   "  timeout: 2500\n"
				   "  headers:\n"
				   "    authorization: Bearer a=b,c%20\n"
				   "    x-tenant: \"7\"\n"
				   "bsp: ~\n"
				   "log_level: debug\n";
	struct fixture fixture = { 0 };
	const struct config *config = &fixture.config;
	char text[128], wanted[128];

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(), yaml), 0);
	assert_int_equal(config->targets.n, 2);
	assert_string_equal(config->targets.items[1], "http://localhost:4318");
	assert_int_equal(config->ports.n, 2);
	assert_int_equal(config->exes.n, 1);
	assert_int_equal(config->pids.n, 0);
	assert_int_equal(config->otlp_timeout_ns, 2500000000ull);
	assert_int_equal(config->otlp_headers.n, 4);
	assert_string_equal(config->otlp_headers.items[1], "Bearer a=b,c%20");
	assert_int_equal(config->queue_size, 8192);
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	snprintf(wanted, sizeof(wanted), "%s:9", fixture.file);
	assert_string_equal(config_origin_text(config, "otlp.timeout", text, sizeof(text)), wanted);
	fixture_clear(&fixture);
}

static void test_empty_files(void **state)
{
	static const char *const files[] = { "", "# nothing\n", "---\n", "~\n", "{}\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct fixture fixture = { 0 };

		assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(), files[i]), 0);
		fixture_clear(&fixture);
	}
}

/* The file, and the error behind the file's name. */
static void test_errors(void **state)
{
	static const struct {
		const char *yaml;
		const char *error;
	} cases[] = {
		{ "port: 80\nrequest_haed: 512\n",
		  "2: request_haed: unknown key; did you mean request_head?" },
		{ "bananas: 1\n", "1: bananas: unknown key; 'weft run --help' lists the options" },
		{ "otlp:\n  timout: 5\n",
		  "2: otlp.timout: unknown key; did you mean otlp.timeout?" },
		{ "otlp.timeout: 5\notlp:\n\n  timeout: 6\n",
		  "4: otlp.timeout: is there twice, in line 1 too; write all of its values in one "
		  "place" },
		{ "port: 80\nport: 81\n",
		  "2: port: is there twice, in line 1 too; write all of its values in one place" },
		{ "port:\n  - 80\n  - 70000\n",
		  "3: port: '70000' is out of range; accepted: whole numbers from 1 to 65535" },
		{ "\nring_size: 3\n",
		  "2: ring_size: '3' is not a power of two; accepted: a power of two from 1 to 64 "
		  "(MiB)" },
		{ "log_level: loud\n",
		  "1: log_level: 'loud' is not known; accepted: error, warning, warn, info, "
		  "debug" },
		{ "ring_size: [4]\n",
		  "1: ring_size: takes one value, not a list; accepted: a power of two from 1 to "
		  "64 (MiB)" },
		{ "port: {a: b}\n",
		  "1: port: takes a value, not keys; accepted: whole numbers from 1 to 65535" },
		{ "port: [[80]]\n",
		  "1: port: an item of the list is not a plain value; accepted: whole numbers from "
		  "1 to 65535" },
		{ "otlp: 5\n", "1: otlp: takes keys, not a value" },
		{ "otlp: [timeout]\n", "1: otlp: takes keys, not a value" },
		{ "- port\n", "1: 'key: value' lines were expected" },
		{ "port\n", "1: 'key: value' lines were expected" },
		{ "? [a]\n: b\n", "1: a key is not a plain word" },
		{ "exe: &a x\nport: *a\n",
		  "1: anchors (&) and aliases (*) are not accepted: write the value out" },
		{ "port: *a\n",
		  "1: anchors (&) and aliases (*) are not accepted: write the value out" },
		{ "port: 80\n---\nport: 81\n",
		  "2: a second document starts here; one is accepted" },
		{ "port: \"80\n", "2: is not YAML: found unexpected end of stream" },
		{ "exe: \"a\\0b\"\n", "1: a value has a NUL character in it" },
		{ "\"a\\0b\": c\n", "1: a key has a NUL character in it" },
		{ "otlp:\n  headers:\n    a b: c\n",
		  "3: otlp.headers: 'a b' has a header name with a character that no name may "
		  "have" },
		{ "otlp:\n  headers:\n    a: [b]\n",
		  "3: otlp.headers: a value is not a plain value; accepted: name=value,"
		  "name=value" },
		{ "otlp:\n  headers:\n    a: x\n    a: y\n",
		  "4: otlp.headers: 'a' has a key twice" },
		/* Flags that make no sense in a file, and what only the environment has. */
		{ "config: x\n", "1: config: unknown key; 'weft run --help' lists the options" },
		{ "json: true\n", "1: json: unknown key; 'weft run --help' lists the options" },
		{ "otlp:\n  endpoint: http://a\n",
		  "2: otlp.endpoint: unknown key; 'weft run --help' lists the options" },
		{ "bsp:\n  max_queue_size: 100\n  max_export_batch_size: 200\n",
		  "3: bsp.max_export_batch_size: 200 is more than the queue holds; accepted: at "
		  "most "
		  "bsp.max_queue_size, which is 100 " },
		{ "user: root\n",
		  "1: user: 'root' is root or of root's group; accepted: an account of this "
		  "host without privileges" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture = { 0 };

		assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(), cases[i].yaml),
				 -EINVAL);
		/* Those that name the file a second time are compared up to there. */
		if (strncmp(fixture_error(&fixture), cases[i].error, strlen(cases[i].error)) != 0 ||
		    (strlen(fixture_error(&fixture)) != strlen(cases[i].error) &&
		     cases[i].error[strlen(cases[i].error) - 1] != ' '))
			fail_msg("%s: expected '%s', got '%s'", cases[i].yaml, cases[i].error,
				 fixture_error(&fixture));
		fixture_clear(&fixture);
	}
}

static void test_bounds(void **state)
{
	struct config_messages messages = { 0 };
	struct config config = { 0 };
	size_t size = (256 << 10) + 1;
	char name[] = "big", *data = malloc(size);

	(void)state;
	assert_non_null(data);
	config.file = name;
	memset(data, '#', size);
	assert_int_equal(config_parse_yaml(&config, data, size - 1, &messages), 0);
	assert_int_equal(config_parse_yaml(&config, data, size, &messages), -EINVAL);
	assert_string_equal(messages.error, "big: is larger than 256 KiB");
	/* A key without an end. */
	memset(data, 'a', size);
	assert_int_equal(config_parse_yaml(&config, data, 1000, &messages), -EINVAL);
	memset(data, '[', size);
	assert_int_equal(config_parse_yaml(&config, data, 10000, &messages), -EINVAL);
	free(data);
}

static void test_unreadable(void **state)
{
	struct fixture fixture = { 0 };
	char directory[] = "--config=/";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(directory), LIST(), NULL),
			 -EISDIR);
	assert_string_equal(fixture.messages.error, "--config: cannot read '/': Is a directory");
	fixture_clear(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_file), cmocka_unit_test(test_empty_files),
		cmocka_unit_test(test_errors),	   cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests_name("config/file", tests, NULL, NULL);
}
