/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 (RFC 9113). Heads come here with their compression undone, as the fields of
 * http2_fields.h; what could not be undone is not there, and the span says so.
 */
#include <errno.h>
#include <string.h>

#include "protocols/http2_fields.h"
#include "protocols/http2_heads.h"
#include "protocols/http_span.h"
#include "protocols/protocol.h"
#include "protocols/rpc_span.h"
#include "protocols/telemetry.h"
#include "span/semconv.h"

#define METHOD_MAX 64

/* What two heads say, of each field the first one; without data: it is not there. */
struct heads {
	struct view request[HTTP2_FIELD_MAX];
	struct view response[HTTP2_FIELD_MAX];
	bool unknown; /* there are fields that are not known */
};

static void read_head(const struct message *message, struct view values[HTTP2_FIELD_MAX],
		      bool *unknown)
{
	struct cursor cursor = cursor_of(message_head(message));
	enum http2_field field;
	struct view value;

	while (http2_field_read(&cursor, &field, &value) == 0)
		if (field == HTTP2_FIELD_UNKNOWN)
			*unknown = true;
		else if (!values[field].data)
			values[field] = value;
}

static bool is_method(struct view method)
{
	for (size_t i = 0; i < method.len; i++)
		if (method.data[i] <= ' ' || method.data[i] >= 0x7f)
			return false;
	return method.len > 0 && method.len <= METHOD_MAX;
}

static bool is_target(struct view path)
{
	for (size_t i = 0; i < path.len; i++)
		if ((unsigned char)path.data[i] < 0x20 || path.data[i] == 0x7f)
			return false;
	return path.len == 0 || path.data[0] == '/' || view_equal(path, VIEW("*"));
}

/* ":path" of section 8.3.1: path and query. A fragment is no part of it. */
static void split_path(struct view path, struct http_facts *facts)
{
	const char *end = path.len > 0 ? memchr(path.data, '#', path.len) : NULL;
	const char *mark;

	if (end)
		path.len = (size_t)(end - path.data);
	mark = path.len > 0 ? memchr(path.data, '?', path.len) : NULL;
	facts->path = path;
	if (!mark)
		return;
	facts->path.len = (size_t)(mark - path.data);
	facts->query = view_from(path, facts->path.len + 1);
}

/* Bytes that were counted, or the announced ones where the end was not seen; -1: there are none. */
static int64_t body_size(const struct message *message, struct view length)
{
	if (message->ended)
		return message->body_bytes > 0 || length.data ? (int64_t)message->body_bytes : -1;
	return view_number(length);
}

/* 0, or -EBADMSG: no request of this protocol. */
static int read_facts(const struct exchange *exchange, const struct heads *heads,
		      struct http_facts *ret_facts)
{
	const struct view *request = heads->request;
	struct http_facts facts = {
		.method = request[HTTP2_FIELD_METHOD],
		.version = VIEW("2"),
		.scheme = request[HTTP2_FIELD_SCHEME],
		.user_agent = request[HTTP2_FIELD_USER_AGENT],
		.status = exchange->status,
		.truncated = exchange->request.truncated || !exchange->request.head_complete,
	};
	struct view authority = request[HTTP2_FIELD_AUTHORITY];

	/* a method that is not known is one all the same */
	if (!facts.method.data && (heads->unknown || facts.truncated))
		facts.method = VIEW("_OTHER");
	if (!is_method(facts.method) || !is_target(request[HTTP2_FIELD_PATH]))
		return -EBADMSG;
	split_path(request[HTTP2_FIELD_PATH], &facts);
	if (authority.len == 0)
		authority = request[HTTP2_FIELD_HOST];
	if (authority.len > 0)
		http_authority_parse(authority, &facts.host, &facts.port);
	facts.request_body = body_size(&exchange->request, request[HTTP2_FIELD_CONTENT_LENGTH]);
	facts.response_body =
		body_size(&exchange->response, heads->response[HTTP2_FIELD_CONTENT_LENGTH]);
	*ret_facts = facts;
	return 0;
}

/* RFC 9113 section 7. */
static const char *const reset_codes[] = {
	"NO_ERROR",
	"PROTOCOL_ERROR",
	"INTERNAL_ERROR",
	"FLOW_CONTROL_ERROR",
	"SETTINGS_TIMEOUT",
	"STREAM_CLOSED",
	"FRAME_SIZE_ERROR",
	"REFUSED_STREAM",
	"CANCEL",
	"COMPRESSION_ERROR",
	"CONNECT_ERROR",
	"ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY",
	"HTTP_1_1_REQUIRED",
};

#define CODE_NO_ERROR 0
#define CODE_CANCEL   8

/*
 * A caller that wants no answer any more has met no error; all else is one. A call of a procedure
 * has its own word for it.
 */
static void describe_reset(const struct exchange *exchange, struct span_builder *builder)
{
	uint32_t code = exchange->reset_code;
	bool known = code < sizeof(reset_codes) / sizeof(reset_codes[0]);

	if (exchange->end != EXCHANGE_CANCELLED)
		return;
	span_set_text(builder, ATTR_WEFT_END, VIEW("cancelled"));
	if (span_builder_attribute(builder, ATTR_RPC_RESPONSE_STATUS_CODE))
		return;
	if (code == CODE_NO_ERROR || (code == CODE_CANCEL && !exchange->reset_by_server) ||
	    builder->span.status == SPAN_STATUS_ERROR)
		return;
	builder->span.status = SPAN_STATUS_ERROR;
	span_set_text(builder, ATTR_ERROR_TYPE, view_of(known ? reset_codes[code] : "_OTHER"));
}

static void read_call(const struct heads *heads, struct rpc_facts *ret_rpc)
{
	*ret_rpc = (struct rpc_facts){
		.content_type = heads->request[HTTP2_FIELD_CONTENT_TYPE],
		.connect_version = heads->request[HTTP2_FIELD_CONNECT_VERSION],
		.connect_timeout = heads->request[HTTP2_FIELD_CONNECT_TIMEOUT],
		.grpc_timeout = heads->request[HTTP2_FIELD_GRPC_TIMEOUT],
		.response_type = heads->response[HTTP2_FIELD_CONTENT_TYPE],
		.grpc_status = heads->response[HTTP2_FIELD_GRPC_STATUS],
	};
}

static int http2_describe(const struct exchange *exchange, struct span_builder *builder)
{
	struct heads heads = {};
	struct http_facts facts;
	struct rpc_facts rpc;
	enum rpc_form form;
	int r;

	read_head(&exchange->request, heads.request, &heads.unknown);
	read_head(&exchange->response, heads.response, &heads.unknown);
	r = read_facts(exchange, &heads, &facts);
	if (r < 0)
		return r;
	read_call(&heads, &rpc);
	form = rpc_form_of(&facts, &rpc);
	if (form != RPC_NO_CALL)
		rpc_span_describe(exchange, &facts, &rpc, form, builder);
	else
		http_span_describe(exchange, &facts, builder);
	describe_reset(exchange, builder);
	if (heads.unknown)
		span_set_bool(builder, ATTR_WEFT_PARTIAL, true);
	return 0;
}

/* Names are sent in lower case; whoever asks may use any. */
static enum http2_field field_named(struct view name)
{
	char lower[32];

	if (name.len > sizeof(lower))
		return HTTP2_FIELD_MAX;
	for (size_t i = 0; i < name.len; i++)
		lower[i] = name.data[i] >= 'A' && name.data[i] <= 'Z' ? (char)(name.data[i] | 0x20)
								      : name.data[i];
	return http2_field_of((struct view){ .data = lower, .len = name.len });
}

static size_t http2_request_fields(const struct exchange *exchange, struct view name,
				   struct view *ret_values, size_t max)
{
	struct cursor cursor = cursor_of(message_head(&exchange->request));
	enum http2_field wanted = field_named(name), field;
	struct view value;
	size_t count = 0;

	if (wanted == HTTP2_FIELD_MAX)
		return 0;
	while (http2_field_read(&cursor, &field, &value) == 0) {
		if (field != wanted)
			continue;
		if (count < max)
			ret_values[count] = value;
		count++;
	}
	return count;
}

/* The first one; without data: it is not there. */
static struct view request_field(const struct exchange *exchange, enum http2_field wanted)
{
	struct cursor cursor = cursor_of(message_head(&exchange->request));
	enum http2_field field;
	struct view value;

	while (http2_field_read(&cursor, &field, &value) == 0)
		if (field == wanted)
			return value;
	return (struct view){};
}

/* Most requests show by their first two fields that they export nothing: the rest is not read. */
static enum telemetry http2_telemetry(const struct exchange *exchange)
{
	struct view path;

	if (!view_equal(request_field(exchange, HTTP2_FIELD_METHOD), VIEW("POST")))
		return TELEMETRY_NONE;
	path = request_field(exchange, HTTP2_FIELD_PATH);
	if (!telemetry_path(path))
		return TELEMETRY_NONE;
	return telemetry_of(path, request_field(exchange, HTTP2_FIELD_CONTENT_TYPE),
			    request_field(exchange, HTTP2_FIELD_USER_AGENT));
}

static int http2_unpack_new(const struct config *config, void **ret_state)
{
	struct http2_heads *heads;
	int r = http2_heads_new(config, &heads);

	if (r == 0)
		*ret_state = heads;
	return r;
}

static bool http2_unpack(void *state, union event *event)
{
	return http2_heads_unpack(state, event);
}

static size_t http2_unpack_counters(const void *state,
				    struct protocol_counter ret_counters[PROTOCOL_COUNTERS_MAX])
{
	const struct http2_heads_counters *counters = http2_heads_counters(state);
	const struct protocol_counter told[] = {
		{ "connections", counters->connections },
		{ "decoder_bytes", counters->memory },
		{ "connections_forgotten", counters->forgotten },
		{ "undecoded_heads", counters->broken },
	};

	_Static_assert(sizeof(told) / sizeof(told[0]) <= PROTOCOL_COUNTERS_MAX, "all are told");
	memcpy(ret_counters, told, sizeof(told));
	return sizeof(told) / sizeof(told[0]);
}

static void *http2_unpack_free(void *state)
{
	return http2_heads_free(state);
}

const struct protocol protocol_HTTP2 = {
	.id = PROTOCOL_HTTP2,
	.name = "http2",
	.describe = http2_describe,
	.request_fields = http2_request_fields,
	.telemetry = http2_telemetry,
	.unpack_new = http2_unpack_new,
	.unpack = http2_unpack,
	.unpack_counters = http2_unpack_counters,
	.unpack_free = http2_unpack_free,
};
