/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "discover/program.h"
#include "discover/text.h"

static const struct program_option python_programs[] = {
	{ "-m", PROGRAM_MODULE },
	{ "-c", PROGRAM_CODE },
	{ 0 },
};

static const char *const python_values[] = { "--check-hash-based-pycs", NULL };

/* "python -m gunicorn.app.wsgiapp": the package is the server. */
static bool name_module(const struct process_facts *facts, const struct program *program,
			struct service_name *name)
{
	static const struct view main_module = VIEW_INIT(".__main__");
	struct view module = program->value, package = module;
	long dot = text_index(module, '.');

	if (dot > 0)
		package.len = (size_t)dot;
	if (program_name_launched(facts, package, program->next, name))
		return true;
	if (text_ends_with(module, main_module))
		module.len -= main_module.len;
	return service_name_set(name, module, "module");
}

static bool name_file(const struct process_facts *facts, const struct program *program,
		      struct service_name *name)
{
	return program_name_launched(facts, path_program(program->value), program->next, name) ||
	       program_name_script(facts, program->value, name);
}

static bool name_program(const struct process_facts *facts, const struct program *program,
			 struct service_name *name)
{
	switch (program->form) {
	case PROGRAM_MODULE:
		return name_module(facts, program, name);
	case PROGRAM_SCRIPT:
		return name_file(facts, program, name);
	default:
		return false;
	}
}

/* Worker processes of `multiprocessing` are started with code that names nothing: ask who started
 * it. */
static bool name_worker(const struct process_facts *facts, struct service_name *name)
{
	_cleanup_facts_ struct process_facts parent = PROCESS_FACTS_INIT;
	struct program program;

	if (facts->dir < 0 || facts->stat.parent_pid <= 1 ||
	    facts_read_program(&parent, facts->proc, facts->stat.parent_pid) < 0 ||
	    parent.runtime.runtime != RUNTIME_PYTHON)
		return false;
	program = program_find(&parent.command, 1, &program_python.options);
	return name_program(&parent, &program, name);
}

static bool name_python(const struct process_facts *facts, const struct program *program,
			struct service_name *name)
{
	static const struct view worker = VIEW_INIT("from multiprocessing.");

	if (program->form == PROGRAM_CODE && view_starts_with(program->value, worker))
		return name_worker(facts, name);
	return name_program(facts, program, name);
}

const struct program_rules program_python = {
	.options = {
		.programs = python_programs,
		.short_values = "XWQ",
		.values = python_values,
	},
	.name = name_python,
};
