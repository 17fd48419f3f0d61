/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/rpc_status.h"

#include <assert.h>
#include <stddef.h>

/*
 * gRPC, "Status codes and their use in gRPC"; Connect protocol, "Error codes". Of the semantic
 * conventions: which of them are errors of servers.
 */
static const struct {
	const char *name;
	const char *connect;
	bool server_error;
} statuses[] = {
	[RPC_OK] = { "OK", "ok", false },
	[RPC_CANCELLED] = { "CANCELLED", "canceled", false },
	[RPC_UNKNOWN] = { "UNKNOWN", "unknown", true },
	[RPC_INVALID_ARGUMENT] = { "INVALID_ARGUMENT", "invalid_argument", false },
	[RPC_DEADLINE_EXCEEDED] = { "DEADLINE_EXCEEDED", "deadline_exceeded", true },
	[RPC_NOT_FOUND] = { "NOT_FOUND", "not_found", false },
	[RPC_ALREADY_EXISTS] = { "ALREADY_EXISTS", "already_exists", false },
	[RPC_PERMISSION_DENIED] = { "PERMISSION_DENIED", "permission_denied", false },
	[RPC_RESOURCE_EXHAUSTED] = { "RESOURCE_EXHAUSTED", "resource_exhausted", false },
	[RPC_FAILED_PRECONDITION] = { "FAILED_PRECONDITION", "failed_precondition", false },
	[RPC_ABORTED] = { "ABORTED", "aborted", false },
	[RPC_OUT_OF_RANGE] = { "OUT_OF_RANGE", "out_of_range", false },
	[RPC_UNIMPLEMENTED] = { "UNIMPLEMENTED", "unimplemented", true },
	[RPC_INTERNAL] = { "INTERNAL", "internal", true },
	[RPC_UNAVAILABLE] = { "UNAVAILABLE", "unavailable", true },
	[RPC_DATA_LOSS] = { "DATA_LOSS", "data_loss", true },
	[RPC_UNAUTHENTICATED] = { "UNAUTHENTICATED", "unauthenticated", false },
};

static_assert(sizeof(statuses) / sizeof(statuses[0]) == RPC_STATUS_MAX, "a name for each");

const char *rpc_status_name(int status, bool connect)
{
	return connect ? statuses[status].connect : statuses[status].name;
}

int rpc_status_of_name(struct view name)
{
	for (int status = 0; status < RPC_STATUS_MAX; status++)
		if (view_equal(name, view_of(statuses[status].name)))
			return status;
	return RPC_STATUS_NONE;
}

bool rpc_status_is_error(int status, bool client)
{
	return client ? status != RPC_OK : statuses[status].server_error;
}

int rpc_status_parse(struct view text)
{
	int64_t status = text.len <= 2 ? view_number(text) : -1;

	return status >= 0 && status < RPC_STATUS_MAX ? (int)status : RPC_STATUS_NONE;
}

/* gRPC over HTTP2, "Errors". */
int rpc_status_of_reset(uint32_t code)
{
	static const int8_t codes[] = {
		RPC_INTERNAL,		/* NO_ERROR: a status was due before it */
		RPC_INTERNAL,		/* PROTOCOL_ERROR */
		RPC_INTERNAL,		/* INTERNAL_ERROR */
		RPC_INTERNAL,		/* FLOW_CONTROL_ERROR */
		RPC_INTERNAL,		/* SETTINGS_TIMEOUT */
		RPC_STATUS_NONE,	/* STREAM_CLOSED */
		RPC_INTERNAL,		/* FRAME_SIZE_ERROR */
		RPC_UNAVAILABLE,	/* REFUSED_STREAM */
		RPC_CANCELLED,		/* CANCEL */
		RPC_INTERNAL,		/* COMPRESSION_ERROR */
		RPC_INTERNAL,		/* CONNECT_ERROR */
		RPC_RESOURCE_EXHAUSTED, /* ENHANCE_YOUR_CALM */
		RPC_PERMISSION_DENIED,	/* INADEQUATE_SECURITY */
	};

	return code < sizeof(codes) / sizeof(codes[0]) ? codes[code] : RPC_STATUS_NONE;
}

struct http_row {
	uint16_t http;
	int8_t status;
};

static int look_up(const struct http_row *rows, size_t n, uint16_t http)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].http == http)
			return rows[i].status;
	return RPC_STATUS_NONE;
}

/* gRPC, "HTTP to gRPC status code mapping", which is Connect's "HTTP to error code", too. */
int rpc_status_of_http(uint16_t http)
{
	static const struct http_row rows[] = {
		{ 400, RPC_INTERNAL },		{ 401, RPC_UNAUTHENTICATED },
		{ 403, RPC_PERMISSION_DENIED }, { 404, RPC_UNIMPLEMENTED },
		{ 429, RPC_UNAVAILABLE },	{ 502, RPC_UNAVAILABLE },
		{ 503, RPC_UNAVAILABLE },	{ 504, RPC_UNAVAILABLE },
	};
	int status = look_up(rows, sizeof(rows) / sizeof(rows[0]), http);

	return status == RPC_STATUS_NONE && http != 200 ? RPC_UNKNOWN : status;
}

/* Connect protocol, "Error codes", from right to left. 400, 409 and 500 stand for several. */
int rpc_status_of_connect(uint16_t http)
{
	static const struct http_row rows[] = {
		{ 401, RPC_UNAUTHENTICATED }, { 403, RPC_PERMISSION_DENIED },
		{ 404, RPC_NOT_FOUND },	      { 429, RPC_RESOURCE_EXHAUSTED },
		{ 499, RPC_CANCELLED },	      { 501, RPC_UNIMPLEMENTED },
		{ 503, RPC_UNAVAILABLE },     { 504, RPC_DEADLINE_EXCEEDED },
	};

	return look_up(rows, sizeof(rows) / sizeof(rows[0]), http);
}
