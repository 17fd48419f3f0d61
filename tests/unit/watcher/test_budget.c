/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "base/clock.h"
#include "watcher/budget.h"

#define WINDOW	   FOLLOW_WINDOW_NS
#define PERCENT(n) (WINDOW / 100 * (n))

static uint64_t follow(uint64_t before, uint64_t idle, uint64_t weft, unsigned int percent)
{
	const struct budget_window window = { .length = WINDOW, .idle = idle, .weft = weft };

	return budget_follow(before, &window, percent);
}

static void test_nothing_is_held_back(void **state)
{
	(void)state;
	/* with time to spare, whatever weft takes; or busy with other things; or without a limit */
	assert_int_equal(follow(0, PERCENT(40), PERCENT(30), 5), 0);
	assert_int_equal(follow(0, 0, PERCENT(4), 5), 0);
	assert_int_equal(follow(0, 0, PERCENT(60), 0), 0);
	assert_int_equal(follow(WINDOW / 2, 0, PERCENT(60), 0), 0);
}

static void test_busy(void **state)
{
	uint64_t now = follow(0, PERCENT(3), PERCENT(20), 5);

	(void)state;
	/* four times too much: a quarter of the time is left */
	assert_in_range(now, WINDOW / 4 - 1000, WINDOW / 4 + 1000);
	/* and of that a half, when it was still twice too much */
	assert_in_range(follow(now, 0, PERCENT(10), 5), WINDOW / 8 - 1000, WINDOW / 8 + 1000);
	/* what is right stays */
	assert_int_equal(follow(now, 0, PERCENT(5) - 1000, 5), now);
}

static void test_never_blind(void **state)
{
	uint64_t now = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		now = follow(now, 0, WINDOW, 1);
	assert_int_equal(now, WINDOW / 64);
}

static void test_time_to_spare_again(void **state)
{
	uint64_t now = WINDOW / 64;
	int windows = 0;

	(void)state;
	while (now && windows < 100) {
		uint64_t next = follow(now, PERCENT(50), PERCENT(1), 5);

		assert_true(!next || next > now);
		now = next;
		windows++;
	}
	/* some ten seconds */
	assert_in_range(windows, 2, 20);
}

/* Nobody looked for a while: the window is longer, shares count. */
static void test_long_window(void **state)
{
	const struct budget_window window = { .length = 10 * WINDOW, .weft = 10 * PERCENT(10) };

	(void)state;
	assert_in_range(budget_follow(0, &window, 5), WINDOW / 2 - 1000, WINDOW / 2 + 1000);
	assert_int_equal(budget_follow(7, &(struct budget_window){}, 5), 7);
}

static void test_read_idle(void **state)
{
	const char *text = "cpu  10 20 30 400 50 6 7 8 9 10\n"
			   "cpu0 1 2 3 100 20 6 7 8 9 10\n"
			   "cpu2 1 2 3 300 0 6 7 8 9 10\n"
			   "cpu900 1 2 3 300 0 6 7 8 9 10\n"
			   "cpuidle 1\n"
			   "intr 1 2 3";
	uint64_t tick = NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t idle[4] = { 1, 2, 3, 4 };

	(void)state;
	assert_int_equal(budget_read_idle(text, idle, 4), 2);
	assert_int_equal(idle[0], 120 * tick);
	assert_int_equal(idle[1], 2); /* it was taken out */
	assert_int_equal(idle[2], 300 * tick);
	assert_int_equal(idle[3], 4);
	assert_int_equal(budget_read_idle("", idle, 4), 0);
	assert_int_equal(budget_read_idle("cpu1 1 2 3", idle, 4), 0);
	assert_int_equal(budget_read_idle("cpu1 1 2 3 x y\ncpu", idle, 4), 0);
	assert_int_equal(idle[1], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_held_back),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_never_blind),
		cmocka_unit_test(test_time_to_spare_again),
		cmocka_unit_test(test_long_window),
		cmocka_unit_test(test_read_idle),
	};

	return cmocka_run_group_tests_name("watcher/budget", tests, NULL, NULL);
}
