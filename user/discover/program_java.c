/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/environment.h"
#include "discover/program.h"
#include "discover/text.h"

static const struct program_option java_programs[] = {
	{ "-jar", PROGRAM_JAR },
	{ "-m", PROGRAM_MODULE },
	{ "--module", PROGRAM_MODULE },
	{ 0 },
};

static const char *const java_values[] = {
	"-cp",
	"-classpath",
	"--class-path",
	"-p",
	"--module-path",
	"--upgrade-module-path",
	"--add-modules",
	"--limit-modules",
	"--add-opens",
	"--add-exports",
	"--add-reads",
	"--patch-module",
	"--enable-native-access",
	"--source",
	"--describe-module",
	"-d",
	NULL,
};

/* Arguments in which an application is told its own name, by the agent or the framework that reads
 * it. */
static const struct view name_arguments[] = {
	VIEW_INIT("-Dotel.service.name="),
	VIEW_INIT("-Dspring.application.name="),
	VIEW_INIT("--spring.application.name="),
};

static bool name_told(const struct process_facts *facts, struct service_name *name)
{
	for (size_t i = 1; i < facts->command.n; i++) {
		struct view arg = facts->command.args[i];

		for (size_t a = 0; a < sizeof(name_arguments) / sizeof(name_arguments[0]); a++)
			if (view_starts_with(arg, name_arguments[a]) &&
			    service_name_set(name, view_from(arg, name_arguments[a].len),
					     "application"))
				return true;
	}
	return service_name_set(
		name, environment_get(facts_environ(facts), VIEW("SPRING_APPLICATION_NAME")),
		"application");
}

/* "shop-1.2.3-SNAPSHOT" -> "shop": a service keeps its name when it is upgraded. */
static struct view without_version(struct view name)
{
	for (size_t i = 1; i + 1 < name.len; i++)
		if (name.data[i] == '-' && name.data[i + 1] >= '0' && name.data[i + 1] <= '9') {
			name.len = i;
			break;
		}
	return name;
}

/* The full class name, "com.acme.Main": the last part alone is often no more than that. */
static bool name_class(const struct process_facts *facts, struct view class_name,
		       struct service_name *name)
{
	/* Spring Boot's launchers of unpacked archives are the same class for everybody. */
	if (view_starts_with(class_name, VIEW("org.springframework.boot.loader.")) &&
	    program_name_directory(facts, name))
		return true;
	if (text_ends_with(class_name, VIEW(".java")))
		return program_name_script(facts, class_name, name);
	return service_name_set(name, class_name, "class");
}

static bool name_program(const struct process_facts *facts, const struct program *program,
			 struct service_name *name)
{
	struct view module = program->value;
	long slash = text_index(module, '/');

	switch (program->form) {
	case PROGRAM_JAR:
		return service_name_set(name, without_version(path_program(program->value)), "jar");
	case PROGRAM_MODULE:
		if (slash >= 0)
			module.len = (size_t)slash;
		return service_name_set(name, module, "module");
	case PROGRAM_SCRIPT:
		return name_class(facts, program->value, name);
	default:
		return false;
	}
}

static bool name_java(const struct process_facts *facts, const struct program *program,
		      struct service_name *name)
{
	return name_told(facts, name) || name_program(facts, program, name);
}

const struct program_rules program_java = {
	/* "@FILE" holds more options. */
	.options = { .programs = java_programs, .values = java_values, .skipped = '@' },
	.name = name_java,
};
