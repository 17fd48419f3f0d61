/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/sdk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The text with the NUL that ends its last part. */
#define PARTS(literal)                                                                             \
	{                                                                                          \
		literal, sizeof(literal)                                                           \
	}
#define NONE                                                                                       \
	{                                                                                          \
		"", 0                                                                              \
	}

struct sample {
	enum runtime runtime;
	struct view command; /* NUL-separated, as in /proc */
	struct view environment;
	const char *expected; /* NULL: no sign */
};

static struct process_facts facts_of(const struct sample *sample)
{
	struct process_facts facts = PROCESS_FACTS_INIT;

	facts.runtime.runtime = sample->runtime;
	facts.environ_file.data = (char *)sample->environment.data;
	facts.environ_file.len = sample->environment.len;
	command_line_split(sample->command, false, &facts.command);
	return facts;
}

static const char *sign_of(const struct sample *sample, const char *context)
{
	struct process_facts facts = facts_of(sample);
	const char *sign;

	if (context)
		attributes_add_string(&facts.context.resource, "telemetry.sdk.name", context);
	sign = sdk_sign(&facts);
	process_context_clear(&facts.context);
	return sign;
}

static void assert_sign(const char *expected, const char *got, size_t i)
{
	if (!expected != !got || (expected && strcmp(expected, got) != 0))
		fail_msg("sample %zu: expected %s, got %s", i, expected ? expected : "none",
			 got ? got : "none");
}

static void assert_samples(const struct sample *samples, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_sign(samples[i].expected, sign_of(&samples[i], NULL), i);
}

#define ASSERT_SAMPLES(samples) assert_samples(samples, sizeof(samples) / sizeof(samples[0]))

#define AUTO_PYTHON                                                                                \
	"PYTHONPATH=/venv/lib/python3.11/site-packages/opentelemetry/instrumentation/"             \
	"auto_instrumentation:/srv"
#define AUTO_NODE "@opentelemetry/auto-instrumentations-node/register"

static void test_variables(void **state)
{
	static const struct sample samples[] = {
		{ RUNTIME_PYTHON, NONE, PARTS("A=b\0" AUTO_PYTHON), "Python agent in PYTHONPATH" },
		{ RUNTIME_PYTHON, NONE, PARTS("PYTHONPATH=/srv/opentelemetry"), NULL },
		/* what a program hands to its children tells nothing of itself */
		{ RUNTIME_NATIVE, NONE, PARTS(AUTO_PYTHON), NULL },
		{ RUNTIME_NODE, NONE, PARTS(AUTO_PYTHON), NULL },
		{ RUNTIME_NODE, NONE, PARTS("NODE_OPTIONS=--require " AUTO_NODE),
		  "Node.js agent in NODE_OPTIONS" },
		{ RUNTIME_NODE, NONE,
		  PARTS("NODE_OPTIONS= --require "
			"/otel-auto-instrumentation-nodejs/autoinstrumentation.js"),
		  "Node.js agent in NODE_OPTIONS" },
		{ RUNTIME_DOTNET, NONE,
		  PARTS("DOTNET_STARTUP_HOOKS=/o/net/"
			"OpenTelemetry.AutoInstrumentation.StartupHook.dll"),
		  ".NET agent in DOTNET_STARTUP_HOOKS" },
		{ RUNTIME_RUBY, NONE, PARTS("RUBYOPT=-r opentelemetry-auto-instrumentation"),
		  "Ruby agent in RUBYOPT" },
		{ RUNTIME_PHP, NONE, PARTS("OTEL_PHP_AUTOLOAD_ENABLED=true"),
		  "PHP agent by OTEL_PHP_AUTOLOAD_ENABLED" },
		{ RUNTIME_PHP, NONE, PARTS("OTEL_PHP_AUTOLOAD_ENABLED=false"), NULL },
		/* where to send to is no sign that something is sent */
		{ RUNTIME_PYTHON, NONE,
		  PARTS("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318\0OTEL_TRACES_EXPORTER=otlp"),
		  NULL },
		{ RUNTIME_PYTHON, NONE, NONE, NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples);
}

static void test_command_lines(void **state)
{
	static const struct sample samples[] = {
		{ RUNTIME_JAVA,
		  PARTS("java\0-javaagent:/opt/opentelemetry-javaagent.jar\0-jar\0a.jar"), NONE,
		  "Java agent on the command line" },
		{ RUNTIME_JAVA, PARTS("java\0-javaagent:opentelemetry-javaagent-2.10.0.jar=x=y\0A"),
		  NONE, "Java agent on the command line" },
		{ RUNTIME_JAVA, PARTS("java\0-javaagent:/o/splunk-otel-javaagent.jar\0A"), NONE,
		  "Java agent on the command line" },
		{ RUNTIME_JAVA, PARTS("java\0-javaagent:/opentelemetry-javaagent/jacoco.jar\0A"),
		  NONE, NULL },
		{ RUNTIME_JAVA, PARTS("java\0-javaagent:\0A"), NONE, NULL },
		{ RUNTIME_JAVA, PARTS("java\0A\0opentelemetry-javaagent.jar"), NONE, NULL },
		{ RUNTIME_JAVA, PARTS("java\0A"),
		  PARTS("JAVA_TOOL_OPTIONS=-Xmx1g -javaagent:/o/opentelemetry-javaagent.jar"),
		  "Java agent in the environment" },
		{ RUNTIME_JAVA, PARTS("java\0A"),
		  PARTS("_JAVA_OPTIONS=-javaagent:/o/aws-opentelemetry-agent.jar"),
		  "Java agent in the environment" },
		{ RUNTIME_NATIVE, PARTS("a\0-javaagent:/o/opentelemetry-javaagent.jar"), NONE,
		  NULL },
		{ RUNTIME_NODE, PARTS("node\0--require\0" AUTO_NODE "\0a.js"), NONE,
		  "Node.js agent on the command line" },
		{ RUNTIME_NODE, PARTS("node\0--import=" AUTO_NODE "\0a.js"), NONE,
		  "Node.js agent on the command line" },
		{ RUNTIME_NODE, PARTS("node\0a.js"), NONE, NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples);
}

/* An SDK that is there and exports nothing leaves its process to weft. */
static void test_switched_off(void **state)
{
	static const struct sample samples[] = {
		{ RUNTIME_PYTHON, NONE, PARTS(AUTO_PYTHON "\0OTEL_SDK_DISABLED=True"), NULL },
		{ RUNTIME_PYTHON, NONE, PARTS(AUTO_PYTHON "\0OTEL_SDK_DISABLED=false"),
		  "Python agent in PYTHONPATH" },
		{ RUNTIME_PYTHON, NONE, PARTS(AUTO_PYTHON "\0OTEL_TRACES_EXPORTER=none"), NULL },
		{ RUNTIME_PYTHON, NONE, PARTS(AUTO_PYTHON "\0OTEL_TRACES_EXPORTER=console, none"),
		  NULL },
		{ RUNTIME_PYTHON, NONE, PARTS(AUTO_PYTHON "\0OTEL_TRACES_EXPORTER=console,otlp"),
		  "Python agent in PYTHONPATH" },
		{ RUNTIME_PYTHON, NONE, PARTS(AUTO_PYTHON "\0OTEL_TRACES_EXPORTER="),
		  "Python agent in PYTHONPATH" },
		{ RUNTIME_JAVA,
		  PARTS("java\0-javaagent:opentelemetry-javaagent.jar\0"
			"-Dotel.javaagent.enabled=false\0A"),
		  NONE, NULL },
		{ RUNTIME_JAVA,
		  PARTS("java\0-javaagent:opentelemetry-javaagent.jar\0"
			"-Dotel.traces.exporter=none\0A"),
		  PARTS("OTEL_TRACES_EXPORTER=otlp"), NULL },
		{ RUNTIME_JAVA,
		  PARTS("java\0-javaagent:opentelemetry-javaagent.jar\0"
			"-Dotel.traces.exporter=otlp\0A"),
		  PARTS("OTEL_TRACES_EXPORTER=none"), "Java agent on the command line" },
	};

	(void)state;
	ASSERT_SAMPLES(samples);
}

/* The name tells OpenTelemetry's own SDKs from others that publish a context. */
static void test_process_context(void **state)
{
	static const struct sample plain = { .runtime = RUNTIME_NATIVE };
	static const struct sample off = { .runtime = RUNTIME_NATIVE,
					   .environment = PARTS("OTEL_SDK_DISABLED=true") };

	(void)state;
	assert_sign("process context of an SDK", sign_of(&plain, "opentelemetry"), 0);
	assert_sign(NULL, sign_of(&plain, "libdatadog"), 1);
	assert_sign(NULL, sign_of(&plain, NULL), 2);
	assert_sign(NULL, sign_of(&off, "opentelemetry"), 3);
}

static void test_exporter(void **state)
{
	static const struct sample samples[] = {
		{ RUNTIME_NATIVE, NONE, PARTS("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318"),
		  "OTEL_EXPORTER_OTLP_ENDPOINT" },
		{ RUNTIME_NATIVE, NONE,
		  PARTS("OTEL_TRACES_EXPORTER=otlp\0OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c"),
		  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" },
		{ RUNTIME_NATIVE, NONE, PARTS("OTEL_TRACES_EXPORTER=otlp"),
		  "OTEL_TRACES_EXPORTER" },
		{ RUNTIME_NATIVE, NONE, PARTS("OTEL_TRACES_EXPORTER=none"), NULL },
		{ RUNTIME_NATIVE, NONE,
		  PARTS("OTEL_EXPORTER_OTLP_ENDPOINT=http://c\0OTEL_TRACES_EXPORTER=none"), NULL },
		{ RUNTIME_NATIVE, NONE,
		  PARTS("OTEL_EXPORTER_OTLP_ENDPOINT=http://c\0OTEL_SDK_DISABLED=true"), NULL },
		{ RUNTIME_NATIVE, NONE, PARTS("OTEL_EXPORTER_OTLP_ENDPOINT="), NULL },
		{ RUNTIME_NATIVE, NONE, PARTS("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://c"),
		  NULL },
		{ RUNTIME_NATIVE, NONE, NONE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct process_facts facts = facts_of(&samples[i]);

		assert_sign(samples[i].expected, sdk_exporter(&facts), i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables),    cmocka_unit_test(test_command_lines),
		cmocka_unit_test(test_switched_off), cmocka_unit_test(test_process_context),
		cmocka_unit_test(test_exporter),
	};

	return cmocka_run_group_tests_name("discover/sdk", tests, NULL, NULL);
}
