/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "pipeline/processes.h"

#define PROCESSES_MAX 4

static struct channel_message message;

static int setup(void **state)
{
	struct processes *processes;
	int r = processes_new(PROCESSES_MAX, true, &processes);

	*state = processes;
	return r;
}

static int teardown(void **state)
{
	*state = processes_free(*state);
	return 0;
}

/* What the watcher says of a process: NULL ends the strings. */
static int tell(struct processes *processes, uint32_t pid, const char *const *strings)
{
	channel_message_init(&message, CHANNEL_PROCESS, pid);
	for (; *strings; strings++)
		assert_int_equal(channel_message_add(&message, *strings), 0);
	return processes_told(processes, &message);
}

#define TELL(processes, pid, ...) tell(processes, pid, (const char *const[]){ __VA_ARGS__, NULL })

static void tell_service(struct processes *processes, uint32_t pid, const char *service)
{
	assert_int_equal(TELL(processes, pid, "python", "thread", "script", "/usr/bin/python3", "",
			      "", "service.name", service),
			 0);
}

static void tell_gone(struct processes *processes, uint32_t pid)
{
	channel_message_init(&message, CHANNEL_PROCESS_GONE, pid);
	assert_int_equal(processes_told(processes, &message), 0);
}

static struct resource *seen(struct processes *processes, uint32_t pid, enum conn_role role)
{
	struct exchange exchange = {
		.pid = pid,
		.role = role,
		.protocol = PROTOCOL_HTTP1,
		.comm = "program",
	};

	return processes_resource(processes, &exchange);
}

static void assert_service(struct processes *processes, uint32_t pid, const char *service)
{
	const struct resource *resource = seen(processes, pid, ROLE_SERVER);

	assert_non_null(resource);
	assert_int_equal(resource->pid, pid);
	assert_int_equal(resource->service_name.len, strlen(service));
	assert_memory_equal(resource->service_name.data, service, strlen(service));
}

/* The process' object in the list, a new reference; NULL: it is not there. */
static json_t *shown(struct processes *processes, uint32_t pid)
{
	json_t *list = processes_json(processes), *found = NULL, *object;
	size_t i;

	assert_non_null(list);
	json_array_foreach(list, i,
			   object) if (json_integer_value(json_object_get(object, "pid")) == pid)
		found = json_incref(object);
	json_decref(list);
	return found;
}

static void assert_text(const json_t *object, const char *key, const char *expected)
{
	const json_t *value = json_object_get(object, key);

	assert_non_null(value);
	if (!expected)
		assert_true(json_is_null(value));
	else
		assert_string_equal(json_string_value(value), expected);
}

static void test_told(void **state)
{
	struct processes *processes = *state;
	const struct attribute *attribute = NULL;
	struct resource *resource;
	json_t *object;

	assert_int_equal(TELL(processes, 7, "python", "thread", "script", "/usr/bin/python3", "",
			      "", "service.name", "shop", "host.name", "h", "process.pid", "7"),
			 0);
	/* told, and nothing seen of it */
	assert_null(shown(processes, 7));
	resource = seen(processes, 7, ROLE_SERVER);
	assert_non_null(resource);
	assert_int_equal(resource->n_attributes, 3);
	for (uint16_t i = 0; i < resource->n_attributes; i++)
		if (strcmp(resource->attributes[i].key, "process.pid") == 0)
			attribute = &resource->attributes[i].value;
	assert_non_null(attribute);
	assert_int_equal(attribute->integer, 7);
	assert_ptr_equal(seen(processes, 7, ROLE_CLIENT), resource);
	assert_ptr_equal(seen(processes, 7, ROLE_CLIENT), resource);
	assert_int_equal(resource->references, 1);
	object = shown(processes, 7);
	assert_non_null(object);
	assert_text(object, "service", "shop");
	assert_text(object, "runtime", "python");
	assert_text(object, "unit", "thread");
	assert_text(object, "service_source", "script");
	assert_text(object, "executable", "/usr/bin/python3");
	assert_text(object, "state", "traced");
	assert_text(object, "reason", NULL);
	assert_int_equal(json_integer_value(json_object_get(object, "server_spans")), 1);
	assert_int_equal(json_integer_value(json_object_get(object, "client_spans")), 2);
	assert_int_equal(json_array_size(json_object_get(object, "protocols")), 1);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(object, "protocols"), 0)),
		"http1");
	json_decref(object);
}

/* Spans may come before the watcher's description, or without one. */
static void test_guessed(void **state)
{
	struct processes *processes = *state;
	json_t *object;

	assert_service(processes, 8, "unknown_service:program");
	object = shown(processes, 8);
	assert_text(object, "service", "unknown_service:program");
	assert_text(object, "runtime", NULL);
	assert_text(object, "executable", NULL);
	assert_string_equal(json_string_value(json_object_get(object, "reason")),
			    "ended before it could be looked at");
	json_decref(object);
	tell_service(processes, 8, "shop");
	assert_service(processes, 8, "shop");
	object = shown(processes, 8);
	assert_text(object, "reason", NULL);
	assert_int_equal(json_integer_value(json_object_get(object, "server_spans")), 2);
	json_decref(object);
}

/* A name of the full length, and one that is not UTF-8. */
static void test_names(void **state)
{
	struct processes *processes = *state;
	struct exchange exchange = { .pid = 9, .role = ROLE_SERVER, .protocol = PROTOCOL_HTTP1 };
	const struct resource *resource;
	json_t *object;

	memset(exchange.comm, 'c', WEFT_COMM_LEN);
	resource = processes_resource(processes, &exchange);
	assert_int_equal(resource->service_name.len, strlen("unknown_service:") + WEFT_COMM_LEN);
	assert_int_equal(TELL(processes, 9, "native", "thread", "executable", "/opt/\xff\xfe/x", "",
			      "", "service.name", "s\xc3"),
			 0);
	seen(processes, 9, ROLE_SERVER);
	object = shown(processes, 9);
	assert_non_null(object);
	assert_text(object, "executable", "/opt/\xef\xbf\xbd\xef\xbf\xbd/x");
	assert_text(object, "service", "s\xef\xbf\xbd");
	json_decref(object);
}

/* A description of a process that is known replaces the first; spans keep what they have. */
static void test_told_again(void **state)
{
	struct processes *processes = *state;
	struct resource *old;

	tell_service(processes, 7, "before");
	old = resource_ref(seen(processes, 7, ROLE_SERVER));
	tell_service(processes, 7, "after");
	assert_service(processes, 7, "after");
	assert_memory_equal(old->service_name.data, "before", strlen("before"));
	assert_int_equal(old->references, 1);
	resource_unref(old);
}

static void test_gone(void **state)
{
	struct processes *processes = *state;
	json_t *object;

	tell_service(processes, 7, "shop");
	seen(processes, 7, ROLE_SERVER);
	tell_gone(processes, 7);
	tell_gone(processes, 12345);
	/* spans that end after their process */
	assert_service(processes, 7, "shop");
	object = shown(processes, 7);
	assert_text(object, "state", "gone");
	json_decref(object);
	/* the number belongs to another process now */
	tell_service(processes, 7, "other");
	assert_service(processes, 7, "other");
	object = shown(processes, 7);
	assert_text(object, "state", "traced");
	assert_int_equal(json_integer_value(json_object_get(object, "server_spans")), 1);
	json_decref(object);
}

static void test_bad_messages(void **state)
{
	static const char *const parts[] = { "python", "thread", "script", "/usr/bin/python3",
					     NULL };
	struct processes *processes = *state;

	assert_int_equal(tell(processes, 7, parts + 4), -EBADMSG);
	assert_int_equal(tell(processes, 7, parts), -EBADMSG);
	channel_message_init(&message, CHANNEL_PROCESS, 7);
	assert_int_equal(channel_message_add_bytes(&message, "p\0u\0s\0e", 7), 0);
	assert_int_equal(processes_told(processes, &message), -EBADMSG);
	assert_service(processes, 7, "unknown_service:program");
	/* a key without a value is left out */
	assert_int_equal(
		TELL(processes, 7, "r", "u", "s", "e", "", "", "service.name", "shop", "odd"), 0);
	assert_int_equal(seen(processes, 7, ROLE_SERVER)->n_attributes, 1);
	/* a bad description leaves the good one as it was */
	assert_int_equal(tell(processes, 7, parts), -EBADMSG);
	assert_service(processes, 7, "shop");
}

/* More attributes than a resource holds: no more than that are taken. */
static void test_many_pairs(void **state)
{
	struct processes *processes = *state;
	static const char *const first[] = { "r", "u", "s", "e", "", "" };
	char key[] = "key.000";

	channel_message_init(&message, CHANNEL_PROCESS, 7);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		assert_int_equal(channel_message_add(&message, first[i]), 0);
	for (int i = 0; i < RESOURCE_ATTRIBUTES_MAX + 20; i++) {
		key[5] = (char)('0' + i / 10);
		key[6] = (char)('0' + i % 10);
		assert_int_equal(channel_message_add(&message, key), 0);
		assert_int_equal(channel_message_add(&message, "v"), 0);
	}
	assert_int_equal(processes_told(processes, &message), 0);
	assert_int_equal(seen(processes, 7, ROLE_SERVER)->n_attributes, RESOURCE_ATTRIBUTES_MAX);
}

/* No room: those that are gone go first. */
static void test_full_of_gone(void **state)
{
	struct processes *processes = *state;

	for (uint32_t pid = 1; pid <= PROCESSES_MAX; pid++) {
		tell_service(processes, pid, "shop");
		seen(processes, pid, ROLE_SERVER);
	}
	tell_gone(processes, 3);
	tell_service(processes, 5, "five");
	assert_service(processes, 5, "five");
	assert_null(shown(processes, 3));
	assert_service(processes, 1, "shop");
}

/* No room, and all live: the one goes that was not heard of for longest. */
static void test_full(void **state)
{
	struct processes *processes = *state;

	for (uint32_t pid = 1; pid <= PROCESSES_MAX; pid++)
		tell_service(processes, pid, "shop");
	seen(processes, 1, ROLE_SERVER);
	assert_service(processes, 5, "unknown_service:program");
	assert_service(processes, 1, "shop");
	assert_service(processes, 3, "shop");
	assert_service(processes, 4, "shop");
	/* 2 was forgotten; now it comes back, in place of 5 */
	assert_service(processes, 2, "unknown_service:program");
	assert_null(shown(processes, 5));
}

/* --- processes with an SDK --- */

static void tell_exporter(struct processes *processes, uint32_t pid, const char *executable,
			  const char *sdk, const char *exporter)
{
	assert_int_equal(TELL(processes, pid, "python", "thread", "script", executable, sdk,
			      exporter, "service.name", "shop"),
			 0);
}

static void tell_sdk(struct processes *processes, uint32_t pid, const char *executable,
		     const char *sdk)
{
	tell_exporter(processes, pid, executable, sdk, "");
}

static void sends(struct processes *processes, uint32_t pid, enum conn_role role,
		  enum telemetry telemetry)
{
	const struct exchange exchange = { .pid = pid, .role = role, .telemetry = telemetry };

	processes_telemetry(processes, &exchange);
}

static bool is_left(struct processes *processes, uint32_t pid)
{
	struct exchange exchange = { .pid = pid, .role = ROLE_SERVER, .protocol = PROTOCOL_HTTP1 };

	assert_non_null(processes_resource(processes, &exchange));
	return exchange.sdk;
}

static void assert_sdk(struct processes *processes, const char *sdk, const char *spans)
{
	json_t *object = shown(processes, 7);

	assert_non_null(object);
	assert_text(object, "sdk", sdk);
	assert_text(object, "sdk_spans", spans);
	json_decref(object);
}

static void test_sdk_told(void **state)
{
	struct processes *processes = *state;

	tell_sdk(processes, 7, "/a", "agent");
	tell_sdk(processes, 6, "/a", "");
	assert_true(is_left(processes, 7));
	assert_false(is_left(processes, 6));
	assert_sdk(processes, "agent", "left");
	tell_sdk(processes, 7, "/a", "");
	assert_false(is_left(processes, 7));
	assert_sdk(processes, NULL, NULL);
}

/* From the first export on, which may come before the watcher's word. */
static void test_sdk_seen(void **state)
{
	struct processes *processes = *state;

	sends(processes, 7, ROLE_CLIENT, TELEMETRY_OTHER);
	assert_false(is_left(processes, 7));
	sends(processes, 7, ROLE_CLIENT, TELEMETRY_SPANS);
	assert_true(is_left(processes, 7));
	tell_sdk(processes, 7, "/a", "");
	assert_true(is_left(processes, 7));
	assert_sdk(processes, "sends spans over OTLP", "left");
}

/* A destination and context of its own making tell it together, and neither does alone. */
static void test_sdk_exporter(void **state)
{
	const struct exchange traces = { .pid = 7 };
	struct processes *processes = *state;

	tell_exporter(processes, 7, "/a", "", "OTEL_EXPORTER_OTLP_ENDPOINT");
	assert_false(is_left(processes, 7));
	processes_traces(processes, &traces);
	assert_true(is_left(processes, 7));
	assert_sdk(processes, "OTEL_EXPORTER_OTLP_ENDPOINT", "left");
	tell_exporter(processes, 7, "/a", "", "");
	assert_false(is_left(processes, 7));
}

/* Another program, or another process of that number, has yet to show it. */
static void test_sdk_forgotten(void **state)
{
	struct processes *processes = *state;

	tell_sdk(processes, 7, "/a", "");
	sends(processes, 7, ROLE_CLIENT, TELEMETRY_SPANS);
	assert_true(is_left(processes, 7));
	tell_sdk(processes, 7, "/b", "");
	assert_false(is_left(processes, 7));
	sends(processes, 7, ROLE_CLIENT, TELEMETRY_SPANS);
	tell_gone(processes, 7);
	tell_sdk(processes, 7, "/b", "");
	assert_false(is_left(processes, 7));
}

/* A collector or a proxy sends what others have made. */
static void test_collector(void **state)
{
	struct processes *processes = *state;

	sends(processes, 7, ROLE_SERVER, TELEMETRY_OTHER);
	sends(processes, 7, ROLE_CLIENT, TELEMETRY_SPANS);
	assert_false(is_left(processes, 7));
	/* it may also be noticed late */
	sends(processes, 6, ROLE_CLIENT, TELEMETRY_SPANS);
	assert_true(is_left(processes, 6));
	sends(processes, 6, ROLE_SERVER, TELEMETRY_SPANS);
	assert_false(is_left(processes, 6));
}

static void test_sdk_kept(void **state)
{
	struct processes *processes;

	(void)state;
	assert_int_equal(processes_new(PROCESSES_MAX, false, &processes), 0);
	tell_sdk(processes, 7, "/a", "agent");
	assert_false(is_left(processes, 7));
	assert_sdk(processes, "agent", "kept");
	processes_free(processes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_told),       TEST(test_guessed),	TEST(test_names),
		TEST(test_told_again), TEST(test_gone),		TEST(test_bad_messages),
		TEST(test_many_pairs), TEST(test_full_of_gone), TEST(test_full),
		TEST(test_sdk_told),   TEST(test_sdk_seen),	TEST(test_sdk_forgotten),
		TEST(test_collector),  TEST(test_sdk_kept),	TEST(test_sdk_exporter),
	};

	return cmocka_run_group_tests_name("pipeline/processes", tests, NULL, NULL);
}
