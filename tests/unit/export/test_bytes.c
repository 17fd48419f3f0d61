/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "export/bytes.h"

static void grows_and_keeps_its_content(void **state)
{
	struct bytes bytes = { 0 };
	uint8_t *memory;

	(void)state;
	for (unsigned int i = 0; i < 5000; i++) {
		uint8_t byte = (uint8_t)(i * 7);

		bytes_append(&bytes, &byte, 1);
	}
	assert_int_equal(bytes.len, 5000);
	for (unsigned int i = 0; i < 5000; i++)
		assert_int_equal(bytes.data[i], (uint8_t)(i * 7));
	memory = bytes.data;
	bytes_empty(&bytes);
	assert_int_equal(bytes.len, 0);
	assert_ptr_equal(bytes.data, memory);
	bytes_append(&bytes, NULL, 0);
	assert_int_equal(bytes.len, 0);
	bytes_free(&bytes);
}

static void failure_sticks(void **state)
{
	struct bytes bytes = { 0 };

	(void)state;
	bytes_append(&bytes, "abc", 3);
	assert_null(bytes_reserve(&bytes, SIZE_MAX - 1));
	assert_null(bytes_reserve(&bytes, SIZE_MAX / 2 + 1));
	assert_true(bytes.failed);
	bytes_append(&bytes, "d", 1);
	assert_int_equal(bytes.len, 3);
	bytes_empty(&bytes);
	bytes_append(&bytes, "d", 1);
	assert_false(bytes.failed);
	assert_int_equal(bytes.len, 1);
	bytes_free(&bytes);
}

static void array_has_room_for_one_more(void **state)
{
	uint32_t *numbers = NULL;
	size_t cap = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(array_grow((void **)&numbers, &cap, i, sizeof(*numbers)), 0);
		assert_true(cap > i);
		numbers[i] = i;
	}
	assert_int_equal(numbers[99], 99);
	free(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_keeps_its_content),
		cmocka_unit_test(failure_sticks),
		cmocka_unit_test(array_has_room_for_one_more),
	};

	return cmocka_run_group_tests_name("export/bytes", tests, NULL, NULL);
}
