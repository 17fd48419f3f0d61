/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "span/resource.h"

#define PAIRS(...) ((const char *const[]){ __VA_ARGS__ })

/* A value for which the sanitizer's allocator has no room: malloc() says NULL. */
#define TOO_LARGE (8 << 20)

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:max_allocation_size_mb=9";
}
#endif

static const struct attribute *find(const struct resource *resource, const char *key)
{
	for (uint16_t i = 0; i < resource->n_attributes; i++)
		if (strcmp(resource->attributes[i].key, key) == 0)
			return &resource->attributes[i].value;
	return NULL;
}

static void assert_string(const struct resource *resource, const char *key, const char *expected)
{
	const struct attribute *attribute = find(resource, key);

	assert_non_null(attribute);
	assert_int_equal(attribute->type, ATTRIBUTE_STRING);
	assert_int_equal(attribute->len, strlen(expected));
	assert_memory_equal(attribute->text, expected, strlen(expected));
}

static void test_copies(void **state)
{
	char key[] = "host.name", value[] = "web-1";
	struct resource *resource;

	(void)state;
	assert_int_equal(resource_new(42, PAIRS(key, value, "service.name", "shop"), 2, &resource),
			 0);
	memset(key, 'x', sizeof(key) - 1);
	memset(value, 'x', sizeof(value) - 1);
	assert_int_equal(resource->pid, 42);
	assert_int_equal(resource->references, 1);
	assert_int_equal(resource->n_attributes, 2);
	assert_string(resource, "host.name", "web-1");
	assert_string(resource, "service.name", "shop");
	assert_int_equal(resource->service_name.len, 4);
	assert_memory_equal(resource->service_name.data, "shop", 4);
	resource_unref(resource);
}

static void test_numbers(void **state)
{
	struct resource *resource;

	(void)state;
	assert_int_equal(resource_new(1,
				      PAIRS("process.pid", "42", "process.parent_pid", "1x",
					    "host.id", "77"),
				      3, &resource),
			 0);
	assert_int_equal(find(resource, "process.pid")->type, ATTRIBUTE_INT);
	assert_int_equal(find(resource, "process.pid")->integer, 42);
	assert_string(resource, "process.parent_pid", "1x");
	assert_string(resource, "host.id", "77");
	resource_unref(resource);
}

static void test_last_of_a_key_counts(void **state)
{
	struct resource *resource;

	(void)state;
	assert_int_equal(resource_new(1,
				      PAIRS("service.name", "first", "a", "1", "", "nothing",
					    "service.name", "last", "a", "2"),
				      5, &resource),
			 0);
	assert_int_equal(resource->n_attributes, 2);
	assert_string(resource, "service.name", "last");
	assert_memory_equal(resource->service_name.data, "last", 4);
	assert_string(resource, "a", "2");
	resource_unref(resource);
}

static void test_text_is_valid(void **state)
{
	struct resource *resource;

	(void)state;
	assert_int_equal(
		resource_new(1, PAIRS("\xff\xff", "\xff\xff\xff", "a", NULL), 2, &resource), 0);
	assert_string(resource, "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_string(resource, "a", "");
	resource_unref(resource);
}

static void test_too_many_keep_the_service_name(void **state)
{
	static char keys[RESOURCE_ATTRIBUTES_MAX + 5][24];
	const char *pairs[2 * (RESOURCE_ATTRIBUTES_MAX + 6)];
	struct resource *resource;
	size_t n = 0;

	(void)state;
	for (; n < RESOURCE_ATTRIBUTES_MAX + 5; n++) {
		snprintf(keys[n], sizeof(keys[n]), "k%zu", n);
		pairs[2 * n] = keys[n];
		pairs[2 * n + 1] = "v";
	}
	pairs[2 * n] = "service.name";
	pairs[2 * n + 1] = "shop";
	assert_int_equal(resource_new(1, pairs, n + 1, &resource), 0);
	assert_int_equal(resource->n_attributes, RESOURCE_ATTRIBUTES_MAX);
	assert_string(resource, "service.name", "shop");
	assert_non_null(find(resource, "k0"));
	resource_unref(resource);
}

static void test_nothing(void **state)
{
	struct resource *resource;

	(void)state;
	assert_int_equal(resource_new(1, NULL, 0, &resource), 0);
	assert_int_equal(resource->n_attributes, 0);
	assert_int_equal(resource->service_name.len, 0);
	resource_unref(resource);
}

static void test_references(void **state)
{
	struct resource *resource;

	(void)state;
	assert_int_equal(resource_new(1, NULL, 0, &resource), 0);
	assert_ptr_equal(resource_ref(resource), resource);
	assert_int_equal(resource->references, 2);
	assert_null(resource_unref(resource));
	assert_int_equal(resource->references, 1);
	assert_null(resource_unref(resource));
	assert_null(resource_unref(NULL));
}

static void test_no_memory(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	struct resource *resource = NULL;
	char *value = malloc(TOO_LARGE);

	(void)state;
	assert_non_null(value);
	memset(value, 0xff, TOO_LARGE - 1);
	value[TOO_LARGE - 1] = '\0';
	assert_int_equal(resource_new(1, PAIRS("key", value), 1, &resource), -ENOMEM);
	assert_null(resource);
	free(value);
#else
	(void)state;
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_last_of_a_key_counts),
		cmocka_unit_test(test_text_is_valid),
		cmocka_unit_test(test_too_many_keep_the_service_name),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("span/resource", tests, NULL, NULL);
}
