/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "base/cleanup.h"
#include "discover/environment.h"
#include "discover/program.h"
#include "discover/text.h"

#define PACKAGE_MAX	   (64 * 1024)
#define PACKAGE_LEVELS_MAX 16 /* directories that are looked at */
#define LINKS_MAX	   4

static const struct program_option node_programs[] = {
	{ "-e", PROGRAM_CODE },	 { "--eval", PROGRAM_CODE },  { "-p", PROGRAM_CODE },
	{ "-pe", PROGRAM_CODE }, { "--print", PROGRAM_CODE }, { 0 },
};

static const char *const node_values[] = {
	"-r",
	"--require",
	"--import",
	"--loader",
	"--experimental-loader",
	"-C",
	"--conditions",
	"--env-file",
	"--env-file-if-exists",
	"--input-type",
	"--title",
	"--icu-data-dir",
	"--openssl-config",
	"--dns-result-order",
	"--unhandled-rejections",
	"--trace-event-categories",
	"--watch-path",
	"--diagnostic-dir",
	"--redirect-warnings",
	"--report-directory",
	"--report-dir",
	"--disable-warning",
	NULL,
};

static void free_json(json_t **json)
{
	json_decref(*json);
}

/* The "name" of one file; false when there is none. */
static bool read_package(const struct process_facts *facts, const struct path *path,
			 struct service_name *name)
{
	_cleanup_procfs_file_ struct procfs_file file = { 0 };
	_cleanup_(free_json) json_t *package = NULL;
	const json_t *value;

	if (procfs_read_in_root(facts->dir, path->text, PACKAGE_MAX, &file) < 0 || file.cut)
		return false;
	package = json_loadb(file.data, file.len, 0, NULL);
	value = json_object_get(package, "name");
	if (!json_is_string(value))
		return false;
	return service_name_set(name,
				(struct view){ .data = json_string_value(value),
					       .len = json_string_length(value) },
				"package.json");
}

bool program_name_package(const struct process_facts *facts, struct view path,
			  struct service_name *name)
{
	struct path file;

	if (facts->dir < 0)
		return false;
	for (int level = 0; level < PACKAGE_LEVELS_MAX && path.len > 0; level++) {
		if (path_resolve(path, VIEW("package.json"), &file) == 0 &&
		    read_package(facts, &file, name))
			return true;
		if (view_equal(path, VIEW("/")))
			break;
		path = text_dirname(path);
	}
	return false;
}

/* Commands of packages are links into them. */
static void follow_links(const struct process_facts *facts, struct path *script)
{
	for (int i = 0; i < LINKS_MAX && facts->dir >= 0; i++) {
		_cleanup_free_ char *target = NULL;
		struct path next;

		if (procfs_readlink_in_root(facts->dir, script->text, &target) < 0 ||
		    path_resolve(text_dirname(path_view(script)), view_of(target), &next) < 0)
			return;
		*script = next;
	}
}

/*
 * A script below node_modules is a tool ("next", "ts-node") that runs the application around that
 * directory; a tool that was installed for all has none around it and is the service itself.
 */
static bool name_around_modules(const struct process_facts *facts, struct view script,
				struct service_name *name)
{
	static const struct view modules = VIEW_INIT("/node_modules/");

	for (size_t i = 0; i + modules.len <= script.len; i++)
		if (view_starts_with(view_from(script, i), modules))
			return program_name_package(
				facts, (struct view){ .data = script.data, .len = i }, name);
	return false;
}

static bool name_script(const struct process_facts *facts, struct view value,
			struct service_name *name)
{
	struct path script;

	if (path_resolve(view_of(facts->directory), value, &script) == 0) {
		follow_links(facts, &script);
		if (name_around_modules(facts, path_view(&script), name) ||
		    program_name_package(facts, path_view(&script), name))
			return true;
	}
	return service_name_set(name,
				environment_get(facts_environ(facts), VIEW("npm_package_name")),
				"npm_package_name") ||
	       program_name_script(facts, value, name);
}

static bool name_node(const struct process_facts *facts, const struct program *program,
		      struct service_name *name)
{
	return program->form == PROGRAM_SCRIPT && name_script(facts, program->value, name);
}

const struct program_rules program_node = {
	.options = { .programs = node_programs, .values = node_values },
	.name = name_node,
};
