/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/log.h"
#include "base/version.h"
#include "cli/command.h"
#include "config/option.h"

static const char exit_status[] =
	"0 on success, 1 when something failed while running, 2 when the command line or the "
	"configuration is wrong and nothing was started.";

void help_print(FILE *out)
{
	fprintf(out,
		"weft %s: traces every service on a Linux host, with no change to any of them.\n\n"
		"Usage: weft COMMAND [OPTION]...\n\nCommands:\n",
		WEFT_VERSION);
	for (size_t i = 0; i < n_commands; i++)
		fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\nTo begin, as root:\n"
	      "  weft run                                   live spans on this terminal\n"
	      "  weft run --export http://localhost:4318    to an OpenTelemetry Collector or "
	      "Tempo\n"
	      "  weft doctor                                if something is missing\n\n"
	      "'weft COMMAND --help' lists the options and environment variables of a command.\n",
	      out);
}

void help_print_command(FILE *out, const struct command *command)
{
	fprintf(out, "weft %s: %s\n\nUsage: weft %s%s%s\n", command->name, command->summary,
		command->name, command->usage[0] ? " " : "", command->usage);
	if (command->text)
		fprintf(out, "\n%s\n", command->text);
	if (command->options)
		option_print_help(out, (enum config_command)command->options);
	if (command->examples)
		fprintf(out, "\nExamples:\n%s", command->examples);
	if (command->options == CONFIG_RUN) {
		fputs("\nEnvironment (flags and the file win over it):\n", out);
		option_print_variables(out, CONFIG_RUN);
	}
}

int cli_help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		help_print(stdout);
		return STATUS_OK;
	}
	command = command_find(argv[1]);
	if (!command) {
		log_error("help: '%.100s' is no command; 'weft help' lists them", argv[1]);
		return STATUS_USAGE;
	}
	help_print_command(stdout, command);
	return STATUS_OK;
}

/* The examples, which are plain text, without what roff would take for commands. */
static void man_examples(FILE *out)
{
	fputs(".SH EXAMPLES\n.nf\n", out);
	for (size_t i = 0; i < n_commands; i++) {
		for (const char *c = commands[i].examples; c && *c; c++) {
			if (*c == '-')
				fputs("\\-", out);
			else
				fputc(*c, out);
		}
	}
	fputs(".fi\n", out);
}

static void man_signals(FILE *out)
{
	fputs(".SH SIGNALS\n.TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\nSend what is left and exit.\n"
	      ".TP\n\\fBSIGHUP\\fR, to the first process\nReads the file again, the environment "
	      "and the command line as they were at the start, and opens the targets anew, so that "
	      "a file may be moved away before. No span is lost. If something is wrong, a line says "
	      "what, and all stays as it was. These options can change:\n",
	      out);
	option_print_live(out);
	fputs(".\nFor others that differ a line says that they need a restart. A weft that runs in a "
	      "terminal without \\fB\\-\\-config\\fR ends at SIGHUP as at SIGTERM.\n",
	      out);
}

void help_print_man(FILE *out)
{
	fprintf(out,
		".TH WEFT 8 \"\" \"weft %s\" \"System administration\"\n"
		".SH NAME\nweft \\- trace every service on a Linux host\n"
		".SH SYNOPSIS\n",
		WEFT_VERSION);
	for (size_t i = 0; i < n_commands; i++)
		fprintf(out, "%s\\fBweft %s\\fR %s\n", i ? ".br\n" : "", commands[i].name,
			commands[i].usage);
	fputs(".SH DESCRIPTION\n"
	      "weft watches the sockets of a host through BPF, turns each request and its response "
	      "into "
	      "an OpenTelemetry span, joins spans into traces and exports them. The services that "
	      "it "
	      "traces need no change, no restart and no library.\n"
	      ".SH COMMANDS\n",
	      out);
	for (size_t i = 0; i < n_commands; i++)
		fprintf(out, ".TP\n\\fB%s\\fR\n%s\n", commands[i].name, commands[i].summary);
	option_print_man(out);
	man_signals(out);
	fputs(".SH FILES\n.TP\n\\fI/run/weft/weft.sock\\fR\nThe control socket; "
	      "\\fIweft\\-NAME.sock\\fR beside it is that of an instance with a name.\n"
	      ".TP\n\\fI/run/weft/lock\\fR\nHolds the locks of running instances: one for a "
	      "name and one for a network namespace.\n"
	      ".PP\nThe file of \\fB\\-\\-config\\fR is YAML; a dot in an option's name is a "
	      "level:\n"
	      ".PP\n.nf\n"
	      "  export: [stdout, \"http://localhost:4318\"]\n"
	      "  port: [80, 8080]\n"
	      "  otlp:\n"
	      "    timeout: 5000\n"
	      "    headers:\n"
	      "      authorization: Bearer TOKEN\n"
	      ".fi\n",
	      out);
	man_examples(out);
	fprintf(out, ".SH EXIT STATUS\n%s\n", exit_status);
}
