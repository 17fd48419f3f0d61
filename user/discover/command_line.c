/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/command_line.h"

#include "discover/text.h"

static void drop_empty_tail(struct command_line *command)
{
	while (command->n > 1 && command->args[command->n - 1].len == 0)
		command->n--;
}

void command_line_split(struct view data, bool cut, struct command_line *ret_command)
{
	bool last_whole = data.len == 0 || data.data[data.len - 1] == '\0';
	bool all = true;
	struct view arg;

	ret_command->n = 0;
	while (text_next(&data, '\0', &arg)) {
		if (ret_command->n == COMMAND_LINE_ARGS_MAX) {
			all = false;
			break;
		}
		ret_command->args[ret_command->n++] = arg;
	}
	if (cut && !last_whole && all && ret_command->n > 1)
		ret_command->n--;
	drop_empty_tail(ret_command);
}

bool command_line_split_title(struct command_line *command)
{
	struct view title = command_line_arg(command, 0), word;

	if (command->n != 1 || text_index(title, ' ') < 0)
		return false;
	command->n = 0;
	while (command->n < COMMAND_LINE_ARGS_MAX && text_next(&title, ' ', &word))
		if (word.len > 0)
			command->args[command->n++] = word;
	return true;
}

struct view command_line_arg(const struct command_line *command, size_t i)
{
	return i < command->n ? command->args[i] : (struct view){ 0 };
}

static struct program program_at(const struct command_line *command, size_t i,
				 enum program_form form)
{
	if (i >= command->n)
		return (struct program){ .form = PROGRAM_NONE, .next = command->n };
	return (struct program){ .form = form, .value = command->args[i], .next = i + 1 };
}

static const struct program_option *program_option_find(const struct option_grammar *grammar,
							struct view name)
{
	for (const struct program_option *option = grammar->programs; option->name; option++)
		if (view_equal(name, view_of(option->name)))
			return option;
	return NULL;
}

/* "-m module" and "--module=module". */
static bool whole_option(const struct command_line *command, size_t *i,
			 const struct option_grammar *grammar, struct program *ret_program)
{
	struct view arg = command->args[*i], name = arg;
	const struct program_option *option = program_option_find(grammar, arg);
	long equals = text_index(arg, '=');

	if (option) {
		*ret_program = program_at(command, *i + 1, option->form);
		return true;
	}
	if (equals < 0)
		return false;
	name.len = (size_t)equals;
	option = program_option_find(grammar, name);
	if (!option)
		return false;
	*ret_program = program_at(command, *i, option->form);
	ret_program->value = view_from(arg, (size_t)equals + 1);
	return true;
}

static bool has_letter(const char *letters, char c)
{
	return letters && c != '\0' && strchr(letters, c);
}

/* "-um module", "-Xdev", "-W ignore": letters that share one dash. */
static bool short_options(const struct command_line *command, size_t *i,
			  const struct option_grammar *grammar, struct program *ret_program)
{
	struct view arg = command->args[*i];

	for (size_t at = 1; at < arg.len; at++) {
		char name[] = { '-', arg.data[at], '\0' };
		const struct program_option *option =
			program_option_find(grammar, (struct view){ .data = name, .len = 2 });
		struct view rest = view_from(arg, at + 1);

		if (option) {
			*ret_program = program_at(command, rest.len ? *i : *i + 1, option->form);
			if (rest.len > 0)
				ret_program->value = rest;
			return true;
		}
		if (has_letter(grammar->short_optional, arg.data[at]))
			return false;
		if (has_letter(grammar->short_values, arg.data[at])) {
			*i += rest.len == 0;
			return false;
		}
	}
	return false;
}

/* True: the option at `*i` said what runs. Otherwise `*i` is at the last argument it took. */
static bool option_take(const struct command_line *command, size_t *i,
			const struct option_grammar *grammar, struct program *ret_program)
{
	struct view arg = command->args[*i];

	if (whole_option(command, i, grammar, ret_program))
		return true;
	if (text_in(arg, grammar->values)) {
		++*i;
		return false;
	}
	if (grammar->short_values && arg.data[1] != '-')
		return short_options(command, i, grammar, ret_program);
	return false;
}

struct program program_find(const struct command_line *command, size_t from,
			    const struct option_grammar *grammar)
{
	struct program program;

	for (size_t i = from; i < command->n; i++) {
		struct view arg = command->args[i];

		if (arg.len == 0 || text_in(arg, grammar->words))
			continue;
		if (view_equal(arg, VIEW("--")))
			return program_at(command, i + 1, PROGRAM_SCRIPT);
		if (view_equal(arg, VIEW("-")))
			break; /* the program comes from standard input */
		if (arg.data[0] == '-') {
			if (option_take(command, &i, grammar, &program))
				return program;
		} else if (!grammar->skipped || arg.data[0] != grammar->skipped) {
			return program_at(command, i, PROGRAM_SCRIPT);
		}
	}
	return (struct program){ .form = PROGRAM_NONE, .next = command->n };
}
