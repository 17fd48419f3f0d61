/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <pwd.h>

/* Environment to target, in the order in which one wins over the next. */
static void test_targets(void **state)
{
	static const struct {
		const char *variables[5];
		const char *target;
		const char *origin;
	} cases[] = {
		{ { NULL }, "stdout", "default" },
		{ { "TEMPO_ENDPOINT=http://t:3200" }, "http://t:3200/v1/traces", "TEMPO_ENDPOINT" },
		{ { "TEMPO_ENDPOINT=http://t/v1/traces" }, "http://t/v1/traces", "TEMPO_ENDPOINT" },
		{ { "TEMPO_ENDPOINT=http://t", "TEMPO_OTLP_HTTP_ENDPOINT=http://h:4318/" },
		  "http://h:4318/v1/traces",
		  "TEMPO_OTLP_HTTP_ENDPOINT" },
		{ { "TEMPO_OTLP_HTTP_ENDPOINT=http://h",
		    "OTEL_EXPORTER_OTLP_ENDPOINT=https://o/base/" },
		  "https://o/base/v1/traces",
		  "OTEL_EXPORTER_OTLP_ENDPOINT" },
		{ { "OTEL_EXPORTER_OTLP_ENDPOINT=http://o",
		    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://s:1/own/path?k=v" },
		  "http://s:1/own/path?k=v",
		  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" },
		{ { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://s:1" },
		  "http://s:1/",
		  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" },
		{ { "TEMPO_OTLP_GRPC_ENDPOINT=http://g:4317",
		    "OTEL_EXPORTER_OTLP_ENDPOINT=http://o" },
		  "http://o/v1/traces",
		  "OTEL_EXPORTER_OTLP_ENDPOINT" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture = { 0 };
		char *environment[6] = { 0 }, text[64];

		for (int j = 0; cases[i].variables[j]; j++)
			environment[j] = strdup(cases[i].variables[j]);
		assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), environment, NULL), 0);
		assert_int_equal(fixture.messages.n_warnings, 0);
		assert_int_equal(fixture.config.targets.n, 1);
		assert_string_equal(fixture.config.targets.items[0], cases[i].target);
		assert_string_equal(config_origin_text(&fixture.config, "export", text,
						       sizeof(text)),
				    cases[i].origin);
		fixture_clear(&fixture);
		for (int j = 0; environment[j]; j++)
			free(environment[j]);
	}
}

static void test_export_wins_over_endpoint(void **state)
{
	struct fixture fixture = { 0 };
	char endpoint[] = "OTEL_EXPORTER_OTLP_ENDPOINT=http://o", export[] = "--export=stdout";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(export), LIST(endpoint), NULL), 0);
	assert_int_equal(fixture.config.targets.n, 1);
	assert_string_equal(fixture.config.targets.items[0], "stdout");
	fixture_clear(&fixture);
}

static const char *attribute(const struct config *config, const char *key)
{
	const char *value = "(none)";

	for (size_t i = 0; i + 1 < config->resource.n; i += 2) {
		if (strcmp(config->resource.items[i], key) == 0) {
			/* Once only. */
			assert_string_equal(value, "(none)");
			value = config->resource.items[i + 1];
		}
	}
	return value;
}

static void test_resource(void **state)
{
	struct fixture fixture = { 0 };
	char name[] = "OTEL_SERVICE_NAME=shop", cluster[] = "TRACE_CLUSTER_NAME=c1";
	char environment[] = "TRACE_ENVIRONMENT=test";
	char attributes[] =
		"OTEL_RESOURCE_ATTRIBUTES=service.name=other,k8s.cluster.name=c2,team=a%2Cb";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(),
				      LIST(name, cluster, environment, attributes), NULL),
			 0);
	assert_string_equal(attribute(&fixture.config, "service.name"), "shop");
	assert_string_equal(attribute(&fixture.config, "k8s.cluster.name"), "c2");
	assert_string_equal(attribute(&fixture.config, "deployment.environment.name"), "test");
	assert_string_equal(attribute(&fixture.config, "team"), "a,b");
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(cluster), NULL), 0);
	assert_string_equal(attribute(&fixture.config, "k8s.cluster.name"), "c1");
	assert_int_equal(fixture.config.resource.n, 2);
	fixture_clear(&fixture);
}

/* A batch never exceeds the queue: silently for the default, told for the environment. */
static void test_batch(void **state)
{
	struct fixture fixture = { 0 };
	char queue[] = "OTEL_BSP_MAX_QUEUE_SIZE=100",
	     batch[] = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=200";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(queue), NULL), 0);
	assert_int_equal(fixture.config.batch_size, 100);
	assert_int_equal(fixture.messages.n_warnings, 0);
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(queue, batch), NULL), 0);
	assert_int_equal(fixture.config.batch_size, 100);
	assert_int_equal(fixture.messages.n_warnings, 1);
	assert_string_equal(
		fixture.messages.warnings[0],
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 200 is more than the queue holds; 100 is "
		"used (OTEL_BSP_MAX_QUEUE_SIZE)");
	fixture_clear(&fixture);
}

static void test_user(void **state)
{
	const char *wanted = getpwnam("weft") ? "weft" : "nobody";
	struct fixture fixture = { 0 };
	char user[] = "--user=daemon";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(), NULL), 0);
	assert_string_equal(fixture.config.user, wanted);
	assert_int_equal(fixture.config.uid, getpwnam(wanted)->pw_uid);
	assert_int_equal(fixture.config.gid, getpwnam(wanted)->pw_gid);
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(user), LIST(), NULL), 0);
	assert_int_equal(fixture.config.uid, getpwnam("daemon")->pw_uid);
	fixture_clear(&fixture);
}

static void test_disabled(void **state)
{
	struct fixture fixture = { 0 };
	char variable[] = "OTEL_SDK_DISABLED=TRUE", text[64];

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(variable), NULL), 0);
	assert_true(fixture.config.disabled);
	assert_string_equal(config_origin_text(&fixture.config, "disabled", text, sizeof(text)),
			    "OTEL_SDK_DISABLED");
	fixture_clear(&fixture);
}

/* An instance has a socket of its own, for the daemon and for those who ask it. */
static void test_socket_of_instance(void **state)
{
	static const enum config_command commands[] = { CONFIG_RUN, CONFIG_DOCTOR, CONFIG_PS,
							CONFIG_TAIL };
	char name[] = "--instance=b.1", usual[] = "--instance=default", socket[] = "--socket=/s";
	struct fixture fixture = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		assert_int_equal(fixture_load(&fixture, commands[i], LIST(name), LIST(), NULL), 0);
		assert_string_equal(fixture.config.socket, "/run/weft/weft-b.1.sock");
		assert_int_equal(fixture_load(&fixture, commands[i], LIST(usual), LIST(), NULL), 0);
		assert_string_equal(fixture.config.socket, "/run/weft/weft.sock");
		assert_int_equal(
			fixture_load(&fixture, commands[i], LIST(name, socket), LIST(), NULL), 0);
		assert_string_equal(fixture.config.socket, "/s");
	}
	fixture_clear(&fixture);
}

/* Which sampler, and with which ratio, follows from the variables. */
static void test_sampler(void **state)
{
	static const struct {
		const char *variables[3];
		int sampler;
		double ratio;
		size_t n_warnings;
	} cases[] = {
		{ { "OTEL_TRACES_SAMPLER=traceidratio" }, CONFIG_SAMPLER_RATIO, 1, 0 },
		{ { "OTEL_TRACES_SAMPLER=parentbased_traceidratio",
		    "OTEL_TRACES_SAMPLER_ARG=0.25" },
		  CONFIG_SAMPLER_PARENT_RATIO,
		  0.25,
		  0 },
		/* an argument that cannot be used is as one that is not there */
		{ { "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=many" },
		  CONFIG_SAMPLER_RATIO,
		  1,
		  1 },
		{ { "OTEL_TRACES_SAMPLER=always_off", "OTEL_TRACES_SAMPLER_ARG=0.5" },
		  CONFIG_SAMPLER_ALWAYS_OFF,
		  0.5,
		  1 },
		{ { "OTEL_TRACES_SAMPLER_ARG=0.5" }, CONFIG_SAMPLER_PARENT_ALWAYS_ON, 0.5, 1 },
		{ { "OTEL_TRACES_SAMPLER=jaeger_remote" }, CONFIG_SAMPLER_PARENT_ALWAYS_ON, 1, 1 },
		{ { "OTEL_TRACES_SAMPLER=xray" }, CONFIG_SAMPLER_PARENT_ALWAYS_ON, 1, 1 },
		{ { "TRACE_SAMPLING_PERCENTAGE=12.5" }, CONFIG_SAMPLER_PARENT_RATIO, 0.125, 0 },
		{ { "TRACE_SAMPLING_PERCENTAGE=0" }, CONFIG_SAMPLER_PARENT_RATIO, 0, 0 },
		{ { "TRACE_SAMPLING_PERCENTAGE=101" }, CONFIG_SAMPLER_PARENT_ALWAYS_ON, 1, 1 },
		{ { "TRACE_SAMPLING_PERCENTAGE=10", "OTEL_TRACES_SAMPLER=always_on" },
		  CONFIG_SAMPLER_ALWAYS_ON,
		  1,
		  0 },
		{ { "TRACE_SAMPLING_PERCENTAGE=10", "OTEL_TRACES_SAMPLER=traceidratio",
		    "OTEL_TRACES_SAMPLER_ARG=0.75" },
		  CONFIG_SAMPLER_RATIO,
		  0.75,
		  0 },
		/* the standard's argument is used with the standard's sampler only */
		{ { "TRACE_SAMPLING_PERCENTAGE=50", "OTEL_TRACES_SAMPLER_ARG=0.75" },
		  CONFIG_SAMPLER_PARENT_RATIO,
		  0.5,
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture = { 0 };
		char *variables[4] = { 0 };

		for (size_t j = 0; j < 3 && cases[i].variables[j]; j++)
			variables[j] = strdup(cases[i].variables[j]);
		assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), variables, NULL), 0);
		if (fixture.config.sampler != cases[i].sampler ||
		    fixture.config.sampler_ratio != cases[i].ratio ||
		    fixture.messages.n_warnings != cases[i].n_warnings)
			fail_msg("%s: sampler %d, ratio %f, %zu warnings", cases[i].variables[0],
				 fixture.config.sampler, fixture.config.sampler_ratio,
				 fixture.messages.n_warnings);
		for (size_t j = 0; variables[j]; j++)
			free(variables[j]);
		fixture_clear(&fixture);
	}
}

/* Who writes the argument into a file or on the command line has forgotten the sampler. */
static void test_argument_without_sampler(void **state)
{
	struct fixture fixture = { 0 };
	char ratio[] = "--traces-sampler-arg=0.5", sampler[] = "--traces-sampler=traceidratio";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(ratio), LIST(), NULL), -22);
	assert_string_equal(fixture.messages.error,
			    "--traces-sampler-arg: counts for no sampler but traceidratio and "
			    "parentbased_traceidratio; name one of them in traces_sampler");
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(),
				      "traces_sampler: always_on\ntraces_sampler_arg: 0.5\n"),
			 -22);
	assert_memory_equal(fixture_error(&fixture), "2: traces_sampler_arg: counts", 29);
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(ratio, sampler), LIST(), NULL), 0);
	assert_true(fixture.config.sampler_ratio == 0.5);
	fixture_clear(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_export_wins_over_endpoint),
		cmocka_unit_test(test_resource),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_disabled),
		cmocka_unit_test(test_socket_of_instance),
		cmocka_unit_test(test_sampler),
		cmocka_unit_test(test_argument_without_sampler),
	};

	return cmocka_run_group_tests_name("config/finish", tests, NULL, NULL);
}
