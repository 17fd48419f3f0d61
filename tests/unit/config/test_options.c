/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of the table: sound in itself, and read from every source that it has.
 */
#include "fixture.h"

/* Three different good values for each row: for the environment, the file and the command line. */
static const struct sample {
	const char *name;
	const char *values[3];
} samples[] = {
	{ "config", { "/dev/null", "/dev/null", "/dev/null" } },
	{ "export", { "stdout", "file:/tmp/a", "http://[::1]:4318" } },
	{ "pid", { "1", "2,3", "4194304" } },
	{ "exe", { "a", "b*", "/c/?" } },
	{ "port", { "1", "80, 443", "65535" } },
	{ "netns", { "", "self", "/proc/self/ns/net" } },
	{ "sdk.spans", { "", "keep", "join" } },
	{ "duration", { "1", "0.5", "31536000" } },
	{ "request_head", { "256", "1000", "8191" } },
	{ "response_head", { "64", "1000", "8192" } },
	{ "query_keys", { "a", "b,c", "d" } },
	{ "tls", { "on", "off", "auto" } },
	{ "semconv_stability_opt_in", { "rpc", "http,rpc/dup", "rpc/dup" } },
	{ "command_args", { "true", "TRUE", "true" } },
	{ "propagators", { "b3", "xray,TraceContext,ottrace", "none" } },
	{ "inject", { "", "off", "auto" } },
	{ "tcp_option", { "", "off", "on" } },
	{ "propagate.to", { "", "none", "10.0.0.0/8,::1,cluster" } },
	{ "propagate.trust", { "", "all", "loopback, link-local" } },
	{ "traces_sampler", { "always_off", "parentbased_traceidratio", "always_on" } },
	{ "traces_sampler_arg", { "0.25", "1e-3", "0" } },
	{ "sampling_percentage", { "12.5", "", "" } },
	{ "otlp.traces_endpoint", { "http://a", "", "" } },
	{ "otlp.endpoint", { "https://b:1/x", "", "" } },
	{ "tempo.http_endpoint", { "http://c", "", "" } },
	{ "tempo.endpoint", { "http://d", "", "" } },
	{ "tempo.grpc_endpoint", { "e:4317", "", "" } },
	{ "otlp.headers", { "a=b", "c=d%20e,f=", "x-y=z" } },
	{ "otlp.timeout", { "1", "2", "600000" } },
	{ "otlp.compression", { "none", "NONE", "none" } },
	{ "otlp.protocol", { "http/protobuf", "http/protobuf", "http/protobuf" } },
	{ "otlp.certificate", { "/dev/null", "/etc/passwd", "/dev/zero" } },
	{ "otlp.client_certificate", { "/dev/null", "/etc/passwd", "/dev/zero" } },
	{ "otlp.client_key", { "/dev/null", "/etc/passwd", "/dev/zero" } },
	{ "bsp.schedule_delay", { "1", "2", "600000" } },
	{ "bsp.max_queue_size", { "1000", "1048576", "4096" } },
	{ "bsp.max_export_batch_size", { "1", "2", "8192" } },
	{ "service_name", { "a", "b c", "d" } },
	{ "resource_attributes", { "a=b", "c=d,e=f", "g=h" } },
	{ "cluster_name", { "a", "b", "c" } },
	{ "environment", { "a", "b", "c" } },
	{ "log_level", { "error", "warn", "debug" } },
	{ "cpu_budget", { "0", "5", "100" } },
	{ "ring_size", { "1", "16", "64" } },
	{ "user", { "nobody", "daemon", "bin" } },
	{ "instance", { "", "a", "B-1._" } },
	{ "socket", { "/a", "/b", "/c" } },
	{ "disabled", { "true", "true", "" } },
	{ "json", { "", "", "true" } },
};

static const struct sample *sample_of(const struct option *option)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (strcmp(samples[i].name, option->name) == 0)
			return &samples[i];
	fail_msg("the row '%s' has no sample here", option->name);
	return NULL;
}

static bool strings_equal(const struct strings *a, const struct strings *b)
{
	/* Finished lists may have grown by what other options say. */
	for (size_t i = 0; i < b->n; i++)
		if (i >= a->n || strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

/* Does the configuration hold what `text` means? */
static bool holds(const struct config *config, const struct option *option, const char *text)
{
	const void *field = (const char *)config + option->offset;
	union {
		bool boolean;
		uint64_t number;
		uint32_t inode;
		double fraction;
		int word;
		char *text;
		struct strings strings;
		struct numbers numbers;
		struct ranges ranges;
	} want = { 0 };
	char why[160];
	bool same = false;

	assert_int_equal(option_parse(option, &want, text, why, sizeof(why)), 0);
	switch (option->type) {
	case TYPE_BOOL:
		same = *(const bool *)field == want.boolean;
		break;
	case TYPE_NUMBER:
	case TYPE_POWER_OF_TWO:
	case TYPE_SECONDS:
		same = *(const uint64_t *)field == want.number;
		break;
	case TYPE_FRACTION:
		same = *(const double *)field == want.fraction;
		break;
	case TYPE_NETNS:
		same = *(const uint32_t *)field == want.inode && want.inode != 0;
		break;
	case TYPE_WORD:
		same = *(const int *)field == want.word;
		break;
	case TYPE_TEXT:
	case TYPE_NAME:
	case TYPE_READABLE:
	case TYPE_ABSOLUTE:
	case TYPE_URL:
		same = *(char *const *)field && strcmp(*(char *const *)field, want.text) == 0;
		break;
	case TYPE_TARGET:
	case TYPE_GLOB:
	case TYPE_KEYS:
	case TYPE_PAIRS:
	case TYPE_HEADERS:
		same = strings_equal(field, &want.strings);
		break;
	case TYPE_NUMBERS:
	case TYPE_WORDS:
		same = memcmp(field, &want.numbers, sizeof(want.numbers)) == 0;
		break;
	case TYPE_RANGES:
		same = memcmp(field, &want.ranges, sizeof(want.ranges)) == 0;
		break;
	case TYPE_MAX:
		break;
	}
	option_clear(option, &want);
	return same;
}

/* "a.b" and "v" become "a:\n  b: "v"\n". */
static char *yaml_of(const struct option *option, const char *value)
{
	const char *dot = strchr(option->name, '.');
	char *text;

	if (dot)
		assert_true(asprintf(&text, "%.*s:\n  %s: \"%s\"\n", (int)(dot - option->name),
				     option->name, dot + 1, value) > 0);
	else
		assert_true(asprintf(&text, "%s: \"%s\"\n", option->name, value) > 0);
	return text;
}

/* Loads the row from the sources of the mask and checks that `winner` was taken. */
static void check_sources(const struct option *option, unsigned int mask, enum config_source winner)
{
	const char *const *values = sample_of(option)->values;
	enum config_command command = option->commands & CONFIG_RUN ? CONFIG_RUN : CONFIG_PS;
	struct fixture fixture = { 0 };
	char name[64], *flag = NULL, *variable = NULL, *yaml = NULL;
	int r;

	assert_true(asprintf(&flag, "--%s=%s", option_flag(option, name, sizeof(name)), values[2]) >
		    0);
	assert_true(asprintf(&variable, "%s=%s", option->variables[0], values[0]) > 0);
	yaml = yaml_of(option, values[1]);
	r = fixture_load(&fixture, command, LIST(mask & 1 << CONFIG_COMMAND_LINE ? flag : NULL),
			 LIST(mask & 1 << CONFIG_ENVIRONMENT ? variable : NULL),
			 mask & 1 << CONFIG_FILE ? yaml : NULL);
	if (r != 0)
		fail_msg("%s, sources %#x: %s", option->name, mask, fixture.messages.error);
	assert_int_equal(fixture.messages.n_warnings, 0);
	if (fixture.config.origins[option - options].source != winner ||
	    !holds(&fixture.config, option, values[winner - 1]))
		fail_msg("%s, sources %#x: '%s' of source %d was not taken", option->name, mask,
			 values[winner - 1], (int)winner);
	fixture_clear(&fixture);
	free(flag);
	free(variable);
	free(yaml);
}

/*
 * Not with a test of its own elsewhere: TEMPO_OTLP_GRPC_ENDPOINT warns whenever it counts, and the
 * sampler's argument is nothing without its sampler.
 */
static bool is_plain(const struct option *option)
{
	return strcmp(option->name, "tempo.grpc_endpoint") != 0 &&
	       strcmp(option->name, "traces_sampler_arg") != 0 &&
	       strcmp(option->name, "config") != 0;
}

static void test_each_source(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_options; i++) {
		const struct option *option = &options[i];

		if (!is_plain(option))
			continue;
		if (option->variables[0])
			check_sources(option, 1 << CONFIG_ENVIRONMENT, CONFIG_ENVIRONMENT);
		if (!(option->flags & OPTION_NO_FILE))
			check_sources(option, 1 << CONFIG_FILE, CONFIG_FILE);
		if (!(option->flags & OPTION_NO_FLAG))
			check_sources(option, 1 << CONFIG_COMMAND_LINE, CONFIG_COMMAND_LINE);
	}
}

static void test_precedence(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_options; i++) {
		const struct option *option = &options[i];
		unsigned int sources = 0;

		if (!is_plain(option))
			continue;
		sources |= option->variables[0] ? 1 << CONFIG_ENVIRONMENT : 0;
		sources |= option->flags & OPTION_NO_FILE ? 0 : 1 << CONFIG_FILE;
		if (sources & 1 << CONFIG_FILE)
			check_sources(option, sources, CONFIG_FILE);
		sources |= option->flags & OPTION_NO_FLAG ? 0 : 1 << CONFIG_COMMAND_LINE;
		if (sources & 1 << CONFIG_COMMAND_LINE)
			check_sources(option, sources, CONFIG_COMMAND_LINE);
	}
}

/* The first variable of a row wins over the second, which is read when the first is empty. */
static void test_order_of_variables(void **state)
{
	struct fixture fixture = { 0 };
	char first[] = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=7",
	     second[] = "OTEL_EXPORTER_OTLP_TIMEOUT=9";
	char empty[] = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(second, first), NULL), 0);
	assert_int_equal(fixture.config.otlp_timeout_ns, 7000000);
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(empty, second), NULL), 0);
	assert_int_equal(fixture.config.otlp_timeout_ns, 9000000);
	fixture_clear(&fixture);
}

static void test_rows_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_options; i++) {
		const struct option *option = &options[i];
		char flag[64];

		assert_non_null(option->help);
		assert_true(option->help[strlen(option->help) - 1] != '.');
		assert_true(option->min <= option->max);
		assert_int_not_equal(option->commands, 0);
		assert_true(option->type != TYPE_WORD || option->words);
		assert_true((option->type == TYPE_BOOL) == !option->argument ||
			    option->flags & OPTION_NO_FLAG);
		/* A default where nothing is not a value; lists and texts may be empty. */
		assert_true(option->preset || option_is_list(option) || option->type >= TYPE_TEXT);
		assert_int_equal(option_by_name(option->name), (int)i);
		if (!(option->flags & OPTION_NO_FLAG)) {
			option_flag(option, flag, sizeof(flag));
			assert_int_equal(option_by_flag(flag, strlen(flag), option->commands),
					 (int)i);
		}
		for (size_t j = i + 1; j < n_options; j++)
			assert_true(options[j].offset != option->offset);
	}
}

static void test_defaults(void **state)
{
	struct fixture fixture = { 0 };
	const struct config *config = &fixture.config;

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(), NULL), 0);
	assert_int_equal(config->targets.n, 1);
	assert_string_equal(config->targets.items[0], "stdout");
	assert_int_equal(config->request_head, 8192);
	assert_int_equal(config->response_head, 1024);
	assert_int_equal(config->otlp_timeout_ns, 10000000000ull);
	assert_int_equal(config->otlp_compression, CONFIG_COMPRESSION_GZIP);
	assert_int_equal(config->batch_delay_ns, 5000000000ull);
	assert_int_equal(config->queue_size, 8192);
	assert_int_equal(config->batch_size, 512);
	assert_int_equal(config->cpu_budget, 3);
	assert_int_equal(config->ring_size, 8 << 20);
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_int_equal(config->duration_ns, 0);
	assert_string_equal(config->socket, "/run/weft/weft.sock");
	assert_string_equal(config->instance, "default");
	assert_int_equal(config->netns, 0);
	assert_int_equal(config->sdk_spans, CONFIG_SDK_JOIN);
	assert_int_equal(config->inject, INJECT_AUTO);
	assert_int_equal(config->tcp_option, 1);
	assert_int_equal(config->sampler, CONFIG_SAMPLER_PARENT_ALWAYS_ON);
	assert_false(config->command_args);
	assert_false(config->disabled);
	assert_int_equal(config->pids.n + config->ports.n + config->exes.n, 0);
	fixture_clear(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_sound),	   cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_each_source),	   cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_order_of_variables),
	};

	return cmocka_run_group_tests_name("config/options", tests, NULL, NULL);
}
