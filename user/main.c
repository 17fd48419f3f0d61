/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/command.h"

static bool is_one_of(const char *text, const char *a, const char *b)
{
	return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (is_one_of(argv[i], "--help", "-h"))
			return true;
	return false;
}

static int unknown_command(const char *name)
{
	char nearest[64];

	if (command_nearest(name, nearest, sizeof(nearest))[0])
		log_error("'%.100s' is no command; did you mean '%s'?", name, nearest);
	else
		log_error("'%.100s' is no command; 'weft help' lists them", name);
	return STATUS_USAGE;
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		help_print(stderr);
		return STATUS_USAGE;
	}
	if (is_one_of(argv[1], "--version", "-V"))
		return cli_version(argc - 1, argv + 1);
	if (is_one_of(argv[1], "--help", "-h")) {
		help_print(stdout);
		return STATUS_OK;
	}
	/* For the build: the man page comes from the same tables as the help. */
	if (strcmp(argv[1], "--man") == 0) {
		help_print_man(stdout);
		return STATUS_OK;
	}
	command = command_find(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	if (asks_for_help(argc - 1, argv + 1)) {
		help_print_command(stdout, command);
		return STATUS_OK;
	}
	return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status;

	clock_init();
	status = dispatch(argc, argv);

	/* A full disk must not pass for success; a reader that has gone is none of our business. */
	if (fflush(stdout) != 0 && errno != EPIPE) {
		log_error("cannot write to standard output: %s", strerror(errno));
		return status ? status : STATUS_FAILURE;
	}
	return status;
}
