/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A head as it is kept when its compression is undone: the fields that somebody asks for, one after
 * the other, each with the lengths of its name and value before them. A field without a name stands
 * for those that are not known.
 */
#ifndef WEFT_PROTOCOLS_HTTP2_FIELDS_H
#define WEFT_PROTOCOLS_HTTP2_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

/* The names that are kept, lower case as they are on the wire. */
enum http2_field {
	HTTP2_FIELD_METHOD,
	HTTP2_FIELD_PATH,
	HTTP2_FIELD_SCHEME,
	HTTP2_FIELD_AUTHORITY,
	HTTP2_FIELD_STATUS,
	HTTP2_FIELD_HOST,
	HTTP2_FIELD_USER_AGENT,
	HTTP2_FIELD_CONTENT_TYPE,
	HTTP2_FIELD_CONTENT_LENGTH,
	HTTP2_FIELD_TRACESTATE,
	HTTP2_FIELD_GRPC_STATUS,
	HTTP2_FIELD_GRPC_TIMEOUT,
	HTTP2_FIELD_CONNECT_VERSION,
	HTTP2_FIELD_CONNECT_TIMEOUT,
	HTTP2_FIELD_MAX,
	HTTP2_FIELD_UNKNOWN = HTTP2_FIELD_MAX, /* without a name */
};

/* HTTP2_FIELD_MAX: a name that is not kept. */
enum http2_field http2_field_of(struct view name);

/* Where fields are written to. */
struct http2_writer {
	uint8_t *data;
	size_t size;
	size_t len;
	bool cut; /* one did not fit, and was left out */
};

void http2_field_write(struct http2_writer *writer, enum http2_field field, struct view value);

/* The next field of a head; -ENODATA: there is none, or it is cut. */
int http2_field_read(struct cursor *cursor, enum http2_field *ret_field, struct view *ret_value);

#endif
