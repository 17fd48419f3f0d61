/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/telemetry.h"

#include "fixture.h"

#define PROTOBUF "application/x-protobuf"
#define JSON	 "application/json"
#define PYTHON	 "OTel-OTLP-Exporter-Python/1.45.2"

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		enum telemetry expected;
	} samples[] = {
		{ "/v1/traces", TELEMETRY_SPANS },
		{ "/otlp/v1/traces", TELEMETRY_SPANS },
		{ "/v1/metrics", TELEMETRY_OTHER },
		{ "/v1/logs", TELEMETRY_OTHER },
		{ "/v1development/profiles", TELEMETRY_OTHER },
		{ "/opentelemetry.proto.collector.trace.v1.TraceService/Export", TELEMETRY_SPANS },
		{ "/opentelemetry.proto.collector.logs.v1.LogsService/Export", TELEMETRY_OTHER },
		{ "/v1/traces/", TELEMETRY_NONE },
		{ "/v1/traces/1", TELEMETRY_NONE },
		{ "/v2/traces", TELEMETRY_NONE },
		{ "v1/traces", TELEMETRY_NONE },
		{ "/", TELEMETRY_NONE },
		{ "", TELEMETRY_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct view path = view_of(samples[i].path);

		assert_int_equal(telemetry_path(path), samples[i].expected != TELEMETRY_NONE);
		assert_int_equal(telemetry_of(path, VIEW(PROTOBUF), VIEW("")), samples[i].expected);
	}
}

static void test_types(void **state)
{
	static const struct {
		const char *type;
		const char *agent;
		enum telemetry expected;
	} samples[] = {
		{ PROTOBUF, "", TELEMETRY_SPANS },
		{ "Application/X-Protobuf; charset=utf-8", "curl/8", TELEMETRY_SPANS },
		{ "application/grpc", "", TELEMETRY_SPANS },
		{ "application/grpc+proto", "", TELEMETRY_SPANS },
		{ "application/grpc-web+proto", "", TELEMETRY_SPANS },
		/* everybody speaks JSON, and some have traces of another kind */
		{ JSON, PYTHON, TELEMETRY_SPANS },
		{ JSON ";charset=utf-8", "OTel OTLP Exporter Go/1.2.3", TELEMETRY_SPANS },
		{ JSON, "elastic-otlp-http-javascript/1.0", TELEMETRY_SPANS },
		{ JSON, "", TELEMETRY_NONE },
		{ JSON, "Mozilla/5.0", TELEMETRY_NONE },
		{ "application/x-protobuffer", PYTHON, TELEMETRY_NONE },
		{ "application/x-protobu", PYTHON, TELEMETRY_NONE },
		{ "text/plain", PYTHON, TELEMETRY_NONE },
		{ "", PYTHON, TELEMETRY_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		assert_int_equal(telemetry_of(VIEW("/v1/traces"), view_of(samples[i].type),
					      view_of(samples[i].agent)),
				 samples[i].expected);
}

/* The same of whole requests. */
static void test_requests(void **state)
{
	static const struct {
		struct view head;
		enum telemetry expected;
	} samples[] = {
		{ VIEW_INIT("POST /v1/traces HTTP/1.1\r\nHost: a\r\nUser-Agent: " PYTHON
			    "\r\nContent-Type: " PROTOBUF "\r\n\r\n"),
		  TELEMETRY_SPANS },
		{ VIEW_INIT("POST http://a:4318/v1/traces?x=1 HTTP/1.1\r\ncontent-type: " JSON
			    "\r\nuser-agent: " PYTHON "\r\n\r\n"),
		  TELEMETRY_SPANS },
		/* the first field of a name counts */
		{ VIEW_INIT("POST /v1/traces HTTP/1.1\r\nContent-Type: text/plain\r\n"
			    "Content-Type: " PROTOBUF "\r\n\r\n"),
		  TELEMETRY_NONE },
		{ VIEW_INIT("GET /v1/traces HTTP/1.1\r\nContent-Type: " PROTOBUF "\r\n\r\n"),
		  TELEMETRY_NONE },
		{ VIEW_INIT("POSTER /v1/traces HTTP/1.1\r\nContent-Type: " PROTOBUF "\r\n\r\n"),
		  TELEMETRY_NONE },
		{ VIEW_INIT("POST /x?y=/v1/traces HTTP/1.1\r\nContent-Type: " PROTOBUF "\r\n\r\n"),
		  TELEMETRY_NONE },
		{ VIEW_INIT("POST /v1/traces HTTP/1.1\r\n\r\n"), TELEMETRY_NONE },
		/* cut anywhere, it is no export for sure */
		{ VIEW_INIT("POST /v1/traces HTTP/1.1\r\nContent-Type: " PROTOBUF),
		  TELEMETRY_NONE },
		{ VIEW_INIT("POST /v1/traces"), TELEMETRY_NONE },
		{ VIEW_INIT("POST "), TELEMETRY_NONE },
		{ VIEW_INIT(""), TELEMETRY_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct exchange exchange =
			fixture_exchange(ROLE_CLIENT, samples[i].head, (struct view){ 0 });

		assert_int_equal(protocol_by_id(PROTOCOL_HTTP1)->telemetry(&exchange),
				 samples[i].expected);
		fixture_clear(&exchange);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests_name("protocols/telemetry", tests, NULL, NULL);
}
