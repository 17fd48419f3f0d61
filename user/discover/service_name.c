/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/service_name.h"

#include <stdio.h>
#include <string.h>

#include "discover/environment.h"
#include "discover/pod.h"
#include "discover/program.h"
#include "discover/text.h"

bool service_name_set(struct service_name *name, struct view text, const char *source)
{
	char clean[SERVICE_NAME_MAX + 1];
	struct view trimmed;

	text_clean_into(text, clean, SERVICE_NAME_MAX);
	trimmed = text_trim(view_of(clean));
	if (trimmed.len == 0)
		return false;
	memcpy(name->text, trimmed.data, trimmed.len);
	name->text[trimmed.len] = '\0';
	name->source = source;
	return true;
}

static bool from_context(const struct process_facts *facts, const struct process_options *options,
			 struct service_name *name)
{
	(void)options;
	return service_name_set(
		name, view_of(attributes_get(&facts->context.resource, VIEW("service.name"))),
		"process context");
}

static bool from_environment(const struct process_facts *facts,
			     const struct process_options *options, struct service_name *name)
{
	bool own = environment_get(facts_environ(facts), VIEW("OTEL_SERVICE_NAME")).len > 0;

	(void)options;
	return service_name_set(name,
				view_of(attributes_get(&facts->environment, VIEW("service.name"))),
				own ? "OTEL_SERVICE_NAME" : "OTEL_RESOURCE_ATTRIBUTES");
}

static bool from_configuration(const struct process_facts *facts,
			       const struct process_options *options, struct service_name *name)
{
	(void)facts;
	for (size_t i = 0; i + 1 < options->n_resource; i += 2)
		if (strcmp(options->resource[i], "service.name") == 0)
			return service_name_set(name, view_of(options->resource[i + 1]),
						"configuration");
	return false;
}

static bool from_pod(const struct process_facts *facts, const struct process_options *options,
		     struct service_name *name)
{
	(void)options;
	return service_name_set(name, pod_workload(pod_name(facts)), "pod");
}

static bool from_unit(const struct process_facts *facts, const struct process_options *options,
		      struct service_name *name)
{
	(void)options;
	return service_name_set(name, view_of(facts->container.unit), "systemd unit");
}

static bool from_program(const struct process_facts *facts, const struct process_options *options,
			 struct service_name *name)
{
	(void)options;
	return program_name(facts, name);
}

/* One file, many programs, or no file at all: the name that it was called by says which. */
static bool is_no_name(struct view executable)
{
	static const char *const names[] = { "busybox", "toybox", "coreutils", NULL };

	return text_in(text_basename(executable), names) ||
	       view_starts_with(executable, VIEW("/memfd:"));
}

/* "-bash" of a login shell, "nginx: worker process". */
static struct view called_name(const struct process_facts *facts)
{
	struct view name = text_basename(command_line_arg(&facts->command, 0));

	if (name.len > 0 && name.data[0] == '-')
		name = view_from(name, 1);
	if (text_ends_with(name, VIEW(":")))
		name.len--;
	return name;
}

static bool from_executable(const struct process_facts *facts,
			    const struct process_options *options, struct service_name *name)
{
	struct view executable = view_of(facts->executable);

	(void)options;
	if (executable.len > 0 && !is_no_name(executable) &&
	    service_name_set(name, text_basename(executable), "executable"))
		return true;
	return service_name_set(name, called_name(facts), "executable");
}

/* The specification's last resort ("Resource semantic conventions", service.name). */
static bool from_nothing(const struct process_facts *facts, const struct process_options *options,
			 struct service_name *name)
{
	char text[sizeof("unknown_service:") + sizeof(facts->stat.comm)] = "unknown_service";

	(void)options;
	if (facts->stat.comm[0])
		snprintf(text, sizeof(text), "unknown_service:%s", facts->stat.comm);
	return service_name_set(name, view_of(text), "none");
}

static bool (*const sources[])(const struct process_facts *facts,
			       const struct process_options *options, struct service_name *name) = {
	from_context, from_environment, from_configuration, from_pod,
	from_unit,    from_program,	from_executable,    from_nothing,
};

void service_name_find(const struct process_facts *facts, const struct process_options *options,
		       struct service_name *ret_name)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (sources[i](facts, options, ret_name))
			return;
}
