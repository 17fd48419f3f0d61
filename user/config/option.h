/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of options and what its columns mean. For the rest of this room, for help and for
 * tests; everybody else reads struct config.
 */
#ifndef WEFT_CONFIG_OPTION_H
#define WEFT_CONFIG_OPTION_H

#include <stdio.h>

#include "base/view.h"
#include "config/config.h"

/* Sections of --help and of the man page, in their order there. */
enum option_group {
	GROUP_TARGETS,
	GROUP_SELECTION,
	GROUP_CAPTURE,
	GROUP_CONTEXT,
	GROUP_OTLP,
	GROUP_BATCH,
	GROUP_RESOURCE,
	GROUP_DAEMON,
	GROUP_MAX,
};

enum option_type {
	TYPE_BOOL,	   /* bool */
	TYPE_NUMBER,	   /* uint64_t = the number * scale */
	TYPE_POWER_OF_TWO, /* the same */
	TYPE_SECONDS,	   /* uint64_t nanoseconds; fractions are allowed */
	TYPE_FRACTION,	   /* double, 0 to 1 = the number / max */
	TYPE_WORD,	   /* int, one of `words` */
	TYPE_TEXT,	   /* char * */
	TYPE_NAME,	   /* char *, of characters that do no harm anywhere */
	TYPE_READABLE,	   /* char *, a file that can be opened */
	TYPE_ABSOLUTE,	   /* char *, a path that starts with a slash */
	TYPE_URL,	   /* char * */
	TYPE_NETNS,	   /* uint32_t, inode number of a network namespace; 0: none */
	TYPE_TARGET,	   /* struct strings, one a time */
	TYPE_GLOB,	   /* struct strings, one a time */
	TYPE_KEYS,	   /* struct strings, separated by commas */
	TYPE_PAIRS,	   /* struct strings, "key=value,key=value" */
	TYPE_HEADERS,	   /* the same, where keys are HTTP field names */
	TYPE_NUMBERS,	   /* struct numbers, separated by commas */
	TYPE_WORDS,	   /* struct numbers, some of `words`; 0 stands alone */
	TYPE_RANGES,	   /* struct ranges, separated by commas */
	TYPE_MAX,
};

#define OPTION_NO_FLAG (1u << 0) /* not on the command line */
#define OPTION_NO_FILE (1u << 1) /* not in the file */
#define OPTION_SECRET  (1u << 2) /* the value is never repeated in a message */
#define OPTION_LIVE    (1u << 3) /* may change while weft runs (config/change.h) */

#define OPTION_VARIABLES_MAX 2

struct option_word {
	const char *word; /* NULL ends the list */
	int value;
};

struct option {
	const char *name;
	const char *variables[OPTION_VARIABLES_MAX]; /* the first that is set counts */
	enum option_type type;
	unsigned int commands; /* enum config_command, or-ed */
	unsigned int flags;
	enum option_group group;
	size_t offset;
	const char *preset;   /* default, as one would write it; NULL: empty */
	const char *argument; /* in --help: "FILE"; NULL: none is needed */
	const char *unit;     /* of numbers, for people */
	uint64_t min, max;    /* of numbers as written; of texts: bytes */
	uint64_t scale;	      /* 0: 1 */
	size_t items_max;     /* of lists; of pairs: pairs */
	const struct option_word *words;
	const char *hint; /* follows the accepted values in an error */
	const char *help; /* one sentence without full stop, starts in lower case */
};

extern const struct option options[];
extern const size_t n_options;
extern const char *const option_groups[GROUP_MAX]; /* titles */

/* Index in options[], or -ENOENT. */
int option_by_name(const char *name);

/* By flag without its dashes; flags of other commands are not found. Index, or -ENOENT. */
int option_by_flag(const char *flag, size_t len, enum config_command command);

/* The flag without dashes, in `text`. */
const char *option_flag(const struct option *option, char *text, size_t size);

/* May the option be given several times, or be a sequence in the file? */
bool option_is_list(const struct option *option);

/* What a value may be: "a whole number from 256 to 8192 (bytes)". */
const char *option_accepted(const struct option *option, char *text, size_t size);

/*
 * Parses `text` into the option's field; a list grows by it. 0; -EINVAL with the reason in
 * why[size] (without the value); -ENOMEM. The field may hold a part of the text after a failure.
 */
int option_parse(const struct option *option, void *field, const char *text, char *why,
		 size_t size);

/* Adds one key and its value, as they are, to an option of pairs. As option_parse. */
int option_add_pair(const struct option *option, struct strings *pairs, const char *key,
		    const char *value, char *why, size_t size);

/* Is a bad value in the environment an error too? */
bool option_is_strict(const struct option *option);

/* Does each item of a list in the environment stand for itself, so that a bad one goes alone? */
bool option_is_itemwise(const struct option *option);

/* Cuts the next item off a list with commas, without the space around it. False: there is none. */
bool list_next(const char **rest, struct view *ret_item);

/* What a field holds, of which all else follows: how it is compared, copied, sent. */
enum option_storage {
	STORED_BYTES,	/* *ret_size of them, which own nothing */
	STORED_TEXT,	/* char *, or NULL */
	STORED_STRINGS, /* struct strings */
};

enum option_storage option_storage(const struct option *option, size_t *ret_size);

/* Frees what the field owns and empties it. */
void option_clear(const struct option *option, void *field);

/* A copy of `text` at the end of the list. -ENOMEM. */
int strings_add(struct strings *list, const char *text);
void strings_clear(struct strings *list);

/* The sources, each in its own file. `messages` get the error, or warnings. */

/* One value from one source; the value of a lower source is replaced. */
int config_set(struct config *config, size_t index, const char *text,
	       const struct config_origin *origin, struct config_messages *messages);

/* What a message about the option's value starts with: "FILE:3: otlp.timeout", "--otlp-timeout". */
const char *option_place(const struct config *config, size_t index, char *text, size_t size);

/* Makes room for a value of `origin`: a lower source's goes. Returns the field. */
void *config_field(struct config *config, size_t index, const struct config_origin *origin);

int config_set_defaults(struct config *config, struct config_messages *messages);
int config_read_environment(struct config *config, enum config_command command,
			    char *const *environment, struct config_messages *messages);

/* Reads config->file. */
int config_read_file(struct config *config, struct config_messages *messages);

/* The same from memory; config->file is the name for messages. */
int config_parse_yaml(struct config *config, const void *data, size_t size,
		      struct config_messages *messages);

/* Two steps, since --config must be known before the file is read and flags win over it. */
#define CONFIG_ARGUMENTS_MAX 1024

struct argument {
	size_t index;
	const char *text;
};

struct arguments {
	struct argument items[CONFIG_ARGUMENTS_MAX];
	size_t n;
};

int arguments_parse(enum config_command command, int n, char *const *texts,
		    struct arguments *ret_arguments, struct config_messages *messages);
/* `only` the option of that name; NULL: all. */
int config_apply_arguments(struct config *config, const struct arguments *arguments,
			   const char *only, struct config_messages *messages);

/* What follows from several values together: targets, resource, account, limits. */
int config_finish(struct config *config, enum config_command command,
		  struct config_messages *messages);

/* Both give a code back: return config_error(messages, -EINVAL, "..."). */
int config_error(struct config_messages *messages, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void config_warn(struct config_messages *messages, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Help, from the table. */

/* The options of a command, by group, as --help shows them. */
void option_print_help(FILE *out, enum config_command command);

/* The environment variables that a command reads. */
void option_print_variables(FILE *out, enum config_command command);

/* Both of them for a man page (roff), for `weft run`. */
void option_print_man(FILE *out);

/* For the same: the options that can change while weft runs, as their names in the file. */
void option_print_live(FILE *out);

#endif
