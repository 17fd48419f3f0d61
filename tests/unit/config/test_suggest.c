/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "config/suggest.h"

static void test_nearest(void **state)
{
	static const char *const known[] = { "run", "doctor", "ps", "tail", "request-head" };
	static const char *const cases[][2] = {
		{ "rnu", "run" },
		{ "doctr", "doctor" },
		{ "tial", "tail" },
		{ "reqest-haed", "request-head" },
		{ "req", "request-head" },
		{ "xyz", "" },
		{ "p", "" },
		{ "", "" },
		{ "completely-else", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct suggest suggest;

		suggest_init(&suggest, cases[i][0]);
		for (size_t j = 0; j < sizeof(known) / sizeof(known[0]); j++)
			suggest_offer(&suggest, known[j]);
		assert_string_equal(suggest.best, cases[i][1]);
	}
}

static void test_endless_word(void **state)
{
	struct suggest suggest;
	char word[4096];

	(void)state;
	memset(word, 'a', sizeof(word));
	word[sizeof(word) - 1] = '\0';
	suggest_init(&suggest, word);
	suggest_offer(&suggest, "aaaa");
	assert_string_equal(suggest.best, "");
	/* The longest that is looked at, against itself but for one letter. */
	word[SUGGEST_WORD_MAX] = '\0';
	suggest_init(&suggest, word);
	suggest_offer(&suggest, word + 1);
	assert_string_equal(suggest.best, word + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_endless_word),
	};

	return cmocka_run_group_tests_name("config/suggest", tests, NULL, NULL);
}
