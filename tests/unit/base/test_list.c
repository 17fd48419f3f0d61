/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

#define ITEMS 4

/* In two lists: by a link that is its first member, and by one that is not. */
struct item {
	struct list_link first;
	char name;
	struct list_link second;
};

struct world {
	struct item items[ITEMS];
	struct list first;
	struct list second;
};

static int setup(void **state)
{
	static struct world world;

	world = (struct world){};
	for (int i = 0; i < ITEMS; i++) {
		struct item *item = &world.items[i];

		item->name = (char)('a' + i);
		/* what a link held before does not matter */
		item->second = (struct list_link){ &item->first, &item->first };
		list_append(&world.first, &item->first);
		list_append(&world.second, &item->second);
	}
	*state = &world;
	return 0;
}

static struct item *first_item(struct list_link *link)
{
	return list_item(link, struct item, first);
}

static struct item *second_item(struct list_link *link)
{
	return list_item(link, struct item, second);
}

/* The names from the oldest on, and back. */
static void assert_order(const struct list *list, struct item *(*item)(struct list_link *),
			 const char *names)
{
	struct list_link *link = list->oldest;
	const char *at;

	for (at = names; *at; at++, link = link->younger) {
		assert_non_null(link);
		assert_int_equal(item(link)->name, *at);
	}
	assert_null(link);
	for (link = list->youngest; at > names; link = link->older) {
		assert_non_null(link);
		assert_int_equal(item(link)->name, *--at);
	}
	assert_null(link);
}

static void test_append(void **state)
{
	struct world *world = *state;

	assert_order(&(struct list){}, first_item, "");
	assert_order(&world->first, first_item, "abcd");
	assert_order(&world->second, second_item, "abcd");
}

/* From the middle and from both ends; the other list does not change. */
static void test_remove(void **state)
{
	struct world *world = *state;
	struct item *items = world->items;

	list_remove(&world->second, &items[1].second);
	assert_order(&world->second, second_item, "acd");
	list_remove(&world->second, &items[0].second);
	assert_order(&world->second, second_item, "cd");
	list_remove(&world->second, &items[3].second);
	assert_order(&world->second, second_item, "c");
	list_remove(&world->second, &items[2].second);
	assert_order(&world->second, second_item, "");
	assert_order(&world->first, first_item, "abcd");
	list_append(&world->second, &items[1].second);
	assert_order(&world->second, second_item, "b");
}

static void test_renew(void **state)
{
	struct world *world = *state;
	struct item *items = world->items;

	list_renew(&world->first, &items[0].first);
	assert_order(&world->first, first_item, "bcda");
	list_renew(&world->first, &items[2].first);
	assert_order(&world->first, first_item, "bdac");
	list_renew(&world->first, &items[2].first);
	assert_order(&world->first, first_item, "bdac");
	assert_order(&world->second, second_item, "abcd");
}

static void test_item(void **state)
{
	struct world *world = *state;
	struct item *item = &world->items[1];

	assert_ptr_equal(first_item(&item->first), item);
	assert_ptr_equal(second_item(&item->second), item);
	assert_null(first_item(NULL));
	assert_null(second_item(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_append, setup),
		cmocka_unit_test_setup(test_remove, setup),
		cmocka_unit_test_setup(test_renew, setup),
		cmocka_unit_test_setup(test_item, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
