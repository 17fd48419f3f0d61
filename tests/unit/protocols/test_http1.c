/* SPDX-License-Identifier: Apache-2.0 */
/* What the wire samples do not show: fields that carry context, times, the two ends, limits. */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>

#include "base/utf8.h"

#define REQUEST	 VIEW("GET /a HTTP/1.1\r\nHost: shop\r\n\r\n")
#define RESPONSE VIEW("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
#define NOTHING	 ((struct view){ 0 })

static struct span_builder builder;

static void assert_string(enum attribute_key key, const char *expected)
{
	const struct attribute *attribute = span_attribute(&builder.span, key);

	assert_non_null(attribute);
	assert_int_equal(attribute->type, ATTRIBUTE_STRING);
	if (attribute->len != strlen(expected) ||
	    memcmp(attribute->text, expected, attribute->len) != 0)
		fail_msg("%s: expected \"%s\", got \"%.*s\"", attribute_key_name(key), expected,
			 (int)attribute->len, attribute->text);
}

static void assert_int(enum attribute_key key, int64_t expected)
{
	const struct attribute *attribute = span_attribute(&builder.span, key);

	assert_non_null(attribute);
	assert_int_equal(attribute->type, ATTRIBUTE_INT);
	assert_int_equal(attribute->integer, expected);
}

static void assert_absent(enum attribute_key key)
{
	assert_null(span_attribute(&builder.span, key));
}

/* --- context fields --- */

struct field_sample {
	struct view head;
	struct view name;
	const char *expected; /* the first one */
	unsigned int count;
};

static const struct field_sample field_samples[] = {
	{ VIEW_INIT("GET / HTTP/1.1\r\nTraceParent: \t00-ab-cd-01 \r\n\r\n"),
	  VIEW_INIT("traceparent"), "00-ab-cd-01", 1 },
	{ VIEW_INIT("GET / HTTP/1.1\nb3:0\n\n"), VIEW_INIT("B3"), "0", 1 },
	{ VIEW_INIT("GET / HTTP/1.1\r\nb3: 1\r\na: x\r\nB3: 2\r\n\r\n"), VIEW_INIT("b3"), "1", 2 },
	{ VIEW_INIT("GET / HTTP/1.1\r\nb3:\r\n\r\n"), VIEW_INIT("b3"), "", 1 },
	/* the request line is no field, whatever it looks like */
	{ VIEW_INIT("b3: 1\r\nHost: a\r\n\r\n"), VIEW_INIT("b3"), NULL, 0 },
	{ VIEW_INIT("GET / HTTP/1.1\r\n\r\n"), VIEW_INIT("b3"), NULL, 0 },
	/* nor is the body */
	{ VIEW_INIT("GET / HTTP/1.1\r\n\r\nb3: 1\r\n"), VIEW_INIT("b3"), NULL, 0 },
	/* nor a line that is cut: its value may be longer */
	{ VIEW_INIT("GET / HTTP/1.1\r\nb3: 1"), VIEW_INIT("b3"), NULL, 0 },
	{ VIEW_INIT("GET / HTTP/1.1\r\nb3: 1\r"), VIEW_INIT("b3"), NULL, 0 },
	{ VIEW_INIT("GET / HTTP/1.1\r\nb3: 1\r\nb"), VIEW_INIT("b3"), "1", 1 },
	/* names match as a whole, and white space before the colon makes another name */
	{ VIEW_INIT("GET / HTTP/1.1\r\nxb3: 1\r\nb33: 2\r\nb3 : 3\r\n b3: 4\r\n\r\n"),
	  VIEW_INIT("b3"), NULL, 0 },
	/* a folded value is one value, and what looks like a field in it is none */
	{ VIEW_INIT("GET / HTTP/1.1\r\na: x\r\n b3: 1\r\nc: d\r\n\r\n"), VIEW_INIT("b3"), NULL, 0 },
	{ VIEW_INIT("GET / HTTP/1.1\r\nb3: 1\r\n\t2\r\n\r\n"), VIEW_INIT("b3"), "1\r\n\t2", 1 },
	{ VIEW_INIT("GET / HTTP/1.1\r\nb3:\r\n 1\r\n\r\n"), VIEW_INIT("b3"), "1", 1 },
	/* lines that are no fields are passed over */
	{ VIEW_INIT("GET / HTTP/1.1\r\nnonsense\r\n: x\r\nb3: 1\r\n\r\n"), VIEW_INIT("b3"), "1",
	  1 },
	{ VIEW_INIT("\r\n\r\nGET / HTTP/1.1\r\nb3: 1\r\n\r\n"), VIEW_INIT("b3"), "1", 1 },
	{ VIEW_INIT(""), VIEW_INIT("b3"), NULL, 0 },
};

static void test_request_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(field_samples) / sizeof(field_samples[0]); i++) {
		const struct field_sample *sample = &field_samples[i];
		struct exchange exchange = fixture_exchange(ROLE_SERVER, sample->head, NOTHING);
		struct view value = VIEW("untouched");
		size_t count = protocol_by_id(PROTOCOL_HTTP1)
				       ->request_fields(&exchange, sample->name, &value, 1);
		struct view expected = view_of(sample->expected ? sample->expected : "untouched");

		if (count != sample->count || !view_equal(value, expected))
			fail_msg("sample %zu: expected %u of \"%s\", got %zu of \"%.*s\"", i,
				 sample->count, expected.data, count, (int)value.len, value.data);
		fixture_clear(&exchange);
	}
}

/* In order, and no more than there is room for. */
static void test_several_fields(void **state)
{
	struct exchange exchange = fixture_exchange(
		ROLE_SERVER, VIEW("GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nA: 3\r\na: 4\r\n\r\n"),
		NOTHING);
	const struct protocol *protocol = protocol_by_id(PROTOCOL_HTTP1);
	struct view values[3] = {};

	(void)state;
	assert_int_equal(protocol->request_fields(&exchange, VIEW("a"), values, 2), 3);
	assert_true(view_equal(values[0], VIEW("1")) && view_equal(values[1], VIEW("3")));
	assert_null(values[2].data);
	assert_int_equal(protocol->request_fields(&exchange, VIEW("a"), values, 3), 3);
	assert_true(view_equal(values[2], VIEW("4")));
	assert_int_equal(protocol->request_fields(&exchange, VIEW("a"), NULL, 0), 3);
	fixture_clear(&exchange);
}

/* --- times --- */

struct time_sample {
	enum exchange_end end;
	bool response;
	uint64_t closed_ns;
	uint64_t expected_end;
};

static void test_times(void **state)
{
	static const struct time_sample samples[] = {
		{ EXCHANGE_COMPLETE, true, 0, 3500 },	 { EXCHANGE_UPGRADED, true, 0, 3500 },
		{ EXCHANGE_COMPLETE, true, 9000, 3500 }, { EXCHANGE_RESET, true, 5000, 5000 },
		{ EXCHANGE_CLOSED, false, 5000, 5000 },	 { EXCHANGE_TIMEOUT, false, 0, 1500 },
		{ EXCHANGE_LOST, true, 0, 3500 },	 { EXCHANGE_LOST, false, 0, 1500 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct exchange exchange = fixture_exchange(
			ROLE_SERVER, REQUEST, samples[i].response ? RESPONSE : NOTHING);

		exchange.end = samples[i].end;
		exchange.closed_ns = samples[i].closed_ns;
		assert_int_equal(fixture_describe(&exchange, &builder), 0);
		assert_int_equal(builder.span.start_ns, 1000);
		assert_int_equal(builder.span.end_ns, samples[i].expected_end);
		fixture_clear(&exchange);
	}
}

/* A server may answer, and end its answer, while the request's body still comes in. */
static void test_an_early_answer_ends_the_span(void **state)
{
	struct exchange exchange = fixture_exchange(ROLE_SERVER, REQUEST, RESPONSE);

	(void)state;
	exchange.request.end_ns = 8000;
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_int_equal(builder.span.end_ns, 3500);
	fixture_clear(&exchange);
}

static void test_times_never_run_backward(void **state)
{
	struct exchange exchange = fixture_exchange(ROLE_CLIENT, REQUEST, RESPONSE);

	(void)state;
	exchange.response.end_ns = 10;
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_int_equal(builder.span.end_ns, builder.span.start_ns);
	fixture_clear(&exchange);
}

/* --- the two ends --- */

static void test_mapped_and_plain_addresses(void **state)
{
	struct exchange exchange = fixture_exchange(ROLE_SERVER, REQUEST, RESPONSE);

	(void)state;
	exchange.family = AF_INET6; /* a dual-stack socket */
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_string(ATTR_NETWORK_PEER_ADDRESS, "10.0.0.2");
	assert_string(ATTR_CLIENT_ADDRESS, "10.0.0.2");
	assert_int(ATTR_NETWORK_PEER_PORT, 40000);

	exchange.remote = fixture_address("2001:db8::5", 6);
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_string(ATTR_NETWORK_PEER_ADDRESS, "2001:db8::5");
	assert_absent(ATTR_NETWORK_TRANSPORT);

	exchange.remote = (struct conn_address){ 0 };
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_absent(ATTR_NETWORK_PEER_ADDRESS);
	assert_absent(ATTR_NETWORK_PEER_PORT);
	assert_absent(ATTR_CLIENT_ADDRESS);
	fixture_clear(&exchange);
}

static void test_role_not_known(void **state)
{
	struct exchange exchange = fixture_exchange(ROLE_UNKNOWN, REQUEST, RESPONSE);

	(void)state;
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_int_equal(builder.span.kind, SPAN_KIND_INTERNAL);
	assert_string(ATTR_SERVER_ADDRESS, "shop");
	assert_absent(ATTR_SERVER_PORT);
	assert_absent(ATTR_CLIENT_ADDRESS);
	assert_string(ATTR_URL_PATH, "/a");
	fixture_clear(&exchange);
}

struct host_sample {
	const char *host;
	const char *address;
	int64_t port;
};

/* What cannot be a host gives way to the socket's address, 10.0.0.1:8080. */
static void test_hosts(void **state)
{
	static const struct host_sample samples[] = {
		{ "shop", "shop", 8080 },
		{ "shop:81", "shop", 81 },
		{ "shop:", "shop", 8080 },
		{ "shop:0", "shop", 8080 },
		{ "Shop_1.example.", "Shop_1.example.", 8080 },
		{ "[2001:db8::1]:81", "2001:db8::1", 81 },
		{ "[fe80::1%25eth0]", "fe80::1%25eth0", 8080 },
		{ "user:secret@shop:81", "shop", 81 },
		{ "", "10.0.0.1", 8080 },
		{ ":81", "10.0.0.1", 8080 },
		{ "shop:65536", "10.0.0.1", 8080 },
		{ "shop:000081", "10.0.0.1", 8080 },
		{ "shop:8x", "10.0.0.1", 8080 },
		{ "shop:81:82", "10.0.0.1", 8080 },
		{ "2001:db8::1", "10.0.0.1", 8080 },
		{ "[2001:db8::1", "10.0.0.1", 8080 },
		{ "[2001:db8::1]x", "10.0.0.1", 8080 },
		{ "[]", "10.0.0.1", 8080 },
		{ "shop/path", "10.0.0.1", 8080 },
		{ "a b", "10.0.0.1", 8080 },
		{ "shop, other", "10.0.0.1", 8080 },
	};
	char head[128];

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct exchange exchange;

		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", samples[i].host);
		exchange = fixture_exchange(ROLE_SERVER, view_of(head), RESPONSE);
		assert_int_equal(fixture_describe(&exchange, &builder), 0);
		assert_string(ATTR_SERVER_ADDRESS, samples[i].address);
		assert_int(ATTR_SERVER_PORT, samples[i].port);
		fixture_clear(&exchange);
	}
}

/* --- how it ended --- */

struct outcome_sample {
	enum conn_role role;
	enum exchange_end end;
	uint16_t status;
	enum span_status expected;
	const char *error; /* NULL: no error.type */
};

static void test_outcomes(void **state)
{
	static const struct outcome_sample samples[] = {
		{ ROLE_SERVER, EXCHANGE_COMPLETE, 200, SPAN_STATUS_UNSET, NULL },
		{ ROLE_SERVER, EXCHANGE_COMPLETE, 404, SPAN_STATUS_UNSET, NULL },
		{ ROLE_SERVER, EXCHANGE_COMPLETE, 500, SPAN_STATUS_ERROR, "500" },
		{ ROLE_SERVER, EXCHANGE_COMPLETE, 599, SPAN_STATUS_ERROR, "599" },
		{ ROLE_CLIENT, EXCHANGE_COMPLETE, 399, SPAN_STATUS_UNSET, NULL },
		{ ROLE_CLIENT, EXCHANGE_COMPLETE, 400, SPAN_STATUS_ERROR, "400" },
		{ ROLE_CLIENT, EXCHANGE_COMPLETE, 503, SPAN_STATUS_ERROR, "503" },
		{ ROLE_CLIENT, EXCHANGE_UPGRADED, 101, SPAN_STATUS_UNSET, NULL },
		{ ROLE_SERVER, EXCHANGE_CLOSED, 0, SPAN_STATUS_ERROR, "connection_closed" },
		{ ROLE_SERVER, EXCHANGE_RESET, 200, SPAN_STATUS_ERROR, "connection_reset" },
		{ ROLE_CLIENT, EXCHANGE_TIMEOUT, 0, SPAN_STATUS_ERROR, "timeout" },
		{ ROLE_CLIENT, EXCHANGE_RESET, 502, SPAN_STATUS_ERROR, "502" },
		{ ROLE_CLIENT, EXCHANGE_LOST, 0, SPAN_STATUS_UNSET, NULL },
		{ ROLE_CLIENT, EXCHANGE_LOST, 500, SPAN_STATUS_ERROR, "500" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct exchange exchange = fixture_exchange(samples[i].role, REQUEST, NOTHING);

		exchange.end = samples[i].end;
		exchange.status = samples[i].status;
		assert_int_equal(fixture_describe(&exchange, &builder), 0);
		assert_int_equal(builder.span.status, samples[i].expected);
		assert_int_equal(builder.span.status_message.len, 0);
		if (samples[i].error)
			assert_string(ATTR_ERROR_TYPE, samples[i].error);
		else
			assert_absent(ATTR_ERROR_TYPE);
		if (samples[i].status)
			assert_int(ATTR_HTTP_RESPONSE_STATUS_CODE, samples[i].status);
		else
			assert_absent(ATTR_HTTP_RESPONSE_STATUS_CODE);
		if (samples[i].end == EXCHANGE_LOST)
			assert_string(ATTR_WEFT_END, "unknown");
		else
			assert_absent(ATTR_WEFT_END);
		fixture_clear(&exchange);
	}
}

static void test_status_from_the_head(void **state)
{
	struct exchange exchange =
		fixture_exchange(ROLE_SERVER, REQUEST, VIEW("HTTP/1.0 503 Not today\r\n\r\n"));

	(void)state;
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_int(ATTR_HTTP_RESPONSE_STATUS_CODE, 503);
	assert_string(ATTR_NETWORK_PROTOCOL_VERSION, "1.1");
	fixture_clear(&exchange);

	exchange = fixture_exchange(ROLE_SERVER, REQUEST, VIEW("HTTP/1.0 50\r\n\r\n"));
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_absent(ATTR_HTTP_RESPONSE_STATUS_CODE);
	fixture_clear(&exchange);
}

/* --- bodies --- */

struct body_sample {
	const char *head;
	uint64_t body_bytes;
	bool ended;
	int64_t expected; /* -1: absent */
};

static void test_request_bodies(void **state)
{
	static const struct body_sample samples[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 0, true, -1 },
		{ "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 0, true, 0 },
		{ "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 9, true, 9 },
		/* counted bytes win over announced ones, announced ones over half a count */
		{ "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 7, true, 7 },
		{ "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 7, false, 9 },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 7, true, 7 },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 7, false, -1 },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n", 7,
		  false, -1 },
		{ "POST / HTTP/1.1\r\nContent-Length: 9, 9\r\n\r\n", 7, false, -1 },
		{ "POST / HTTP/1.1\r\nContent-Length: -9\r\n\r\n", 7, false, -1 },
		{ "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", 7, false, -1 },
		{ "POST / HTTP/1.1\r\nContent-Length: 9999999999999999999\r\n\r\n", 7, false, -1 },
		/* "9" may be the beginning of "900" */
		{ "POST / HTTP/1.1\r\nContent-Length: 9", 7, false, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct exchange exchange =
			fixture_exchange(ROLE_SERVER, view_of(samples[i].head), NOTHING);

		exchange.request.body_bytes = samples[i].body_bytes;
		exchange.request.ended = samples[i].ended;
		assert_int_equal(fixture_describe(&exchange, &builder), 0);
		if (samples[i].expected < 0)
			assert_absent(ATTR_HTTP_REQUEST_BODY_SIZE);
		else
			assert_int(ATTR_HTTP_REQUEST_BODY_SIZE, samples[i].expected);
		fixture_clear(&exchange);
	}
}

static void test_no_announced_body_where_there_can_be_none(void **state)
{
	struct exchange exchange =
		fixture_exchange(ROLE_SERVER, VIEW("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"),
				 VIEW("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"));

	(void)state;
	exchange.response.ended = false;
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_absent(ATTR_HTTP_RESPONSE_BODY_SIZE);
	exchange.response.ended = true;
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_int(ATTR_HTTP_RESPONSE_BODY_SIZE, 0);
	fixture_clear(&exchange);

	exchange =
		fixture_exchange(ROLE_SERVER, REQUEST,
				 VIEW("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"));
	exchange.response.ended = false;
	assert_int_equal(fixture_describe(&exchange, &builder), 0);
	assert_absent(ATTR_HTTP_RESPONSE_BODY_SIZE);
	fixture_clear(&exchange);
}

/* --- hostile and broken heads --- */

static void test_not_a_request(void **state)
{
	static const struct view heads[] = {
		VIEW_INIT(""),
		VIEW_INIT("\r\n\r\n\r\n"),
		VIEW_INIT("\0\0\0\0"),
		VIEW_INIT("\x16\x03\x01\x02\x00"),
		VIEW_INIT("GET"),
		VIEW_INIT("GET "),
		VIEW_INIT("GET \r\n\r\n"),
		VIEW_INIT("GET /\r\n\r\n"),
		VIEW_INIT("GET / HTTP/2.0\r\n\r\n"),
		VIEW_INIT("GET / HTTP/1\r\n\r\n"),
		VIEW_INIT("GET / HTTP/1.\r\n\r\n"),
		VIEW_INIT("GET / HTTP/1.10\r\n\r\n"),
		VIEW_INIT("GET / http/1.1\r\n\r\n"),
		VIEW_INIT("GET HTTP/1.1\r\n\r\n"),
		VIEW_INIT("GET a HTTP/1.1\r\n\r\n"),
		VIEW_INIT("GET http:/a HTTP/1.1\r\n\r\n"),
		VIEW_INIT("GET *a HTTP/1.1\r\n\r\n"),
		VIEW_INIT("GET /a\0b HTTP/1.1\r\n\r\n"),
		VIEW_INIT("GET /a\rb HTTP/1.1\r\n\r\n"),
		VIEW_INIT("GET /a\x7f HTTP/1.1\r\n\r\n"),
		VIEW_INIT("CONNECT a/b HTTP/1.1\r\n\r\n"),
		VIEW_INIT(" GET / HTTP/1.1\r\n\r\n"),
		VIEW_INIT("GE(T / HTTP/1.1\r\n\r\n"),
		VIEW_INIT("HTTP/1.1 200 OK\r\n\r\n"),
		VIEW_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		VIEW_INIT("0123456789012345678901234567890123456789012345678901234567890123x / "
			  "HTTP/1.1\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct exchange exchange = fixture_exchange(ROLE_SERVER, heads[i], RESPONSE);
		int r = fixture_describe(&exchange, &builder);

		if (r != -EBADMSG)
			fail_msg("head %zu: expected %d, got %d", i, -EBADMSG, r);
		assert_int_equal(builder.span.n_attributes, 0);
		assert_int_equal(builder.span.name.len, 0);
		fixture_clear(&exchange);
	}
}

struct cut_sample {
	struct view head;
	const char *path;    /* NULL: absent */
	const char *address; /* of the server */
};

/* Capture limits cut anywhere; half a host is not shown as a whole one. */
static void test_cut_heads(void **state)
{
	static const struct cut_sample samples[] = {
		{ VIEW_INIT("GET /pa"), "/pa", "10.0.0.1" },
		{ VIEW_INIT("GET /path HTT"), "/path", "10.0.0.1" },
		{ VIEW_INIT("GET /path HTTP/1.1\r"), "/path", "10.0.0.1" },
		{ VIEW_INIT("GET /path HTTP/1.1\r\nHost: sh"), "/path", "10.0.0.1" },
		{ VIEW_INIT("GET /path HTTP/1.1\r\nHost: shop\r\n"), "/path", "shop" },
		{ VIEW_INIT("GET http://sho"), NULL, "10.0.0.1" },
		{ VIEW_INIT("GET http://shop/pa"), "/pa", "shop" },
		{ VIEW_INIT("CONNECT sho"), NULL, "10.0.0.1" },
		{ VIEW_INIT("CONNECT shop:443 HT"), NULL, "shop" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct exchange exchange = fixture_exchange(ROLE_SERVER, samples[i].head, NOTHING);

		assert_int_equal(fixture_describe(&exchange, &builder), 0);
		if (samples[i].path)
			assert_string(ATTR_URL_PATH, samples[i].path);
		else
			assert_absent(ATTR_URL_PATH);
		assert_string(ATTR_SERVER_ADDRESS, samples[i].address);
		assert_true(span_attribute(&builder.span, ATTR_WEFT_TRUNCATED)->boolean);
		fixture_clear(&exchange);
	}
}

/* No cut of a head, anywhere, makes describe or request_fields leave it. */
static void test_every_cut(void **state)
{
	struct view whole = VIEW("POST http://user@shop:81/a?b=c HTTP/1.1\r\nHost: x\r\n"
				 "User-Agent: a\r\n b\r\nContent-Length: 5\r\n"
				 "Traceparent: 00\r\n\r\n");

	(void)state;
	for (size_t len = 0; len <= whole.len; len++) {
		struct view head = { whole.data, len };
		struct exchange exchange = fixture_exchange(ROLE_CLIENT, head, head);
		struct view value;
		size_t found = protocol_by_id(PROTOCOL_HTTP1)
				       ->request_fields(&exchange, VIEW("traceparent"), &value, 1);
		int r = fixture_describe(&exchange, &builder);

		/* the method, a space and the scheme's colon and slashes make it a request */
		assert_int_equal(r, len < strlen("POST http://") ? -EBADMSG : 0);
		assert_int_equal(found, len < whole.len - 2 ? 0 : 1);
		if (r == 0)
			assert_int_equal(!span_attribute(&builder.span, ATTR_WEFT_TRUNCATED),
					 len == whole.len);
		fixture_clear(&exchange);
	}
}

static struct view long_head(char *head, size_t size, char filler)
{
	static const char begin[] = "GET /", end[] = " HTTP/1.1\r\nHost: shop\r\n\r\n";

	memset(head, filler, size);
	memcpy(head, begin, sizeof(begin) - 1);
	memcpy(head + size - (sizeof(end) - 1), end, sizeof(end) - 1);
	return (struct view){ head, size };
}

/* Values beyond a span's room are cut, stay valid and are marked. */
static void test_values_without_room_are_cut(void **state)
{
	static const char fillers[] = { 'x', '\xff', '\xc3' };
	static char head[20000];

	(void)state;
	for (size_t i = 0; i < sizeof(fillers); i++) {
		for (int role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
			struct exchange exchange = fixture_exchange(
				(enum conn_role)role, long_head(head, sizeof(head), fillers[i]),
				RESPONSE);
			const struct attribute *long_one;

			assert_int_equal(fixture_describe(&exchange, &builder), 0);
			long_one = span_attribute(
				&builder.span, role == ROLE_CLIENT ? ATTR_URL_FULL : ATTR_URL_PATH);
			assert_in_range(long_one->len, SPAN_VALUE_MAX - 3, SPAN_VALUE_MAX);
			assert_true(utf8_is_valid(attribute_text(long_one)));
			assert_true(span_attribute(&builder.span, ATTR_WEFT_TRUNCATED)->boolean);
			fixture_clear(&exchange);
		}
	}
}

static void test_the_table(void **state)
{
	(void)state;
	assert_null(protocol_by_id(PROTOCOL_UNKNOWN));
	assert_null(protocol_by_id(PROTOCOL_ID_MAX));
	assert_null(protocol_by_id((enum protocol_id) - 1));
	for (int id = PROTOCOL_UNKNOWN + 1; id < PROTOCOL_ID_MAX; id++) {
		assert_non_null(protocol_by_id((enum protocol_id)id));
		assert_int_equal(protocol_by_id((enum protocol_id)id)->id, id);
		assert_non_null(protocol_by_id((enum protocol_id)id)->describe);
	}
	assert_string_equal(protocol_by_id(PROTOCOL_HTTP1)->name, "http1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_fields),
		cmocka_unit_test(test_several_fields),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_an_early_answer_ends_the_span),
		cmocka_unit_test(test_times_never_run_backward),
		cmocka_unit_test(test_mapped_and_plain_addresses),
		cmocka_unit_test(test_role_not_known),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_status_from_the_head),
		cmocka_unit_test(test_request_bodies),
		cmocka_unit_test(test_no_announced_body_where_there_can_be_none),
		cmocka_unit_test(test_not_a_request),
		cmocka_unit_test(test_cut_heads),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_values_without_room_are_cut),
		cmocka_unit_test(test_the_table),
	};

	return cmocka_run_group_tests_name("protocols/http1", tests, NULL, NULL);
}
