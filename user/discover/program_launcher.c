/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server programs that run somebody's application: the service is the application, which their
 * arguments name.
 */
#include "discover/environment.h"
#include "discover/program.h"
#include "discover/text.h"

static const struct launcher {
	const char *name;
	const char *application[4]; /* options whose value is the application */
	const char *variable;	    /* environment variable that says it too */
	const char *commands[5];    /* words ahead of the application ("run") */
	bool positional;	    /* the first argument that is no option is the application */
	bool only_flags;	    /* the options without "=" have no value */
} launchers[] = {
	{ .name = "gunicorn", .positional = true },
	{ .name = "uvicorn", .positional = true },
	{ .name = "hypercorn", .positional = true },
	{ .name = "daphne", .positional = true },
	{ .name = "granian", .positional = true },
	{ .name = "waitress-serve", .positional = true, .only_flags = true },
	{ .name = "waitress", .positional = true, .only_flags = true },
	{ .name = "flask", .application = { "--app", "-A" }, .variable = "FLASK_APP" },
	{ .name = "celery", .application = { "--app", "-A" }, .variable = "CELERY_APP" },
	{ .name = "fastapi", .commands = { "run", "dev" }, .positional = true },
	{ .name = "streamlit", .commands = { "run" }, .positional = true },
	{ .name = "uwsgi", .application = { "--module", "-w", "--wsgi-file" } },
	{ .name = "django-admin", .variable = "DJANGO_SETTINGS_MODULE" },
	/* These find the application in the directory that they are started in. */
	{ .name = "puma" },
	{ .name = "rails" },
	{ .name = "rackup" },
	{ .name = "unicorn" },
	{ .name = "thin" },
	{ .name = "sidekiq" },
	{ .name = "bundle" },
	{ .name = "plackup", .positional = true },
	{ .name = "starman", .positional = true },
};

/* Options of the servers above that have no value; any other one without "=" takes the next
 * argument. */
static const char *const flags[] = {
	"--reload",
	"--debug",
	"--daemon",
	"-D",
	"--preload",
	"--factory",
	"--check-config",
	"--print-config",
	"--spew",
	"--no-sendfile",
	"--reuse-port",
	"--capture-output",
	"--proxy-protocol",
	"--enable-stdio-inheritance",
	"-R",
	"--initgroups",
	"--log-syslog",
	"--access-log",
	"--no-access-log",
	"--use-colors",
	"--no-use-colors",
	"--proxy-headers",
	"--no-proxy-headers",
	"--server-header",
	"--no-server-header",
	"--date-header",
	"--no-date-header",
	"--no-reload",
	"--strip-header-spaces",
	"--no-ws",
	NULL,
};

static const struct launcher *launcher_find(struct view name)
{
	for (size_t i = 0; i < sizeof(launchers) / sizeof(launchers[0]); i++)
		if (view_equal(name, view_of(launchers[i].name)))
			return &launchers[i];
	return NULL;
}

struct view program_module(struct view application)
{
	static const struct view tails[] = { VIEW_INIT(".wsgi"), VIEW_INIT(".asgi") };
	long colon = text_index(application, ':');

	if (colon >= 0)
		application.len = (size_t)colon;
	application = path_program(application);
	/* Django's projects all have these two modules; the package is what differs. */
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		if (application.len > tails[i].len && text_ends_with(application, tails[i]))
			application.len -= tails[i].len;
	return application;
}

/* The value of an option that names the application, as "--app shop", "--app=shop", "-Ashop". */
static struct view option_value(const struct command_line *command, size_t i, const char *option)
{
	struct view arg = command_line_arg(command, i), name = view_of(option);

	if (view_equal(arg, name))
		return command_line_arg(command, i + 1);
	if (!view_starts_with(arg, name))
		return (struct view){ 0 };
	if (arg.data[name.len] == '=')
		return view_from(arg, name.len + 1);
	return name.len == 2 ? view_from(arg, name.len) : (struct view){ 0 };
}

static struct view application_option(const struct process_facts *facts,
				      const struct launcher *launcher, size_t from)
{
	struct view value = { 0 };

	for (size_t i = from; i < facts->command.n && value.len == 0; i++)
		for (size_t o = 0; launcher->application[o] && value.len == 0; o++)
			value = option_value(&facts->command, i, launcher->application[o]);
	return value;
}

static bool takes_next(const struct launcher *launcher, struct view option)
{
	return !launcher->only_flags && text_index(option, '=') < 0 && !text_in(option, flags);
}

static struct view application_argument(const struct process_facts *facts,
					const struct launcher *launcher, size_t from)
{
	for (size_t i = from; i < facts->command.n; i++) {
		struct view arg = facts->command.args[i];

		if (arg.len == 0 || text_in(arg, launcher->commands))
			continue;
		if (arg.data[0] != '-')
			return arg;
		i += takes_next(launcher, arg);
	}
	return (struct view){ 0 };
}

static bool is_identifier_start(char c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "module:name", and no address ("localhost:8000") or URL. */
static bool is_application(struct view text)
{
	long colon = text_index(text, ':');

	return colon > 0 && (size_t)colon + 1 < text.len && is_identifier_start(text.data[0]) &&
	       is_identifier_start(text.data[colon + 1]);
}

/* When an option was taken for one with a value, the application was its "value". */
static struct view application_shape(const struct process_facts *facts, size_t from)
{
	for (size_t i = from; i < facts->command.n; i++)
		if (is_application(facts->command.args[i]))
			return facts->command.args[i];
	return (struct view){ 0 };
}

static struct view application(const struct process_facts *facts, const struct launcher *launcher,
			       size_t from)
{
	struct view value = application_option(facts, launcher, from);

	if (value.len == 0 && launcher->positional)
		value = application_argument(facts, launcher, from);
	if (value.len == 0 && launcher->positional)
		value = application_shape(facts, from);
	if (value.len == 0 && launcher->variable)
		value = environment_get(facts_environ(facts), view_of(launcher->variable));
	return program_module(value);
}

bool program_name_launched(const struct process_facts *facts, struct view launcher_name,
			   size_t from, struct service_name *name)
{
	const struct launcher *launcher = launcher_find(launcher_name);

	if (!launcher)
		return false;
	return service_name_set(name, application(facts, launcher, from), "application") ||
	       program_name_directory(facts, name) ||
	       service_name_set(name, launcher_name, "script");
}
