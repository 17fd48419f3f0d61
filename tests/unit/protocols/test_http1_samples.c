/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden test: every sample of tests/wire/http1 gives just the span that stands beside it, at each
 * role that the sample names (tests/wire/http1/README.md). Reads $WEFT_TEST_DATA/http1, or
 * tests/wire/http1 from where it runs.
 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/utf8.h"

#define SAMPLE_MAX  65536
#define SAMPLES_MIN 30

struct name {
	int value;
	const char *text;
};

static const struct name kinds[] = {
	{ SPAN_KIND_SERVER, "server" },
	{ SPAN_KIND_CLIENT, "client" },
	{ -1, NULL },
};

static const struct name roles[] = {
	{ ROLE_SERVER, "server" },
	{ ROLE_CLIENT, "client" },
	{ -1, NULL },
};

static const struct name statuses[] = {
	{ SPAN_STATUS_UNSET, "unset" },
	{ SPAN_STATUS_ERROR, "error" },
	{ -1, NULL },
};

static const struct name ends[] = {
	{ EXCHANGE_COMPLETE, "complete" },
	{ EXCHANGE_CLOSED, "closed" },
	{ EXCHANGE_RESET, "reset" },
	{ EXCHANGE_TIMEOUT, "timeout" },
	{ EXCHANGE_UPGRADED, "upgraded" },
	{ EXCHANGE_LOST, "lost" },
	{ -1, NULL },
};

static const struct name families[] = {
	{ AF_INET, "inet" },
	{ AF_INET6, "inet6" },
	{ AF_UNIX, "unix" },
	{ -1, NULL },
};

static const struct name errors[] = { { -EBADMSG, "EBADMSG" }, { -1, NULL } };

static const char *name_of(const struct name *names, int value)
{
	while (names->text && names->value != value)
		names++;
	return names->text ? names->text : "?";
}

static int value_of(const struct name *names, const char *text)
{
	while (names->text && strcmp(names->text, text) != 0)
		names++;
	if (!names->text)
		fail_msg("\"%s\" is not a word of the sample format", text);
	return names->value;
}

static void directory(char path[PATH_MAX])
{
	const char *data = getenv("WEFT_TEST_DATA");

	snprintf(path, PATH_MAX, "%s/http1", data ? data : "tests/wire");
}

/* The file's bytes; no data: there is no such file. */
static struct view read_file(const char *name, const char *suffix, char buffer[SAMPLE_MAX])
{
	char place[PATH_MAX], path[PATH_MAX + 300];
	_cleanup_fclose_ FILE *file = NULL;
	struct view bytes = { .data = buffer };

	directory(place);
	snprintf(path, sizeof(path), "%s/%s%s", place, name, suffix);
	file = fopen(path, "re");
	if (!file)
		return (struct view){ 0 };
	bytes.len = fread(buffer, 1, SAMPLE_MAX, file);
	assert_true(feof(file));
	return bytes;
}

/* --- from a sample to an exchange --- */

static void set_message(struct message *message, json_t *json)
{
	json_t *truncated = json_object_get(json, "truncated");
	json_t *ended = json_object_get(json, "ended");

	message->body_bytes = (uint64_t)json_integer_value(json_object_get(json, "body_bytes"));
	message->truncated = json_is_true(truncated);
	message->ended = !json_is_false(ended);
}

/* What the kernel side reads off a status line. */
static uint16_t kernel_status(struct view head)
{
	return head.len >= 12
		       ? (uint16_t)strtoul((char[4]){ head.data[9], head.data[10], head.data[11] },
					   NULL, 10)
		       : 0;
}

static void set_addresses(struct exchange *exchange, int family)
{
	static const char *const ips[][2] = {
		[AF_UNIX] = { NULL, NULL },
		[AF_INET] = { "10.0.0.2", "10.0.0.1" },
		[AF_INET6] = { "2001:db8::2", "2001:db8::1" },
	};
	bool unix_socket = family == AF_UNIX;
	struct conn_address client = fixture_address(ips[family][0], unix_socket ? 0 : 40000);
	struct conn_address server = fixture_address(ips[family][1], unix_socket ? 0 : 8080);

	exchange->family = (uint16_t)family;
	exchange->local = exchange->role == ROLE_CLIENT ? client : server;
	exchange->remote = exchange->role == ROLE_CLIENT ? server : client;
}

static struct exchange sample_exchange(const char *name, enum conn_role role, json_t *sample)
{
	static char request_bytes[SAMPLE_MAX], response_bytes[SAMPLE_MAX];
	struct view request = read_file(name, ".request", request_bytes);
	struct view response = read_file(name, ".response", response_bytes);
	const char *end = json_string_value(json_object_get(sample, "end"));
	const char *family = json_string_value(json_object_get(sample, "family"));
	struct exchange exchange;

	if (!request.data)
		fail_msg("%s.request cannot be read", name);
	exchange = fixture_exchange(role, request, response);
	exchange.end = (enum exchange_end)value_of(ends, end ? end : "complete");
	if (exchange.end == EXCHANGE_CLOSED || exchange.end == EXCHANGE_RESET ||
	    exchange.end == EXCHANGE_TIMEOUT)
		exchange.closed_ns = FIXTURE_CLOSED_NS;
	exchange.status = kernel_status(response);
	set_addresses(&exchange, value_of(families, family ? family : "inet"));
	set_message(&exchange.request, json_object_get(sample, "request"));
	if (response.data)
		set_message(&exchange.response, json_object_get(sample, "response"));
	return exchange;
}

/* --- from a span to what stands in a sample --- */

static json_t *attribute_json(const struct attribute *attribute)
{
	switch (attribute->type) {
	case ATTRIBUTE_STRING:
		assert_true(utf8_is_valid(attribute_text(attribute)));
		return json_stringn(attribute->text, attribute->len);
	case ATTRIBUTE_INT:
		return json_integer(attribute->integer);
	case ATTRIBUTE_DOUBLE:
		return json_real(attribute->number);
	case ATTRIBUTE_BOOL:
		return json_boolean(attribute->boolean);
	}
	return NULL;
}

static json_t *span_json(const struct span *span)
{
	json_t *attributes = json_object();

	for (uint16_t i = 0; i < span->n_attributes; i++) {
		assert_null(
			json_object_get(attributes, attribute_key_name(span->attributes[i].key)));
		assert_int_equal(json_object_set_new(attributes,
						     attribute_key_name(span->attributes[i].key),
						     attribute_json(&span->attributes[i])),
				 0);
	}
	return json_pack("{s:s%, s:s, s:s, s:I, s:I, s:o}", "name", span->name.data, span->name.len,
			 "kind", name_of(kinds, span->kind), "status",
			 name_of(statuses, span->status), "start_ns", (json_int_t)span->start_ns,
			 "end_ns", (json_int_t)span->end_ns, "attributes", attributes);
}

static void print_json(const char *what, json_t *json)
{
	_cleanup_free_ char *text =
		json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	print_error("%s: %s\n", what, text ? text : "nothing");
}

/* Returns whether the sample's span at this role is the one expected. */
static bool check_role(const char *name, const struct name *role, json_t *sample)
{
	static struct span_builder builder;
	json_t *expected = json_object_get(sample, role->text);
	struct exchange exchange;
	json_t *got;
	bool equal;
	int r;

	if (!expected)
		return true;
	exchange = sample_exchange(name, (enum conn_role)role->value, sample);
	r = fixture_describe(&exchange, &builder);
	got = r < 0 ? json_string(name_of(errors, r)) : span_json(&builder.span);
	equal = json_equal(got, expected);
	if (!equal) {
		print_error("%s as %s\n", name, role->text);
		print_json("expected", expected);
		print_json("got", got);
	}
	json_decref(got);
	fixture_clear(&exchange);
	return equal;
}

static size_t check_sample(const char *name)
{
	static char text[SAMPLE_MAX];
	struct view bytes = read_file(name, ".json", text);
	json_error_t error;
	json_t *sample = json_loadb(bytes.data, bytes.len, JSON_REJECT_DUPLICATES, &error);
	size_t wrong = 0;

	if (!sample)
		fail_msg("%s.json line %d: %s", name, error.line, error.text);
	if (!json_object_get(sample, "server") && !json_object_get(sample, "client"))
		fail_msg("%s.json expects nothing", name);
	for (const struct name *role = roles; role->text; role++)
		wrong += !check_role(name, role, sample);
	json_decref(sample);
	return wrong;
}

static int is_sample(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return suffix && strcmp(suffix, ".json") == 0;
}

static void test_samples(void **state)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	size_t wrong = 0;
	int n;

	(void)state;
	directory(path);
	n = scandir(path, &entries, is_sample, alphasort);
	if (n < SAMPLES_MIN)
		fail_msg("%s: %d samples, expected %d or more", path, n, SAMPLES_MIN);
	for (int i = 0; i < n; i++) {
		*strrchr(entries[i]->d_name, '.') = '\0';
		wrong += check_sample(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (wrong)
		fail_msg("%zu spans are not as expected", wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_samples) };

	return cmocka_run_group_tests_name("protocols/http1_samples", tests, NULL, NULL);
}
