/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

static void test_defuse(void **state)
{
	char escape[] = "a\033[2Jb\n\x7f", c1[] = "x\xc2\x9bm",
	     fine[] = "caf\xc3\xa9 \xc2\xa0 \xe2\x82\xac";
	char cut[] = "z\xc2";

	(void)state;
	assert_string_equal(text_defuse(escape), "a?[2Jb??");
	assert_string_equal(text_defuse(c1), "x??m");
	assert_string_equal(text_defuse(fine), "caf\xc3\xa9 \xc2\xa0 \xe2\x82\xac");
	assert_string_equal(text_defuse(cut), "z\xc2");
}

static void test_table(void **state)
{
	char *cells[] = { (char *)"PID",
			  (char *)"NAME",
			  (char *)"LAST",
			  (char *)"1",
			  (char *)"caf\xc3\xa9s",
			  (char *)"x",
			  (char *)"4194304",
			  (char *)"",
			  (char *)"" };
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	table_print(out, cells, 3, 3);
	fclose(out);
	assert_string_equal(text, "PID      NAME   LAST\n"
				  "1        caf\xc3\xa9s  x\n"
				  "4194304         \n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defuse),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("cli/text", tests, NULL, NULL);
}
