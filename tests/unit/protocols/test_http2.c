/* SPDX-License-Identifier: Apache-2.0 */
/* From the kernel's records of compressed heads to spans: what the whole of http2*.c makes of them.
 */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>

#include "conn/table.h"
#include "lib/http2_peer.h"
#include "protocols/http2_heads.h"

#define HEADERS	   1
#define END	   0x04
#define END_STREAM 0x01

#define CONN 7

#define TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

/* A connection's two directions, and the rooms that its records go through. */
struct world {
	struct http2_peer peer[2]; /* by enum message_kind */
	void *state;
	struct conn_table *table;
	struct config config;
	enum conn_role role;
	bool strangers; /* the client is not trusted */
	unsigned int n_spans;
	unsigned int n_started;
	int described; /* of the last exchange */
	uint8_t flags; /* of the last record that was handed on */
	struct event_context context;
	struct exchange last;
	struct span_builder builder;
	size_t head_len; /* fields of the last request that were handed on */
	uint8_t head[32768];
};

static const struct protocol *http2(void)
{
	return protocol_by_id(PROTOCOL_HTTP2);
}

static void on_started(void *context, struct exchange *exchange)
{
	struct world *world = context;

	world->n_started++;
	world->context = exchange->context;
}

static void on_finished(void *context, struct exchange *exchange)
{
	struct world *world = context;

	world->n_spans++;
	world->last = *exchange;
	world->described = fixture_describe(exchange, &world->builder);
}

static int setup(void **state)
{
	static struct world world;
	const struct conn_limits limits = { 64, 4096, 4096 };
	const struct conn_callbacks callbacks = { on_started, on_finished, &world };

	memset(&world, 0, sizeof(world));
	world.role = ROLE_SERVER;
	world.config.propagators.items[0] = PROPAGATOR_TRACECONTEXT;
	world.config.propagators.items[1] = PROPAGATOR_B3;
	world.config.propagators.n = 2;
	world.config.sampler = CONFIG_SAMPLER_PARENT_ALWAYS_ON;
	http2_peer_init(&world.peer[0], 4096);
	http2_peer_init(&world.peer[1], 4096);
	*state = &world;
	if (http2()->unpack_new(&world.config, &world.state) < 0)
		return -1;
	return conn_table_new(&limits, &callbacks, &world.table);
}

static int teardown(void **state)
{
	struct world *world = *state;

	http2()->unpack_free(world->state);
	conn_table_free(world->table);
	http2_peer_clear(&world->peer[0]);
	http2_peer_clear(&world->peer[1]);
	return 0;
}

static struct event_header header_of(enum event_type type, enum message_kind message,
				     uint32_t stream, uint8_t flags)
{
	return (struct event_header){
		.type = (uint8_t)type,
		.protocol = PROTOCOL_HTTP2,
		.message = (uint8_t)message,
		.flags = flags,
		.time_ns = message == MESSAGE_REQUEST ? 1000 : 3000,
		.conn = CONN,
		.exchange = stream,
		.pid = 70,
	};
}

static void keep_head(struct world *world, size_t at, const uint8_t *head, size_t len)
{
	assert_in_range(at + len, 0, sizeof(world->head));
	memcpy(world->head + at, head, len);
	world->head_len = at + len;
}

static void give(struct world *world, const void *record, size_t size)
{
	union event event;

	assert_int_equal(event_decode(record, size, &event), 0);
	if (!http2()->unpack(world->state, &event))
		return;
	world->flags = event.header->flags;
	if (event.header->type == EVENT_REQUEST)
		keep_head(world, 0, event.request->head, event.request->head_len);
	else if (event.header->type == EVENT_HEAD_MORE)
		keep_head(world, world->head_len, event.more->head, event.more->head_len);
	conn_table_event(world->table, event);
}

/* A record whose fixed part of `size` bytes has its header, and `head_len` at `offset`. */
static void put(struct world *world, void *fixed, size_t size, size_t offset, struct view head)
{
	static _Alignas(8) uint8_t bytes[8192];
	struct event_header *header = (struct event_header *)bytes;

	memcpy(bytes, fixed, size);
	if (head.len > 0)
		memcpy(bytes + size, head.data, head.len);
	header->size = (uint32_t)(size + head.len);
	if (offset)
		*(uint32_t *)(bytes + offset) = (uint32_t)head.len;
	give(world, bytes, size + head.len);
	memset(bytes, 0xee, sizeof(bytes));
}

static struct view frame_of(struct view block)
{
	static uint8_t bytes[8192];

	return (struct view){ .data = (const char *)bytes,
			      .len = http2_frame_put(bytes, HEADERS, END, 1, block) };
}

/* `piece`: the first bytes of a frame. */
static void put_request_piece(struct world *world, uint32_t stream, uint8_t flags,
			      struct view piece)
{
	const struct conn_address client = fixture_address("10.0.0.2", 40000);
	const struct conn_address server = fixture_address("10.0.0.1", 8080);
	bool serves = world->role == ROLE_SERVER;
	struct event_request event = {
		.header = header_of(EVENT_REQUEST, MESSAGE_REQUEST, stream, flags),
		.tuple = { .local_port = serves ? server.port : client.port,
			   .remote_port = serves ? client.port : server.port },
		.family = AF_INET,
		.role = (uint8_t)world->role,
		.tid = 71,
		.end_ns = 1500,
		.context = { .use = world->strangers ? CONTEXT_FOREIGN : CONTEXT_UNUSED },
	};

	memcpy(event.tuple.local_ip, serves ? server.ip : client.ip, 16);
	memcpy(event.tuple.remote_ip, serves ? client.ip : server.ip, 16);
	put(world, &event, sizeof(event), offsetof(struct event_request, head_len), piece);
}

static void put_request(struct world *world, uint32_t stream, uint8_t flags, struct view block)
{
	put_request_piece(world, stream, flags, frame_of(block));
}

/* More bytes of a request's frame. */
static void put_more(struct world *world, uint32_t stream, uint8_t flags, struct view piece)
{
	struct event_head_more event = {
		.header = header_of(EVENT_HEAD_MORE, MESSAGE_REQUEST, stream, flags),
		.end_ns = 1500,
	};

	put(world, &event, sizeof(event), offsetof(struct event_head_more, head_len), piece);
}

static void put_response(struct world *world, uint32_t stream, uint8_t flags, uint64_t body,
			 struct view block)
{
	struct event_response event = {
		.header = header_of(EVENT_RESPONSE, MESSAGE_RESPONSE, stream, flags),
		.body_bytes = body,
		.end_ns = 3500,
	};

	put(world, &event, sizeof(event), offsetof(struct event_response, head_len),
	    frame_of(block));
}

static void put_end(struct world *world, enum message_kind message, uint32_t stream, uint64_t body)
{
	struct event_end event = { .header = header_of(EVENT_END, message, stream, 0),
				   .body_bytes = body };

	put(world, &event, sizeof(event), 0, VIEW(""));
}

static void put_reset(struct world *world, enum message_kind by, uint32_t stream, uint32_t code)
{
	struct event_reset event = { .header = header_of(EVENT_RESET, by, stream, 0),
				     .code = code };

	put(world, &event, sizeof(event), 0, VIEW(""));
}

#define REQUEST(world, stream, flags, ...)                                                         \
	put_request(world, stream, flags,                                                          \
		    http2_peer_block(&(world)->peer[MESSAGE_REQUEST], __VA_ARGS__, NULL))
#define RESPONSE(world, stream, flags, body, ...)                                                  \
	put_response(world, stream, flags, body,                                                   \
		     http2_peer_block(&(world)->peer[MESSAGE_RESPONSE], __VA_ARGS__, NULL))

#define WHOLE (EVENT_F_HEAD_END | EVENT_F_END)
#define HEAD  EVENT_F_HEAD_END
#define GET(path)                                                                                  \
	":method", "GET", ":path", path, ":scheme", "http", ":authority", "shop.example",          \
		"user-agent", "test/1"
#define CALL(path)                                                                                 \
	":method", "POST", ":path", path, ":scheme", "http", ":authority", "shop.example:50051",   \
		"content-type", "application/grpc+proto", "te", "trailers"

/* --- what spans say --- */

static void assert_text(struct world *world, enum attribute_key key, const char *text)
{
	const struct attribute *attribute = span_builder_attribute(&world->builder, key);

	if (!text) {
		assert_null(attribute);
		return;
	}
	assert_non_null(attribute);
	assert_int_equal(attribute->type, ATTRIBUTE_STRING);
	assert_int_equal(attribute->len, strlen(text));
	assert_memory_equal(attribute->text, text, attribute->len);
}

static void assert_number(struct world *world, enum attribute_key key, int64_t number)
{
	const struct attribute *attribute = span_builder_attribute(&world->builder, key);

	assert_non_null(attribute);
	assert_int_equal(attribute->type, ATTRIBUTE_INT);
	assert_int_equal(attribute->integer, number);
}

static void assert_span(struct world *world, unsigned int n, const char *name,
			enum span_status status)
{
	assert_int_equal(world->n_spans, n);
	assert_int_equal(world->described, 0);
	assert_int_equal(world->builder.span.name.len, strlen(name));
	assert_memory_equal(world->builder.span.name.data, name, strlen(name));
	assert_int_equal(world->builder.span.status, status);
}

static void test_get(void **state)
{
	struct world *world = *state;

	REQUEST(world, 1, WHOLE | EVENT_F_FIRST, GET("/users/7?page=2#part"));
	RESPONSE(world, 1, HEAD | EVENT_F_FIRST, 0, ":status", "200", "content-length", "12");
	assert_int_equal(world->n_spans, 0);
	put_end(world, MESSAGE_RESPONSE, 1, 12);
	assert_span(world, 1, "GET", SPAN_STATUS_UNSET);
	assert_text(world, ATTR_URL_PATH, "/users/7");
	assert_text(world, ATTR_URL_QUERY, "page=2");
	assert_text(world, ATTR_URL_SCHEME, "http");
	assert_text(world, ATTR_SERVER_ADDRESS, "shop.example");
	assert_number(world, ATTR_SERVER_PORT, 8080);
	assert_text(world, ATTR_USER_AGENT_ORIGINAL, "test/1");
	assert_text(world, ATTR_NETWORK_PROTOCOL_VERSION, "2");
	assert_number(world, ATTR_HTTP_RESPONSE_STATUS_CODE, 200);
	assert_number(world, ATTR_HTTP_RESPONSE_BODY_SIZE, 12);
	assert_text(world, ATTR_RPC_METHOD, NULL);
	assert_null(span_builder_attribute(&world->builder, ATTR_WEFT_PARTIAL));
	assert_null(span_builder_attribute(&world->builder, ATTR_WEFT_TRUNCATED));
}

static void test_client(void **state)
{
	struct world *world = *state;

	world->role = ROLE_CLIENT;
	REQUEST(world, 1, WHOLE | EVENT_F_FIRST, GET("/a?b=c"));
	RESPONSE(world, 1, WHOLE | EVENT_F_FIRST, 0, ":status", "404");
	assert_span(world, 1, "GET", SPAN_STATUS_ERROR);
	assert_text(world, ATTR_URL_FULL, "http://shop.example:8080/a?b=c");
	assert_text(world, ATTR_ERROR_TYPE, "404");
}

/* Streams answer in any order, and refer to what others have said. */
static void test_streams_interleave(void **state)
{
	struct world *world = *state;
	char path[16];

	for (uint32_t i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/%u", i);
		REQUEST(world, 2 * i + 1, WHOLE | (i ? 0 : EVENT_F_FIRST), GET(path));
	}
	for (uint32_t i = 20; i-- > 0;) {
		RESPONSE(world, 2 * i + 1, WHOLE | (i == 19 ? EVENT_F_FIRST : 0), i, ":status",
			 "204", "server", "test");
		snprintf(path, sizeof(path), "/%u", i);
		assert_span(world, 20 - i, "GET", SPAN_STATUS_UNSET);
		assert_text(world, ATTR_URL_PATH, path);
		assert_number(world, ATTR_HTTP_RESPONSE_STATUS_CODE, 204);
	}
}

static void test_interim_and_trailers(void **state)
{
	struct world *world = *state;

	REQUEST(world, 1, WHOLE | EVENT_F_FIRST, GET("/"));
	RESPONSE(world, 1, HEAD | EVENT_F_FIRST, 0, ":status", "103", "link", "a");
	RESPONSE(world, 1, HEAD, 0, ":status", "500");
	RESPONSE(world, 1, WHOLE, 9, "x-checksum", "1");
	assert_span(world, 1, "GET", SPAN_STATUS_ERROR);
	assert_number(world, ATTR_HTTP_RESPONSE_STATUS_CODE, 500);
	assert_number(world, ATTR_HTTP_RESPONSE_BODY_SIZE, 9);
}

/* ":method: GET", then ":path" that is put into the table, or the youngest entry of it. */
#define PATH_SAID     VIEW("\x82\x44\x04/one\x86")
#define PATH_MEANT    VIEW("\x82\xbe\x86")
#define PATH_NOT_SAID VIEW("\x82\x04\x04/two\x86")

static void assert_path(struct world *world, uint32_t stream, const char *path)
{
	put_response(world, stream, WHOLE | (stream == 1 ? EVENT_F_FIRST : 0), 0, VIEW("\x88"));
	assert_int_equal(world->described, 0);
	assert_text(world, ATTR_URL_PATH, path);
	assert_int_equal(!path, span_builder_attribute(&world->builder, ATTR_WEFT_PARTIAL) != NULL);
}

/* Met in the middle: what is not said anew is not known, and a path is never another one's. */
static void test_met_in_the_middle(void **state)
{
	struct world *world = *state;

	put_request(world, 1, WHOLE | EVENT_F_GAP, PATH_MEANT);
	assert_path(world, 1, NULL);
	put_request(world, 3, WHOLE, PATH_NOT_SAID);
	assert_path(world, 3, "/two");
	put_request(world, 5, WHOLE, PATH_MEANT);
	assert_path(world, 5, NULL);
	put_request(world, 7, WHOLE, PATH_SAID);
	assert_path(world, 7, "/one");
	put_request(world, 9, WHOLE, PATH_MEANT);
	assert_path(world, 9, "/one");
}

/* A record is missing: what came before it is not relied on any more. */
static void test_gap(void **state)
{
	struct world *world = *state;

	put_request(world, 1, WHOLE | EVENT_F_FIRST, PATH_SAID);
	assert_path(world, 1, "/one");
	put_request(world, 3, WHOLE, PATH_MEANT);
	assert_path(world, 3, "/one");
	put_request(world, 5, WHOLE | EVENT_F_GAP, PATH_MEANT);
	assert_path(world, 5, NULL);
}

/* What was missing was the end of one head and the beginning of another: they do not mix. */
static void test_gap_between_heads(void **state)
{
	struct world *world = *state;
	struct view frame;

	REQUEST(world, 1, HEAD | EVENT_F_FIRST, GET("/"));
	frame = frame_of(http2_peer_block(&world->peer[MESSAGE_REQUEST], GET("/"), "traceparent",
					  TRACEPARENT, "x", "1", NULL));
	put_request_piece(world, 3, 0, (struct view){ frame.data, frame.len - 1 });
	assert_int_equal(world->n_started, 1);
	put_more(world, 1, WHOLE | EVENT_F_GAP, frame_of(VIEW("\x88")));
	put_response(world, 1, WHOLE | EVENT_F_FIRST, 0, VIEW("\x88"));
	assert_span(world, 1, "GET", SPAN_STATUS_UNSET);
	assert_int_equal(world->last.context.use, CONTEXT_UNUSED);
	assert_int_equal(world->last.evidence, EVIDENCE_NONE);
}

/* A block that cannot be decoded is one, too. */
static void test_broken_block(void **state)
{
	struct world *world = *state;

	put_request(world, 1, WHOLE | EVENT_F_FIRST, PATH_SAID);
	assert_path(world, 1, "/one");
	put_request(world, 3, WHOLE, VIEW("\x82\xff\xff\xff\xff\xff\xff"));
	assert_path(world, 3, NULL);
	assert_int_equal(http2_heads_counters(world->state)->broken, 1);
	put_request(world, 5, WHOLE, PATH_MEANT);
	assert_path(world, 5, NULL);
}

/* Heads of streams that are not followed count for the compression. */
static void test_mute_heads(void **state)
{
	struct world *world = *state;

	REQUEST(world, 1, WHOLE | EVENT_F_FIRST, GET("/"));
	RESPONSE(world, 0, WHOLE | EVENT_F_FIRST, 0, ":status", "418", "x", "1");
	RESPONSE(world, 1, WHOLE, 0, ":status", "418", "x", "1");
	assert_span(world, 1, "GET", SPAN_STATUS_UNSET);
	assert_number(world, ATTR_HTTP_RESPONSE_STATUS_CODE, 418);
}

static void test_context(void **state)
{
	struct world *world = *state;

	REQUEST(world, 1, WHOLE | EVENT_F_FIRST, GET("/"), "traceparent", TRACEPARENT, "tracestate",
		"a=1");
	assert_int_equal(world->context.use, CONTEXT_TAKEN);
	assert_int_equal(world->context.evidence, EVIDENCE_HEADER);
	RESPONSE(world, 1, WHOLE | EVENT_F_FIRST, 0, ":status", "200");
	assert_int_equal(world->last.trace_id[0], 0x0a);
	assert_int_equal(world->last.parent_id[0], 0xb7);
	assert_int_equal(world->last.evidence, EVIDENCE_HEADER);
	/* the same again, all of it by reference */
	REQUEST(world, 3, WHOLE, GET("/"), "traceparent", TRACEPARENT);
	assert_int_equal(world->context.use, CONTEXT_TAKEN);
	REQUEST(world, 5, WHOLE, GET("/"), "b3",
		"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1");
	assert_int_equal(world->context.carried.propagator, PROPAGATOR_B3);
	REQUEST(world, 7, WHOLE, GET("/"), "traceparent", "00-0-0-01");
	assert_int_equal(world->context.use, CONTEXT_UNUSED);
	assert_int_equal(world->context.refused, 1);
}

static void test_context_of_strangers_and_of_ones_own(void **state)
{
	struct world *world = *state;

	world->strangers = true;
	REQUEST(world, 1, WHOLE | EVENT_F_FIRST, GET("/"), "traceparent", TRACEPARENT);
	assert_int_equal(world->context.use, CONTEXT_FOREIGN);
	REQUEST(world, 3, WHOLE, GET("/"));
	assert_int_equal(world->context.use, CONTEXT_UNUSED);
	world->role = ROLE_CLIENT;
	world->strangers = false;
	REQUEST(world, 5, WHOLE, GET("/"), "traceparent", TRACEPARENT);
	assert_int_equal(world->context.use, CONTEXT_CARRIED);
}

static void test_reset_codes(void **state)
{
	static const struct {
		enum message_kind by;
		uint32_t code;
		const char *error;
	} rows[] = {
		{ MESSAGE_REQUEST, 8, NULL },
		{ MESSAGE_RESPONSE, 8, "CANCEL" },
		{ MESSAGE_RESPONSE, 0, NULL },
		{ MESSAGE_RESPONSE, 7, "REFUSED_STREAM" },
		{ MESSAGE_REQUEST, 2, "INTERNAL_ERROR" },
		{ MESSAGE_RESPONSE, 99, "_OTHER" },
	};
	struct world *world = *state;

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		REQUEST(world, 2 * i + 1, WHOLE | (i ? 0 : EVENT_F_FIRST), GET("/"));
		put_reset(world, rows[i].by, 2 * i + 1, rows[i].code);
		assert_span(world, i + 1, "GET",
			    rows[i].error ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
		assert_text(world, ATTR_ERROR_TYPE, rows[i].error);
		assert_text(world, ATTR_WEFT_END, "cancelled");
	}
}

static void test_no_request(void **state)
{
	static const char *const paths[] = { "no/slash", "http://a/", "/a\x01" };
	struct world *world = *state;

	for (uint32_t i = 0; i < 3; i++) {
		REQUEST(world, 2 * i + 1, WHOLE | (i ? 0 : EVENT_F_FIRST), ":method", "GET",
			":path", paths[i]);
		RESPONSE(world, 2 * i + 1, WHOLE | (i ? 0 : EVENT_F_FIRST), 0, ":status", "200");
		assert_int_equal(world->described, -EBADMSG);
	}
	REQUEST(world, 9, WHOLE, ":path", "/");
	RESPONSE(world, 9, WHOLE, 0, ":status", "200");
	assert_int_equal(world->described, -EBADMSG);
}

/* --- calls of procedures --- */

static void call(struct world *world, uint32_t stream, const char *status)
{
	REQUEST(world, stream, HEAD | (stream == 1 ? EVENT_F_FIRST : 0),
		CALL("/shop.Cart/AddItem"));
	put_end(world, MESSAGE_REQUEST, stream, 20);
	RESPONSE(world, stream, HEAD | (stream == 1 ? EVENT_F_FIRST : 0), 0, ":status", "200",
		 "content-type", "application/grpc");
	RESPONSE(world, stream, WHOLE, 30, "grpc-status", status);
}

static void test_call(void **state)
{
	struct world *world = *state;

	call(world, 1, "0");
	assert_span(world, 1, "shop.Cart/AddItem", SPAN_STATUS_UNSET);
	assert_text(world, ATTR_RPC_SYSTEM_NAME, "grpc");
	assert_text(world, ATTR_RPC_METHOD, "shop.Cart/AddItem");
	assert_text(world, ATTR_RPC_RESPONSE_STATUS_CODE, "OK");
	assert_text(world, ATTR_SERVER_ADDRESS, "shop.example");
	assert_number(world, ATTR_SERVER_PORT, 50051);
	assert_text(world, ATTR_URL_PATH, NULL);
}

/* Which status is an error depends on whose span it is. */
static void test_call_errors(void **state)
{
	static const struct {
		const char *status;
		const char *name;
		bool server;
	} rows[] = {
		{ "1", "CANCELLED", false },	    { "2", "UNKNOWN", true },
		{ "4", "DEADLINE_EXCEEDED", true }, { "5", "NOT_FOUND", false },
		{ "12", "UNIMPLEMENTED", true },    { "13", "INTERNAL", true },
		{ "14", "UNAVAILABLE", true },	    { "15", "DATA_LOSS", true },
		{ "16", "UNAUTHENTICATED", false },
	};
	struct world *world = *state;
	uint32_t stream = 1;

	for (int role = ROLE_CLIENT; role <= ROLE_SERVER; role++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++, stream += 2) {
			bool error = role == ROLE_CLIENT || rows[i].server;

			world->role = (enum conn_role)role;
			call(world, stream, rows[i].status);
			assert_text(world, ATTR_RPC_RESPONSE_STATUS_CODE, rows[i].name);
			assert_int_equal(world->builder.span.status,
					 error ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
			assert_text(world, ATTR_ERROR_TYPE, error ? rows[i].name : NULL);
		}
	}
}

static void test_call_trailers_only(void **state)
{
	struct world *world = *state;

	REQUEST(world, 1, HEAD | EVENT_F_FIRST, CALL("/a.B/C"));
	RESPONSE(world, 1, WHOLE | EVENT_F_FIRST, 0, ":status", "200", "content-type",
		 "application/grpc", "grpc-status", "12");
	assert_span(world, 1, "a.B/C", SPAN_STATUS_ERROR);
	assert_text(world, ATTR_RPC_RESPONSE_STATUS_CODE, "UNIMPLEMENTED");
	/* what stands between the two has answered */
	REQUEST(world, 3, HEAD, CALL("/a.B/C"));
	RESPONSE(world, 3, WHOLE, 0, ":status", "502");
	assert_span(world, 2, "a.B/C", SPAN_STATUS_ERROR);
	assert_text(world, ATTR_RPC_RESPONSE_STATUS_CODE, NULL);
	assert_text(world, ATTR_ERROR_TYPE, "502");
	/* a path that is no method, and a type that only begins so */
	REQUEST(world, 5, HEAD, ":method", "POST", ":path", "/nothing", "content-type",
		"application/grpc");
	RESPONSE(world, 5, WHOLE, 0, ":status", "200");
	assert_span(world, 3, "POST", SPAN_STATUS_UNSET);
	REQUEST(world, 7, HEAD, ":method", "POST", ":path", "/a.B/C", "content-type",
		"application/grpcish");
	RESPONSE(world, 7, WHOLE, 0, ":status", "200");
	assert_span(world, 4, "POST", SPAN_STATUS_UNSET);
}

/* --- limits --- */

#define AGENT_LEN  1000
#define AGENT_SAID 40

/* ":method: GET", a user agent that is said over and over, more than is kept, then the context. */
static struct view long_block(void)
{
	static char bytes[2 * AGENT_LEN];
	size_t len = 0;

	/* the length is 127 + 873, and 873 is 0x69 + (6 << 7) */
	len += (size_t)snprintf(bytes, sizeof(bytes), "\x82\x7a\x7f\xe9\x06");
	memset(bytes + len, 'a', AGENT_LEN);
	len += AGENT_LEN;
	memset(bytes + len, 0xbe, AGENT_SAID);
	len += AGENT_SAID;
	bytes[len++] = 0;
	len += (size_t)snprintf(bytes + len, sizeof(bytes) - len, "\x0btraceparent\x37%s",
				TRACEPARENT);
	return (struct view){ .data = bytes, .len = len };
}

/* What does not fit is the same however the head is cut, and the head ends where its block does. */
static void test_long_head(void **state)
{
	struct world *world = *state;
	struct view frame = frame_of(long_block());
	static uint8_t whole[sizeof(world->head)];
	uint32_t stream = 1;
	size_t whole_len;

	put_request_piece(world, stream, WHOLE | EVENT_F_FIRST, frame);
	assert_int_equal(world->n_started, 1);
	assert_int_equal(world->context.use, CONTEXT_TAKEN);
	assert_true(world->flags & EVENT_F_TRUNCATED);
	assert_in_range(world->head_len, 4096, AGENT_LEN * AGENT_SAID);
	whole_len = world->head_len;
	memcpy(whole, world->head, whole_len);
	for (size_t cut = 9; cut < frame.len; cut++) {
		put_reset(world, MESSAGE_REQUEST, stream, 8);
		stream += 2;
		put_request_piece(world, stream, 0, (struct view){ frame.data, cut });
		assert_int_equal(world->n_started, stream / 2);
		put_more(world, stream, WHOLE, view_from(frame, cut));
		assert_int_equal(world->n_started, stream / 2 + 1);
		assert_int_equal(world->context.use, CONTEXT_TAKEN);
		assert_true(world->flags & EVENT_F_TRUNCATED);
		assert_int_equal(world->head_len, whole_len);
		assert_memory_equal(world->head, whole, whole_len);
	}
	/* and says nothing of the next one */
	put_request(world, stream + 2, WHOLE, PATH_NOT_SAID);
	assert_false(world->flags & EVENT_F_TRUNCATED);
}

/* The end of a head that cannot be decoded is the end of its block, too. */
static void test_broken_piece(void **state)
{
	struct world *world = *state;
	struct view frame = frame_of(VIEW("\x82\x84\xff\xff\xff\xff\xff\xff"));

	put_request_piece(world, 1, EVENT_F_FIRST, (struct view){ frame.data, frame.len - 1 });
	assert_int_equal(world->n_started, 0);
	put_more(world, 1, WHOLE, view_from(frame, frame.len - 1));
	assert_int_equal(world->n_started, 1);
	assert_true(world->flags & EVENT_F_TRUNCATED);
}

static void test_connections_are_bounded(void **state)
{
	struct world *world = *state;
	struct event_response event = {
		.header = header_of(EVENT_RESPONSE, MESSAGE_RESPONSE, 1, HEAD | EVENT_F_FIRST),
	};
	const struct http2_heads_counters *counters = http2_heads_counters(world->state);
	struct view block = http2_peer_block(&world->peer[1], ":status", "200", NULL);

	for (uint64_t i = 0; i < HTTP2_CONNECTIONS_MAX + 10; i++) {
		event.header.conn = 1000 + i;
		put(world, &event, sizeof(event), offsetof(struct event_response, head_len),
		    frame_of(block));
	}
	assert_in_range(counters->connections, 1, HTTP2_CONNECTIONS_MAX);
	assert_int_equal(counters->connections + counters->forgotten, HTTP2_CONNECTIONS_MAX + 10);
	assert_in_range(counters->memory, 1, HTTP2_MEMORY_MAX + 65536);
}

static void test_close_forgets(void **state)
{
	struct world *world = *state;
	struct event_close event = { .header = header_of(EVENT_CLOSE, MESSAGE_RESPONSE, 0, 0) };
	const struct http2_heads_counters *counters = http2_heads_counters(world->state);

	REQUEST(world, 1, WHOLE | EVENT_F_FIRST, GET("/"));
	assert_int_equal(counters->connections, 1);
	put(world, &event, sizeof(event), 0, VIEW(""));
	assert_int_equal(counters->connections, 0);
	assert_int_equal(counters->memory, 0);
	assert_int_equal(world->n_spans, 1);
	assert_int_equal(world->last.end, EXCHANGE_CLOSED);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get),
		TEST(test_client),
		TEST(test_streams_interleave),
		TEST(test_interim_and_trailers),
		TEST(test_met_in_the_middle),
		TEST(test_gap),
		TEST(test_gap_between_heads),
		TEST(test_broken_block),
		TEST(test_mute_heads),
		TEST(test_context),
		TEST(test_context_of_strangers_and_of_ones_own),
		TEST(test_reset_codes),
		TEST(test_no_request),
		TEST(test_call),
		TEST(test_call_errors),
		TEST(test_call_trailers_only),
		TEST(test_long_head),
		TEST(test_broken_piece),
		TEST(test_connections_are_bounded),
		TEST(test_close_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
