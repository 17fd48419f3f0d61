/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/info.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/version.h"
#include "discover/host.h"
#include "discover/pod.h"
#include "discover/sdk.h"
#include "discover/service_name.h"
#include "discover/text.h"

/*
 * Room for attributes is dealt out, so that a process which names very many of its own cannot push
 * out what the operator configured or what weft found out itself.
 */
#define OWN_MAX		  8
#define FOREIGN_MAX	  (OWN_MAX + 16)
#define CONFIGURATION_MAX (FOREIGN_MAX + 8)

_Static_assert(CONFIGURATION_MAX + 16 <= ATTRIBUTES_MAX, "room for what is detected");

#define COMMAND_ARGS_TEXT_MAX ATTRIBUTES_VALUE_MAX

static int identify(const struct process_facts *facts, pid_t pid, struct process_info *ret_info)
{
	char *executable = NULL;

	if (facts->executable) {
		executable = text_clean(view_of(facts->executable), PATH_MAX);
		if (!executable)
			return -ENOMEM;
	}
	*ret_info = (struct process_info){
		.pid = pid,
		.parent_pid = facts->stat.parent_pid,
		.start_ticks = facts->stat.start_ticks,
		.runtime = facts->runtime.runtime,
		.unit_kind = runtime_unit(facts->runtime.runtime, view_of(facts->executable)),
		.executable = executable,
		.sdk = sdk_sign(facts),
		.exporter = sdk_exporter(facts),
		.has_thread_context = facts->has_thread_context,
		.thread_context = facts->thread_context,
	};
	return 0;
}

static int add_number(struct attributes *attributes, const char *key, long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", number);
	return attributes_add_string(attributes, key, text);
}

/*
 * What nobody may overrule: the chosen name, which process this is on this host (a process in a
 * container believes to be 1), and that weft made the spans.
 */
static int add_own(const struct process_info *info, struct attributes *attributes)
{
	static const char *const constants[][2] = {
		{ "telemetry.sdk.name", "weft" },
		{ "telemetry.sdk.version", WEFT_VERSION },
		{ "telemetry.distro.name", "weft" },
		{ "telemetry.distro.version", WEFT_VERSION },
	};
	int r = attributes_add_string(attributes, "service.name", info->service_name);

	if (r == 0)
		r = add_number(attributes, "process.pid", info->pid);
	if (r == 0 && info->parent_pid > 0)
		r = add_number(attributes, "process.parent_pid", info->parent_pid);
	if (r == 0)
		r = attributes_add_string(attributes, "telemetry.sdk.language",
					  runtime_language(info->runtime));
	for (size_t i = 0; r == 0 && i < sizeof(constants) / sizeof(constants[0]); i++)
		r = attributes_add_string(attributes, constants[i][0], constants[i][1]);
	return r;
}

/* Pairs of strings, until `attributes` has `max` pairs. */
static int add_pairs(struct attributes *attributes, const char *const *pairs, size_t n_strings,
		     size_t max)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i + 1 < n_strings && attributes->n < max; i += 2)
		r = attributes_add_string(attributes, pairs[i], pairs[i + 1]);
	return r;
}

static int add_collected(struct attributes *attributes, const struct attributes *collected)
{
	return add_pairs(attributes, (const char *const *)collected->pairs, 2 * collected->n,
			 FOREIGN_MAX);
}

/* All arguments, a space between two, cut where an attribute's value would be. */
static int add_command_args(const struct process_facts *facts, struct attributes *attributes)
{
	char text[COMMAND_ARGS_TEXT_MAX];
	size_t used = 0;

	for (size_t i = 0; i < facts->command.n && used < sizeof(text); i++) {
		struct view arg = facts->command.args[i];
		size_t room;

		if (i > 0)
			text[used++] = ' ';
		room = sizeof(text) - used;
		if (arg.len > room)
			arg.len = room;
		if (arg.len > 0)
			memcpy(text + used, arg.data, arg.len);
		used += arg.len;
	}
	if (used == 0)
		return 0;
	return attributes_add(attributes, VIEW("process.command_args"),
			      (struct view){ .data = text, .len = used });
}

static int add_process(const struct process_facts *facts, const struct process_info *info,
		       struct attributes *attributes)
{
	struct view executable = view_of(info->executable);
	int r = 0;

	if (executable.len > 0)
		r = attributes_add(attributes, VIEW("process.executable.name"),
				   text_basename(executable));
	if (r == 0)
		r = attributes_add_string(attributes, "process.executable.path", info->executable);
	if (r == 0 && info->runtime != RUNTIME_NATIVE)
		r = attributes_add_string(attributes, "process.runtime.name",
					  runtime_name(info->runtime));
	if (r == 0)
		r = attributes_add_string(attributes, "process.runtime.version",
					  facts->runtime.version);
	if (r == 0)
		r = attributes_add_string(attributes, "container.id", facts->container.id);
	return r;
}

static int add_all(const struct process_facts *facts, const struct process_options *options,
		   const struct process_info *info, struct attributes *attributes)
{
	int r = add_own(info, attributes);

	if (r == 0)
		r = add_collected(attributes, &facts->context.resource);
	if (r == 0)
		r = add_collected(attributes, &facts->environment);
	if (r == 0)
		r = add_pairs(attributes, options->resource, options->n_resource,
			      CONFIGURATION_MAX);
	if (r == 0)
		r = add_process(facts, info, attributes);
	if (r == 0 && options->command_args)
		r = add_command_args(facts, attributes);
	if (r == 0)
		r = pod_attributes(facts, attributes);
	return r == 0 ? host_attributes(options->proc, attributes) : r;
}

static int set_service_name(const struct process_facts *facts,
			    const struct process_options *options, struct process_info *info)
{
	struct service_name name;

	service_name_find(facts, options, &name);
	info->service_name = strdup(name.text);
	info->service_source = name.source;
	return info->service_name ? 0 : -ENOMEM;
}

int info_describe(const struct process_facts *facts, const struct process_options *options,
		  pid_t pid, struct process_info *ret_info)
{
	_cleanup_(process_info_clear) struct process_info info = { 0 };
	_cleanup_(attributes_clear) struct attributes attributes = { 0 };
	int r = identify(facts, pid, &info);

	if (r == 0)
		r = set_service_name(facts, options, &info);
	if (r == 0)
		r = add_all(facts, options, &info, &attributes);
	if (r < 0)
		return r;
	info.pairs = TAKE_PTR(attributes.pairs);
	info.n_pairs = attributes.n;
	attributes.n = 0;
	*ret_info = info;
	info = (struct process_info){ 0 };
	return 0;
}
