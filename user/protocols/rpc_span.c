/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/rpc_span.h"

#include <stdio.h>
#include <string.h>

#include "protocols/endpoint.h"
#include "span/semconv.h"

/* gRPC, "Status codes and their use in gRPC". */
static const struct {
	const char *name;
	bool server_error; /* the conventions' list for servers; clients take all but OK for one */
} statuses[] = {
	{ "OK", false },
	{ "CANCELLED", false },
	{ "UNKNOWN", true },
	{ "INVALID_ARGUMENT", false },
	{ "DEADLINE_EXCEEDED", true },
	{ "NOT_FOUND", false },
	{ "ALREADY_EXISTS", false },
	{ "PERMISSION_DENIED", false },
	{ "RESOURCE_EXHAUSTED", false },
	{ "FAILED_PRECONDITION", false },
	{ "ABORTED", false },
	{ "OUT_OF_RANGE", false },
	{ "UNIMPLEMENTED", true },
	{ "INTERNAL", true },
	{ "UNAVAILABLE", true },
	{ "DATA_LOSS", true },
	{ "UNAUTHENTICATED", false },
};

#define STATUS_NONE (-1)

/* A number without leading zeroes; one that has no name is none. */
static int parse_status(struct view text)
{
	int status = 0;

	if (text.len == 0 || text.len > 2)
		return STATUS_NONE;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return STATUS_NONE;
		status = status * 10 + (text.data[i] - '0');
	}
	return (size_t)status < sizeof(statuses) / sizeof(statuses[0]) ? status : STATUS_NONE;
}

/* "/package.Service/Method", without the slash before it. Empty: it is none. */
static struct view method_of(struct view path)
{
	struct view method = view_from(path, 1);
	const char *slash = method.len > 0 ? memchr(method.data, '/', method.len) : NULL;

	if (!slash || slash == method.data || slash + 1 == method.data + method.len)
		return VIEW("");
	return method;
}

/* gRPC over HTTP2, "Requests": "application/grpc", and what says more of the message's form. */
bool rpc_is_call(const struct http_facts *http, const struct rpc_facts *rpc)
{
	static const struct view type = VIEW_INIT("application/grpc");
	struct view rest = view_from(rpc->content_type, type.len);

	if (!view_starts_with(rpc->content_type, type) || method_of(http->path).len == 0)
		return false;
	return rest.len == 0 || rest.data[0] == '+' || rest.data[0] == ';';
}

static void set_error(struct view type, struct span_builder *builder)
{
	builder->span.status = SPAN_STATUS_ERROR;
	span_set_string(builder, ATTR_ERROR_TYPE, type);
}

static void describe_outcome(const struct exchange *exchange, const struct http_facts *http,
			     const struct rpc_facts *rpc, struct span_builder *builder)
{
	int status = parse_status(rpc->status);
	bool client = exchange->role == ROLE_CLIENT;
	char text[8];

	endpoint_describe_end(exchange, builder);
	if (status != STATUS_NONE) {
		struct view name = view_of(statuses[status].name);

		span_set_text(builder, ATTR_RPC_RESPONSE_STATUS_CODE, name);
		if (client ? status != 0 : statuses[status].server_error)
			set_error(name, builder);
		return;
	}
	/* no status of its own: something between the two has answered */
	if (http->status >= 400) {
		snprintf(text, sizeof(text), "%u", http->status);
		set_error(view_of(text), builder);
	}
}

void rpc_span_describe(const struct exchange *exchange, const struct http_facts *http,
		       const struct rpc_facts *rpc, struct span_builder *builder)
{
	struct view method = span_text(builder, method_of(http->path));

	builder->span.name = method;
	span_set_text(builder, ATTR_RPC_SYSTEM_NAME, VIEW("grpc"));
	span_set_text(builder, ATTR_RPC_METHOD, method);
	describe_outcome(exchange, http, rpc, builder);
	http_span_describe_server(exchange, http->host, http->port, builder);
	endpoint_describe(exchange, builder);
	span_set_text(builder, ATTR_NETWORK_PROTOCOL_NAME, VIEW("http"));
	span_set_text(builder, ATTR_NETWORK_PROTOCOL_VERSION, http->version);
	if (http->user_agent.len > 0)
		span_set_string(builder, ATTR_USER_AGENT_ORIGINAL, http->user_agent);
	if (http->truncated)
		span_set_bool(builder, ATTR_WEFT_TRUNCATED, true);
}
