/* SPDX-License-Identifier: Apache-2.0 */
/* The environment, and what wins. */
#include "fixture.h"

#include <errno.h>

static void test_empty_is_unset(void **state)
{
	struct fixture fixture = { 0 };
	char timeout[] = "OTEL_EXPORTER_OTLP_TIMEOUT=", endpoint[] = "OTEL_EXPORTER_OTLP_ENDPOINT=";
	char prefix[] = "OTEL_SERVICE_NAMES=x";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(timeout, endpoint, prefix),
				      NULL),
			 0);
	assert_int_equal(fixture.messages.n_warnings, 0);
	assert_int_equal(fixture.config.otlp_timeout_ns, 10000000000ull);
	assert_string_equal(fixture.config.targets.items[0], "stdout");
	assert_null(fixture.config.service_name);
	fixture_clear(&fixture);
}

/* Bad values are told and passed over; the default, or the next variable, counts. */
static void test_warnings(void **state)
{
	static const struct {
		char variable[80];
		const char *warning;
	} cases[] = {
		{ "OTEL_BSP_MAX_QUEUE_SIZE=many",
		  "OTEL_BSP_MAX_QUEUE_SIZE: 'many' is not a whole number; accepted: a whole number "
		  "from 1 "
		  "to 1048576 (spans); ignored" },
		{ "OTEL_BSP_SCHEDULE_DELAY=0",
		  "OTEL_BSP_SCHEDULE_DELAY: '0' is out of range; accepted: a whole number from 1 "
		  "to 600000 "
		  "(milliseconds); ignored" },
		{ "OTEL_EXPORTER_OTLP_COMPRESSION=zstd",
		  "OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd' is not known; accepted: gzip, none; "
		  "ignored" },
		{ "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
		  "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' is not known; accepted: http/protobuf; grpc "
		  "and "
		  "http/json are not supported yet: export to the OTLP/HTTP port, usually 4318; "
		  "ignored" },
		{ "OTEL_SDK_DISABLED=1",
		  "OTEL_SDK_DISABLED: '1' is neither true nor false; accepted: true, false; "
		  "ignored" },
		{ "OTEL_EXPORTER_OTLP_HEADERS=token",
		  "OTEL_EXPORTER_OTLP_HEADERS: the value has a part without '='; accepted: "
		  "name=value,name=value; ignored" },
		{ "OTEL_RESOURCE_ATTRIBUTES=a=b,c=%zz",
		  "OTEL_RESOURCE_ATTRIBUTES: 'a=b,c=%zz' has a '%' without two hexadecimal digits; "
		  "accepted: key=value,key=value; ignored" },
		{ "OTEL_LOG_LEVEL=loud",
		  "OTEL_LOG_LEVEL: 'loud' is not known; accepted: error, warning, warn, info, "
		  "debug; ignored" },
		{ "OTEL_TRACES_SAMPLER=xray",
		  "OTEL_TRACES_SAMPLER: 'xray' is not known; accepted: always_on, always_off, "
		  "traceidratio, parentbased_always_on, parentbased_always_off, "
		  "parentbased_traceidratio; jaeger_remote and xray, which ask a service, are not "
		  "supported; ignored" },
		{ "TRACE_SAMPLING_PERCENTAGE=x",
		  "TRACE_SAMPLING_PERCENTAGE: 'x' is not a number; accepted: a number from 0 to "
		  "100; ignored" },
		{ "TEMPO_OTLP_GRPC_ENDPOINT=tempo:4317",
		  "TEMPO_OTLP_GRPC_ENDPOINT: export over gRPC is not supported yet; set "
		  "TEMPO_OTLP_HTTP_ENDPOINT to the OTLP/HTTP address, usually http://HOST:4318; "
		  "spans go to "
		  "standard output" },
	};
	struct fixture usual = { 0 };

	(void)state;
	assert_int_equal(fixture_load(&usual, CONFIG_RUN, LIST(), LIST(), NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture = { 0 };
		char variable[80];

		snprintf(variable, sizeof(variable), "%s", cases[i].variable);
		assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(variable), NULL),
				 0);
		assert_int_equal(fixture.messages.n_warnings, 1);
		assert_string_equal(fixture.messages.warnings[0], cases[i].warning);
		assert_string_equal(fixture.messages.error, "");
		assert_int_equal(fixture.config.queue_size, usual.config.queue_size);
		assert_int_equal(fixture.config.batch_delay_ns, usual.config.batch_delay_ns);
		assert_int_equal(fixture.config.otlp_compression, usual.config.otlp_compression);
		assert_int_equal(fixture.config.log_level, usual.config.log_level);
		assert_int_equal(fixture.config.otlp_headers.n + fixture.config.resource.n, 0);
		assert_false(fixture.config.disabled);
		fixture_clear(&fixture);
	}
	fixture_clear(&usual);
}

static void test_second_variable_after_a_bad_one(void **state)
{
	struct fixture fixture = { 0 };
	char first[] = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=x",
	     second[] = "OTEL_EXPORTER_OTLP_TIMEOUT=9";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(first, second), NULL), 0);
	assert_int_equal(fixture.messages.n_warnings, 1);
	assert_int_equal(fixture.config.otlp_timeout_ns, 9000000);
	fixture_clear(&fixture);
}

/* The items of OTEL_PROPAGATORS stand for themselves: a bad one goes, the others stay. */
static void test_items(void **state)
{
	static const char unknown[] =
		"OTEL_PROPAGATORS: 'w3c' is not known; accepted: tracecontext, baggage, b3, "
		"b3multi, jaeger, xray, ottrace, none; ignored";
	static const char alone[] =
		"OTEL_PROPAGATORS: 'none' is not alone, and none must be; accepted: tracecontext, "
		"baggage, b3, b3multi, jaeger, xray, ottrace, none; ignored";
	static const struct {
		char variable[64];
		const char *warning; /* NULL: none */
		uint32_t items[4];
		size_t n;
		enum config_source source;
	} cases[] = {
		{ "OTEL_PROPAGATORS=b3, w3c,,jaeger,B3",
		  unknown,
		  { PROPAGATOR_B3, PROPAGATOR_JAEGER },
		  2,
		  CONFIG_ENVIRONMENT },
		{ "OTEL_PROPAGATORS=w3c,b3", unknown, { PROPAGATOR_B3 }, 1, CONFIG_ENVIRONMENT },
		{ "OTEL_PROPAGATORS=w3c",
		  unknown,
		  { PROPAGATOR_TRACECONTEXT, CONFIG_PROPAGATOR_BAGGAGE },
		  2,
		  CONFIG_DEFAULT },
		{ "OTEL_PROPAGATORS=b3,none", alone, { PROPAGATOR_B3 }, 1, CONFIG_ENVIRONMENT },
		{ "OTEL_PROPAGATORS=none", NULL, { PROPAGATOR_NONE }, 1, CONFIG_ENVIRONMENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture = { 0 };
		const struct numbers *list = &fixture.config.propagators;
		char variable[64];

		snprintf(variable, sizeof(variable), "%s", cases[i].variable);
		assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(variable), NULL),
				 0);
		assert_int_equal(fixture.messages.n_warnings, cases[i].warning ? 1 : 0);
		if (cases[i].warning)
			assert_string_equal(fixture.messages.warnings[0], cases[i].warning);
		assert_int_equal(list->n, cases[i].n);
		assert_memory_equal(list->items, cases[i].items, cases[i].n * sizeof(uint32_t));
		assert_int_equal(fixture.config.origins[option_by_name("propagators")].source,
				 cases[i].source);
		fixture_clear(&fixture);
	}
}

/* Without these, spans would go to a place that nobody asked for. */
static void test_bad_addresses_are_errors(void **state)
{
	static const struct {
		char variable[80];
		const char *error;
	} cases[] = {
		{ "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318",
		  "OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' does not start with http:// or "
		  "https://; "
		  "accepted: http://host:port or https://host:port, with or without a path" },
		{ "OTEL_EXPORTER_OTLP_ENDPOINT=http://a/?token=x",
		  "OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a/?token=x' has a query, and /v1/traces "
		  "cannot be "
		  "added behind it; set OTEL_EXPORTER_OTLP_TRACES_ENDPOINT to the whole URL" },
		{ "OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere",
		  "OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere' cannot be read: No such file or "
		  "directory; "
		  "accepted: a file that can be read" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture = { 0 };
		char variable[80];

		snprintf(variable, sizeof(variable), "%s", cases[i].variable);
		assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(variable), NULL),
				 -EINVAL);
		assert_string_equal(fixture.messages.error, cases[i].error);
		fixture_clear(&fixture);
	}
}

/* A list of a higher source replaces the lower one's, it does not grow by it. */
static void test_lists_are_replaced(void **state)
{
	struct fixture fixture = { 0 };
	char port[] = "--port=1", more[] = "--port=2";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(port, more), LIST(),
				      "port: [3, 4, 5]\nexport: [stdout]\n"),
			 0);
	assert_int_equal(fixture.config.ports.n, 2);
	assert_int_equal(fixture.config.ports.items[0], 1);
	assert_int_equal(fixture.config.targets.n, 1);
	fixture_clear(&fixture);
}

/* What a client does not use must not trouble it. */
static void test_other_commands_are_quiet(void **state)
{
	struct fixture fixture = { 0 };
	char bad[] = "OTEL_EXPORTER_OTLP_ENDPOINT=nonsense", size[] = "OTEL_BSP_MAX_QUEUE_SIZE=x";

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_PS, LIST(), LIST(bad, size), NULL), 0);
	assert_int_equal(fixture.messages.n_warnings, 0);
	fixture_clear(&fixture);
}

static void test_many_warnings(void **state)
{
	struct config_messages messages = { 0 };

	(void)state;
	for (int i = 0; i < CONFIG_WARNINGS_MAX + 5; i++)
		config_warn(&messages, "number %d", i);
	assert_int_equal(messages.n_warnings, CONFIG_WARNINGS_MAX);
	assert_string_equal(messages.warnings[CONFIG_WARNINGS_MAX - 1], "number 31");
	config_messages_clear(&messages);
	assert_int_equal(messages.n_warnings, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_is_unset),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_second_variable_after_a_bad_one),
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_bad_addresses_are_errors),
		cmocka_unit_test(test_lists_are_replaced),
		cmocka_unit_test(test_other_commands_are_quiet),
		cmocka_unit_test(test_many_warnings),
	};

	return cmocka_run_group_tests_name("config/load", tests, NULL, NULL);
}
