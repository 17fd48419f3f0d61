/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's direction of a connection, fed with bytes in as many calls as one likes: what
 * bpf/http2.bpf.c does with them, by the same pure functions, without a kernel. Every piece of a
 * header block becomes a record.
 */
#ifndef WEFT_TESTS_LIB_HTTP2_STREAM_H
#define WEFT_TESTS_LIB_HTTP2_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bpf/abi/event.h"
#include "classify/http2.h"

struct http2_stream {
	/* Takes a record of `size` bytes, aligned. */
	void (*record)(void *context, const void *record, size_t size);
	void *context;
	struct http2_frame frame;
	uint32_t left; /* of the frame's payload */
	bool started;
	bool block_open;
	bool begins; /* the next piece is a block's first */
	bool ends;   /* the message ends with the block */
	bool said;
	bool bad;
	uint32_t last_stream;
	uint32_t carry_len;
	uint8_t carry[HTTP2_PREFACE_LEN];
	_Alignas(8) uint8_t bytes[sizeof(struct event_request) + PIECE_MAX];
};

/* One piece of a block: `data` starts with a frame's header, or goes on in its payload. */
static inline void http2_stream_piece(struct http2_stream *stream, const uint8_t *data,
				      uint32_t len)
{
	bool end = !stream->left && stream->frame.flags & HTTP2_F_END_HEADERS;
	bool request = stream->begins && stream->frame.type == HTTP2_HEADERS &&
		       stream->frame.stream > stream->last_stream;
	size_t fixed = request ? sizeof(struct event_request) : sizeof(struct event_head_more);
	struct event_header *header = (struct event_header *)stream->bytes;

	memset(stream->bytes, 0, fixed);
	*header = (struct event_header){
		.type = request ? EVENT_REQUEST : EVENT_HEAD_MORE,
		.protocol = PROTOCOL_HTTP2,
		.message = MESSAGE_REQUEST,
		.flags = (uint8_t)((end ? EVENT_F_HEAD_END : 0) |
				   (end && stream->ends ? EVENT_F_END : 0) |
				   (stream->said ? 0 : EVENT_F_FIRST)),
		.size = (uint32_t)fixed + len,
		.time_ns = 1000,
		.conn = 1,
		.exchange = stream->frame.type == HTTP2_PUSH_PROMISE ? 0 : stream->frame.stream,
	};
	if (request) {
		struct event_request *event = (struct event_request *)stream->bytes;

		event->role = ROLE_SERVER;
		event->family = 2; /* AF_INET */
		event->head_len = len;
		stream->last_stream = stream->frame.stream;
	} else {
		((struct event_head_more *)stream->bytes)->head_len = len;
	}
	memcpy(stream->bytes + fixed, data, len);
	stream->said = true;
	stream->begins = false;
	if (!stream->left)
		stream->block_open = !(stream->frame.flags & HTTP2_F_END_HEADERS);
	stream->record(stream->context, stream->bytes, fixed + len);
}

/* A frame's header is whole in `piece`, of which `n` bytes count. Gives how many it took. */
static inline uint32_t http2_stream_frame(struct http2_stream *stream, const struct piece *piece,
					  uint32_t n)
{
	uint32_t used;

	http2_frame_parse(piece, &stream->frame);
	if (!http2_frame_fits(&stream->frame, stream->block_open)) {
		stream->bad = true;
		return n;
	}
	used = HTTP2_HEADER_LEN + stream->frame.length;
	if (used > n)
		used = n;
	stream->left = HTTP2_HEADER_LEN + stream->frame.length - used;
	if (!http2_is_block(stream->frame.type))
		return used;
	if (stream->frame.type != HTTP2_CONTINUATION) {
		stream->begins = true;
		stream->ends = stream->frame.type == HTTP2_HEADERS &&
			       stream->frame.flags & HTTP2_F_END_STREAM;
	}
	http2_stream_piece(stream, piece->data, used);
	return used;
}

/* Bytes of a payload that has begun. */
static inline uint32_t http2_stream_payload(struct http2_stream *stream, const uint8_t *data,
					    uint32_t n)
{
	uint32_t used = stream->left < n ? stream->left : n;

	if (used > PIECE_MAX)
		used = PIECE_MAX;
	stream->left -= used;
	if (http2_is_block(stream->frame.type))
		http2_stream_piece(stream, data, used);
	return used;
}

/* What starts with the piece, of which `n` bytes count. Gives how many it took; 0: it wants more.
 */
static inline uint32_t http2_stream_take(struct http2_stream *stream, const struct piece *piece,
					 uint32_t n)
{
	enum http2_start start;

	if (stream->started)
		return n < HTTP2_HEADER_LEN ? 0 : http2_stream_frame(stream, piece, n);
	start = http2_classify_preface(piece, n);
	stream->bad = start == HTTP2_NO;
	stream->started = start == HTTP2_PREFACE;
	return stream->started ? HTTP2_PREFACE_LEN : 0;
}

/* The bytes of one call. */
static inline void http2_stream_feed(struct http2_stream *stream, const uint8_t *data, size_t size)
{
	static struct piece piece;

	while (size > 0 && !stream->bad) {
		uint32_t kept = stream->carry_len, used;
		uint32_t room = PIECE_MAX - HTTP2_PREFACE_LEN;

		if (size < room)
			room = (uint32_t)size;
		if (stream->left) {
			used = http2_stream_payload(stream, data, room);
		} else {
			memset(&piece, 0xa5, sizeof(piece));
			memcpy(piece.data, stream->carry, kept);
			memcpy(piece.data + kept, data, room);
			used = http2_stream_take(stream, &piece, kept + room);
			if (!used && !stream->bad) {
				memcpy(stream->carry, piece.data, kept + room);
				stream->carry_len = kept + room;
				return;
			}
			stream->carry_len = 0;
			used -= used ? kept : 0;
		}
		data += used;
		size -= used;
	}
}

#endif
