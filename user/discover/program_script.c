/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The languages whose programs are plain files: .NET, Ruby, PHP, Perl.
 */
#include "discover/program.h"
#include "discover/text.h"

static bool name_file(const struct process_facts *facts, const struct program *program,
		      struct service_name *name)
{
	if (program->form != PROGRAM_SCRIPT)
		return false;
	return program_name_launched(facts, path_program(program->value), program->next, name) ||
	       program_name_script(facts, program->value, name);
}

static const struct program_option dotnet_programs[] = {
	{ "--project", PROGRAM_SCRIPT },
	{ 0 },
};

static const char *const dotnet_words[] = { "exec", "run", "watch", NULL };

static const char *const dotnet_values[] = {
	"--runtimeconfig",
	"--depsfile",
	"--additionalprobingpath",
	"--additional-deps",
	"--fx-version",
	"--roll-forward",
	"-c",
	"--configuration",
	"-f",
	"--framework",
	"--launch-profile",
	"-r",
	"--runtime",
	"--urls",
	NULL,
};

static bool name_dotnet(const struct process_facts *facts, const struct program *program,
			struct service_name *name)
{
	/* "dotnet run" runs the project in its directory. */
	return name_file(facts, program, name) || program_name_directory(facts, name);
}

const struct program_rules program_dotnet = {
	.options = { .programs = dotnet_programs, .values = dotnet_values, .words = dotnet_words },
	.name = name_dotnet,
};

static const struct program_option code_e[] = { { "-e", PROGRAM_CODE }, { 0 } };

const struct program_rules program_ruby = {
	.options = {
		.programs = code_e,
		.short_values = "ICEr",
		.short_optional = "FKTWx0i",
	},
	.name = name_file,
};

static const struct program_option perl_programs[] = {
	{ "-e", PROGRAM_CODE },
	{ "-E", PROGRAM_CODE },
	{ 0 },
};

const struct program_rules program_perl = {
	.options = {
		.programs = perl_programs,
		.short_values = "I",
		.short_optional = "MmxilFCD0dV",
	},
	.name = name_file,
};

static const struct program_option php_programs[] = {
	{ "-f", PROGRAM_SCRIPT },
	{ "-r", PROGRAM_CODE },
	{ 0 },
};

static bool name_php(const struct process_facts *facts, const struct program *program,
		     struct service_name *name)
{
	static const struct view pools = VIEW_INIT("php-fpm");

	/* A pool's processes serve many scripts; a pool with a name of its own was named by its
	 * title. */
	if (view_starts_with(text_basename(view_of(facts->executable)), pools))
		return service_name_set(name, pools, "executable");
	return name_file(facts, program, name) || program_name_directory(facts, name);
}

const struct program_rules program_php = {
	.options = { .programs = php_programs, .short_values = "cdzStBREF" },
	.name = name_php,
};
