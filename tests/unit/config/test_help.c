/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

static char *text_of(void (*print)(FILE *out, enum config_command command),
		     enum config_command command)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	print(out, command);
	fclose(out);
	return text;
}

static void test_help_has_every_flag(void **state)
{
	static const enum config_command commands[] = { CONFIG_RUN, CONFIG_DOCTOR, CONFIG_PS,
							CONFIG_TAIL };

	(void)state;
	for (size_t c = 0; c < sizeof(commands) / sizeof(commands[0]); c++) {
		char *help = text_of(option_print_help, commands[c]);

		for (size_t i = 0; i < n_options; i++) {
			bool wanted = options[i].commands & commands[c] &&
				      !(options[i].flags & OPTION_NO_FLAG);
			char flag[64], line[80];

			snprintf(line, sizeof(line), "  --%s%s",
				 option_flag(&options[i], flag, sizeof(flag)),
				 options[i].argument ? " " : "");
			if (!!strstr(help, line) != wanted)
				fail_msg("help of command %d and %s", (int)commands[c], line);
		}
		free(help);
	}
}

static void test_variables(void **state)
{
	char *text = text_of(option_print_variables, CONFIG_RUN);

	(void)state;
	for (size_t i = 0; i < n_options; i++)
		for (size_t j = 0; j < OPTION_VARIABLES_MAX && options[i].variables[j]; j++)
			assert_non_null(strstr(text, options[i].variables[j]));
	free(text);
}

/* No line is wider than a terminal is likely to be. */
static void test_width(void **state)
{
	char *help = text_of(option_print_help, CONFIG_RUN);

	(void)state;
	for (const char *line = help; *line; line += strcspn(line, "\n") + 1)
		assert_in_range(strcspn(line, "\n"), 0, 90);
	free(help);
}

static void test_help_tells_range_and_default(void **state)
{
	char *help = text_of(option_print_help, CONFIG_RUN);

	(void)state;
	assert_non_null(strstr(help, "(64 to 8192\n"));
	assert_non_null(strstr(help, "bytes; default 1024)"));
	assert_non_null(strstr(help, "(gzip, none; default gzip)"));
	free(help);
}

static void test_man_has_every_option(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	option_print_man(out);
	fclose(out);
	for (size_t i = 0; i < n_options; i++) {
		for (size_t j = 0; j < OPTION_VARIABLES_MAX && options[i].variables[j]; j++)
			assert_non_null(strstr(text, options[i].variables[j]));
		if (!(options[i].flags & (OPTION_NO_FLAG | OPTION_NO_FILE))) {
			char name[80];

			snprintf(name, sizeof(name), "In the file: \\fB%s\\fR", options[i].name);
			assert_non_null(strstr(text, name));
		}
	}
	/* A bare dash would become a hyphen, which nobody can paste into a shell. */
	assert_non_null(strstr(text, "\\-\\-request\\-head"));
	assert_null(strstr(text, " --"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help_has_every_flag),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_help_tells_range_and_default),
		cmocka_unit_test(test_man_has_every_option),
	};

	return cmocka_run_group_tests_name("config/help", tests, NULL, NULL);
}
