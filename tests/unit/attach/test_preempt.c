/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attach/preempt.h"

static const struct {
	const char *version;
	const char *modes;
	const char *command_line;
	bool on;
} rows[] = {
	/* what Debian, Ubuntu, JetPack and a real-time kernel say */
	{ "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)", "none (voluntary) full\n", "",
	  false },
	{ "#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-11-16)", "none voluntary (full) lazy\n",
	  "quiet", true },
	{ "#1 SMP PREEMPT_DYNAMIC Debian 7.2.12-1~bpo13+1 (2026-11-04)", "full (lazy)\n", "",
	  false },
	{ "#101~22.04.1-Ubuntu SMP Thu Jul 11 17:13:19 UTC 2", "", "preempt=full", false },
	{ "#1 SMP PREEMPT Tue Jul 8 06:31:05 PDT 2025", "", "", true },
	{ "#1 SMP PREEMPT_RT Debian 7.2.12-1~bpo13+1 (2026-11-04)", "", "", true },
	/* nobody says which mode is in force: then what the boot was told counts */
	{ "#1 SMP PREEMPT_DYNAMIC @0", "", "quiet preempt=full console=ttyS0\n", true },
	{ "#1 SMP PREEMPT_DYNAMIC @0", "", "quiet preempt=fullest rcu.preempt=full\n", false },
	{ "#1 SMP PREEMPT_DYNAMIC @0", "", "", false },
	/* the mode in force wins over what the boot was told: it can be changed */
	{ "#1 SMP PREEMPT_DYNAMIC @0", "(none) voluntary full\n", "preempt=full", false },
	{ "#1 SMP PREEMPT_LAZY @0", "", "", false },
	{ "#1 SMP NOT_PREEMPT @0", "", "", false },
	{ "", "", "", false },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (preempt_is_said(rows[i].version, rows[i].modes, rows[i].command_line) !=
		    rows[i].on)
			fail_msg("row %zu, \"%s\": expected %d", i, rows[i].version, rows[i].on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests_name("attach/preempt", tests, NULL, NULL);
}
