/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "correlate/trace.h"

#define TRACES_MAX 8

static struct trace_table table;

static int setup(void **state)
{
	(void)state;
	return trace_table_init(&table, TRACES_MAX);
}

static int teardown(void **state)
{
	(void)state;
	trace_table_clear(&table);
	return 0;
}

static struct trace *add(uint8_t id)
{
	uint8_t key[SPAN_ID_LEN];

	memset(key, id, sizeof(key));
	return trace_add(&table, key);
}

static struct trace *find(uint8_t id)
{
	uint8_t key[SPAN_ID_LEN];

	memset(key, id, sizeof(key));
	return trace_find(&table, key);
}

/* A span that is told by its start. */
static struct span *span(uint64_t number)
{
	static struct span_builder builder;
	struct span *made;

	span_builder_init(&builder);
	builder.span.start_ns = number;
	made = span_new(&builder);
	assert_non_null(made);
	return made;
}

/* The trace's spans are these, in this order; they are freed. */
static void assert_held(struct trace *trace, const uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct span *first = trace->held;

		assert_non_null(first);
		assert_int_equal(first->start_ns, numbers[i]);
		trace->held = first->next;
		span_free(first);
	}
	assert_null(trace->held);
	trace->held_tail = &trace->held;
}

static void test_add_and_find(void **state)
{
	struct trace *one, *two;

	(void)state;
	assert_null(find(1));
	one = add(1);
	two = add(2);
	assert_non_null(one);
	assert_non_null(two);
	assert_ptr_equal(find(1), one);
	assert_ptr_equal(find(2), two);
	assert_null(find(3));
	assert_true(one->waiting);
	assert_null(one->continues);
	assert_ptr_equal(trace_root(one), one);
	assert_ptr_equal(trace_oldest(&table), one);
	assert_ptr_equal(table.by_age.youngest, &two->age);
	assert_int_equal(table.n_waiting, 2);
	/* an id that is there already */
	assert_null(add(1));
	assert_ptr_equal(find(1), one);
	assert_int_equal(table.n_waiting, 2);
}

static void test_full(void **state)
{
	(void)state;
	for (uint8_t id = 1; id <= TRACES_MAX; id++)
		assert_non_null(add(id));
	assert_null(add(100));
	trace_remove(&table, find(4));
	assert_non_null(add(100));
	assert_null(add(101));
}

static void test_remove(void **state)
{
	struct trace *traces[4];

	(void)state;
	for (uint8_t i = 0; i < 4; i++)
		traces[i] = add((uint8_t)(i + 1));
	trace_remove(&table, traces[1]);
	assert_null(find(2));
	assert_ptr_equal(trace_younger(traces[0]), traces[2]);
	assert_ptr_equal(traces[2]->age.older, &traces[0]->age);
	trace_remove(&table, traces[0]);
	assert_ptr_equal(trace_oldest(&table), traces[2]);
	trace_remove(&table, traces[3]);
	assert_ptr_equal(table.by_age.youngest, &traces[2]->age);
	assert_int_equal(table.n_waiting, 1);
	trace_remove(&table, traces[2]);
	assert_null(trace_oldest(&table));
	assert_null(table.by_age.youngest);
	assert_int_equal(table.n_waiting, 0);
}

static void test_oldest_waiting(void **state)
{
	(void)state;
	assert_null(trace_oldest_waiting(&table));
	for (uint8_t id = 1; id <= 5; id++)
		add(id);
	assert_ptr_equal(trace_oldest_waiting(&table), find(1));
	find(2)->waiting = false;
	assert_ptr_equal(trace_oldest_waiting(&table), find(1));
	find(1)->waiting = false;
	assert_ptr_equal(trace_oldest_waiting(&table), find(3));
	/* the one that is looked at goes */
	trace_remove(&table, find(3));
	assert_ptr_equal(trace_oldest_waiting(&table), find(4));
	find(4)->waiting = false;
	find(5)->waiting = false;
	assert_null(trace_oldest_waiting(&table));
	assert_non_null(add(6));
	assert_ptr_equal(trace_oldest_waiting(&table), find(6));
	trace_remove(&table, find(6));
	assert_null(trace_oldest_waiting(&table));
}

static void test_hold(void **state)
{
	static const uint64_t numbers[] = { 1, 2, 3 };
	struct trace *trace = add(1);

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		trace_hold(trace, span(i));
	assert_held(trace, numbers, 3);
	/* the list is whole again */
	trace_hold(trace, span(1));
	assert_held(trace, numbers, 1);
}

/* Spans go to where the answer will be known, behind those that wait there. */
static void test_continue(void **state)
{
	static const uint64_t numbers[] = { 1, 2, 3, 4, 5 };
	struct trace *leaf = add(1), *middle = add(2), *root = add(3);

	(void)state;
	trace_hold(root, span(1));
	trace_hold(leaf, span(2));
	trace_hold(leaf, span(3));
	trace_continue(leaf, middle);
	assert_ptr_equal(trace_root(leaf), middle);
	assert_null(leaf->held);
	trace_hold(leaf, span(4));
	trace_continue(middle, root);
	assert_ptr_equal(trace_root(leaf), root);
	assert_null(middle->held);
	trace_hold(leaf, span(5));
	assert_held(root, numbers, 5);
}

/* A trace that is continued lives as long as those that continue it. */
static void test_outlives_the_table(void **state)
{
	static const uint64_t numbers[] = { 9 };
	struct trace *leaf = add(1), *root = add(2);

	(void)state;
	root->place.flags = 0x55;
	trace_continue(leaf, root);
	trace_remove(&table, root);
	assert_null(find(2));
	assert_ptr_equal(trace_root(leaf), root);
	assert_int_equal(trace_root(leaf)->place.flags, 0x55);
	trace_hold(leaf, span(9));
	assert_held(root, numbers, 1);
	/* what still waits when the last one goes is freed: the sanitizer would tell */
	trace_hold(leaf, span(10));
	trace_remove(&table, leaf);
	assert_null(add(3)->continues);
}

static void test_ring(void **state)
{
	struct trace *one = add(1), *two = add(2), *three = add(3);

	(void)state;
	trace_continue(one, one);
	assert_null(one->continues);
	trace_continue(one, two);
	trace_continue(two, three);
	trace_continue(three, one);
	assert_null(three->continues);
	assert_ptr_equal(trace_root(one), three);
}

static void test_clear(void **state)
{
	(void)state;
	trace_hold(add(1), span(1));
	trace_continue(add(2), find(1));
	trace_hold(find(2), span(2));
	trace_table_clear(&table);
	assert_null(trace_oldest(&table));
	assert_null(find(1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_add_and_find),       TEST(test_full), TEST(test_remove),
		TEST(test_oldest_waiting),     TEST(test_hold), TEST(test_continue),
		TEST(test_outlives_the_table), TEST(test_ring), TEST(test_clear),
	};

	return cmocka_run_group_tests_name("correlate/trace", tests, NULL, NULL);
}
