/* SPDX-License-Identifier: Apache-2.0 */
/* The table, its help, and what the commands say of bad command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "config/option.h"

#define ARGUMENTS(...)                                                                             \
	(char *[])                                                                                 \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static char *help_of(const struct command *command)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	if (command)
		help_print_command(out, command);
	else
		help_print(out);
	fclose(out);
	return text;
}

static void test_table(void **state)
{
	static const char *const names[] = { "run", "doctor", "ps", "tail", "version", "help" };
	char *help = help_of(NULL);

	(void)state;
	assert_int_equal(n_commands, sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < n_commands; i++) {
		const struct command *command = command_find(names[i]);

		assert_non_null(command);
		assert_non_null(command->run);
		assert_non_null(strstr(help, command->summary));
	}
	assert_null(command_find("ru"));
	assert_null(command_find(""));
	free(help);
}

static void test_nearest(void **state)
{
	char text[64];

	(void)state;
	assert_string_equal(command_nearest("docter", text, sizeof(text)), "doctor");
	assert_string_equal(command_nearest("start", text, sizeof(text)), "");
}

/* Each command's help names each of its options; that of `run` each variable too. */
static void test_help_is_whole(void **state)
{
	(void)state;
	for (size_t c = 0; c < n_commands; c++) {
		char *help = help_of(&commands[c]);

		assert_non_null(strstr(help, commands[c].summary));
		for (size_t i = 0; i < n_options; i++) {
			char flag[64], text[80];

			snprintf(text, sizeof(text), "  --%s",
				 option_flag(&options[i], flag, sizeof(flag)));
			if (options[i].commands & commands[c].options &&
			    !(options[i].flags & OPTION_NO_FLAG))
				assert_non_null(strstr(help, text));
			if (commands[c].options == CONFIG_RUN && options[i].variables[0] &&
			    options[i].commands & CONFIG_RUN)
				assert_non_null(strstr(help, options[i].variables[0]));
		}
		free(help);
	}
}

static void test_man_page(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	help_print_man(out);
	fclose(out);
	assert_int_equal(strncmp(text, ".TH WEFT 8 ", 11), 0);
	for (size_t i = 0; i < n_commands; i++)
		assert_non_null(strstr(text, commands[i].summary));
	assert_non_null(strstr(text, ".SH EXIT STATUS"));
	free(text);
}

/* What a command writes on standard error, and its exit status. */
static char *errors_of(int (*run)(int argc, char **argv), int argc, char **argv, int *ret_status)
{
	char path[] = "/tmp/weft-test-XXXXXX", *text = calloc(1, 4096);
	int file = mkstemp(path), saved = dup(STDERR_FILENO);

	assert_non_null(text);
	assert_true(file >= 0 && saved >= 0);
	unlink(path);
	dup2(file, STDERR_FILENO);
	*ret_status = run(argc, argv);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_true(pread(file, text, 4095, 0) >= 0);
	close(file);
	return text;
}

static void check_refusal(int (*run)(int argc, char **argv), int argc, char **argv,
			  const char *wanted)
{
	int status;
	char *text = errors_of(run, argc, argv, &status);

	assert_int_equal(status, STATUS_USAGE);
	assert_string_equal(text, wanted);
	free(text);
}

static void test_refusals(void **state)
{
	char run[] = "run", ps[] = "ps", tail[] = "tail", version[] = "version", help[] = "help";
	char port[] = "--port=x", jsno[] = "--jsno", word[] = "word";

	(void)state;
	check_refusal(
		cli_run, 2, ARGUMENTS(run, port),
		"weft: error: --port: 'x' is not a whole number; accepted: whole numbers from 1 to "
		"65535\n");
	check_refusal(cli_ps, 2, ARGUMENTS(ps, jsno),
		      "weft: error: --jsno: unknown option; did you mean --json?\n");
	check_refusal(
		cli_tail, 2, ARGUMENTS(tail, word),
		"weft: error: 'word': unexpected argument; options start with --, --help lists "
		"them\n");
	check_refusal(cli_version, 2, ARGUMENTS(version, word),
		      "weft: error: version: 'word': unexpected argument; it takes none\n");
	check_refusal(cli_help, 2, ARGUMENTS(help, word),
		      "weft: error: help: 'word' is no command; 'weft help' lists them\n");
}

static void test_no_daemon(void **state)
{
	char ps[] = "ps", socket[] = "--socket=/nowhere/s";
	int (*const clients[])(int argc, char **argv) = { cli_ps, cli_tail };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int status;
		char *text = errors_of(clients[i], 2, ARGUMENTS(ps, socket), &status);

		assert_int_equal(status, STATUS_FAILURE);
		assert_string_equal(text,
				    "weft: error: weft is not running (no socket at /nowhere/s): "
				    "start it with 'weft run'\n");
		free(text);
	}
}

static void test_disabled(void **state)
{
	char run[] = "run", *text;
	int status;

	(void)state;
	setenv("OTEL_SDK_DISABLED", "true", 1);
	text = errors_of(cli_run, 1, ARGUMENTS(run), &status);
	unsetenv("OTEL_SDK_DISABLED");
	assert_int_equal(status, STATUS_OK);
	assert_string_equal(text, "weft: disabled by OTEL_SDK_DISABLED: nothing is traced\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	      cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_help_is_whole), cmocka_unit_test(test_man_page),
		cmocka_unit_test(test_refusals),      cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_disabled),
	};

	/* The commands read the environment, which is none of the tests' business. */
	clearenv();
	return cmocka_run_group_tests_name("cli/command", tests, NULL, NULL);
}
