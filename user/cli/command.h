/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the program. main.c picks one; each returns the exit status.
 */
#ifndef WEFT_CLI_COMMAND_H
#define WEFT_CLI_COMMAND_H

#include <stdio.h>

#include "config/config.h"

#define STATUS_OK      0
#define STATUS_FAILURE 1 /* something went wrong while running */
#define STATUS_USAGE   2 /* command line or configuration: nothing was started */

struct command {
	const char *name;
	const char *summary;
	const char *usage;    /* what follows "weft NAME" */
	const char *text;     /* for its --help: what it does; NULL: the summary says it all */
	const char *examples; /* lines, with an indent of two; NULL: none */
	unsigned int options; /* enum config_command whose options it takes; 0: none */
	/* argv[0] is the command's name. --help never gets here. */
	int (*run)(int argc, char **argv);
};

extern const struct command commands[];
extern const size_t n_commands;

/* NULL: there is no such command. */
const struct command *command_find(const char *name);

/* The known command that is nearest to `name`, in `text`; empty when none is near. */
const char *command_nearest(const char *name, char *text, size_t size);

int cli_run(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_ps(int argc, char **argv);
int cli_tail(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_help(int argc, char **argv);

/*
 * Reads the configuration for a command, tells on stderr what is wrong with it and sets the log
 * level. STATUS_OK: *ret_config is the caller's to clear; otherwise the exit status.
 */
int cli_load(struct config *ret_config, enum config_command command, int argc, char **argv);

/* Help for all, for one command, and the man page (roff). */
void help_print(FILE *out);
void help_print_command(FILE *out, const struct command *command);
void help_print_man(FILE *out);

#endif
