/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table as text: for --help and for the man page.
 */
#include <string.h>

#include "config/option.h"

#define HELP_INDENT	26
#define VARIABLE_INDENT 48
#define HELP_WIDTH	90

/* `left`, and from column `indent` on the words of `text`, wrapped at HELP_WIDTH. */
static void print_entry(FILE *out, const char *left, const char *text, size_t indent)
{
	size_t column = indent;

	if (strlen(left) + 2 > indent)
		fprintf(out, "%s\n%*s", left, (int)indent, "");
	else
		fprintf(out, "%-*s", (int)indent, left);
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > indent && column + 1 + len > HELP_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)len, text);
		column += len;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* What is accepted and what counts without the option: "(from 256 to 8192, default 8192)". */
static void help_range(const struct option *option, char *text, size_t size)
{
	const char *preset = option->preset;
	char range[160] = "";

	if (option->type == TYPE_BOOL)
		preset = NULL;
	if (option->words)
		option_accepted(option, range, sizeof(range));
	else if (option->type == TYPE_NUMBER || option->type == TYPE_POWER_OF_TWO)
		snprintf(range, sizeof(range), "%s%ju to %ju%s%s",
			 option->type == TYPE_POWER_OF_TWO ? "a power of two, " : "",
			 (uintmax_t)option->min, (uintmax_t)option->max, option->unit ? " " : "",
			 option->unit ? option->unit : "");
	else if (option->type == TYPE_NUMBERS || option->type == TYPE_FRACTION)
		snprintf(range, sizeof(range), "%ju to %ju", (uintmax_t)option->min,
			 (uintmax_t)option->max);
	text[0] = '\0';
	if (range[0] || preset)
		snprintf(text, size, "(%s%s%s%s)", range, range[0] && preset ? "; " : "",
			 preset ? "default " : "", preset ? preset : "");
}

static void print_option(FILE *out, const struct option *option)
{
	char flag[64], left[96], range[256], text[640];

	option_flag(option, flag, sizeof(flag));
	snprintf(left, sizeof(left), "  --%s%s%s", flag, option->argument ? " " : "",
		 option->argument ? option->argument : "");
	help_range(option, range, sizeof(range));
	snprintf(text, sizeof(text), "%s%s%s", option->help, range[0] ? " " : "", range);
	print_entry(out, left, text, HELP_INDENT);
}

static bool is_flag_of(const struct option *option, enum config_command command)
{
	return option->commands & command && !(option->flags & OPTION_NO_FLAG);
}

void option_print_help(FILE *out, enum config_command command)
{
	for (int group = 0; group < GROUP_MAX; group++) {
		bool titled = false;

		for (size_t i = 0; i < n_options; i++) {
			if ((int)options[i].group != group || !is_flag_of(&options[i], command))
				continue;
			if (!titled)
				fprintf(out, "\n%s:\n", option_groups[group]);
			titled = true;
			print_option(out, &options[i]);
		}
	}
}

/* What a variable does: what its flag does, or its own words where there is no flag. */
static void print_variable(FILE *out, const struct option *option, const char *name)
{
	char flag[64], left[96], text[512];

	snprintf(left, sizeof(left), "  %s", name);
	if (option->flags & OPTION_NO_FLAG)
		snprintf(text, sizeof(text), "%s", option->help);
	else
		snprintf(text, sizeof(text), "as --%s", option_flag(option, flag, sizeof(flag)));
	print_entry(out, left, text, VARIABLE_INDENT);
}

void option_print_variables(FILE *out, enum config_command command)
{
	for (size_t i = 0; i < n_options; i++)
		for (size_t j = 0; j < OPTION_VARIABLES_MAX; j++)
			if (options[i].commands & command && options[i].variables[j])
				print_variable(out, &options[i], options[i].variables[j]);
}

/* Text for roff: a dash is a minus, and no line starts with a control character. */
static void print_roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
	}
}

static void man_option(FILE *out, const struct option *option)
{
	char flag[64], range[256];

	fputs(".TP\n\\fB\\-\\-", out);
	print_roff(out, option_flag(option, flag, sizeof(flag)));
	fprintf(out, "\\fR%s%s%s\n", option->argument ? " \\fI" : "",
		option->argument ? option->argument : "", option->argument ? "\\fR" : "");
	print_roff(out, option->help);
	help_range(option, range, sizeof(range));
	if (range[0])
		fputc('\n', out);
	print_roff(out, range);
	if (!(option->flags & OPTION_NO_FILE)) {
		fputs("\n.br\nIn the file: \\fB", out);
		print_roff(out, option->name);
		fputs("\\fR", out);
	}
	for (size_t j = 0; j < OPTION_VARIABLES_MAX && option->variables[j]; j++)
		fprintf(out, "%s\\fB%s\\fR",
			j ? ", " : "\n.br\nIn the environment: ", option->variables[j]);
	fputc('\n', out);
}

static void man_group(FILE *out, int group)
{
	fputs(".SS ", out);
	print_roff(out, option_groups[group]);
	fputc('\n', out);
	for (size_t i = 0; i < n_options; i++)
		if ((int)options[i].group == group && !(options[i].flags & OPTION_NO_FLAG))
			man_option(out, &options[i]);
}

void option_print_man(FILE *out)
{
	fputs(".SH OPTIONS\n", out);
	for (int group = 0; group < GROUP_MAX; group++)
		man_group(out, group);
	fputs(".SH ENVIRONMENT\nAn empty variable counts as one that is not set. A bad number or "
	      "word "
	      "is told and passed over; a bad address or file is an error.\n",
	      out);
	for (size_t i = 0; i < n_options; i++) {
		if (!(options[i].flags & OPTION_NO_FLAG) || !options[i].variables[0])
			continue;
		fprintf(out, ".TP\n\\fB%s\\fR\n", options[i].variables[0]);
		print_roff(out, options[i].help);
		fputc('\n', out);
	}
}

void option_print_live(FILE *out)
{
	const char *separator = "";

	for (size_t i = 0; i < n_options; i++) {
		if (!(options[i].flags & OPTION_LIVE) || options[i].flags & OPTION_NO_FILE)
			continue;
		fprintf(out, "%s\\fB", separator);
		print_roff(out, options[i].name);
		fputs("\\fR", out);
		separator = ",\n";
	}
}
