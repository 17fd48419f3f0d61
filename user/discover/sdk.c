/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/sdk.h"

#include <string.h>

#include "discover/environment.h"
#include "discover/text.h"

/* Agents that are loaded into every program of a runtime by a variable, and by what they are known
 * there. */
static const struct agent_row {
	enum runtime runtime;
	struct view variable;
	struct view word; /* a part of its value */
	const char *sign;
} agents[] = {
	{ RUNTIME_PYTHON, VIEW_INIT("PYTHONPATH"),
	  VIEW_INIT("opentelemetry/instrumentation/auto_instrumentation"),
	  "Python agent in PYTHONPATH" },
	{ RUNTIME_NODE, VIEW_INIT("NODE_OPTIONS"),
	  VIEW_INIT("@opentelemetry/auto-instrumentations-node"), "Node.js agent in NODE_OPTIONS" },
	/* the Kubernetes operator's */
	{ RUNTIME_NODE, VIEW_INIT("NODE_OPTIONS"), VIEW_INIT("/otel-auto-instrumentation-nodejs/"),
	  "Node.js agent in NODE_OPTIONS" },
	{ RUNTIME_DOTNET, VIEW_INIT("DOTNET_STARTUP_HOOKS"),
	  VIEW_INIT("OpenTelemetry.AutoInstrumentation.StartupHook"),
	  ".NET agent in DOTNET_STARTUP_HOOKS" },
	{ RUNTIME_RUBY, VIEW_INIT("RUBYOPT"), VIEW_INIT("opentelemetry-auto-instrumentation"),
	  "Ruby agent in RUBYOPT" },
	{ RUNTIME_PHP, VIEW_INIT("OTEL_PHP_AUTOLOAD_ENABLED"), VIEW_INIT("true"),
	  "PHP agent by OTEL_PHP_AUTOLOAD_ENABLED" },
};

/* The jar of the Java agent and of distributions of it; a version may follow. */
static const struct view java_agents[] = {
	VIEW_INIT("opentelemetry-javaagent"),	 VIEW_INIT("aws-opentelemetry-agent"),
	VIEW_INIT("splunk-otel-javaagent"),	 VIEW_INIT("elastic-otel-javaagent"),
	VIEW_INIT("grafana-opentelemetry-java"),
};

/* Where arguments of a Java virtual machine may stand besides its command line. */
static const struct view java_variables[] = {
	VIEW_INIT("JAVA_TOOL_OPTIONS"),
	VIEW_INIT("JDK_JAVA_OPTIONS"),
	VIEW_INIT("_JAVA_OPTIONS"),
};

/* Exporters of OTEL_TRACES_EXPORTER that send nothing: "SDK environment variables". */
static const char *const idle_exporters[] = { "none", "console", "logging", "otlp/stdout", NULL };

#define JAVA_AGENT "-javaagent:"

static bool has_word(struct view text, struct view word)
{
	return text.len > 0 && memmem(text.data, text.len, word.data, word.len);
}

static bool is_true(struct view value)
{
	return view_equal_nocase(value, VIEW("true"));
}

/* "-javaagent:/path/opentelemetry-javaagent-2.1.jar=options" */
static bool is_java_agent(struct view argument)
{
	struct view path = view_from(argument, strlen(JAVA_AGENT)), name;

	if (!view_starts_with(argument, VIEW(JAVA_AGENT)) || !text_next(&path, '=', &name))
		return false;
	name = text_basename(name);
	for (size_t i = 0; i < sizeof(java_agents) / sizeof(java_agents[0]); i++)
		if (view_starts_with(name, java_agents[i]))
			return true;
	return false;
}

static bool java_variable_loads(struct view arguments)
{
	struct view argument;

	while (text_next(&arguments, ' ', &argument))
		if (is_java_agent(argument))
			return true;
	return false;
}

static const char *java_sign(const struct process_facts *facts)
{
	for (size_t i = 1; i < facts->command.n; i++)
		if (is_java_agent(facts->command.args[i]))
			return "Java agent on the command line";
	for (size_t i = 0; i < sizeof(java_variables) / sizeof(java_variables[0]); i++)
		if (java_variable_loads(environment_get(facts_environ(facts), java_variables[i])))
			return "Java agent in the environment";
	return NULL;
}

/* "node --require @opentelemetry/auto-instrumentations-node/register server.js" */
static const char *node_sign(const struct process_facts *facts)
{
	for (size_t i = 1; i < facts->command.n; i++)
		if (has_word(facts->command.args[i],
			     VIEW("@opentelemetry/auto-instrumentations-node")))
			return "Node.js agent on the command line";
	return NULL;
}

static const char *agent_sign(const struct process_facts *facts)
{
	enum runtime runtime = facts->runtime.runtime;

	for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		if (agents[i].runtime == runtime &&
		    has_word(environment_get(facts_environ(facts), agents[i].variable),
			     agents[i].word))
			return agents[i].sign;
	if (runtime == RUNTIME_JAVA)
		return java_sign(facts);
	return runtime == RUNTIME_NODE ? node_sign(facts) : NULL;
}

/* Others publish a context as well; the name is reserved for OpenTelemetry's own SDKs. */
static const char *context_sign(const struct process_facts *facts)
{
	const char *name = attributes_get(&facts->context.resource, VIEW("telemetry.sdk.name"));

	return name && strcmp(name, "opentelemetry") == 0 ? "process context of an SDK" : NULL;
}

/* No exporter is named that sends spans anywhere; false if none is named at all. */
static bool is_idle(struct view exporters)
{
	struct view exporter;

	if (exporters.len == 0)
		return false;
	while (text_next(&exporters, ',', &exporter))
		if (!text_in(text_trim(exporter), idle_exporters))
			return false;
	return true;
}

/* A system property of Java goes before the variable that stands for the same. */
static struct view setting(const struct process_facts *facts, struct view property,
			   struct view variable)
{
	for (size_t i = 1; i < facts->command.n; i++)
		if (view_starts_with(facts->command.args[i], property))
			return view_from(facts->command.args[i], property.len);
	return environment_get(facts_environ(facts), variable);
}

static bool is_switched_off(const struct process_facts *facts)
{
	return is_true(setting(facts, VIEW("-Dotel.sdk.disabled="), VIEW("OTEL_SDK_DISABLED"))) ||
	       view_equal_nocase(setting(facts, VIEW("-Dotel.javaagent.enabled="),
					 VIEW("OTEL_JAVAAGENT_ENABLED")),
				 VIEW("false")) ||
	       is_idle(setting(facts, VIEW("-Dotel.traces.exporter="),
			       VIEW("OTEL_TRACES_EXPORTER")));
}

const char *sdk_exporter(const struct process_facts *facts)
{
	static const char *const variables[] = {
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"OTEL_EXPORTER_OTLP_ENDPOINT",
		"OTEL_TRACES_EXPORTER",
	};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (environment_get(facts_environ(facts), view_of(variables[i])).len > 0)
			return is_switched_off(facts) ? NULL : variables[i];
	return NULL;
}

const char *sdk_sign(const struct process_facts *facts)
{
	const char *sign = context_sign(facts);

	if (!sign)
		sign = agent_sign(facts);
	return sign && !is_switched_off(facts) ? sign : NULL;
}
