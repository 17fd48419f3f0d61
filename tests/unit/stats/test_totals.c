/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "stats/totals.h"

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(drop_reason_name(DROP_RING_FULL), "ring_full");
	assert_string_equal(drop_reason_name(DROP_PIPELINE_CRASH), "pipeline_crash");
	for (int i = 0; i < DROP_MAX; i++) {
		assert_non_null(drop_reason_name((enum drop_reason)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(drop_reason_name((enum drop_reason)i),
						drop_reason_name((enum drop_reason)j));
	}
}

static void test_sums(void **state)
{
	struct totals totals = { .captured = 1000, .exported = 300 };
	uint64_t sum = 0;

	(void)state;
	for (int i = 0; i < DROP_MAX; i++) {
		totals.dropped[i] = (uint64_t)i + 1;
		sum += (uint64_t)i + 1;
	}
	assert_int_equal(totals_dropped(&totals), sum);
	assert_int_equal(totals_open(&totals), 700 - sum);
	/* counters are read at different moments: more may have left than came */
	totals.captured = 1;
	assert_int_equal(totals_open(&totals), 0);
}

static void test_line(void **state)
{
	static const struct {
		struct totals totals;
		const char *expected;
	} rows[] = {
		{ { 0 }, "captured 0 = exported 0 + dropped 0" },
		{ { .captured = 5, .exported = 5 }, "captured 5 = exported 5 + dropped 0" },
		{ { .captured = 5, .exported = 3 },
		  "captured 5 = exported 3 + dropped 0 + open 2" },
		{ { .captured = 10, .exported = 8, .dropped = { [DROP_RING_FULL] = 1 } },
		  "captured 10 = exported 8 + dropped 1 (ring_full 1) + open 1" },
		{ { .captured = 9,
		    .dropped = { [DROP_RING_FULL] = 2,
				 [DROP_NO_MEMORY] = 3,
				 [DROP_REJECTED] = 4 } },
		  "captured 9 = exported 0 + dropped 9 (ring_full 2, no_memory 3, rejected 4)" },
		{ { .captured = UINT64_MAX, .exported = UINT64_MAX },
		  "captured 18446744073709551615 = exported 18446744073709551615 + dropped 0" },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_ptr_equal(totals_line(&rows[i].totals, text, sizeof(text)), text);
		assert_string_equal(text, rows[i].expected);
	}
}

/* A text of any size is cut to fit, and no byte is written behind it. */
static void test_line_cut(void **state)
{
	struct totals totals = { .captured = 123456, .exported = 7 };
	char whole[1024];
	size_t len;

	(void)state;
	for (int i = 0; i < DROP_MAX; i++)
		totals.dropped[i] = (uint64_t)i + 1;
	totals_line(&totals, whole, sizeof(whole));
	len = strlen(whole);
	assert_non_null(strstr(whole, "pipeline_crash"));
	assert_non_null(strstr(whole, ") + open "));
	for (size_t size = 1; size <= len + 1; size++) {
		_cleanup_free_ char *text = malloc(size);

		assert_non_null(text);
		totals_line(&totals, text, size);
		assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, whole, size - 1);
	}
}

static void test_losses(void **state)
{
	struct totals totals = { 0 };
	char whole[1024];
	size_t len;

	(void)state;
	/* what was followed is no loss */
	totals.kernel[STAT_REQUESTS] = 5;
	totals.kernel[STAT_RESPONSES] = 5;
	assert_string_equal(totals_losses(&totals, whole, sizeof(whole)), "");
	totals.kernel[STAT_UNFRAMED] = 2;
	assert_string_equal(totals_losses(&totals, whole, sizeof(whole)), "unframed 2");
	totals.kernel[STAT_COMPAT] = 1;
	assert_string_equal(totals_losses(&totals, whole, sizeof(whole)),
			    "unframed 2, compat_abi 1");
	totals.missed = 7;
	assert_string_equal(totals_losses(&totals, whole, sizeof(whole)),
			    "unframed 2, compat_abi 1, missed_program_runs 7");
	len = strlen(whole);
	for (size_t size = 1; size <= len + 1; size++) {
		_cleanup_free_ char *text = malloc(size);

		assert_non_null(text);
		totals_losses(&totals, text, size);
		assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, whole, size - 1);
	}
	totals = (struct totals){ .missed = 7 };
	assert_string_equal(totals_losses(&totals, whole, sizeof(whole)), "missed_program_runs 7");
}

static json_int_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	assert_non_null(value);
	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void test_json(void **state)
{
	struct totals totals = {
		.captured = 100,
		.exported = 60,
		.missed = 4,
		.restarts = 5,
		.bad_records = 6,
		.unmatched_records = 7,
	};
	const json_t *dropped, *kernel;
	json_t *json;

	(void)state;
	for (int i = 0; i < DROP_MAX; i++)
		totals.dropped[i] = (uint64_t)i;
	for (int i = 0; i < STAT_MAX; i++)
		totals.kernel[i] = 1000 + (uint64_t)i;
	json = totals_json(&totals);
	assert_non_null(json);
	assert_int_equal(number(json, "captured"), 100);
	assert_int_equal(number(json, "exported"), 60);
	assert_int_equal(number(json, "open"), totals_open(&totals));
	assert_int_equal(number(json, "missed_program_runs"), 4);
	assert_int_equal(number(json, "pipeline_restarts"), 5);
	assert_int_equal(number(json, "bad_records"), 6);
	assert_int_equal(number(json, "unmatched_records"), 7);
	dropped = json_object_get(json, "dropped");
	assert_int_equal(json_object_size(dropped), DROP_MAX);
	for (int i = 0; i < DROP_MAX; i++)
		assert_int_equal(number(dropped, drop_reason_name((enum drop_reason)i)), i);
	kernel = json_object_get(json, "kernel");
	assert_int_equal(json_object_size(kernel), STAT_MAX);
	assert_int_equal(number(kernel, "requests"), 1000 + STAT_REQUESTS);
	assert_int_equal(number(kernel, "ring_full"), 1000 + STAT_RING_FULL);
	assert_int_equal(number(kernel, "response_without_request"), 1000 + STAT_ORPHAN);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_sums),
		cmocka_unit_test(test_line),   cmocka_unit_test(test_line_cut),
		cmocka_unit_test(test_losses), cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("stats/totals", tests, NULL, NULL);
}
