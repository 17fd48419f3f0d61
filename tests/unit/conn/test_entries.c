/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conn/entries.h"

#define CONNECTIONS 50
#define STREAMS	    100

static int setup(void **state)
{
	static struct entries entries;

	*state = &entries;
	return entries_init(&entries);
}

static int teardown(void **state)
{
	entries_clear(*state);
	return 0;
}

static void drop(struct entries *entries, struct entry *entry)
{
	assert_non_null(entry);
	entries_remove(entries, entry);
	entries_give(entries, entry);
}

/* The numbers of a connection's exchanges from the oldest on, and back. */
static void assert_numbers(const struct entries *entries, uint64_t conn, const uint32_t *numbers,
			   unsigned int n)
{
	const struct connection *connection = entries_connection(entries, conn);
	const struct entry *entry = connection_oldest(connection);

	assert_int_equal(connection->n, n);
	for (unsigned int i = 0; i < n; i++, entry = entry_after(entry)) {
		assert_non_null(entry);
		assert_int_equal(entry->exchange.conn, conn);
		assert_int_equal(entry->exchange.serial, numbers[i]);
	}
	assert_null(entry);
	entry = list_item(connection->entries.youngest, struct entry, sibling);
	for (unsigned int i = n; i > 0;
	     i--, entry = list_item(entry->sibling.older, struct entry, sibling))
		assert_int_equal(entry->exchange.serial, numbers[i - 1]);
	assert_null(entry);
}

/* In whatever order they go, the others stay in theirs. */
static void test_order(void **state)
{
	struct entries *entries = *state;

	for (uint32_t number = 1; number <= 9; number += 2) {
		assert_non_null(entries_add(entries, 7, number));
		assert_non_null(entries_add(entries, 8, number));
	}
	assert_numbers(entries, 7, (const uint32_t[]){ 1, 3, 5, 7, 9 }, 5);
	drop(entries, entries_find(entries, 7, 5));
	assert_numbers(entries, 7, (const uint32_t[]){ 1, 3, 7, 9 }, 4);
	drop(entries, entries_find(entries, 7, 1));
	drop(entries, entries_find(entries, 7, 9));
	assert_numbers(entries, 7, (const uint32_t[]){ 3, 7 }, 2);
	assert_non_null(entries_add(entries, 7, 1));
	assert_numbers(entries, 7, (const uint32_t[]){ 3, 7, 1 }, 3);
	assert_numbers(entries, 8, (const uint32_t[]){ 1, 3, 5, 7, 9 }, 5);
	assert_int_equal(entries_oldest(entries)->exchange.conn, 8);
	assert_int_equal(list_item(entries->all.youngest, struct entry, age)->exchange.conn, 7);
}

/* A connection without open exchanges is not remembered. */
static void test_last_one(void **state)
{
	struct entries *entries = *state;

	assert_null(entries_connection(entries, 7));
	assert_non_null(entries_add(entries, 7, 1));
	drop(entries, entries_find(entries, 7, 1));
	assert_null(entries_connection(entries, 7));
	assert_null(entries_find(entries, 7, 1));
	assert_null(entries_oldest(entries));
	assert_int_equal(entries->n, 0);
}

/* A number that is used again before its first exchange is over: that one comes first. */
static void test_same_number(void **state)
{
	struct entries *entries = *state;
	struct entry *first = entries_add(entries, 7, 1);
	struct entry *second = entries_add(entries, 7, 1);

	assert_ptr_equal(entries_find(entries, 7, 1), first);
	drop(entries, first);
	assert_ptr_equal(entries_find(entries, 7, 1), second);
	assert_null(entries_find(entries, 7, 2));
	assert_null(entries_find(entries, 8, 1));
}

/* More than there are lists to begin with. */
static void test_many(void **state)
{
	struct entries *entries = *state;

	for (uint32_t number = 1; number <= STREAMS; number++)
		for (uint64_t conn = 1; conn <= CONNECTIONS; conn++)
			assert_non_null(entries_add(entries, conn, number));
	assert_int_equal(entries->n, CONNECTIONS * STREAMS);
	for (uint64_t conn = 1; conn <= CONNECTIONS; conn++) {
		assert_int_equal(entries_connection(entries, conn)->n, STREAMS);
		assert_int_equal(
			connection_oldest(entries_connection(entries, conn))->exchange.serial, 1);
		for (uint32_t number = STREAMS; number > 0; number--) {
			struct entry *entry = entries_find(entries, conn, number);

			assert_int_equal(entry->exchange.conn, conn);
			assert_int_equal(entry->exchange.serial, number);
			drop(entries, entry);
		}
	}
	assert_int_equal(entries->n, 0);
	assert_null(entries_oldest(entries));
	assert_null(entries->all.youngest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
