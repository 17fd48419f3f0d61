/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/suggest.h"

const struct command commands[] = {
	{
		.name = "run",
		.summary = "trace this host until a signal comes (root)",
		.usage = "[--export TARGET]... [--pid N]... [--port LIST] [OPTION]...",
		.text = "Attaches to the kernel, turns every exchange that it sees into a span and "
			"sends spans to the\n"
			"targets. Prints a line on standard error once it is ready. SIGTERM and "
			"SIGINT: sends what is\n"
			"left and exits with 0. SIGHUP: reads the configuration again; in a "
			"terminal and without --config\n"
			"it ends weft as SIGTERM does.",
		.examples = "  weft run\n"
			    "      all services of this host, a line a span on the terminal\n"
			    "  weft run --export http://localhost:4318\n"
			    "      to an OpenTelemetry Collector or to Tempo\n"
			    "  weft run --port 8080,8443 --duration 10 --export file:trace.jsonl\n"
			    "      ten seconds of two ports, as OTLP JSON lines\n"
			    "  weft run --exe '*/python3*' --log-level debug\n",
		.options = CONFIG_RUN,
		.run = cli_run,
	},
	{
		.name = "doctor",
		.summary = "tell what works on this host, what does not, and why",
		.usage = "[--json] [OPTION]...",
		.examples = "  weft doctor\n  weft doctor --json | jq .\n",
		.options = CONFIG_DOCTOR,
		.run = cli_doctor,
	},
	{
		.name = "ps",
		.summary =
			"list the processes that the running weft knows, and its counters (root)",
		.usage = "[--json] [--instance NAME] [--socket PATH]",
		.examples = "  weft ps\n  weft ps --json | jq '.counters'\n",
		.options = CONFIG_PS,
		.run = cli_ps,
	},
	{
		.name = "tail",
		.summary = "show the spans of the running weft, one a line (root)",
		.usage = "[--json] [--instance NAME] [--socket PATH]",
		.examples = "  weft tail\n  weft tail --json | jq 'select(.status == \"error\")'\n",
		.options = CONFIG_TAIL,
		.run = cli_tail,
	},
	{
		.name = "version",
		.summary = "print the version",
		.usage = "",
		.run = cli_version,
	},
	{
		.name = "help",
		.summary = "explain weft, or one command",
		.usage = "[COMMAND]",
		.run = cli_help,
	},
};

const size_t n_commands = sizeof(commands) / sizeof(commands[0]);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const char *command_nearest(const char *name, char *text, size_t size)
{
	struct suggest suggest;

	suggest_init(&suggest, name);
	for (size_t i = 0; i < n_commands; i++)
		suggest_offer(&suggest, commands[i].name);
	snprintf(text, size, "%s", suggest.best);
	return text;
}

int cli_load(struct config *ret_config, enum config_command command, int argc, char **argv)
{
	struct config_messages messages = { 0 };
	int r = config_load(ret_config, command, argc - 1, argv + 1, environ, &messages);

	if (r == 0)
		log_set_level((enum log_level)ret_config->log_level);
	for (size_t i = 0; i < messages.n_warnings; i++)
		log_warning("%s", messages.warnings[i]);
	if (r < 0)
		log_error("%s", messages.error);
	config_messages_clear(&messages);
	if (r == 0)
		return STATUS_OK;
	return r == -ENOMEM ? STATUS_FAILURE : STATUS_USAGE;
}
