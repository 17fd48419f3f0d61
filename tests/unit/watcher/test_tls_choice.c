/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "watcher/tls_choice.h"

static void test_said(void **state)
{
	struct config config = { .tls = CONFIG_TLS_ON };
	struct tls_choice choice;

	(void)state;
	tls_choose(&config, &choice);
	assert_true(choice.on && choice.stepped);
	assert_string_equal(choice.reason, "");
	config.tls = CONFIG_TLS_OFF;
	tls_choose(&config, &choice);
	assert_false(choice.on || choice.stepped);
	assert_string_equal(choice.reason, "");
}

/* Whatever this host makes of it: where it is off there is a reason. */
static void test_measured(void **state)
{
	struct config config = { .tls = CONFIG_TLS_AUTO };
	struct tls_choice choice;

	(void)state;
	tls_choose(&config, &choice);
	assert_int_equal(choice.on && choice.stepped, choice.reason[0] == 0);
	assert_true(choice.on || !choice.stepped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_said),
		cmocka_unit_test(test_measured),
	};

	return cmocka_run_group_tests_name("watcher/tls_choice", tests, NULL, NULL);
}
