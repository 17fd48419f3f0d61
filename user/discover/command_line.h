/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines: the split into arguments, and what an interpreter was told to run. Works on views
 * of the caller's buffer and allocates nothing.
 */
#ifndef WEFT_DISCOVER_COMMAND_LINE_H
#define WEFT_DISCOVER_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

#define COMMAND_LINE_ARGS_MAX 256

struct command_line {
	size_t n;
	struct view args[COMMAND_LINE_ARGS_MAX]; /* args[0] names the program */
};

/*
 * Splits NUL-separated arguments. `cut`: the data is the beginning of something longer, so a last
 * argument without its NUL is not whole and left out (the first one is always kept). Empty
 * arguments at the end, which processes leave behind that write their title over their arguments,
 * are left out.
 */
void command_line_split(struct view data, bool cut, struct command_line *ret_command);

/*
 * A process title that was written over the arguments is one argument with spaces ("node
 * /srv/server.js"): splits such a lone argument again, at its spaces. True: it was one.
 */
bool command_line_split_title(struct command_line *command);

/* The view behind argument `i`; an empty view when there is none. */
struct view command_line_arg(const struct command_line *command, size_t i);

enum program_form {
	PROGRAM_NONE,	/* interactive, or nothing that could be understood */
	PROGRAM_SCRIPT, /* a file, or the first argument that is no option */
	PROGRAM_MODULE,
	PROGRAM_JAR,
	PROGRAM_CODE, /* the text itself is on the command line */
};

/* An option that says what runs; everything behind its value belongs to the program. */
struct program_option {
	const char *name;
	enum program_form form;
};

/* What an interpreter's options look like. */
struct option_grammar {
	const struct program_option *programs; /* the last one has no name */
	const char *short_values; /* letters whose value is the rest of the argument or the next */
	const char *short_optional; /* letters whose value, if any, is the rest of the argument */
	const char *const *values;  /* whole options whose value is the next argument; NULL: none */
	const char *const *words;   /* words ahead of the program ("exec"); NULL: none */
	char skipped;		    /* arguments that begin with it are options too; 0: none */
};

struct program {
	enum program_form form;
	struct view value;
	size_t next; /* index of the first argument behind it */
};

/* Finds what an interpreter runs, from argument `from` on. */
struct program program_find(const struct command_line *command, size_t from,
			    const struct option_grammar *grammar);

#endif
