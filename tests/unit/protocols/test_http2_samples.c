/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden test: what real clients send gives just the spans that stand beside it, however the bytes
 * are cut (tests/wire/http2/README.md). Reads $WEFT_TEST_DATA/http2, or tests/wire/http2 from where
 * it runs.
 */
#include "fixture.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "conn/table.h"
#include "lib/http2_stream.h"
#include "span/semconv.h"

#define SAMPLE_MAX  8192
#define SAMPLES_MIN 7

struct reader {
	void *state;
	struct conn_table *table;
	json_t *wanted;
	size_t n_seen;
};

static const char *const keys[] = {
	"http.request.method", "url.path",   "url.query",	"server.address",
	"user_agent.original", "rpc.method", "rpc.system.name",
};

static const char *text_of(const struct span_builder *builder, const char *key, size_t *ret_len)
{
	for (size_t i = 0; i < builder->span.n_attributes; i++) {
		const struct attribute *attribute = &builder->attributes[i];

		if (strcmp(attribute_key_name(attribute->key), key) != 0)
			continue;
		*ret_len = attribute->len;
		return attribute->text;
	}
	return NULL;
}

static void assert_sample_span(json_t *wanted, const struct span_builder *builder)
{
	json_t *attributes = json_object_get(wanted, "attributes");
	const char *name = json_string_value(json_object_get(wanted, "name"));

	assert_int_equal(builder->span.name.len, strlen(name));
	assert_memory_equal(builder->span.name.data, name, strlen(name));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(attributes, keys[i]);
		size_t len = 0;
		const char *text = text_of(builder, keys[i], &len);

		/* a call's span does not say what only HTTP knows */
		if (!value && !text)
			continue;
		if (!value && json_object_get(attributes, "rpc.method"))
			continue;
		assert_non_null(value);
		assert_non_null(text);
		assert_int_equal(len, json_string_length(value));
		assert_memory_equal(text, json_string_value(value), len);
	}
}

static void on_started(void *context, struct exchange *exchange)
{
	static struct span_builder builder;
	struct reader *reader = context;
	json_t *wanted = json_array_get(reader->wanted, reader->n_seen++);

	if (!wanted)
		return;
	assert_int_equal(fixture_describe(exchange, &builder), 0);
	assert_sample_span(wanted, &builder);
}

static void on_finished(void *context, struct exchange *exchange)
{
	(void)context, (void)exchange;
}

static void on_record(void *context, const void *record, size_t size)
{
	struct reader *reader = context;
	union event event;

	assert_int_equal(event_decode(record, size, &event), 0);
	if (protocol_by_id(PROTOCOL_HTTP2)->unpack(reader->state, &event))
		conn_table_event(reader->table, event);
}

/* Bytes up to `cut` in one call, the rest in another; `step`: in calls of so many instead. */
static void read_cut(json_t *wanted, const uint8_t *bytes, size_t size, size_t cut, size_t step)
{
	static const struct config config = { .sampler = CONFIG_SAMPLER_PARENT_ALWAYS_ON };
	static struct http2_stream stream;
	struct reader reader = { .wanted = wanted };
	const struct conn_limits limits = { 64, 8192, 8192 };
	const struct conn_callbacks callbacks = { on_started, on_finished, &reader };

	assert_int_equal(protocol_by_id(PROTOCOL_HTTP2)->unpack_new(&config, &reader.state), 0);
	assert_int_equal(conn_table_new(&limits, &callbacks, &reader.table), 0);
	memset(&stream, 0, sizeof(stream));
	stream.record = on_record;
	stream.context = &reader;
	if (step) {
		for (size_t at = 0; at < size; at += step)
			http2_stream_feed(&stream, bytes + at, size - at < step ? size - at : step);
	} else {
		http2_stream_feed(&stream, bytes, cut);
		http2_stream_feed(&stream, bytes + cut, size - cut);
	}
	assert_false(stream.bad);
	assert_in_range(reader.n_seen, json_array_size(wanted), 16);
	conn_table_free(reader.table);
	protocol_by_id(PROTOCOL_HTTP2)->unpack_free(reader.state);
}

static void read_sample(const char *directory, const char *name)
{
	static uint8_t bytes[SAMPLE_MAX];
	char path[PATH_MAX + NAME_MAX + 16];
	_cleanup_fclose_ FILE *file = NULL;
	json_t *sample;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s.frames", directory, name);
	file = fopen(path, "re");
	assert_non_null(file);
	size = fread(bytes, 1, sizeof(bytes), file);
	snprintf(path, sizeof(path), "%s/%s.json", directory, name);
	sample = json_load_file(path, 0, NULL);
	assert_non_null(sample);
	for (size_t cut = 0; cut <= size; cut++)
		read_cut(json_object_get(sample, "spans"), bytes, size, cut, 0);
	for (size_t step = 1; step < 30; step++)
		read_cut(json_object_get(sample, "spans"), bytes, size, 0, step);
	json_decref(sample);
}

static void test_samples(void **state)
{
	const char *data = getenv("WEFT_TEST_DATA");
	char directory[PATH_MAX];
	struct dirent *entry;
	unsigned int n = 0;
	DIR *list;

	(void)state;
	snprintf(directory, sizeof(directory), "%s/http2", data ? data : "tests/wire");
	list = opendir(directory);
	assert_non_null(list);
	while ((entry = readdir(list))) {
		char name[NAME_MAX + 1];
		char *dot;

		snprintf(name, sizeof(name), "%s", entry->d_name);
		dot = strstr(name, ".frames");
		if (!dot)
			continue;
		*dot = '\0';
		read_sample(directory, name);
		n++;
	}
	closedir(list);
	assert_in_range(n, SAMPLES_MIN, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_samples) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
