/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hashmap.h"

#define MANY 5000u

static void fill(struct hashmap *map, uint32_t from, uint32_t to)
{
	for (uint32_t key = from; key < to; key++) {
		bool created = false;
		uint64_t *value = hashmap_put(map, &key, &created);

		assert_non_null(value);
		assert_true(created);
		assert_int_equal(*value, 0);
		*value = (uint64_t)key * 3;
	}
}

static void test_init_refuses_bad_sizes(void **state)
{
	struct hashmap map;

	(void)state;
	assert_int_equal(hashmap_init(&map, 0, 8, 8), -EINVAL);
	assert_int_equal(hashmap_init(&map, 8, 8, 0), -EINVAL);
	assert_int_equal(hashmap_init(&map, HASHMAP_KEY_MAX + 1, 8, 8), -EINVAL);
	assert_int_equal(hashmap_init(&map, 8, HASHMAP_VALUE_MAX + 1, 8), -EINVAL);
	assert_int_equal(hashmap_init(&map, 8, 8, (size_t)HASHMAP_ENTRIES_MAX + 1), -EINVAL);
}

/* Slots that an entry lies away from where its hash names. */
static size_t longest_way(const struct hashmap *map)
{
	size_t longest = 0;

	for (size_t i = 0; i < map->capacity; i++) {
		uint64_t hash = *(const uint64_t *)(const void *)(map->slots + i * map->stride);
		size_t way = (i - hash) & (map->capacity - 1);

		if (hash && way > longest)
			longest = way;
	}
	return longest;
}

/* Numbers that follow each other, or are multiples of something, must not meet. */
static void test_inner_keys(void **state)
{
	(void)state;
	for (unsigned int shift = 0; shift <= 32; shift += 8) {
		_cleanup_(hashmap_clear) struct hashmap map = { 0 };

		assert_int_equal(hashmap_init_inner(&map, 8, 8, MANY), 0);
		for (uint64_t i = 0; i < MANY; i++) {
			uint64_t key = i << shift;

			assert_int_equal(hashmap_add(&map, &key, &i), 0);
		}
		assert_true(longest_way(&map) < 200);
		for (uint64_t i = 0; i < MANY; i++) {
			uint64_t key = i << shift;

			assert_int_equal(*(uint64_t *)hashmap_get(&map, &key), i);
			assert_true(hashmap_delete(&map, &key));
			assert_null(hashmap_get(&map, &key));
		}
		assert_int_equal(map.count, 0);
	}
}

static void test_inner_keys_are_short(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };

	(void)state;
	assert_int_equal(hashmap_init_inner(&map, 9, 8, 8), -EINVAL);
	assert_int_equal(hashmap_init_inner(&map, 0, 8, 8), -EINVAL);
	assert_int_equal(hashmap_init_inner(&map, sizeof(uint32_t), 8, MANY), 0);
	fill(&map, 0, MANY);
	for (uint32_t key = 0; key < MANY; key++)
		assert_int_equal(*(uint64_t *)hashmap_get(&map, &key), (uint64_t)key * 3);
}

static void test_empty_map_answers(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };
	struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
	uint32_t key = 7;

	(void)state;
	hashmap_clear(&map);
	assert_int_equal(hashmap_init(&map, sizeof(key), 8, 4), 0);
	assert_null(hashmap_get(&map, &key));
	assert_false(hashmap_delete(&map, &key));
	assert_false(hashmap_next(&map, &cursor, NULL, NULL));
	assert_null(map.slots);
}

static void test_put_get_delete(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };
	uint32_t key;

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(key), sizeof(uint64_t), MANY), 0);
	fill(&map, 0, MANY);
	assert_int_equal(map.count, MANY);

	for (key = 0; key < MANY; key += 2)
		assert_true(hashmap_delete(&map, &key));
	assert_int_equal(map.count, MANY / 2);

	for (key = 0; key < MANY; key++) {
		uint64_t *value = hashmap_get(&map, &key);

		if (key % 2 == 0) {
			assert_null(value);
			continue;
		}
		assert_non_null(value);
		assert_int_equal(*value, (uint64_t)key * 3);
	}
}

static void test_put_again_keeps_value(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };
	bool created = true;
	uint32_t key = 1;
	uint64_t *value;

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(key), sizeof(uint64_t), 1), 0);
	fill(&map, 1, 2);
	value = hashmap_put(&map, &key, &created);
	assert_non_null(value);
	assert_false(created);
	assert_int_equal(*value, 3);
	assert_int_equal(map.count, 1);
}

static void test_full_map_refuses_new_keys(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };
	bool created = true;
	uint32_t key = 100;

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(key), sizeof(uint64_t), 100), 0);
	fill(&map, 0, 100);
	assert_true(hashmap_full(&map));
	assert_null(hashmap_put(&map, &key, &created));
	assert_true(created);
	assert_int_equal(hashmap_add(&map, &key, NULL), -ENOSPC);

	key = 42;
	assert_non_null(hashmap_put(&map, &key, NULL));
	assert_true(hashmap_delete(&map, &key));
	assert_false(hashmap_full(&map));
	key = 100;
	assert_non_null(hashmap_put(&map, &key, NULL));
	assert_int_equal(map.count, 100);
}

static void test_memory_stays_bounded(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(uint32_t), sizeof(uint64_t), 1000), 0);
	for (uint32_t key = 0; key < 20000; key++) {
		if (hashmap_full(&map)) {
			uint32_t oldest = key - 1000;

			assert_true(hashmap_delete(&map, &oldest));
		}
		assert_int_equal(hashmap_add(&map, &key, NULL), 0);
	}
	assert_int_equal(map.count, 1000);
	assert_int_equal(map.capacity, 2048);
}

/* A peak's slots are given back when keys are put again, and no entry is lost on the way. */
static void test_shrinks_when_few_are_left(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(uint32_t), sizeof(uint64_t), 10000), 0);
	for (uint32_t key = 0; key < 6000; key++)
		assert_int_equal(hashmap_add(&map, &key, NULL), 0);
	assert_int_equal(map.capacity, 8192);
	for (uint32_t key = 0; key < 5990; key++)
		assert_true(hashmap_delete(&map, &key));
	assert_int_equal(map.capacity, 8192);
	for (uint32_t key = 7000; key < 7010; key++) {
		uint64_t value = key;

		assert_int_equal(hashmap_add(&map, &key, &value), 0);
	}
	assert_in_range(map.capacity, 16, 1023);
	assert_int_equal(map.count, 20);
	for (uint32_t key = 5990; key < 6000; key++)
		assert_non_null(hashmap_get(&map, &key));
	for (uint32_t key = 7000; key < 7010; key++)
		assert_int_equal(*(uint64_t *)hashmap_get(&map, &key), key);
}

static void test_drop_takes_out_what_was_handed_out(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(uint32_t), sizeof(uint64_t), 1000), 0);
	for (uint32_t key = 0; key < 1000; key++)
		assert_int_equal(hashmap_add(&map, &key, NULL), 0);
	for (uint32_t key = 0; key < 1000; key += 2)
		hashmap_drop(&map, hashmap_get(&map, &key));
	assert_int_equal(map.count, 500);
	for (uint32_t key = 0; key < 1000; key++)
		assert_int_equal(hashmap_get(&map, &key) != NULL, key % 2);
}

static void test_add_names_each_error(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };
	uint64_t value = 11, other = 22;
	uint32_t key = 5;

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(key), sizeof(value), 8), 0);
	assert_int_equal(hashmap_add(&map, &key, &value), 0);
	assert_int_equal(hashmap_add(&map, &key, &other), -EEXIST);
	assert_int_equal(*(uint64_t *)hashmap_get(&map, &key), 11);
}

static void test_set_and_odd_key_size(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };
	char key[13] = "abcdefghijkl";

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(key), 0, 64), 0);
	for (char last = 0; last < 64; last++) {
		key[12] = last;
		assert_non_null(hashmap_put(&map, key, NULL));
	}
	assert_int_equal(map.count, 64);
	key[12] = 64;
	assert_null(hashmap_get(&map, key));
	key[12] = 63;
	assert_non_null(hashmap_get(&map, key));
}

static void test_next_visits_each_once(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };
	struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
	unsigned char seen[1000] = { 0 };
	const void *key;
	void *value;
	size_t visits = 0;

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(uint32_t), sizeof(uint64_t), 1000), 0);
	fill(&map, 0, 1000);
	while (hashmap_next(&map, &cursor, &key, &value)) {
		uint32_t number = *(const uint32_t *)key;

		assert_int_equal(*(uint64_t *)value, (uint64_t)number * 3);
		assert_int_equal(seen[number]++, 0);
		visits++;
	}
	assert_int_equal(visits, 1000);
	assert_false(hashmap_next(&map, &cursor, NULL, NULL));
}

/* Many small, well filled tables: runs of slots that wrap around the end occur in a good part. */
static void test_delete_while_iterating(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < 300; round++) {
		_cleanup_(hashmap_clear) struct hashmap map = { 0 };
		struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
		unsigned char seen[24] = { 0 };
		const void *key;
		size_t visits = 0;

		assert_int_equal(hashmap_init(&map, sizeof(uint32_t), sizeof(uint64_t), 24), 0);
		fill(&map, 0, 24);
		while (hashmap_next(&map, &cursor, &key, NULL)) {
			uint32_t number = *(const uint32_t *)key;

			assert_int_equal(seen[number]++, 0);
			visits++;
			if (number % 3 != round % 3)
				assert_true(hashmap_delete(&map, &number));
		}
		assert_int_equal(visits, 24);
		assert_int_equal(map.count, 8);
		for (uint32_t number = 0; number < 24; number++)
			assert_int_equal(hashmap_get(&map, &number) != NULL,
					 number % 3 == round % 3);
	}
}

static void test_clear_leaves_a_usable_map(void **state)
{
	_cleanup_(hashmap_clear) struct hashmap map = { 0 };

	(void)state;
	assert_int_equal(hashmap_init(&map, sizeof(uint32_t), sizeof(uint64_t), 50), 0);
	fill(&map, 0, 50);
	hashmap_clear(&map);
	assert_int_equal(map.count, 0);
	fill(&map, 10, 60);
	assert_int_equal(map.count, 50);
}

/* Values from an independent implementation (CPython 3.11, hash(bytes) under a zero key). */
static void test_hash_is_siphash13(void **state)
{
	static const uint64_t zero[2] = { 0, 0 }, one[2] = { 1, 0 };

	(void)state;
	assert_true(hashmap_hash(zero, "a", 1) == 0x407448d2b89b1813ull);
	assert_true(hashmap_hash(zero, "abcdefgh", 8) == 0x3f7b849c0b8e35eaull);
	assert_true(hashmap_hash(zero, "hostile peers pick keys", 23) == 0x24eaa107aadfec99ull);
	assert_true(hashmap_hash(one, "a", 1) != hashmap_hash(zero, "a", 1));
}

static void test_each_map_has_its_seed(void **state)
{
	struct hashmap a, b;

	(void)state;
	assert_int_equal(hashmap_init(&a, 4, 0, 1), 0);
	assert_int_equal(hashmap_init(&b, 4, 0, 1), 0);
	assert_memory_not_equal(a.seed, b.seed, sizeof(a.seed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_refuses_bad_sizes),
		cmocka_unit_test(test_inner_keys),
		cmocka_unit_test(test_inner_keys_are_short),
		cmocka_unit_test(test_empty_map_answers),
		cmocka_unit_test(test_put_get_delete),
		cmocka_unit_test(test_put_again_keeps_value),
		cmocka_unit_test(test_full_map_refuses_new_keys),
		cmocka_unit_test(test_memory_stays_bounded),
		cmocka_unit_test(test_shrinks_when_few_are_left),
		cmocka_unit_test(test_drop_takes_out_what_was_handed_out),
		cmocka_unit_test(test_add_names_each_error),
		cmocka_unit_test(test_set_and_odd_key_size),
		cmocka_unit_test(test_next_visits_each_once),
		cmocka_unit_test(test_delete_while_iterating),
		cmocka_unit_test(test_clear_leaves_a_usable_map),
		cmocka_unit_test(test_hash_is_siphash13),
		cmocka_unit_test(test_each_map_has_its_seed),
	};

	return cmocka_run_group_tests_name("base/hashmap", tests, NULL, NULL);
}
