/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/command_line.h"

#include "fake_proc.h"

static const struct program_option options[] = {
	{ "-m", PROGRAM_MODULE },
	{ "-c", PROGRAM_CODE },
	{ "--module", PROGRAM_MODULE },
	{ 0 },
};

static const char *const values[] = { "--check", NULL };
static const char *const words[] = { "exec", NULL };

static const struct option_grammar grammar = {
	.programs = options,
	.short_values = "XW",
	.short_optional = "i",
	.values = values,
	.words = words,
	.skipped = '@',
};

static void assert_program(const char *data, size_t len, enum program_form form, const char *value,
			   size_t next)
{
	struct command_line command;
	struct program program;

	command_line_split((struct view){ .data = data, .len = len }, false, &command);
	program = program_find(&command, 1, &grammar);
	assert_int_equal(program.form, form);
	if (form == PROGRAM_NONE)
		return;
	assert_true(view_equal(program.value, view_of(value)));
	assert_int_equal(program.next, next);
}

static void test_programs(void **state)
{
	(void)state;
	assert_program(TEXT("p\0a.py\0b"), PROGRAM_SCRIPT, "a.py", 2);
	assert_program(TEXT("p\0-u\0-X\0dev\0a.py"), PROGRAM_SCRIPT, "a.py", 5);
	assert_program(TEXT("p\0-Xdev\0a.py"), PROGRAM_SCRIPT, "a.py", 3);
	assert_program(TEXT("p\0-uX\0dev\0a.py"), PROGRAM_SCRIPT, "a.py", 4);
	assert_program(TEXT("p\0-m\0app.main\0x"), PROGRAM_MODULE, "app.main", 3);
	assert_program(TEXT("p\0-mapp.main"), PROGRAM_MODULE, "app.main", 2);
	assert_program(TEXT("p\0-um\0app.main"), PROGRAM_MODULE, "app.main", 3);
	assert_program(TEXT("p\0--module=app"), PROGRAM_MODULE, "app", 2);
	assert_program(TEXT("p\0-ibak\0a.py"), PROGRAM_SCRIPT, "a.py", 3);
	assert_program(TEXT("p\0-c\0print(1)"), PROGRAM_CODE, "print(1)", 3);
	assert_program(TEXT("p\0--check\0always\0--other\0a"), PROGRAM_SCRIPT, "a", 5);
	assert_program(TEXT("p\0@file\0exec\0a"), PROGRAM_SCRIPT, "a", 4);
	assert_program(TEXT("p\0--\0-m"), PROGRAM_SCRIPT, "-m", 3);
	assert_program(TEXT("p\0-\0a"), PROGRAM_NONE, NULL, 0);
	assert_program(TEXT("p\0-m"), PROGRAM_NONE, NULL, 0);
	assert_program(TEXT("p\0-X"), PROGRAM_NONE, NULL, 0);
	assert_program(TEXT("p"), PROGRAM_NONE, NULL, 0);
	assert_program(TEXT(""), PROGRAM_NONE, NULL, 0);
}

static void test_split(void **state)
{
	struct command_line command;

	(void)state;
	command_line_split(VIEW("a\0\0b\0\0\0\0"), false, &command);
	assert_int_equal(command.n, 3);
	assert_int_equal(command.args[1].len, 0);
	/* the cut argument goes, the first one stays */
	command_line_split(VIEW("a\0bc"), true, &command);
	assert_int_equal(command.n, 1);
	command_line_split(VIEW("a\0bc\0"), true, &command);
	assert_int_equal(command.n, 2);
	command_line_split(VIEW("abc"), true, &command);
	assert_int_equal(command.n, 1);
	assert_int_equal(command_line_arg(&command, 1).len, 0);
}

static void test_many(void **state)
{
	struct command_line command;
	char data[4 * COMMAND_LINE_ARGS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i % 2 ? '\0' : 'x';
	command_line_split((struct view){ .data = data, .len = sizeof(data) }, false, &command);
	assert_int_equal(command.n, COMMAND_LINE_ARGS_MAX);
}

static void test_title(void **state)
{
	struct command_line command;

	(void)state;
	command_line_split(VIEW("node  /srv/server.js\0"), false, &command);
	assert_true(command_line_split_title(&command));
	assert_int_equal(command.n, 2);
	assert_true(view_equal(command.args[1], VIEW("/srv/server.js")));
	command_line_split(VIEW("a b\0c\0"), false, &command);
	assert_false(command_line_split_title(&command));
	assert_int_equal(command.n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_title),
	};

	return cmocka_run_group_tests_name("discover/command_line", tests, NULL, NULL);
}
