/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "protocols/rpc_span.h"
#include "protocols/rpc_status.h"

#define MS 1000000u

struct call {
	struct http_facts http;
	struct rpc_facts rpc;
	struct exchange exchange;
	struct span_builder builder;
	enum rpc_form form;
};

/* A POST of "/a.B/C" with that type, answered with 200. */
static void begin(struct call *call, enum conn_role role, const char *type)
{
	memset(call, 0, sizeof(*call));
	call->http = (struct http_facts){
		.method = VIEW("POST"), .version = VIEW("2"), .path = VIEW("/a.B/C"), .status = 200
	};
	call->rpc.content_type = view_of(type);
	call->exchange = (struct exchange){ .family = AF_INET, .role = role, .tid = 71 };
	call->exchange.request.start_ns = FIXTURE_REQUEST_NS;
	call->exchange.response.start_ns = FIXTURE_RESPONSE_NS;
	call->exchange.response.ended = true;
}

static void end(struct call *call)
{
	span_builder_init(&call->builder);
	call->form = rpc_form_of(&call->http, &call->rpc);
	assert_int_not_equal(call->form, RPC_NO_CALL);
	rpc_span_describe(&call->exchange, &call->http, &call->rpc, call->form, &call->builder);
}

static void assert_text(struct call *call, enum attribute_key key, const char *text)
{
	const struct attribute *attribute = span_builder_attribute(&call->builder, key);

	assert_int_equal(attribute != NULL, text != NULL);
	if (!text)
		return;
	assert_int_equal(attribute->len, strlen(text));
	assert_memory_equal(attribute->text, text, attribute->len);
}

/* How the call ended; `error`: whether that is one. NULL: no status is known. */
static void assert_outcome(struct call *call, const char *status, bool error)
{
	end(call);
	assert_text(call, ATTR_RPC_RESPONSE_STATUS_CODE, status);
	assert_int_equal(call->builder.span.status, error ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
	if (status)
		assert_text(call, ATTR_ERROR_TYPE, error ? status : NULL);
}

static void test_forms(void **state)
{
	static const struct {
		const char *method, *path, *query, *type, *version;
		enum rpc_form form;
	} rows[] = {
		{ "POST", "/a.B/C", "", "application/grpc", "", RPC_GRPC },
		{ "POST", "/a.B/C", "", "application/grpc+proto", "", RPC_GRPC },
		{ "POST", "/a.B/C", "", "application/grpc;charset=x", "", RPC_GRPC },
		{ "POST", "/a.B/C", "", "application/grpc-web", "", RPC_GRPC_WEB },
		{ "POST", "/a.B/C", "", "application/grpc-web+json", "", RPC_GRPC_WEB },
		{ "POST", "/a.B/C", "", "application/grpc-web-text", "", RPC_GRPC_WEB },
		{ "POST", "/a.B/C", "", "application/grpc-webish", "", RPC_NO_CALL },
		{ "POST", "/a.B/C", "", "application/grpcish", "", RPC_NO_CALL },
		{ "POST", "/a.B/C", "", "application/connect+json", "", RPC_CONNECT_STREAM },
		{ "POST", "/a.B/C", "", "application/json", "1", RPC_CONNECT },
		{ "POST", "/a.B/C", "", "application/json; charset=utf-8", "1", RPC_CONNECT },
		{ "POST", "/a.B/C", "", "application/proto", "1", RPC_CONNECT },
		{ "POST", "/a.B/C", "", "application/json", "", RPC_NO_CALL },
		{ "POST", "/a.B/C", "", "application/jsonp", "1", RPC_NO_CALL },
		{ "POST", "/a.B/C", "", "text/html", "1", RPC_NO_CALL },
		{ "POST", "/nothing", "", "application/grpc", "", RPC_NO_CALL },
		{ "POST", "//C", "", "application/grpc", "", RPC_NO_CALL },
		{ "POST", "/a.B/", "", "application/grpc", "", RPC_NO_CALL },
		{ "GET", "/a.B/C", "message=x&connect=v1", "", "", RPC_CONNECT },
		{ "GET", "/a.B/C", "message=x", "", "", RPC_NO_CALL },
		{ "POST", "/a.B/C", "connect=v1", "", "", RPC_NO_CALL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct http_facts http = { .method = view_of(rows[i].method),
						 .path = view_of(rows[i].path),
						 .query = view_of(rows[i].query) };
		const struct rpc_facts rpc = { .content_type = view_of(rows[i].type),
					       .connect_version = view_of(rows[i].version) };

		assert_int_equal(rpc_form_of(&http, &rpc), rows[i].form);
		/* who asks first does not pass over a call */
		assert_true(rows[i].form == RPC_NO_CALL || rpc.content_type.len == 0 ||
			    rpc_type_is_likely(rpc.content_type));
	}
}

static void test_status_of_the_call(void **state)
{
	struct call call;

	(void)state;
	begin(&call, ROLE_CLIENT, "application/grpc");
	call.rpc.grpc_status = VIEW("5");
	assert_outcome(&call, "NOT_FOUND", true);
	assert_text(&call, ATTR_RPC_SYSTEM_NAME, "grpc");
	assert_text(&call, ATTR_RPC_METHOD, "a.B/C");
	begin(&call, ROLE_SERVER, "application/grpc");
	call.rpc.grpc_status = VIEW("5");
	assert_outcome(&call, "NOT_FOUND", false);
	/* no status, or one that is none */
	begin(&call, ROLE_CLIENT, "application/grpc");
	assert_outcome(&call, NULL, false);
	call.rpc.grpc_status = VIEW("17");
	assert_outcome(&call, NULL, false);
	call.rpc.grpc_status = VIEW("-1");
	assert_outcome(&call, NULL, false);
	/* in a body that is not read, or in the head of an answer without one */
	begin(&call, ROLE_CLIENT, "application/grpc-web+proto");
	assert_outcome(&call, NULL, false);
	call.rpc.grpc_status = VIEW("12");
	assert_outcome(&call, "UNIMPLEMENTED", true);
	assert_text(&call, ATTR_RPC_SYSTEM_NAME, "grpc");
}

/* An answer that is none of the call's own: what it stands for is the client's to say. */
static void test_status_of_http(void **state)
{
	static const struct {
		uint16_t http;
		const char *status;
	} rows[] = {
		{ 400, "INTERNAL" },	  { 401, "UNAUTHENTICATED" }, { 403, "PERMISSION_DENIED" },
		{ 404, "UNIMPLEMENTED" }, { 429, "UNAVAILABLE" },     { 502, "UNAVAILABLE" },
		{ 503, "UNAVAILABLE" },	  { 504, "UNAVAILABLE" },     { 500, "UNKNOWN" },
		{ 302, "UNKNOWN" },
	};
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&call, ROLE_CLIENT, "application/grpc");
		call.http.status = rows[i].http;
		assert_outcome(&call, rows[i].status, true);
	}
	/* what follows an answer does not count for more than it */
	begin(&call, ROLE_CLIENT, "application/grpc");
	call.http.status = 404;
	call.exchange.end = EXCHANGE_CANCELLED;
	assert_outcome(&call, "UNIMPLEMENTED", true);
	begin(&call, ROLE_SERVER, "application/grpc");
	call.http.status = 404;
	call.exchange.end = EXCHANGE_CANCELLED;
	assert_outcome(&call, NULL, false);
	begin(&call, ROLE_SERVER, "application/grpc");
	call.http.status = 502;
	assert_outcome(&call, NULL, true);
	assert_text(&call, ATTR_ERROR_TYPE, "502");
}

static void test_status_of_reset(void **state)
{
	static const struct {
		uint32_t code;
		const char *status;
		bool server_error;
	} rows[] = {
		{ 0, "INTERNAL", true },
		{ 2, "INTERNAL", true },
		{ 7, "UNAVAILABLE", true },
		{ 8, "CANCELLED", false },
		{ 11, "RESOURCE_EXHAUSTED", false },
		{ 12, "PERMISSION_DENIED", false },
		{ 5, NULL, false },
		{ 99, NULL, false },
	};
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
			bool client = role == ROLE_CLIENT && rows[i].status;

			begin(&call, (enum conn_role)role, "application/grpc");
			call.exchange.end = EXCHANGE_CANCELLED;
			call.exchange.reset_code = rows[i].code;
			call.exchange.reset_by_server = true;
			call.exchange.closed_ns = FIXTURE_CLOSED_NS;
			assert_outcome(&call, rows[i].status, client || rows[i].server_error);
		}
	}
}

static void test_reset_by_client(void **state)
{
	struct call call;

	(void)state;
	begin(&call, ROLE_CLIENT, "application/grpc");
	call.exchange.end = EXCHANGE_CANCELLED;
	assert_outcome(&call, "CANCELLED", true);
	call.exchange.reset_code = 8;
	assert_outcome(&call, "CANCELLED", true);
	call.exchange.reset_code = 2;
	assert_outcome(&call, "INTERNAL", true);
}

/* A call that is given up after its time was over has met its deadline. */
static void test_deadline(void **state)
{
	static const struct {
		const char *timeout;
		uint64_t after_ms;
		const char *status;
	} rows[] = {
		{ "100m", 99, "DEADLINE_EXCEEDED" },
		{ "100m", 5000, "DEADLINE_EXCEEDED" },
		{ "100m", 50, "CANCELLED" },
		{ "105000u", 100, "DEADLINE_EXCEEDED" },
		{ "1S", 1000, "DEADLINE_EXCEEDED" },
		{ "1S", 100, "CANCELLED" },
		{ "1H", 100, "CANCELLED" },
		{ "99999999H", 100, "CANCELLED" },
		{ "99999999n", 100, "DEADLINE_EXCEEDED" },
		{ "", 100, "CANCELLED" },
		{ "m", 100, "CANCELLED" },
		{ "-5m", 100, "CANCELLED" },
		{ "100x", 100, "CANCELLED" },
		{ "123456789012m", 100, "CANCELLED" },
	};
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&call, ROLE_CLIENT, "application/grpc");
		call.rpc.grpc_timeout = view_of(rows[i].timeout);
		call.exchange.end = EXCHANGE_CANCELLED;
		call.exchange.reset_code = 8;
		call.exchange.closed_ns = FIXTURE_REQUEST_NS + rows[i].after_ms * MS;
		assert_outcome(&call, rows[i].status, true);
	}
	/* the whole connection, as clients of older versions do */
	begin(&call, ROLE_CLIENT, "application/json");
	call.rpc.connect_version = VIEW("1");
	call.rpc.connect_timeout = VIEW("100");
	call.http.status = 0;
	call.exchange.end = EXCHANGE_CLOSED;
	call.exchange.closed_ns = FIXTURE_REQUEST_NS + 101 * MS;
	assert_outcome(&call, "deadline_exceeded", true);
	call.exchange.closed_ns = FIXTURE_REQUEST_NS + 50 * MS;
	assert_outcome(&call, NULL, true);
	assert_text(&call, ATTR_ERROR_TYPE, "connection_closed");
	/* an answer that came late is one all the same */
	begin(&call, ROLE_CLIENT, "application/grpc");
	call.rpc.grpc_timeout = VIEW("1m");
	call.rpc.grpc_status = VIEW("0");
	call.exchange.response.end_ns = FIXTURE_REQUEST_NS + 5 * MS;
	assert_outcome(&call, "OK", false);
}

static void test_connect(void **state)
{
	static const struct {
		uint16_t http;
		const char *status; /* NULL: it may be one of several */
		bool server_error;
	} rows[] = {
		{ 400, NULL, false },
		{ 401, "unauthenticated", false },
		{ 403, "permission_denied", false },
		{ 404, "not_found", false },
		{ 409, NULL, false },
		{ 429, "resource_exhausted", false },
		{ 499, "canceled", false },
		{ 500, NULL, true },
		{ 501, "unimplemented", true },
		{ 503, "unavailable", true },
		{ 504, "deadline_exceeded", true },
	};
	struct call call;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
			begin(&call, (enum conn_role)role, "application/proto");
			call.rpc.connect_version = VIEW("1");
			call.rpc.response_type = VIEW("application/json");
			call.http.status = rows[i].http;
			assert_outcome(&call, rows[i].status,
				       role == ROLE_CLIENT || rows[i].server_error);
			assert_text(&call, ATTR_RPC_SYSTEM_NAME, "connectrpc");
		}
	}
	/* what went well has no code */
	begin(&call, ROLE_CLIENT, "application/proto");
	call.rpc.connect_version = VIEW("1");
	assert_outcome(&call, NULL, false);
	/* no Connect error: something between has answered */
	call.rpc.response_type = VIEW("text/html");
	call.http.status = 404;
	assert_outcome(&call, "unimplemented", true);
	/* of a stream the end of the body says it */
	begin(&call, ROLE_CLIENT, "application/connect+proto");
	assert_outcome(&call, NULL, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),		cmocka_unit_test(test_status_of_the_call),
		cmocka_unit_test(test_status_of_http),	cmocka_unit_test(test_status_of_reset),
		cmocka_unit_test(test_reset_by_client), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
