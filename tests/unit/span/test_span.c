/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "span/resource.h"
#include "span/semconv.h"
#include "span/span.h"

struct fixture {
	struct span_builder builder;
	char large[2 * SPAN_TEXT_MAX];
};

static int setup(void **state)
{
	struct fixture *fixture = malloc(sizeof(*fixture));

	if (!fixture)
		return -1;
	/* what was there before must not show */
	memset(fixture, 0xa5, sizeof(*fixture));
	memset(fixture->large, 'x', sizeof(fixture->large));
	span_builder_init(&fixture->builder);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static struct view large(struct fixture *fixture, size_t len)
{
	return (struct view){ .data = fixture->large, .len = len };
}

static void assert_text(struct view got, const char *expected)
{
	assert_int_equal(got.len, strlen(expected));
	assert_memory_equal(got.data, expected, got.len);
}

static void assert_string(const struct span *span, enum attribute_key key, const char *expected)
{
	const struct attribute *attribute = span_attribute(span, key);

	assert_non_null(attribute);
	assert_int_equal(attribute->type, ATTRIBUTE_STRING);
	assert_text(attribute_text(attribute), expected);
}

static void test_empty(void **state)
{
	struct fixture *fixture = *state;
	const struct span *span = &fixture->builder.span;

	assert_int_equal(span->n_attributes, 0);
	assert_int_equal(span->dropped_attributes, 0);
	assert_int_equal(span->status, SPAN_STATUS_UNSET);
	assert_int_equal(span->name.len, 0);
	assert_null(span->resource);
	assert_null(span_attribute(span, ATTR_URL_PATH));
}

static void test_each_type(void **state)
{
	struct fixture *fixture = *state;
	const struct span *span = &fixture->builder.span;

	span_set_string(&fixture->builder, ATTR_URL_PATH, VIEW("/a"));
	span_set_string(&fixture->builder, ATTR_URL_QUERY, VIEW(""));
	span_set_int(&fixture->builder, ATTR_SERVER_PORT, -7);
	span_set_double(&fixture->builder, ATTR_THREAD_ID, 0.5);
	span_set_bool(&fixture->builder, ATTR_WEFT_TRUNCATED, true);
	assert_int_equal(span->n_attributes, 5);
	assert_string(span, ATTR_URL_PATH, "/a");
	assert_string(span, ATTR_URL_QUERY, "");
	assert_int_equal(span_attribute(span, ATTR_SERVER_PORT)->type, ATTRIBUTE_INT);
	assert_int_equal(span_attribute(span, ATTR_SERVER_PORT)->integer, -7);
	assert_int_equal(span_attribute(span, ATTR_THREAD_ID)->type, ATTRIBUTE_DOUBLE);
	assert_true(span_attribute(span, ATTR_THREAD_ID)->number == 0.5);
	assert_int_equal(span_attribute(span, ATTR_WEFT_TRUNCATED)->type, ATTRIBUTE_BOOL);
	assert_true(span_attribute(span, ATTR_WEFT_TRUNCATED)->boolean);
}

/* The value may be one that the builder holds already. */
static void test_a_key_again_replaces(void **state)
{
	struct fixture *fixture = *state;
	struct span_builder *builder = &fixture->builder;

	span_set_string(builder, ATTR_URL_PATH, VIEW("/a"));
	span_set_int(builder, ATTR_SERVER_PORT, 1);
	span_set_string(builder, ATTR_URL_PATH,
			attribute_text(span_attribute(&builder->span, ATTR_URL_PATH)));
	assert_string(&builder->span, ATTR_URL_PATH, "/a");
	span_set_int(builder, ATTR_URL_PATH, 5);
	assert_int_equal(builder->span.n_attributes, 2);
	assert_int_equal(span_attribute(&builder->span, ATTR_URL_PATH)->type, ATTRIBUTE_INT);
	assert_int_equal(span_attribute(&builder->span, ATTR_URL_PATH)->integer, 5);
}

static void test_a_full_list_counts_what_it_drops(void **state)
{
	struct fixture *fixture = *state;
	struct span_builder *builder = &fixture->builder;

	for (int i = 0; i < SPAN_ATTRIBUTES_MAX + 2; i++)
		span_set_string(builder, (enum attribute_key)i, VIEW("v"));
	assert_int_equal(builder->span.n_attributes, SPAN_ATTRIBUTES_MAX);
	assert_int_equal(builder->span.dropped_attributes, 2);
	span_set_int(builder, (enum attribute_key)3, 3);
	assert_int_equal(builder->span.dropped_attributes, 2);
	assert_int_equal(span_attribute(&builder->span, (enum attribute_key)3)->integer, 3);
}

static void test_text_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	struct span_builder *builder = &fixture->builder;

	assert_int_equal(span_text(builder, large(fixture, SPAN_VALUE_MAX + 1)).len,
			 SPAN_VALUE_MAX);
	assert_int_equal(span_text(builder, large(fixture, SPAN_VALUE_MAX)).len,
			 SPAN_TEXT_MAX - SPAN_VALUE_MAX);
	assert_int_equal(span_text(builder, VIEW("more")).len, 0);
	span_set_string(builder, ATTR_URL_PATH, VIEW("more"));
	assert_string(&builder->span, ATTR_URL_PATH, "");
}

static void test_text_is_valid(void **state)
{
	struct fixture *fixture = *state;
	struct span_builder *builder = &fixture->builder;
	struct view text;

	span_set_string(builder, ATTR_URL_PATH, VIEW("/a\xff"));
	assert_string(&builder->span, ATTR_URL_PATH, "/a\xef\xbf\xbd");
	/* the euro sign does not fit as a whole: it goes as a whole */
	memcpy(fixture->large + SPAN_VALUE_MAX - 2, "\xe2\x82\xac", 3);
	text = span_text(builder, large(fixture, SPAN_VALUE_MAX + 1));
	assert_int_equal(text.len, SPAN_VALUE_MAX - 2);
	assert_true(utf8_is_valid(text));
}

static void test_remove(void **state)
{
	struct fixture *fixture = *state;
	struct span_builder *builder = &fixture->builder;
	struct span *span = &builder->span;

	span_set_int(builder, ATTR_SERVER_PORT, 1);
	span_set_int(builder, ATTR_THREAD_ID, 2);
	span_set_int(builder, ATTR_NETWORK_PEER_PORT, 3);
	span_remove(span, ATTR_THREAD_ID);
	span_remove(span, ATTR_URL_PATH);
	assert_int_equal(span->n_attributes, 2);
	assert_null(span_attribute(span, ATTR_THREAD_ID));
	assert_int_equal(span->attributes[0].key, ATTR_SERVER_PORT);
	assert_int_equal(span->attributes[1].key, ATTR_NETWORK_PEER_PORT);
	/* the builder finds what has moved up, and makes none twice */
	assert_ptr_equal(span_builder_attribute(builder, ATTR_NETWORK_PEER_PORT),
			 &span->attributes[1]);
	assert_null(span_builder_attribute(builder, ATTR_THREAD_ID));
	span_set_int(builder, ATTR_NETWORK_PEER_PORT, 4);
	assert_int_equal(span->n_attributes, 2);
	span_remove(span, ATTR_NETWORK_PEER_PORT);
	span_remove(span, ATTR_SERVER_PORT);
	assert_int_equal(span->n_attributes, 0);
}

/* The end of the list is cut off, and its places are taken by others. */
static void test_cut(void **state)
{
	struct fixture *fixture = *state;
	struct span_builder *builder = &fixture->builder;

	span_set_int(builder, ATTR_SERVER_PORT, 1);
	span_set_int(builder, ATTR_THREAD_ID, 2);
	builder->span.n_attributes = 1;
	assert_null(span_builder_attribute(builder, ATTR_THREAD_ID));
	span_set_int(builder, ATTR_NETWORK_PEER_PORT, 3);
	assert_null(span_builder_attribute(builder, ATTR_THREAD_ID));
	assert_int_equal(span_builder_attribute(builder, ATTR_NETWORK_PEER_PORT)->integer, 3);
}

/* It takes no room in the text, and stays where it is when the span is frozen. */
static void test_constant(void **state)
{
	static const struct view constant = VIEW_INIT("constant");
	struct fixture *fixture = *state;
	struct span *span;

	span_set_text(&fixture->builder, ATTR_URL_PATH, constant);
	span_set_string(&fixture->builder, ATTR_URL_QUERY, VIEW("text"));
	assert_int_equal(fixture->builder.text_used, strlen("text"));
	span = span_new(&fixture->builder);
	assert_non_null(span);
	assert_ptr_equal(span_attribute(span, ATTR_URL_PATH)->text, constant.data);
	assert_string(span, ATTR_URL_PATH, "constant");
	assert_string(span, ATTR_URL_QUERY, "text");
	span_free(span);
}

/* No two keys have one name. */
static void test_names(void **state)
{
	(void)state;
	for (enum attribute_key i = 0; i < ATTR_MAX; i++) {
		assert_true(strlen(attribute_key_name(i)) > 0);
		for (enum attribute_key j = 0; j < i; j++)
			assert_string_not_equal(attribute_key_name(i), attribute_key_name(j));
	}
	assert_string_equal(attribute_key_name(ATTR_URL_PATH), "url.path");
	assert_string_equal(attribute_key_name(ATTR_MAX), "");
}

static void fill(struct span_builder *builder)
{
	struct span *span = &builder->span;
	struct span_link *link;

	memset(span->trace_id, 0x11, sizeof(span->trace_id));
	memset(span->span_id, 0x22, sizeof(span->span_id));
	span->kind = SPAN_KIND_SERVER;
	span->status = SPAN_STATUS_ERROR;
	span->flags = SPAN_FLAG_SAMPLED;
	span->start_ns = 10;
	span->end_ns = 20;
	span->name = span_text(builder, VIEW("GET"));
	span->status_message = span_text(builder, VIEW("message"));
	span->trace_state = span_text(builder, VIEW("a=b"));
	link = span_set_link(builder);
	memset(link->trace_id, 0x33, sizeof(link->trace_id));
	memset(link->span_id, 0x44, sizeof(link->span_id));
	link->flags = 0x301;
	link->trace_state = span_text(builder, VIEW("c=d"));
	span_set_string(builder, ATTR_URL_PATH, VIEW("/a"));
	span_set_int(builder, ATTR_SERVER_PORT, 80);
	span_set_string(builder, ATTR_URL_QUERY, VIEW(""));
}

/* The frozen span shares nothing with its builder, which is written over. */
static void test_frozen(void **state)
{
	struct fixture *fixture = *state;
	struct span *span;

	fill(&fixture->builder);
	span = span_new(&fixture->builder);
	assert_non_null(span);
	memset(&fixture->builder, 0xa5, sizeof(fixture->builder));

	assert_int_equal(span->trace_id[15], 0x11);
	assert_int_equal(span->span_id[7], 0x22);
	assert_int_equal(span->kind, SPAN_KIND_SERVER);
	assert_int_equal(span->status, SPAN_STATUS_ERROR);
	assert_int_equal(span->flags, SPAN_FLAG_SAMPLED);
	assert_int_equal(span->start_ns, 10);
	assert_int_equal(span->end_ns, 20);
	assert_text(span->name, "GET");
	assert_text(span->status_message, "message");
	assert_text(span->trace_state, "a=b");
	assert_int_equal(span->link->trace_id[15], 0x33);
	assert_int_equal(span->link->span_id[7], 0x44);
	assert_int_equal(span->link->flags, 0x301);
	assert_text(span->link->trace_state, "c=d");
	assert_int_equal(span->n_attributes, 3);
	assert_string(span, ATTR_URL_PATH, "/a");
	assert_int_equal(span_attribute(span, ATTR_SERVER_PORT)->integer, 80);
	assert_string(span, ATTR_URL_QUERY, "");
	assert_null(span->next);
	assert_null(span_free(span));
}

/* A builder that is used again has no link, and neither has its span. */
static void test_no_link(void **state)
{
	struct fixture *fixture = *state;
	struct span *span;

	span_set_link(&fixture->builder)->flags = 1;
	assert_int_equal(span_set_link(&fixture->builder)->flags, 0);
	span_builder_init(&fixture->builder);
	span = span_new(&fixture->builder);
	assert_non_null(span);
	assert_null(span->link);
	span_free(span);
}

/* Whoever counts bytes adds and subtracts the same, whatever was taken out in between. */
static void test_size_stays(void **state)
{
	struct fixture *fixture = *state;
	struct span *small = span_new(&fixture->builder);
	struct span *span;
	size_t size;

	fill(&fixture->builder);
	span = span_new(&fixture->builder);
	assert_non_null(small);
	assert_non_null(span);
	assert_int_equal(span_size(small), sizeof(struct span));
	size = span_size(span);
	assert_int_equal(size, sizeof(struct span) + sizeof(struct span_link) +
				       3 * sizeof(struct attribute) +
				       strlen("GET"
					      "message"
					      "a=b"
					      "c=d"
					      "/a"));
	span_remove(span, ATTR_URL_PATH);
	assert_null(span_attribute(span, ATTR_URL_PATH));
	assert_int_equal(span_size(span), size);
	span_free(small);
	span_free(span);
	assert_null(span_free(NULL));
}

static void test_holds_its_resource(void **state)
{
	static const char *const pairs[] = { "service.name", "shop" };
	struct fixture *fixture = *state;
	struct resource *resource;
	struct span *span;

	assert_int_equal(resource_new(7, pairs, 1, &resource), 0);
	fixture->builder.span.resource = resource;
	span = span_new(&fixture->builder);
	assert_non_null(span);
	assert_int_equal(resource->references, 2);
	resource_unref(resource);
	/* the span's own reference keeps it: the sanitizer watches */
	assert_text(span->resource->service_name, "shop");
	span_free(span);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_empty),
		TEST(test_each_type),
		TEST(test_a_key_again_replaces),
		TEST(test_a_full_list_counts_what_it_drops),
		TEST(test_text_is_bounded),
		TEST(test_text_is_valid),
		TEST(test_remove),
		TEST(test_cut),
		TEST(test_constant),
		TEST(test_names),
		TEST(test_frozen),
		TEST(test_no_link),
		TEST(test_size_stays),
		TEST(test_holds_its_resource),
	};

	return cmocka_run_group_tests_name("span/span", tests, NULL, NULL);
}
