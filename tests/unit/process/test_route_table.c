/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hashmap.h"
#include "process/route_shape.h"
#include "process/route_table.h"

#define MEMORY_MAX (4u << 20)

struct fixture {
	struct route_table *table;
	struct hashmap names; /* a set of "<method> <route>", padded with zeros */
	uint32_t random;
	char out[ROUTE_LEN_MAX + 1];
};

#define NAME_SIZE (ROUTE_LEN_MAX + 8)

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture || route_table_new(&fixture->table) < 0 ||
	    hashmap_init(&fixture->names, NAME_SIZE, 0, 100000) < 0)
		return -1;
	fixture->random = 1;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	route_table_free(fixture->table);
	hashmap_clear(&fixture->names);
	free(fixture);
	return 0;
}

static const char *ask(struct fixture *fixture, const struct route_request *request)
{
	char name[NAME_SIZE] = { 0 };
	size_t len = route_table_route(fixture->table, request, fixture->out);

	assert_in_range(len, 1, ROUTE_LEN_MAX);
	fixture->out[len] = '\0';
	assert_int_equal(fixture->out[0], '/');
	snprintf(name, sizeof(name), "%u %s", request->method, fixture->out);
	assert_non_null(hashmap_put(&fixture->names, name, NULL));
	return fixture->out;
}

static const char *route(struct fixture *fixture, const char *path)
{
	const struct route_request request = {
		.service = VIEW("shop"),
		.path = view_of(path),
		.status = 200,
		.now_ns = 1,
	};

	return ask(fixture, &request);
}

static const char *route_status(struct fixture *fixture, const char *path, uint16_t status)
{
	const struct route_request request = {
		.service = VIEW("shop"),
		.path = view_of(path),
		.status = status,
		.now_ns = 1,
	};

	return ask(fixture, &request);
}

/* Deterministic: a test that fails fails again. */
static uint32_t next_random(struct fixture *fixture)
{
	fixture->random = fixture->random * 1664525u + 1013904223u;
	return fixture->random >> 8;
}

static void random_word(struct fixture *fixture, char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		word[i] = (char)('a' + next_random(fixture) % 26);
	word[len] = '\0';
}

static void test_values_become_placeholders(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(route(f, "/"), "/");
	assert_string_equal(route(f, "/users"), "/users");
	assert_string_equal(route(f, "/users/1234"), "/users/{id}");
	assert_string_equal(route(f, "/users/99/orders/7"), "/users/{id}/orders/{id}");
	assert_string_equal(route(f, "/o/123e4567-e89b-12d3-a456-426614174000/pay"),
			    "/o/{uuid}/pay");
	assert_string_equal(route(f, "/blobs/3f2a1b9c77"), "/blobs/{hash}");
	assert_string_equal(route(f, "/logs/2024-01-31"), "/logs/{date}");
	assert_string_equal(route(f, "/api/v1/items"), "/api/v1/items");
	assert_string_equal(route(f, "/{id}"), "/{slug}");
}

static void test_slashes_and_parameters(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(route(f, "/users/"), "/users");
	assert_string_equal(route(f, "//users///1/"), "/users/{id}");
	assert_string_equal(route(f, "////"), "/");
	assert_string_equal(route(f, "/cart;jsessionid=8A7B/items"), "/cart/items");
	assert_string_equal(route(f, "/;x"), "/");
}

static void test_deep_and_long_paths_end_in_a_star(void **state)
{
	struct fixture *f = *state;
	char path[6000];

	assert_string_equal(route(f, "/a/b/c/d/e/f/g/h/i/j"), "/a/b/c/d/e/f/g/h/i/j");
	assert_string_equal(route(f, "/a/b/c/d/e/f/g/h/i/j/k"), "/a/b/c/d/e/f/g/h/i/j/*");
	assert_string_equal(route(f, "/a/b/c/d/e/f/g/h/i/j/l/m/n"), "/a/b/c/d/e/f/g/h/i/j/*");

	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = i % 50 == 0 ? '/' : 'w';
	path[sizeof(path) - 1] = '\0';
	route(f, path);
	assert_in_range(strlen(f->out), 100, ROUTE_LEN_MAX);
	assert_string_equal(f->out + strlen(f->out) - 2, "/*");
}

static void test_position_with_many_words_becomes_slug(void **state)
{
	struct fixture *f = *state;
	char path[64], word[16];

	for (int i = 0; i < ROUTE_WORDS_MAX; i++) {
		random_word(f, word, 8);
		snprintf(path, sizeof(path), "/people/%s", word);
		assert_string_equal(route(f, path), path);
	}
	for (int i = 0; i < 1000; i++) {
		random_word(f, word, 8);
		snprintf(path, sizeof(path), "/people/%s", word);
		assert_string_equal(route(f, path), "/people/{slug}");
	}
	assert_string_equal(route(f, path), "/people/{slug}");
	assert_string_equal(route(f, "/people"), "/people");
	assert_string_equal(route(f, "/people/42"), "/people/{id}");
	snprintf(path, sizeof(path), "/people/%s/friends", word);
	assert_string_equal(route(f, path), "/people/{slug}/friends");
}

static void test_frequent_words_keep_their_names(void **state)
{
	struct fixture *f = *state;
	char path[64], word[16];

	for (int i = 0; i < 10; i++) {
		assert_string_equal(route(f, "/api/orders"), "/api/orders");
		assert_string_equal(route(f, "/api/users/1"), "/api/users/{id}");
	}
	for (int i = 0; i < 100; i++) {
		random_word(f, word, 8);
		snprintf(path, sizeof(path), "/api/%s", word);
		route(f, path);
	}
	assert_string_equal(route(f, path), "/api/{slug}");
	assert_string_equal(route(f, "/api/orders"), "/api/orders");
	assert_string_equal(route(f, "/api/users/1"), "/api/users/{id}");
}

static void test_random_paths_stay_below_the_name_limit(void **state)
{
	struct fixture *f = *state;
	char path[128], words[4][16];

	for (int i = 0; i < 10000; i++) {
		struct route_request request = { .service = VIEW("shop"), .now_ns = 1 };
		size_t used = 0;

		for (uint32_t n = 1 + next_random(f) % 4; n > 0; n--) {
			random_word(f, words[n - 1], 1 + next_random(f) % 12);
			used += (size_t)snprintf(path + used, sizeof(path) - used, "/%s",
						 words[n - 1]);
		}
		request.path = view_of(path);
		request.method = next_random(f) % (ROUTE_METHODS_MAX - 1);
		ask(f, &request);
	}
	/* What may be named besides: each method on its own. */
	assert_in_range(f->names.count, 10, ROUTE_NAMES_MAX - ROUTE_METHODS_MAX);
	assert_in_range(route_table_memory(f->table), 1, 64u << 10);
}

/* Two variable positions in a row use up the names only if nothing is done about it. */
static void test_product_of_two_positions_is_named(void **state)
{
	struct fixture *f = *state;
	char path[128], owner[16], repository[16];

	for (int i = 0; i < 5000; i++) {
		static const char *const tails[] = { "", "/issues", "/pulls", "/wiki" };

		random_word(f, owner, 7);
		random_word(f, repository, 9);
		snprintf(path, sizeof(path), "/%s/%s%s", owner, repository,
			 tails[next_random(f) % 4]);
		route(f, path);
	}
	assert_string_equal(route(f, "/someone/something/issues"), "/{slug}/{slug}/issues");
	assert_string_equal(route(f, "/someone/something"), "/{slug}/{slug}");
}

/* Few owners, each seen often, with repositories without end: the second position must give in. */
static void test_positions_get_fewer_words_as_names_run_out(void **state)
{
	struct fixture *f = *state;
	char path[64], expected[64], repository[16];

	for (int i = 0; i < 3000; i++) {
		random_word(f, repository, 9);
		snprintf(path, sizeof(path), "/owner%c/%s", 'a' + i % 12, repository);
		route(f, path);
	}
	for (int owner = 'a'; owner < 'a' + 12; owner++) {
		snprintf(path, sizeof(path), "/owner%c/something", owner);
		snprintf(expected, sizeof(expected), "/owner%c/{slug}", owner);
		assert_string_equal(route(f, path), expected);
	}
}

static void test_known_paths_survive_the_name_limit(void **state)
{
	struct fixture *f = *state;
	char path[64];

	for (int i = 0; i < 10; i++)
		assert_string_equal(route(f, "/health/live"), "/health/live");
	for (unsigned int method = 0; method < ROUTE_METHODS_MAX; method++) {
		for (int i = 0; i < 10; i++) {
			struct route_request request = { .service = VIEW("shop"),
							 .method = method,
							 .now_ns = 1 };

			snprintf(path, sizeof(path), "/m%c/x", 'a' + i);
			request.path = view_of(path);
			ask(f, &request);
		}
	}
	assert_string_equal(route(f, "/entirely/new"), "/*");
	assert_string_equal(route(f, "/health/live"), "/health/live");
	assert_in_range(f->names.count, 50, ROUTE_NAMES_MAX - ROUTE_METHODS_MAX);
}

static void test_scanner_does_not_use_up_names(void **state)
{
	struct fixture *f = *state;
	char path[64], word[16];

	for (int i = 0; i < 2000; i++) {
		random_word(f, word, 9);
		snprintf(path, sizeof(path), "/%s", word);
		route_status(f, path, 404);
	}
	assert_string_equal(f->out, "/*");
	assert_in_range(f->names.count, 2, 10);
	assert_string_equal(route(f, "/checkout"), "/checkout");
	assert_string_equal(route_status(f, "/checkout", 404), "/checkout");
	assert_string_equal(route(f, "/users/1"), "/users/{id}");
	assert_string_equal(route_status(f, "/users/2", 404), "/users/{id}");
}

static void test_services_learn_apart(void **state)
{
	struct fixture *f = *state;
	struct route_request request = { .service = VIEW("blog"),
					 .path = VIEW("/people/ann"),
					 .now_ns = 1 };
	char path[64], word[16];

	for (int i = 0; i < 50; i++) {
		random_word(f, word, 8);
		snprintf(path, sizeof(path), "/people/%s", word);
		route(f, path);
	}
	assert_string_equal(route(f, "/people/ann"), "/people/{slug}");
	assert_string_equal(ask(f, &request), "/people/ann");
	request.service = (struct view){ 0 };
	assert_string_equal(ask(f, &request), "/people/ann");
}

static void test_services_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct route_request request = { .path = VIEW("/a/b"), .now_ns = NS_PER_SEC };
	char service[32];

	for (int i = 0; i < 5000; i++) {
		snprintf(service, sizeof(service), "service-%d", i);
		request.service = view_of(service);
		request.now_ns++;
		assert_string_equal(ask(f, &request), i < ROUTE_SERVICES_MAX ? "/a/b" : "/*");
	}
	assert_in_range(route_table_memory(f->table), 1, MEMORY_MAX);

	/* The first one stays in use; after more than an hour the second is the oldest. */
	request.now_ns = 3000 * NS_PER_SEC;
	request.service = VIEW("service-0");
	assert_string_equal(ask(f, &request), "/a/b");
	request.now_ns = 3700 * NS_PER_SEC;
	request.service = VIEW("newcomer");
	assert_string_equal(ask(f, &request), "/a/b");
	request.path = VIEW("/c");
	request.service = VIEW("service-0");
	assert_string_equal(ask(f, &request), "/c");
}

/* As much as a peer can do: every service filled with everything that is not refused. */
static void test_memory_is_bounded(void **state)
{
	struct fixture *f = *state;
	char service[32], path[256], word[16];

	for (int i = 0; i < ROUTE_SERVICES_MAX; i++) {
		for (int n = 0; n < 300; n++) {
			struct route_request request = { .now_ns = 1 };
			size_t used = 0;

			snprintf(service, sizeof(service), "service-%d", i);
			for (int depth = 0; depth < 12; depth++) {
				random_word(f, word, 8);
				used += (size_t)snprintf(path + used, sizeof(path) - used, "/%s",
							 word);
			}
			request.service = view_of(service);
			request.path = view_of(path);
			route_table_route(f->table, &request, f->out);
		}
	}
	assert_in_range(route_table_memory(f->table), 1, MEMORY_MAX);
}

static void test_same_order_same_routes(void **state)
{
	struct fixture *f = *state;
	struct route_table *other;
	char path[64], word[16], out[ROUTE_LEN_MAX + 1];

	assert_int_equal(route_table_new(&other), 0);
	for (int i = 0; i < 3000; i++) {
		struct route_request request = { .service = VIEW("shop"),
						 .status = 200,
						 .now_ns = 1 };

		random_word(f, word, 1 + next_random(f) % 3);
		snprintf(path, sizeof(path), "/%s/%.1s", word, word);
		request.path = view_of(path);
		out[route_table_route(other, &request, out)] = '\0';
		assert_string_equal(route(f, path), out);
	}
	route_table_free(other);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_values_become_placeholders),
		TEST(test_slashes_and_parameters),
		TEST(test_deep_and_long_paths_end_in_a_star),
		TEST(test_position_with_many_words_becomes_slug),
		TEST(test_frequent_words_keep_their_names),
		TEST(test_random_paths_stay_below_the_name_limit),
		TEST(test_product_of_two_positions_is_named),
		TEST(test_positions_get_fewer_words_as_names_run_out),
		TEST(test_known_paths_survive_the_name_limit),
		TEST(test_scanner_does_not_use_up_names),
		TEST(test_services_learn_apart),
		TEST(test_services_are_bounded),
		TEST(test_memory_is_bounded),
		TEST(test_same_order_same_routes),
	};

	return cmocka_run_group_tests_name("process/route_table", tests, NULL, NULL);
}
