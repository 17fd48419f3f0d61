/* SPDX-License-Identifier: Apache-2.0 */
#include "spans.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "export/otlp_json.h"

struct fixture {
	sd_event *loop;
	struct export_counters counters;
	struct batch_queue queue;
	struct bytes line;
	json_t *json;
};

static void on_ready(void *owner)
{
	(void)owner;
}

static int setup(void **state)
{
	static struct fixture fixture;
	const struct export_options options = { .batch_delay_ns = NS_PER_SEC };

	memset(&fixture, 0, sizeof(fixture));
	assert_true(sd_event_new(&fixture.loop) >= 0);
	fixture.queue = (struct batch_queue){ .codec = &otlp_json_codec,
					      .counters = &fixture.counters,
					      .ready = on_ready };
	assert_true(batch_queue_init(&fixture.queue, &options, fixture.loop) >= 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	json_decref(fixture->json);
	batch_queue_clear(&fixture->queue);
	bytes_free(&fixture->line);
	sd_event_unref(fixture->loop);
	return 0;
}

static void add(struct fixture *fixture, struct span *span)
{
	assert_non_null(span);
	batch_queue_add(&fixture->queue, span);
	span_free(span);
}

/* Without copies it is the same line, if it can be done without. */
static void assert_gathers_the_same(const struct fixture *fixture, const struct batch *batch)
{
	struct otlp_json_parts parts;
	size_t at = 0;

	if (otlp_json_gather(batch, &parts) < 0)
		return;
	assert_in_range(parts.n, 1, OTLP_JSON_PARTS_MAX);
	assert_int_equal(parts.size, fixture->line.len);
	for (size_t i = 0; i < parts.n; at += parts.list[i++].iov_len)
		assert_memory_equal(parts.list[i].iov_base, fixture->line.data + at,
				    parts.list[i].iov_len);
	assert_int_equal(at, parts.size);
}

/* The batch's line, which must be one, and parsed. */
static json_t *line(struct fixture *fixture)
{
	struct batch *batch;
	json_error_t error;

	batch_queue_seal(&fixture->queue);
	batch = batch_queue_take(&fixture->queue);
	assert_non_null(batch);
	assert_int_equal(otlp_json_line(batch, &fixture->line), 0);
	assert_gathers_the_same(fixture, batch);
	batch_queue_put_back(&fixture->queue, batch);
	assert_ptr_equal(memchr(fixture->line.data, '\n', fixture->line.len),
			 fixture->line.data + fixture->line.len - 1);
	fixture->json = json_loadb((const char *)fixture->line.data, fixture->line.len,
				   JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!fixture->json)
		fail_msg("%s in %.*s", error.text, (int)fixture->line.len, fixture->line.data);
	return fixture->json;
}

static json_t *group(json_t *json, size_t i)
{
	return json_array_get(json_object_get(json, "resourceSpans"), i);
}

static json_t *scope_of(json_t *resource_spans)
{
	json_t *scopes = json_object_get(resource_spans, "scopeSpans");

	assert_int_equal(json_array_size(scopes), 1);
	return json_array_get(scopes, 0);
}

static json_t *span_of(json_t *resource_spans, size_t i)
{
	return json_array_get(json_object_get(scope_of(resource_spans), "spans"), i);
}

static void assert_text(json_t *object, const char *key, const char *text)
{
	json_t *member = json_object_get(object, key);

	assert_true(json_is_string(member));
	assert_string_equal(json_string_value(member), text);
}

static void assert_number(json_t *object, const char *key, json_int_t number)
{
	json_t *member = json_object_get(object, key);

	assert_true(json_is_integer(member));
	assert_int_equal(json_integer_value(member), number);
}

/* The value of the i-th attribute, whose key is checked. */
static json_t *value_of(json_t *object, size_t i, const char *key)
{
	json_t *attribute = json_array_get(json_object_get(object, "attributes"), i);

	assert_text(attribute, "key", key);
	return json_object_get(attribute, "value");
}

static void one_span_is_as_the_specification_says(void **state)
{
	struct resource *shop = test_resource("shop");
	struct span *span = test_span(shop, 0x1f);
	struct fixture *fixture = *state;
	json_t *json;
	json_t *got;

	memset(span->parent_id, 0x07, SPAN_ID_LEN);
	add(fixture, span);
	resource_unref(shop);
	json = line(fixture);
	assert_int_equal(json_array_size(json_object_get(json, "resourceSpans")), 1);
	assert_text(group(json, 0), "schemaUrl", SEMCONV_SCHEMA_URL);
	got = json_object_get(group(json, 0), "resource");
	assert_text(value_of(got, 0, "service.name"), "stringValue", "shop");
	assert_text(value_of(got, 1, "process.pid"), "intValue", "4321");
	assert_text(json_object_get(scope_of(group(json, 0)), "scope"), "name", "weft");
	assert_text(scope_of(group(json, 0)), "schemaUrl", SEMCONV_SCHEMA_URL);

	got = span_of(group(json, 0), 0);
	assert_text(got, "traceId", "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
	assert_text(got, "spanId", "101112131415161f");
	assert_text(got, "parentSpanId", "0707070707070707");
	assert_text(got, "name", "GET /users/{id}");
	assert_number(got, "kind", 2);
	assert_number(got, "flags", 0x103);
	assert_text(got, "startTimeUnixNano", "1767323045678000000");
	assert_text(got, "endTimeUnixNano", "1767323045679500000");
	assert_text(value_of(got, 0, "http.request.method"), "stringValue", "GET");
	assert_text(value_of(got, 2, "http.response.status_code"), "intValue", "200");
	assert_null(json_object_get(got, "status"));
	assert_null(json_object_get(got, "droppedAttributesCount"));
}

static void hostile_text_stays_one_string(void **state)
{
	static const char text[] =
		"a\"b\\c\nd\r\t\0\x01\x1f\x7f/\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"}";
	static struct span_builder builder;
	struct fixture *fixture = *state;
	json_t *got;

	span_builder_init(&builder);
	builder.span.name = span_text(&builder, (struct view){ text, sizeof(text) - 1 });
	span_set_string(&builder, ATTR_URL_PATH, (struct view){ text, sizeof(text) - 1 });
	add(fixture, span_new(&builder));
	got = span_of(group(line(fixture), 0), 0);
	assert_int_equal(json_string_length(json_object_get(got, "name")), sizeof(text) - 1);
	assert_memory_equal(json_string_value(json_object_get(got, "name")), text,
			    sizeof(text) - 1);
	got = json_object_get(value_of(got, 0, "url.path"), "stringValue");
	assert_int_equal(json_string_length(got), sizeof(text) - 1);
	assert_memory_equal(json_string_value(got), text, sizeof(text) - 1);
}

/* Ids in hexadecimal, flags a number: OTLP's JSON is not protobuf's. */
static void a_link_is_written(void **state)
{
	static struct span_builder builder;
	struct fixture *fixture = *state;
	struct span_link *link;
	json_t *spans, *links;

	span_builder_init(&builder);
	link = span_set_link(&builder);
	memset(link->trace_id, 0xab, TRACE_ID_LEN);
	memset(link->span_id, 0xcd, SPAN_ID_LEN);
	link->flags = SPAN_FLAG_SAMPLED | SPAN_FLAG_HAS_IS_REMOTE | SPAN_FLAG_IS_REMOTE;
	add(fixture, span_new(&builder));
	link->trace_state = span_text(&builder, VIEW("k=\"v\""));
	add(fixture, span_new(&builder));
	spans = group(line(fixture), 0);
	for (size_t i = 0; i < 2; i++) {
		links = json_object_get(span_of(spans, i), "links");
		assert_int_equal(json_array_size(links), 1);
		links = json_array_get(links, 0);
		assert_text(links, "traceId", "abababababababababababababababab");
		assert_text(links, "spanId", "cdcdcdcdcdcdcdcd");
		assert_number(links, "flags", 0x301);
	}
	assert_text(links, "traceState", "k=\"v\"");
	links = json_object_get(span_of(spans, 0), "links");
	assert_null(json_object_get(json_array_get(links, 0), "traceState"));
}

#define ASCII_MAX 0x80
#define TEXT_LEN  64

static void text_around(char text[TEXT_LEN], int c)
{
	for (size_t at = 0; at < TEXT_LEN; at++)
		text[at] = (char)(at % 9 == 8 ? c : at % 7 == 0 ? '\x7f' : 'z');
}

static void check_names(json_t *spans)
{
	char text[TEXT_LEN];

	for (int c = 0; c < ASCII_MAX; c++) {
		json_t *name = json_object_get(span_of(spans, (size_t)c), "name");

		text_around(text, c);
		assert_int_equal(json_string_length(name), sizeof(text));
		assert_memory_equal(json_string_value(name), text, sizeof(text));
	}
}

/* Eight bytes are looked at together: each of them must be seen, among any neighbours. */
static void each_byte_is_escaped_wherever_it_stands(void **state)
{
	static struct span_builder builder;
	struct fixture *fixture = *state;
	char text[TEXT_LEN];

	for (int c = 0; c < ASCII_MAX; c++) {
		text_around(text, c);
		span_builder_init(&builder);
		builder.span.name = span_text(&builder, (struct view){ text, sizeof(text) });
		add(fixture, span_new(&builder));
	}
	check_names(group(line(fixture), 0));
}

/* Short texts are looked at otherwise, and the ends of longer ones. */
static void the_last_byte_is_escaped(void **state)
{
	static struct span_builder builder;
	struct fixture *fixture = *state;
	json_t *spans;

	for (size_t len = 1; len <= 24; len++) {
		char text[24];

		memset(text, 'z', sizeof(text));
		text[len - 1] = '"';
		span_builder_init(&builder);
		builder.span.name = span_text(&builder, (struct view){ text, len });
		add(fixture, span_new(&builder));
	}
	spans = group(line(fixture), 0);
	for (size_t len = 1; len <= 24; len++) {
		json_t *name = json_object_get(span_of(spans, len - 1), "name");

		assert_int_equal(json_string_length(name), len);
		assert_int_equal(json_string_value(name)[len - 1], '"');
	}
}
static void every_kind_of_value_is_written(void **state)
{
	static struct span_builder builder;
	struct fixture *fixture = *state;
	json_t *got;

	span_builder_init(&builder);
	builder.span.status = SPAN_STATUS_ERROR;
	builder.span.status_message = span_text(&builder, VIEW("reset"));
	builder.span.trace_state = span_text(&builder, VIEW("ot=th:c"));
	builder.span.dropped_attributes = 4;
	span_set_string(&builder, ATTR_URL_PATH, VIEW(""));
	span_set_int(&builder, ATTR_SERVER_PORT, INT64_MIN);
	span_set_double(&builder, ATTR_THREAD_ID, 0.1);
	span_set_double(&builder, ATTR_NETWORK_PEER_PORT, NAN);
	span_set_double(&builder, ATTR_HTTP_REQUEST_BODY_SIZE, -INFINITY);
	span_set_bool(&builder, ATTR_WEFT_TRUNCATED, true);
	add(fixture, span_new(&builder));
	got = span_of(group(line(fixture), 0), 0);
	assert_text(value_of(got, 0, "url.path"), "stringValue", "");
	assert_text(value_of(got, 1, "server.port"), "intValue", "-9223372036854775808");
	assert_true(json_real_value(
			    json_object_get(value_of(got, 2, "thread.id"), "doubleValue")) == 0.1);
	assert_text(value_of(got, 3, "network.peer.port"), "doubleValue", "NaN");
	assert_text(value_of(got, 4, "http.request.body.size"), "doubleValue", "-Infinity");
	assert_true(json_is_true(json_object_get(value_of(got, 5, "weft.truncated"), "boolValue")));
	assert_number(json_object_get(got, "status"), "code", 2);
	assert_text(json_object_get(got, "status"), "message", "reset");
	assert_text(got, "traceState", "ot=th:c");
	assert_number(got, "droppedAttributesCount", 4);
	assert_null(json_object_get(got, "parentSpanId"));
}

static void spans_stand_under_their_resource(void **state)
{
	struct resource *resources[] = { test_resource("shop"), test_resource("cart"), NULL };
	struct fixture *fixture = *state;
	json_t *json;

	for (uint8_t i = 0; i < 5; i++)
		add(fixture, test_span(resources[i % 3], i));
	resource_unref(resources[0]);
	resource_unref(resources[1]);
	json = line(fixture);
	assert_int_equal(json_array_size(json_object_get(json, "resourceSpans")), 3);
	assert_text(span_of(group(json, 0), 0), "spanId", "1011121314151600");
	assert_text(span_of(group(json, 0), 1), "spanId", "1011121314151603");
	assert_text(span_of(group(json, 1), 1), "spanId", "1011121314151604");
	assert_null(span_of(group(json, 1), 2));
	assert_true(json_is_object(json_object_get(group(json, 2), "resource")));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_span_is_as_the_specification_says),   TEST(hostile_text_stays_one_string),
		TEST(each_byte_is_escaped_wherever_it_stands), TEST(the_last_byte_is_escaped),
		TEST(every_kind_of_value_is_written),	       TEST(a_link_is_written),
		TEST(spans_stand_under_their_resource),
	};

	return cmocka_run_group_tests_name("export/otlp_json", tests, NULL, NULL);
}
