/* SPDX-License-Identifier: Apache-2.0 */
#include "spans.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "export/otlp_encode.h"
#include "otlp.pb-c.h"

struct fixture {
	sd_event *loop;
	struct export_counters counters;
	struct batch_queue queue;
	struct batch *batch;
	struct bytes scratch;
	struct bytes request;
	Otlp__ExportTraceServiceRequest *decoded;
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
	fixture.queue = (struct batch_queue){ .codec = &otlp_codec,
					      .counters = &fixture.counters,
					      .ready = on_ready };
	assert_true(batch_queue_init(&fixture.queue, &options, fixture.loop) >= 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->decoded)
		otlp__export_trace_service_request__free_unpacked(fixture->decoded, NULL);
	if (fixture->batch)
		batch_queue_put_back(&fixture->queue, fixture->batch);
	batch_queue_clear(&fixture->queue);
	bytes_free(&fixture->scratch);
	bytes_free(&fixture->request);
	sd_event_unref(fixture->loop);
	return 0;
}

static void encode(struct fixture *fixture)
{
	batch_queue_seal(&fixture->queue);
	fixture->batch = batch_queue_take(&fixture->queue);
	assert_non_null(fixture->batch);
	assert_int_equal(otlp_encode_request(fixture->batch, &fixture->scratch, &fixture->request),
			 0);
	fixture->decoded = otlp__export_trace_service_request__unpack(NULL, fixture->request.len,
								      fixture->request.data);
	assert_non_null(fixture->decoded);
}

static Otlp__Span *unpack_span(const Otlp__ScopeSpans *scope, size_t i)
{
	Otlp__Span *span = otlp__span__unpack(NULL, scope->spans[i].len, scope->spans[i].data);

	assert_non_null(span);
	return span;
}

static void assert_bytes(ProtobufCBinaryData field, const char *text)
{
	assert_int_equal(field.len, strlen(text));
	assert_memory_equal(field.data, text, field.len);
}

static void one_span_survives(void **state)
{
	struct fixture *fixture = *state;
	struct resource *shop = test_resource("shop");
	struct span *span = test_span(shop, 1);
	const Otlp__ResourceSpans *group;
	Otlp__Resource *resource;
	Otlp__Span *got;

	memset(span->parent_id, 0x77, SPAN_ID_LEN);
	batch_queue_add(&fixture->queue, span);
	encode(fixture);
	assert_int_equal(fixture->decoded->n_resource_spans, 1);
	group = fixture->decoded->resource_spans[0];
	assert_bytes(group->schema_url, SEMCONV_SCHEMA_URL);
	assert_int_equal(group->n_scope_spans, 1);
	assert_bytes(group->scope_spans[0]->scope->name, "weft");
	assert_true(group->scope_spans[0]->scope->version.len > 0);
	assert_bytes(group->scope_spans[0]->schema_url, SEMCONV_SCHEMA_URL);

	resource = otlp__resource__unpack(NULL, group->resource.len, group->resource.data);
	assert_non_null(resource);
	assert_int_equal(resource->n_attributes, 3);
	assert_bytes(resource->attributes[0]->key, "service.name");
	assert_bytes(resource->attributes[0]->value->string_value, "shop");
	assert_int_equal(resource->attributes[1]->value->value_case,
			 OTLP__ANY_VALUE__VALUE_INT_VALUE);
	assert_int_equal(resource->attributes[1]->value->int_value, 4321);
	otlp__resource__free_unpacked(resource, NULL);

	assert_int_equal(group->scope_spans[0]->n_spans, 1);
	got = unpack_span(group->scope_spans[0], 0);
	assert_int_equal(got->trace_id.len, TRACE_ID_LEN);
	assert_memory_equal(got->trace_id.data, span->trace_id, TRACE_ID_LEN);
	assert_int_equal(got->span_id.len, SPAN_ID_LEN);
	assert_memory_equal(got->span_id.data, span->span_id, SPAN_ID_LEN);
	assert_int_equal(got->parent_span_id.len, SPAN_ID_LEN);
	assert_memory_equal(got->parent_span_id.data, span->parent_id, SPAN_ID_LEN);
	assert_bytes(got->name, "GET /users/{id}");
	assert_int_equal(got->kind, SPAN_KIND_SERVER);
	assert_int_equal(got->start_time_unix_nano, TEST_TIME_NS);
	assert_int_equal(got->end_time_unix_nano, TEST_TIME_NS + 1500000);
	assert_int_equal(got->flags, 0x103);
	assert_int_equal(got->n_attributes, 3);
	assert_bytes(got->attributes[1]->key, "url.path");
	assert_bytes(got->attributes[1]->value->string_value, "/users/1234");
	assert_int_equal(got->attributes[2]->value->int_value, 200);
	assert_null(got->status);
	assert_int_equal(got->dropped_attributes_count, 0);
	otlp__span__free_unpacked(got, NULL);
	span_free(span);
	resource_unref(shop);
}

static void a_root_has_no_parent(void **state)
{
	struct fixture *fixture = *state;
	struct span *span = test_span(NULL, 1);
	Otlp__Span *got;

	batch_queue_add(&fixture->queue, span);
	encode(fixture);
	assert_int_equal(fixture->decoded->resource_spans[0]->resource.len, 0);
	got = unpack_span(fixture->decoded->resource_spans[0]->scope_spans[0], 0);
	assert_int_equal(got->parent_span_id.len, 0);
	otlp__span__free_unpacked(got, NULL);
	span_free(span);
}

static void every_kind_of_value_survives(void **state)
{
	static struct span_builder builder;
	struct fixture *fixture = *state;
	struct span *span;
	Otlp__Span *got;
	Otlp__AnyValue *value;

	span_builder_init(&builder);
	builder.span.status = SPAN_STATUS_ERROR;
	builder.span.status_message = span_text(&builder, VIEW("reset"));
	builder.span.trace_state = span_text(&builder, VIEW("ot=th:c"));
	builder.span.kind = SPAN_KIND_CLIENT;
	builder.span.dropped_attributes = 3;
	span_set_string(&builder, ATTR_URL_PATH, VIEW(""));
	span_set_int(&builder, ATTR_SERVER_PORT, INT64_MIN);
	span_set_double(&builder, ATTR_THREAD_ID, 0.5);
	span_set_bool(&builder, ATTR_WEFT_TRUNCATED, false);
	span_set_bool(&builder, ATTR_WEFT_ROUTE_INFERRED, true);
	span = span_new(&builder);
	batch_queue_add(&fixture->queue, span);
	encode(fixture);
	got = unpack_span(fixture->decoded->resource_spans[0]->scope_spans[0], 0);
	assert_int_equal(got->n_attributes, 5);
	value = got->attributes[0]->value;
	assert_int_equal(value->value_case, OTLP__ANY_VALUE__VALUE_STRING_VALUE);
	assert_int_equal(value->string_value.len, 0);
	assert_true(got->attributes[1]->value->int_value == INT64_MIN);
	value = got->attributes[2]->value;
	assert_int_equal(value->value_case, OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE);
	assert_true(value->double_value == 0.5);
	value = got->attributes[3]->value;
	assert_int_equal(value->value_case, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);
	assert_int_equal(value->bool_value, 0);
	assert_int_equal(got->attributes[4]->value->bool_value, 1);
	assert_int_equal(got->status->code, 2);
	assert_bytes(got->status->message, "reset");
	assert_bytes(got->trace_state, "ot=th:c");
	assert_int_equal(got->dropped_attributes_count, 3);
	otlp__span__free_unpacked(got, NULL);
	span_free(span);
}

static void a_link_survives(void **state)
{
	static struct span_builder builder;
	struct fixture *fixture = *state;
	struct span_link *link;
	struct span *span;
	Otlp__Span *got;

	span_builder_init(&builder);
	link = span_set_link(&builder);
	memset(link->trace_id, 0xab, TRACE_ID_LEN);
	memset(link->span_id, 0xcd, SPAN_ID_LEN);
	link->flags = SPAN_FLAG_SAMPLED | SPAN_FLAG_HAS_IS_REMOTE | SPAN_FLAG_IS_REMOTE;
	link->trace_state = span_text(&builder, VIEW("k=v"));
	span = span_new(&builder);
	batch_queue_add(&fixture->queue, span);
	encode(fixture);
	got = unpack_span(fixture->decoded->resource_spans[0]->scope_spans[0], 0);
	assert_int_equal(got->n_links, 1);
	assert_int_equal(got->links[0]->trace_id.len, TRACE_ID_LEN);
	assert_memory_equal(got->links[0]->trace_id.data, span->link->trace_id, TRACE_ID_LEN);
	assert_int_equal(got->links[0]->span_id.len, SPAN_ID_LEN);
	assert_memory_equal(got->links[0]->span_id.data, span->link->span_id, SPAN_ID_LEN);
	assert_bytes(got->links[0]->trace_state, "k=v");
	assert_int_equal(got->links[0]->flags, 0x301);
	assert_int_equal(got->trace_state.len, 0);
	otlp__span__free_unpacked(got, NULL);
	span_free(span);
}

static void spans_stand_under_their_resource(void **state)
{
	struct fixture *fixture = *state;
	struct resource *resources[] = { test_resource("shop"), test_resource("cart") };
	const Otlp__ScopeSpans *scope;

	for (uint8_t i = 0; i < 7; i++) {
		struct span *span = test_span(resources[i % 3 == 0], i);

		batch_queue_add(&fixture->queue, span);
		span_free(span);
	}
	encode(fixture);
	assert_int_equal(fixture->decoded->n_resource_spans, 2);
	/* 0, 3 and 6 are the cart's, which came first. */
	scope = fixture->decoded->resource_spans[0]->scope_spans[0];
	assert_int_equal(scope->n_spans, 3);
	for (uint8_t i = 0; i < 3; i++) {
		Otlp__Span *got = unpack_span(scope, i);

		assert_int_equal(got->span_id.data[7], 3 * i);
		otlp__span__free_unpacked(got, NULL);
	}
	assert_int_equal(fixture->decoded->resource_spans[1]->scope_spans[0]->n_spans, 4);
	resource_unref(resources[0]);
	resource_unref(resources[1]);
}

static void the_largest_span_fits(void **state)
{
	static struct span_builder builder;
	static char text[SPAN_VALUE_MAX];
	struct fixture *fixture = *state;
	struct span *span;
	Otlp__Span *got;

	memset(text, 'x', sizeof(text));
	span_builder_init(&builder);
	/* more than there are keys */
	for (uint16_t i = 0; i < SPAN_ATTRIBUTES_MAX; i++)
		builder.attributes[i] = (struct attribute){ .key = i % ATTR_MAX,
							    .type = ATTRIBUTE_INT,
							    .integer = i };
	attribute_set_text(&builder.attributes[7], (struct view){ text, sizeof(text) });
	builder.span.n_attributes = SPAN_ATTRIBUTES_MAX;
	span = span_new(&builder);
	batch_queue_add(&fixture->queue, span);
	encode(fixture);
	got = unpack_span(fixture->decoded->resource_spans[0]->scope_spans[0], 0);
	assert_int_equal(got->n_attributes, SPAN_ATTRIBUTES_MAX);
	assert_int_equal(got->attributes[7]->value->string_value.len, SPAN_VALUE_MAX);
	assert_int_equal(got->attributes[39]->value->int_value, 39);
	otlp__span__free_unpacked(got, NULL);
	span_free(span);
}

/* From the field numbers by hand, so that a wrong .proto cannot agree with itself. */
static void answers_are_read(void **state)
{
	static const char partial[] = "\x0a\x07\x08\x03\x12\x03"
				      "bad";
	static const char negative[] = "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
	static const char status[] = "\x08\x03\x12\x04"
				     "what";
	struct bytes message = { 0 };
	uint64_t rejected = 99;

	(void)state;
	assert_int_equal(otlp_decode_response(VIEW(""), &rejected, &message), 0);
	assert_int_equal(rejected, 0);
	assert_int_equal(message.len, 0);
	assert_int_equal(otlp_decode_response((struct view){ partial, sizeof(partial) - 1 },
					      &rejected, &message),
			 0);
	assert_int_equal(rejected, 3);
	assert_int_equal(message.len, 3);
	assert_memory_equal(message.data, "bad", 3);
	assert_int_equal(otlp_decode_response((struct view){ negative, sizeof(negative) - 1 },
					      &rejected, &message),
			 0);
	assert_int_equal(rejected, 0);
	assert_int_equal(otlp_decode_status((struct view){ status, sizeof(status) - 1 }, &message),
			 0);
	assert_memory_equal(message.data, "what", 4);
	bytes_free(&message);
}

static void bad_answers_are_refused(void **state)
{
	static char large[70000];
	static const char cut[] = "\x0a\x07\x08";
	struct bytes message = { 0 };
	uint64_t rejected = 7;

	(void)state;
	assert_int_equal(otlp_decode_response(VIEW("<html>"), &rejected, &message), -EBADMSG);
	assert_int_equal(otlp_decode_response((struct view){ cut, 3 }, &rejected, &message),
			 -EBADMSG);
	assert_int_equal(otlp_decode_status((struct view){ large, sizeof(large) }, &message),
			 -EBADMSG);
	assert_int_equal(rejected, 7);
	bytes_free(&message);
}

/* One span, byte for byte: field numbers and wire types as opentelemetry-proto has them. */
static void bytes_are_those_of_otlp(void **state)
{
	static const uint8_t expected[] = {
		0x0a, 16,   0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab,
		0xac, 0xad, 0xae, 0xaf,					 /* 1 trace_id */
		0x12, 8,    1,	  2,	3,    4,    5,	  6,	7,    8, /* 2 span_id */
		0x2a, 1,    'n',					 /* 5 name */
		0x30, 3,						 /* 6 kind */
		0x39, 1,    0,	  0,	0,    0,    0,	  0,	0,	 /* 7 start */
		0x41, 2,    0,	  0,	0,    0,    0,	  0,	0,	 /* 8 end */
		0x4a, 17,   0x0a, 11,	's',  'e',  'r',  'v',	'e',  'r',  '.',  'p',	'o',  'r',
		't',  0x12, 2,	  0x18, 5, /* 9 attributes */
		0x6a, 38,   0x0a, 16,	0xb0, 0,    0,	  0,	0,    0,    0,	  0,	0,    0,
		0,    0,    0,	  0,	0,    0,    0x12, 8,	0xc0, 0,    0,	  0,	0,    0,
		0,    0,    0x1a, 3,	'a',  '=',  'b',  0x35, 1,    3,    0,	  0, /* 13 link */
		0x7a, 2,    0x18, 2,						     /* 15 status */
		0x85, 0x01, 1,	  0,	0,    0,				     /* 16 flags */
	};
	static struct span_builder builder;
	struct span_link *link;
	struct bytes out = { 0 };

	(void)state;
	span_builder_init(&builder);
	for (uint8_t i = 0; i < TRACE_ID_LEN; i++)
		builder.span.trace_id[i] = (uint8_t)(0xa0 + i);
	for (uint8_t i = 0; i < SPAN_ID_LEN; i++)
		builder.span.span_id[i] = (uint8_t)(i + 1);
	builder.span.name = span_text(&builder, VIEW("n"));
	builder.span.kind = SPAN_KIND_CLIENT;
	builder.span.start_ns = 1;
	builder.span.end_ns = 2;
	builder.span.status = SPAN_STATUS_ERROR;
	builder.span.flags = SPAN_FLAG_SAMPLED;
	span_set_int(&builder, ATTR_SERVER_PORT, 5);
	link = span_set_link(&builder);
	link->trace_id[0] = 0xb0;
	link->span_id[0] = 0xc0;
	link->flags = 0x301;
	link->trace_state = span_text(&builder, VIEW("a=b"));
	builder.span.attributes = builder.attributes;
	otlp_codec.span(&builder.span, &out);
	assert_int_equal(out.len, sizeof(expected));
	assert_memory_equal(out.data, expected, sizeof(expected));
	bytes_free(&out);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_span_survives),
		TEST(a_root_has_no_parent),
		TEST(every_kind_of_value_survives),
		TEST(a_link_survives),
		TEST(spans_stand_under_their_resource),
		TEST(the_largest_span_fits),
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(bad_answers_are_refused),
		cmocka_unit_test(bytes_are_those_of_otlp),
	};

	return cmocka_run_group_tests_name("export/otlp_encode", tests, NULL, NULL);
}
