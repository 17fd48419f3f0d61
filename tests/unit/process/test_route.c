/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/route.h"
#include "span/resource.h"
#include "span/semconv.h"

struct fixture {
	struct processor *processor;
	struct span_builder builder;
};

static int setup(void **state)
{
	const struct processor_options options = { 0 };
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture || processor_route.start(&options, &fixture->processor) < 0)
		return -1;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	(*processor_route.stop)(fixture->processor); /* stop() is a macro of cmocka 2 */
	free(fixture);
	return 0;
}

static struct span *request(struct fixture *fixture, enum span_kind kind, const char *method,
			    const char *path)
{
	span_builder_init(&fixture->builder);
	fixture->builder.span.kind = kind;
	if (method)
		span_set_string(&fixture->builder, ATTR_HTTP_REQUEST_METHOD, view_of(method));
	if (path)
		span_set_string(&fixture->builder, ATTR_URL_PATH, view_of(path));
	return &fixture->builder.span;
}

static void run(struct fixture *fixture)
{
	processor_route.process(fixture->processor, &fixture->builder);
}

static void assert_text(struct view text, const char *expected)
{
	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.data, expected, text.len);
}

static void assert_inferred(const struct span *span, const char *route)
{
	const struct attribute *attribute = span_attribute(span, ATTR_HTTP_ROUTE);

	assert_non_null(attribute);
	assert_text(attribute_text(attribute), route);
	attribute = span_attribute(span, ATTR_WEFT_ROUTE_INFERRED);
	assert_non_null(attribute);
	assert_int_equal(attribute->type, ATTRIBUTE_BOOL);
	assert_true(attribute->boolean);
}

static void assert_no_route(const struct span *span)
{
	assert_null(span_attribute(span, ATTR_HTTP_ROUTE));
	assert_null(span_attribute(span, ATTR_WEFT_ROUTE_INFERRED));
}

static void test_server_span(void **state)
{
	struct span *span = request(*state, SPAN_KIND_SERVER, "GET", "/users/1234");

	run(*state);
	assert_text(span->name, "GET /users/{id}");
	assert_inferred(span, "/users/{id}");
}

static void test_unknown_method_is_named_http(void **state)
{
	struct span *span = request(*state, SPAN_KIND_SERVER, "_OTHER", "/a");

	run(*state);
	assert_text(span->name, "HTTP /a");

	span = request(*state, SPAN_KIND_CLIENT, "BREW", "/a");
	run(*state);
	assert_text(span->name, "HTTP");
}

static void test_client_span_has_no_route(void **state)
{
	struct span *span = request(*state, SPAN_KIND_CLIENT, "POST", "/users/1");

	run(*state);
	assert_text(span->name, "POST");
	assert_no_route(span);
}

static void test_requests_without_path(void **state)
{
	static const struct {
		const char *method, *path;
	} samples[] = {
		{ "OPTIONS", "*" },
		{ "OPTIONS", NULL },
		{ "CONNECT", "/x" },
		{ "GET", "" },
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct span *span =
			request(*state, SPAN_KIND_SERVER, samples[i].method, samples[i].path);

		run(*state);
		assert_text(span->name, samples[i].method);
		assert_no_route(span);
	}
}

static void test_known_route_is_kept(void **state)
{
	struct fixture *fixture = *state;
	struct span *span = request(fixture, SPAN_KIND_SERVER, "GET", "/users/1");

	span_set_string(&fixture->builder, ATTR_HTTP_ROUTE, VIEW("/users/:user"));
	run(fixture);
	assert_text(span->name, "GET /users/:user");
	assert_null(span_attribute(span, ATTR_WEFT_ROUTE_INFERRED));
}

static void test_other_spans_are_left_alone(void **state)
{
	struct fixture *fixture = *state;
	struct span *span = request(fixture, SPAN_KIND_SERVER, NULL, "/users/1");

	span->name = span_text(&fixture->builder, VIEW("SELECT users"));
	run(fixture);
	assert_text(span->name, "SELECT users");
	assert_no_route(span);
}

static void test_service_and_status_reach_the_table(void **state)
{
	struct fixture *fixture = *state;
	struct resource shop = { .references = 1, .service_name = VIEW_INIT("shop") };
	char path[32];

	for (int i = 0; i < 26; i++) {
		struct span *span;

		snprintf(path, sizeof(path), "/missing%c", 'a' + i);
		span = request(fixture, SPAN_KIND_SERVER, "GET", path);
		span->resource = &shop;
		span_set_int(&fixture->builder, ATTR_HTTP_RESPONSE_STATUS_CODE, 404);
		run(fixture);
	}
	assert_text(fixture->builder.span.name, "GET /*");
	assert_inferred(&fixture->builder.span, "/*");

	request(fixture, SPAN_KIND_SERVER, "GET", "/missingz");
	run(fixture);
	assert_text(fixture->builder.span.name, "GET /missingz");
}

/* Nothing may name a span by half a route. */
static void test_full_text_leaves_the_method(void **state)
{
	struct fixture *fixture = *state;
	struct span *span = request(fixture, SPAN_KIND_SERVER, "GET", "/users/1");
	static char filler[SPAN_TEXT_MAX];

	span->name = span_text(&fixture->builder, VIEW("GET"));
	memset(filler, 'x', sizeof(filler));
	span_text(&fixture->builder, (struct view){ filler, SPAN_VALUE_MAX });
	span_text(&fixture->builder, (struct view){ filler, SPAN_VALUE_MAX });
	run(fixture);
	assert_text(span->name, "GET");
	assert_no_route(span);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_server_span),
		TEST(test_unknown_method_is_named_http),
		TEST(test_client_span_has_no_route),
		TEST(test_requests_without_path),
		TEST(test_known_route_is_kept),
		TEST(test_other_spans_are_left_alone),
		TEST(test_service_and_status_reach_the_table),
		TEST(test_full_text_leaves_the_method),
	};

	return cmocka_run_group_tests_name("process/route", tests, NULL, NULL);
}
