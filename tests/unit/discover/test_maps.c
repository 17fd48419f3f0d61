/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/maps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

static void assert_view(struct view got, const char *expected)
{
	assert_int_equal(got.len, strlen(expected));
	assert_memory_equal(got.data, expected, got.len);
}

static void test_lines(void **state)
{
	struct view rest = VIEW("00400000-00401000 r-xp 00000000 fe:01 17       /usr/bin/a b\n"
				"7f00-7f10 rw-p 00001000 00:00 0 \n"
				"7f10-7f20 ---p 00001000 00:00 0            [anon:x]\n"
				"garbage\n"
				"\n");
	struct mapping mapping;
	uint64_t address = 0;

	(void)state;
	assert_true(maps_next(&rest, &mapping));
	assert_view(mapping.range, "00400000-00401000");
	assert_view(mapping.permissions, "r-xp");
	assert_view(mapping.path, "/usr/bin/a b");
	assert_int_equal(mapping_start(&mapping, &address), 0);
	assert_int_equal(address, 0x400000);
	assert_true(maps_next(&rest, &mapping));
	assert_view(mapping.path, "");
	assert_int_equal(mapping_start(&mapping, &address), 0);
	assert_int_equal(address, 0x7f00);
	assert_true(maps_next(&rest, &mapping));
	assert_view(mapping.path, "[anon:x]");
	assert_true(maps_next(&rest, &mapping));
	assert_view(mapping.range, "garbage");
	assert_view(mapping.permissions, "");
	assert_int_equal(mapping_start(&mapping, &address), -EBADMSG);
	assert_true(maps_next(&rest, &mapping));
	assert_view(mapping.range, "");
	assert_false(maps_next(&rest, &mapping));
}

static void test_addresses(void **state)
{
	struct mapping mapping = { .range = VIEW("ffffffffffffffff-0") };
	uint64_t address = 1;

	(void)state;
	assert_int_equal(mapping_start(&mapping, &address), 0);
	assert_true(address == UINT64_MAX);
	mapping.range = VIEW("10000000000000000-0");
	assert_int_equal(mapping_start(&mapping, &address), -EBADMSG);
	mapping.range = VIEW("7F00-0");
	assert_int_equal(mapping_start(&mapping, &address), -EBADMSG);
	assert_true(address == UINT64_MAX);
}

/* What the kernel calls them: %lx-%lx, where maps has eight digits at least. */
static void test_files(void **state)
{
	struct mapping mapping = { .range = VIEW("00400000-00401000") };
	char name[64];

	(void)state;
	assert_int_equal(mapping_file(&mapping, name, sizeof(name)), 0);
	assert_string_equal(name, "map_files/400000-401000");
	mapping.range = VIEW("7f0000400000-7f0000401000");
	assert_int_equal(mapping_file(&mapping, name, sizeof(name)), 0);
	assert_string_equal(name, "map_files/7f0000400000-7f0000401000");
	assert_int_equal(mapping_file(&mapping, name, 8), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests_name("discover/maps", tests, NULL, NULL);
}
