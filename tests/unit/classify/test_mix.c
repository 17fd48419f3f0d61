/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/mix.h"

/* The first numbers that SplitMix64 gives, of the seed 0, as its authors' program prints them. */
static void test_reference(void **state)
{
	(void)state;
	assert_true(mix_id(0, 0, 1) == 0xe220a8397b1dcdafULL);
	assert_true(mix_id(0, 0, 2) == 0x6e789e6aa1b965f4ULL);
	assert_true(mix_id(0, 0, 3) == 0x06c45d188009454fULL);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Streams of one call, three ids each. */
static void test_all_different(void **state)
{
	static const uint64_t seeds[] = { 0, 1, 0x9e3779b97f4a7c15ULL, ~0ULL };
	static uint64_t ids[3 * 1024];

	(void)state;
	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		size_t n = 0;

		for (uint32_t stream = 0x7ffff801; stream <= 0x7fffffff; stream += 2)
			for (uint32_t which = 0; which < 3; which++)
				ids[n++] = mix_id(seeds[i], stream, which);
		assert_int_equal(n, 3 * 1024);
		qsort(ids, n, sizeof(ids[0]), compare);
		for (size_t k = 0; k + 1 < n; k++)
			assert_true(ids[k] != ids[k + 1]);
	}
}

/* What the finaliser makes zero of is an id all the same. */
static void test_never_zero(void **state)
{
	(void)state;
	assert_true(mix_id(0, 0, 0) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_all_different),
		cmocka_unit_test(test_never_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
