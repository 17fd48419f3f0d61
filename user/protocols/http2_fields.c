/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/http2_fields.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const struct view names[HTTP2_FIELD_MAX] = {
	[HTTP2_FIELD_METHOD] = VIEW_INIT(":method"),
	[HTTP2_FIELD_PATH] = VIEW_INIT(":path"),
	[HTTP2_FIELD_SCHEME] = VIEW_INIT(":scheme"),
	[HTTP2_FIELD_AUTHORITY] = VIEW_INIT(":authority"),
	[HTTP2_FIELD_STATUS] = VIEW_INIT(":status"),
	[HTTP2_FIELD_HOST] = VIEW_INIT("host"),
	[HTTP2_FIELD_USER_AGENT] = VIEW_INIT("user-agent"),
	[HTTP2_FIELD_CONTENT_TYPE] = VIEW_INIT("content-type"),
	[HTTP2_FIELD_CONTENT_LENGTH] = VIEW_INIT("content-length"),
	[HTTP2_FIELD_TRACESTATE] = VIEW_INIT("tracestate"),
	[HTTP2_FIELD_GRPC_STATUS] = VIEW_INIT("grpc-status"),
	[HTTP2_FIELD_GRPC_TIMEOUT] = VIEW_INIT("grpc-timeout"),
	[HTTP2_FIELD_CONNECT_VERSION] = VIEW_INIT("connect-protocol-version"),
	[HTTP2_FIELD_CONNECT_TIMEOUT] = VIEW_INIT("connect-timeout-ms"),
};

/* Before each value. */
struct prefix {
	uint16_t field; /* enum http2_field */
	uint16_t len;
};

static_assert(sizeof(struct prefix) == 4, "it has no holes");

enum http2_field http2_field_of(struct view name)
{
	for (int i = 0; i < HTTP2_FIELD_MAX; i++)
		if (view_equal(name, names[i]))
			return (enum http2_field)i;
	return HTTP2_FIELD_MAX;
}

void http2_field_write(struct http2_writer *writer, enum http2_field field, struct view value)
{
	struct prefix prefix = { .field = (uint16_t)field, .len = (uint16_t)value.len };

	if (value.len > UINT16_MAX || writer->size - writer->len < sizeof(prefix) + value.len) {
		writer->cut = true;
		return;
	}
	memcpy(writer->data + writer->len, &prefix, sizeof(prefix));
	if (value.len > 0)
		memcpy(writer->data + writer->len + sizeof(prefix), value.data, value.len);
	writer->len += sizeof(prefix) + value.len;
}

int http2_field_read(struct cursor *cursor, enum http2_field *ret_field, struct view *ret_value)
{
	struct cursor begin = *cursor;
	struct view bytes, value;
	struct prefix prefix;

	if (cursor_take(cursor, sizeof(prefix), &bytes) < 0)
		return -ENODATA;
	memcpy(&prefix, bytes.data, sizeof(prefix));
	if (prefix.field > HTTP2_FIELD_UNKNOWN || cursor_take(cursor, prefix.len, &value) < 0) {
		*cursor = begin;
		return -ENODATA;
	}
	*ret_field = prefix.field;
	*ret_value = value;
	return 0;
}
