/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a connection as a peer would send it: libnghttp2 compresses the fields. */
#ifndef WEFT_TESTS_LIB_HTTP2_PEER_H
#define WEFT_TESTS_LIB_HTTP2_PEER_H

#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"

#define PEER_FIELDS_MAX 32
#define PEER_BYTES_MAX	8192

struct http2_peer {
	nghttp2_hd_deflater *deflater;
	size_t len;
	uint8_t bytes[PEER_BYTES_MAX];
};

static inline void http2_peer_init(struct http2_peer *peer, size_t table_size)
{
	if (nghttp2_hd_deflate_new(&peer->deflater, table_size) != 0)
		abort();
	peer->len = 0;
}

static inline void http2_peer_clear(struct http2_peer *peer)
{
	nghttp2_hd_deflate_del(peer->deflater);
}

/* Names and values in turns, NULL at the end; gives the block. Good until the next one. */
static inline struct view http2_peer_block(struct http2_peer *peer, ...)
{
	nghttp2_nv fields[PEER_FIELDS_MAX];
	const char *name;
	ssize_t len;
	size_t n = 0;
	va_list list;

	va_start(list, peer);
	while ((name = va_arg(list, const char *)) && n < PEER_FIELDS_MAX) {
		const char *value = va_arg(list, const char *);

		fields[n++] = (nghttp2_nv){ .name = (uint8_t *)name,
					    .value = (uint8_t *)value,
					    .namelen = strlen(name),
					    .valuelen = strlen(value) };
	}
	va_end(list);
	len = nghttp2_hd_deflate_hd(peer->deflater, peer->bytes, sizeof(peer->bytes), fields, n);
	if (len < 0)
		abort();
	return (struct view){ .data = (const char *)peer->bytes, .len = (size_t)len };
}

/* Puts a frame of that payload to `to`; gives its length. */
static inline size_t http2_frame_put(uint8_t *to, uint8_t type, uint8_t flags, uint32_t stream,
				     struct view payload)
{
	const uint8_t header[9] = {
		(uint8_t)(payload.len >> 16),
		(uint8_t)(payload.len >> 8),
		(uint8_t)payload.len,
		type,
		flags,
		(uint8_t)(stream >> 24),
		(uint8_t)(stream >> 16),
		(uint8_t)(stream >> 8),
		(uint8_t)stream,
	};

	memcpy(to, header, sizeof(header));
	if (payload.len > 0)
		memcpy(to + sizeof(header), payload.data, payload.len);
	return sizeof(header) + payload.len;
}

#endif
