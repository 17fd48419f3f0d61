/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>

#include "config/change.h"

struct pair {
	struct fixture now;
	struct fixture wanted;
	char text[512];
};

static int setup(void **state)
{
	static struct pair pair;

	memset(&pair, 0, sizeof(pair));
	*state = &pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	fixture_clear(&pair->now);
	fixture_clear(&pair->wanted);
	return 0;
}

static void load(struct pair *pair, const char *now, const char *wanted)
{
	assert_int_equal(fixture_load(&pair->now, CONFIG_RUN, LIST(), LIST(), now), 0);
	assert_int_equal(fixture_load(&pair->wanted, CONFIG_RUN, LIST(), LIST(), wanted), 0);
	/* each load has a file of another name */
	free(pair->wanted.config.file);
	pair->wanted.config.file = strdup(pair->now.config.file);
}

static size_t fixed(struct pair *pair, size_t size)
{
	return config_fixed_changes(&pair->now.config, &pair->wanted.config, pair->text, size);
}

/* The text without the file's name, which is another one each time. */
static void assert_named(struct pair *pair, size_t n, const char *expected)
{
	char *at;

	assert_int_equal(fixed(pair, sizeof(pair->text)), n);
	while ((at = strstr(pair->text, pair->now.config.file))) {
		size_t len = strlen(pair->now.config.file);

		memmove(at, at + len, strlen(at + len) + 1);
	}
	assert_string_equal(pair->text, expected);
}

static void test_same(void **state)
{
	struct pair *pair = *state;

	load(pair, "port: [80, 81]\nexe: [a, b]\nuser: nobody\npropagate: {to: [loopback]}\n",
	     "port: [80, 81]\nexe: [a, b]\nuser: nobody\npropagate: {to: [loopback]}\n");
	assert_named(pair, 0, "");
}

static void test_live_is_not_named(void **state)
{
	struct pair *pair = *state;

	load(pair, "export: stdout\nquery_keys: [a]\nlog_level: info\notlp: {timeout: 5}\n",
	     "export: file:/x\nquery_keys: [b]\nlog_level: debug\nservice_name: y\n");
	assert_named(pair, 0, "");
}

static void test_fixed_is_named(void **state)
{
	struct pair *pair = *state;

	load(pair, "exe: [a, b]\nring_size: 4\n", "port: 80\nexe: [b, a]\ntls: on\n");
	assert_named(pair, 4, "exe (:2), port (:1), tls (:3), ring_size (default)");
}

static void test_text_is_cut(void **state)
{
	struct pair *pair = *state;

	load(pair, "export: stdout\n", "port: 80\ntls: on\nexe: x\nring_size: 4\n");
	for (size_t size = 8; size < 200; size++) {
		memset(pair->text, 'x', sizeof(pair->text));
		assert_int_equal(fixed(pair, size), 4);
		assert_true(memchr(pair->text, '\0', size));
	}
}

static void test_change(void **state)
{
	struct pair *pair = *state;
	char origin[128];

	load(pair, "export: stdout\nport: 80\nservice_name: a\nuser: nobody\n",
	     "export: file:/x\nport: 81\nservice_name: b\nuser: daemon\n");
	config_change(&pair->now.config, &pair->wanted.config);
	assert_string_equal(pair->now.config.targets.items[0], "file:/x");
	assert_string_equal(pair->now.config.service_name, "b");
	assert_int_equal(pair->now.config.ports.items[0], 80);
	assert_string_equal(pair->now.config.user, "nobody");
	assert_int_equal(pair->wanted.config.ports.items[0], 81);
	config_origin_text(&pair->now.config, "port", origin, sizeof(origin));
	assert_non_null(strstr(origin, ":2"));
	/* the account of the user that stays */
	assert_int_not_equal(pair->now.config.uid, 1);
	/* what cannot change is named again, as long as it is wanted */
	assert_int_equal(fixed(pair, sizeof(pair->text)), 2);
}

static char *pack(const struct config *config, size_t *ret_size)
{
	char *bytes = NULL;
	FILE *out = open_memstream(&bytes, ret_size);

	assert_non_null(out);
	assert_int_equal(config_pack(config, out), 0);
	fclose(out);
	return bytes;
}

static void test_pack(void **state)
{
	static const char yaml[] = "export: [stdout, 'file:/x']\nquery_keys: [a, b]\n"
				   "otlp: {headers: {k: v}, timeout: 7, compression: none}\n"
				   "bsp: {max_queue_size: 5}\nsdk: {spans: keep}\nport: 80\n"
				   "command_args: true\n";
	struct pair *pair = *state;
	struct config *read = &pair->wanted.config;
	size_t size;
	char *bytes;
	struct cursor cursor;

	load(pair, yaml, yaml);
	config_clear(read);
	bytes = pack(&pair->now.config, &size);
	cursor = cursor_of((struct view){ bytes, size });
	assert_int_equal(config_unpack(read, &cursor), 0);
	assert_int_equal(cursor_left(&cursor), 0);
	assert_true(strings_equal(&read->targets, &pair->now.config.targets));
	assert_true(strings_equal(&read->query_keys, &pair->now.config.query_keys));
	assert_true(strings_equal(&read->otlp_headers, &pair->now.config.otlp_headers));
	assert_int_equal(read->otlp_timeout_ns, 7000000);
	assert_int_equal(read->otlp_compression, CONFIG_COMPRESSION_NONE);
	assert_int_equal(read->queue_size, 5);
	assert_int_equal(read->sdk_spans, CONFIG_SDK_KEEP);
	assert_true(read->command_args);
	/* what cannot change does not travel */
	assert_int_equal(read->ports.n, 0);
	free(bytes);
}

static void test_unpack_cut(void **state)
{
	struct pair *pair = *state;
	size_t size;
	char *bytes;

	load(pair, "export: [stdout, 'file:/x']\nservice_name: y\n", "port: 80\n");
	bytes = pack(&pair->now.config, &size);
	for (size_t i = 0; i < size; i++) {
		/* of its own size, so that one byte too far is seen */
		char *part = malloc(i ? i : 1);
		struct cursor cursor = cursor_of((struct view){ part, i });
		struct config read = { 0 };

		memcpy(part, bytes, i);
		assert_int_equal(config_unpack(&read, &cursor), -EBADMSG);
		config_clear(&read);
		free(part);
	}
	free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_same),	   TEST(test_live_is_not_named),
		TEST(test_fixed_is_named), TEST(test_text_is_cut),
		TEST(test_change),	   TEST(test_pack),
		TEST(test_unpack_cut),
	};

	return cmocka_run_group_tests_name("config/change", tests, NULL, NULL);
}
