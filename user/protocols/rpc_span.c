/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/rpc_span.h"

#include <stdio.h>
#include <string.h>

#include "protocols/endpoint.h"
#include "protocols/rpc_status.h"
#include "span/semconv.h"

#define TIMEOUT_DIGITS_MAX 10 /* gRPC has 8, Connect 10 */
/*
 * A timeout begins before the head that tells it is sent, perhaps on a connection that is not there
 * yet: so much of it may be over by then, at most one part in so many.
 */
#define TIMEOUT_SLACK_NS   50000000u
#define TIMEOUT_SLACK_PART 4

/* "/package.Service/Method", without the slash before it. Empty: it is none. */
static struct view method_of(struct view path)
{
	struct view method = view_from(path, 1);
	const char *slash = method.len > 0 ? memchr(method.data, '/', method.len) : NULL;

	if (!slash || slash == method.data || slash + 1 == method.data + method.len)
		return VIEW("");
	return method;
}

/* The type begins so, and goes on with what tells of the messages' form alone. */
static bool is_type(struct view type, struct view name)
{
	struct view rest = view_from(type, name.len);

	return view_starts_with(type, name) &&
	       (rest.len == 0 || rest.data[0] == '+' || rest.data[0] == ';' || rest.data[0] == ' ');
}

/* Types that say by themselves what they are. */
static const struct {
	struct view type;
	enum rpc_form form;
} forms[] = {
	{ VIEW_INIT("application/grpc"), RPC_GRPC },
	{ VIEW_INIT("application/grpc-web"), RPC_GRPC_WEB },
	{ VIEW_INIT("application/grpc-web-text"), RPC_GRPC_WEB },
	{ VIEW_INIT("application/connect"), RPC_CONNECT_STREAM },
};

/* Those of Connect's unary calls: any codec may have one, these two all peers have. */
static bool is_unary_type(struct view type)
{
	return is_type(type, VIEW("application/proto")) || is_type(type, VIEW("application/json"));
}

bool rpc_type_is_likely(struct view content_type)
{
	return view_starts_with(content_type, VIEW("application/grpc")) ||
	       view_starts_with(content_type, VIEW("application/connect+")) ||
	       is_unary_type(content_type);
}

/* Connect protocol, "Unary-Get-Request": the message is in the query. */
static bool is_connect_get(const struct http_facts *http)
{
	static const struct view mark = VIEW_INIT("connect=v1");

	return view_equal(http->method, VIEW("GET")) && http->query.len >= mark.len &&
	       memmem(http->query.data, http->query.len, mark.data, mark.len);
}

/* gRPC over HTTP2 "Requests"; gRPC-Web; Connect protocol "Unary-Request", "Streaming-Request". */
enum rpc_form rpc_form_of(const struct http_facts *http, const struct rpc_facts *rpc)
{
	if (method_of(http->path).len == 0)
		return RPC_NO_CALL;
	if (rpc->content_type.len == 0)
		return is_connect_get(http) ? RPC_CONNECT : RPC_NO_CALL;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (is_type(rpc->content_type, forms[i].type))
			return forms[i].form;
	if (is_unary_type(rpc->content_type) && view_equal(rpc->connect_version, VIEW("1")))
		return RPC_CONNECT;
	return RPC_NO_CALL;
}

static bool is_connect(enum rpc_form form)
{
	return form == RPC_CONNECT || form == RPC_CONNECT_STREAM;
}

static uint64_t unit_ns(char unit)
{
	switch (unit) {
	case 'H':
		return 3600000000000;
	case 'M':
		return 60000000000;
	case 'S':
		return 1000000000;
	case 'm':
		return 1000000;
	case 'u':
		return 1000;
	case 'n':
		return 1;
	default:
		return 0;
	}
}

/* What the caller gives the call, in ns; 0: no limit is known. */
static uint64_t timeout_of(const struct rpc_facts *rpc, enum rpc_form form)
{
	struct view text = is_connect(form) ? rpc->connect_timeout : rpc->grpc_timeout;
	uint64_t unit = 1000000;
	int64_t value;

	if (!is_connect(form) && text.len > 0)
		unit = unit_ns(text.data[--text.len]);
	value = text.len <= TIMEOUT_DIGITS_MAX ? view_number(text) : -1;
	if (value < 0)
		return 0;
	return (uint64_t)value < UINT64_MAX / 2 / (unit ? unit : 1) ? (uint64_t)value * unit : 0;
}

/* The call was given up when its time was over: with its stream, or with its connection. */
static bool timed_out(const struct exchange *exchange, const struct rpc_facts *rpc,
		      enum rpc_form form)
{
	bool given_up = exchange->end == EXCHANGE_CANCELLED || exchange->end == EXCHANGE_CLOSED ||
			exchange->end == EXCHANGE_RESET;
	uint64_t timeout = given_up ? timeout_of(rpc, form) : 0;
	uint64_t slack = timeout / TIMEOUT_SLACK_PART;

	if (slack > TIMEOUT_SLACK_NS)
		slack = TIMEOUT_SLACK_NS;
	return timeout && exchange->request.start_ns &&
	       exchange->closed_ns > exchange->request.start_ns + timeout - slack;
}

/* A client that wants no answer any more may say so without an error. */
static int status_of_reset(const struct exchange *exchange)
{
	if (exchange->reset_code == 0 && !exchange->reset_by_server)
		return RPC_CANCELLED;
	return rpc_status_of_reset(exchange->reset_code);
}

/* The status that the call's own words do not tell, as a client's library concludes it. */
static int conclude_status(const struct exchange *exchange, const struct http_facts *http,
			   const struct rpc_facts *rpc, enum rpc_form form)
{
	if (timed_out(exchange, rpc, form))
		return RPC_DEADLINE_EXCEEDED;
	if (form == RPC_CONNECT && http->status >= 300 &&
	    is_type(rpc->response_type, VIEW("application/json")))
		return rpc_status_of_connect(http->status);
	/* something between the two has answered, or a server that knows nothing of calls */
	if (http->status >= 300)
		return exchange->role == ROLE_CLIENT ? rpc_status_of_http(http->status)
						     : RPC_STATUS_NONE;
	if (exchange->end == EXCHANGE_CANCELLED)
		return status_of_reset(exchange);
	if (form == RPC_CONNECT && http->status == 200 && exchange->response.ended)
		return RPC_OK;
	return RPC_STATUS_NONE;
}

static void set_error(struct view type, struct span_builder *builder)
{
	builder->span.status = SPAN_STATUS_ERROR;
	span_set_string(builder, ATTR_ERROR_TYPE, type);
}

static void describe_outcome(const struct exchange *exchange, const struct http_facts *http,
			     const struct rpc_facts *rpc, enum rpc_form form,
			     struct span_builder *builder)
{
	bool client = exchange->role == ROLE_CLIENT;
	int status = is_connect(form) ? RPC_STATUS_NONE : rpc_status_parse(rpc->grpc_status);
	char text[8];

	endpoint_describe_end(exchange, builder);
	if (status == RPC_STATUS_NONE)
		status = conclude_status(exchange, http, rpc, form);
	if (status != RPC_STATUS_NONE) {
		struct view name = view_of(rpc_status_name(status, is_connect(form)));

		/* Connect has no code for what went well */
		if (status != RPC_OK || !is_connect(form))
			span_set_text(builder, ATTR_RPC_RESPONSE_STATUS_CODE, name);
		if (rpc_status_is_error(status, client))
			set_error(name, builder);
	} else if (http->status >= (client ? 400 : 500)) {
		snprintf(text, sizeof(text), "%u", http->status);
		set_error(view_of(text), builder);
	}
}

/*
 * How many messages a call has had in each direction. Where frames carry them they are counted;
 * gRPC-Web in text and HTTP/1 are not taken apart. Of a direction that was still open when the call
 * was over it is not known.
 */
static void describe_messages(const struct exchange *exchange, const struct http_facts *http,
			      struct span_builder *builder)
{
	if (!view_equal(http->version, VIEW("2")))
		return;
	if (exchange->request.ended)
		span_set_int(builder, ATTR_WEFT_RPC_REQUEST_MESSAGES, exchange->request.messages);
	if (exchange->response.ended)
		span_set_int(builder, ATTR_WEFT_RPC_RESPONSE_MESSAGES, exchange->response.messages);
}

void rpc_span_describe(const struct exchange *exchange, const struct http_facts *http,
		       const struct rpc_facts *rpc, enum rpc_form form,
		       struct span_builder *builder)
{
	struct view method = span_text(builder, method_of(http->path));

	builder->span.name = method;
	span_set_text(builder, ATTR_RPC_SYSTEM_NAME,
		      is_connect(form) ? VIEW("connectrpc") : VIEW("grpc"));
	span_set_text(builder, ATTR_RPC_METHOD, method);
	describe_outcome(exchange, http, rpc, form, builder);
	if (form == RPC_GRPC)
		describe_messages(exchange, http, builder);
	http_span_describe_server(exchange, http->host, http->port, builder);
	endpoint_describe(exchange, builder);
	span_set_text(builder, ATTR_NETWORK_PROTOCOL_NAME, VIEW("http"));
	span_set_text(builder, ATTR_NETWORK_PROTOCOL_VERSION, http->version);
	if (http->user_agent.len > 0)
		span_set_string(builder, ATTR_USER_AGENT_ORIGINAL, http->user_agent);
	if (http->truncated)
		span_set_bool(builder, ATTR_WEFT_TRUNCATED, true);
}
