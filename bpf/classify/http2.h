/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * HTTP/2 as far as the kernel side needs it: does a connection of it start here, and where does the
 * next frame start (RFC 9113). What a header block says depends on what was said before on its
 * connection, and is read in user space. Pure functions of bytes: no maps, no helpers; the same
 * text is built for BPF and for the host's unit tests.
 */
#ifndef WEFT_CLASSIFY_HTTP2_H
#define WEFT_CLASSIFY_HTTP2_H

#include "classify/http2_fields.h"

#define HTTP2_PREFACE_LEN 24 /* section 3.4 */
#define HTTP2_HEADER_LEN  9  /* of a frame: section 4.1 */

/* Section 6. Types from HTTP2_TYPE_MAX on are extensions, and are passed over. */
enum http2_type {
	HTTP2_DATA,
	HTTP2_HEADERS,
	HTTP2_PRIORITY,
	HTTP2_RST_STREAM,
	HTTP2_SETTINGS,
	HTTP2_PUSH_PROMISE,
	HTTP2_PING,
	HTTP2_GOAWAY,
	HTTP2_WINDOW_UPDATE,
	HTTP2_CONTINUATION,
	HTTP2_TYPE_MAX,
};

#define HTTP2_F_END_STREAM  0x01
#define HTTP2_F_ACK	    0x01
#define HTTP2_F_END_HEADERS 0x04
#define HTTP2_F_PADDED	    0x08
#define HTTP2_F_PRIORITY    0x20

/* A frame's header. */
struct http2_frame {
	__u32 length; /* of its payload */
	__u32 stream;
	__u8 type; /* enum http2_type, or an extension's */
	__u8 flags;
	__u8 pad[2];
};

/* What a direction of a connection knows of itself. All zero: nothing yet. */
struct http2_flow {
	struct http2_frame frame; /* the last one that has begun */
	__u32 block_len;	  /* bytes of the header block so far */
	__u8 synced;		  /* a frame is due where the last one ended */
	__u8 inside;		  /* the frame's payload is a header block's */
	__u8 block;		  /* enum http2_block */
	__u8 block_open;	  /* a CONTINUATION is due */
	__u8 block_ends;	  /* the message ends with the block */
	__u8 said;		  /* a block has been reported */
	__u8 gap;		  /* one could not be */
	__u8 skip;		  /* the frame is of a stream that is not followed */
	__u8 bare;		  /* its table's size is zero: nothing can be put into it */
	__u8 untold;		  /* the block is not reported: nothing hangs on it */
	__u8 pad;
};

/* What the header block of a direction is to its stream. */
enum http2_block {
	HTTP2_BLOCK_MUTE, /* of a stream that is not followed: it counts for the compression alone
			   */
	HTTP2_BLOCK_REQUEST,
	HTTP2_BLOCK_RESPONSE, /* final, interim or trailers: the block says it */
	HTTP2_BLOCK_TRAILERS, /* of a request */
};

struct http2_conn {
	__u32 last_stream; /* the youngest one that the client has opened */
	__u32 passed;	   /* the youngest one that was let pass, 0: none */
	__u32 open;	   /* how many are followed; more, if some were forgotten */
	__u8 exact;	   /* everything was seen since the preface */
	__u8 pad[3];
	struct http2_table table; /* of the client's direction */
};

enum http2_start {
	HTTP2_NO,
	HTTP2_MORE,	    /* too few bytes to tell */
	HTTP2_PREFACE,	    /* the client's first bytes */
	HTTP2_SERVER_FIRST, /* the server's first frame, SETTINGS */
	HTTP2_REQUEST,	    /* a HEADERS frame in mid-connection that can be no other thing */
	HTTP2_RESPONSE,
};

static __always_inline void http2_frame_parse(const struct piece *piece, struct http2_frame *frame)
{
	const __u8 *p = piece->data;

	frame->length = (__u32)p[0] << 16 | (__u32)p[1] << 8 | p[2];
	frame->type = p[3];
	frame->flags = p[4];
	frame->stream = (__u32)(p[5] & 0x7f) << 24 | (__u32)p[6] << 16 | (__u32)p[7] << 8 | p[8];
}

/*
 * What each type asks of its frames (section 6): the length that they have, and whether they belong
 * to a stream.
 */
#define HTTP2_ANY_LENGTH 0xff
#define HTTP2_ON_STREAM	 0
#define HTTP2_ON_CONN	 1
#define HTTP2_ON_EITHER	 2

/* A word per type: its bytes are the length and where it stands. */
static __always_inline __u32 http2_rule(__u8 type)
{
	switch (type) {
	case HTTP2_DATA:
	case HTTP2_HEADERS:
	case HTTP2_PUSH_PROMISE:
	case HTTP2_CONTINUATION:
		return HTTP2_ANY_LENGTH | HTTP2_ON_STREAM << 8;
	case HTTP2_PRIORITY:
		return 5 | HTTP2_ON_STREAM << 8;
	case HTTP2_RST_STREAM:
		return 4 | HTTP2_ON_STREAM << 8;
	case HTTP2_SETTINGS:
	case HTTP2_GOAWAY:
		return HTTP2_ANY_LENGTH | HTTP2_ON_CONN << 8;
	case HTTP2_PING:
		return 8 | HTTP2_ON_CONN << 8;
	case HTTP2_WINDOW_UPDATE:
		return 4 | HTTP2_ON_EITHER << 8;
	default:
		return HTTP2_ANY_LENGTH | HTTP2_ON_EITHER << 8;
	}
}

/*
 * Can this be a frame where one is due? `block_open`: a header block's next frame is due, and no
 * other one may come between (section 4.3). What fails here is not where a frame starts.
 */
static __always_inline int http2_frame_fits(const struct http2_frame *frame, int block_open)
{
	__u32 rule = http2_rule(frame->type);

	if ((rule & 0xff) != HTTP2_ANY_LENGTH && frame->length != (rule & 0xff))
		return 0;
	if (rule >> 8 == HTTP2_ON_STREAM && !frame->stream)
		return 0;
	if (rule >> 8 == HTTP2_ON_CONN && frame->stream)
		return 0;
	if (frame->type == HTTP2_SETTINGS && (frame->length % 6 || frame->length > 6 * 64))
		return 0;
	return block_open == (frame->type == HTTP2_CONTINUATION);
}

static __always_inline int http2_is_block(__u8 type)
{
	return type == HTTP2_HEADERS || type == HTTP2_CONTINUATION || type == HTTP2_PUSH_PROMISE;
}

/*
 * Bytes of the frame, header and payload, that have to be seen together: the error code of
 * RST_STREAM, the stream that GOAWAY names.
 */
static __always_inline __u32 http2_frame_look(const struct http2_frame *frame)
{
	return frame->type == HTTP2_RST_STREAM ||
			       (frame->type == HTTP2_GOAWAY && frame->length >= 4)
		       ? HTTP2_HEADER_LEN + 4
		       : HTTP2_HEADER_LEN;
}

/* Where the header block begins in a frame that has a part of it (sections 6.2 and 6.10). */
static __always_inline __u32 http2_block_at(const struct http2_frame *frame)
{
	if (frame->type != HTTP2_HEADERS)
		return HTTP2_HEADER_LEN;
	return HTTP2_HEADER_LEN + (frame->flags & HTTP2_F_PADDED ? 1 : 0) +
	       (frame->flags & HTTP2_F_PRIORITY ? 5 : 0);
}

/* Bytes of padding at the frame's end, of which the piece holds the beginning. */
static __always_inline __u32 http2_padding(const struct http2_frame *frame,
					   const struct piece *piece)
{
	if (frame->type != HTTP2_HEADERS || !(frame->flags & HTTP2_F_PADDED))
		return 0;
	return piece->data[HTTP2_HEADER_LEN];
}

/*
 * The block that begins in the piece may begin with a change of the table's size, or two (RFC 7541
 * section 4.2): is it zero then?
 */
static __always_inline __u8 http2_bare(const struct piece *piece, __u32 at, __u8 before)
{
	__u8 first = piece_byte(piece, at), second = piece_byte(piece, at + 1);

	if ((first & 0xe0) != 0x20)
		return before;
	return first == 0x20 && ((second & 0xe0) != 0x20 || second == 0x20);
}

/* Four bytes behind a frame's header. */
static __always_inline __u32 http2_payload_word(const struct piece *piece)
{
	const __u8 *p = piece->data + HTTP2_HEADER_LEN;

	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

/* The error code of a RST_STREAM frame: section 7. */
static __always_inline __u32 http2_error_code(const struct piece *piece)
{
	return http2_payload_word(piece);
}

#define HTTP2_REFUSED_STREAM 7 /* the same: nothing was done */

/* The youngest stream of the other end with which a GOAWAY frame says that anything is done:
 * section 6.8. */
static __always_inline __u32 http2_last_stream(const struct piece *piece)
{
	return http2_payload_word(piece) & 0x7fffffff;
}

/* Do the first `n` bytes of `word` agree with `text`? */
static __always_inline int http2_agrees(__u64 word, __u64 text, __u32 n)
{
	__u64 mask = n >= 8 ? ~0ULL : (1ULL << (n * 8)) - 1;

	return (word & mask) == (text & mask);
}

/* "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", as much of it as there is from its byte `from` on. */
static __always_inline enum http2_start http2_classify_preface(const struct piece *piece, __u32 n)
{
	if (!n || !http2_agrees(piece_load(piece->data), PIECE_TEXT("PRI * HT"), n))
		return HTTP2_NO;
	if (n > 8 && !http2_agrees(piece_load(piece->data + 8), PIECE_TEXT("TP/2.0\r\n"), n - 8))
		return HTTP2_NO;
	if (n > 16 &&
	    !http2_agrees(piece_load(piece->data + 16), PIECE_TEXT("\r\nSM\r\n\r\n"), n - 16))
		return HTTP2_NO;
	return n < HTTP2_PREFACE_LEN ? HTTP2_MORE : HTTP2_PREFACE;
}

/* Identifiers of settings that are in use, or are sent at random (section 6.5.2; RFC 8701). */
static __always_inline int http2_is_setting(__u8 high, __u8 low)
{
	return (high == 0 && low < 32) || ((high & 0x0f) == 0x0a && (low & 0x0f) == 0x0a) ||
	       high >= 0xf0 || high == 0xfe;
}

/* The server's first frame (section 3.4): it is no answer, and says a few settings. */
static __always_inline int http2_is_server_first(const struct piece *piece,
						 const struct http2_frame *frame, __u32 n)
{
	if (frame->type != HTTP2_SETTINGS || frame->flags || !http2_frame_fits(frame, 0) ||
	    (piece->data[5] & 0x80))
		return 0;
	return frame->length < 2 || n < HTTP2_HEADER_LEN + 2 ||
	       http2_is_setting(piece->data[HTTP2_HEADER_LEN], piece->data[HTTP2_HEADER_LEN + 1]);
}

#define HTTP2_FRAME_USUAL 16384 /* SETTINGS_MAX_FRAME_SIZE at the start */

/*
 * HEADERS of a client's stream whose block starts with a field that only a request has (:method,
 * :path, :scheme by RFC 7541 appendix A), or a response (:status), and that fills the call or is
 * followed by what can be a frame.
 */
static __always_inline enum http2_start http2_classify_headers(const struct piece *piece,
							       const struct http2_frame *frame,
							       __u32 n, __u32 call)
{
	const __u8 flags = HTTP2_F_END_STREAM | HTTP2_F_END_HEADERS | HTTP2_F_PRIORITY;
	__u32 block = HTTP2_HEADER_LEN + (frame->flags & HTTP2_F_PRIORITY ? 5 : 0);
	__u32 end = HTTP2_HEADER_LEN + frame->length;
	__u8 field;

	if (frame->type != HTTP2_HEADERS || frame->flags & ~flags ||
	    !(frame->flags & HTTP2_F_END_HEADERS) || !(frame->stream & 1) ||
	    piece->data[5] & 0x80 || frame->length > HTTP2_FRAME_USUAL || end > call || n <= block)
		return HTTP2_NO;
	if (end < call && end + 4 <= n && piece_byte(piece, end + 3) >= HTTP2_TYPE_MAX)
		return HTTP2_NO;
	field = piece->data[block];
	if (field >= 0x82 && field <= 0x87)
		return HTTP2_REQUEST;
	return field >= 0x88 && field <= 0x8e ? HTTP2_RESPONSE : HTTP2_NO;
}

/*
 * What starts at the piece's first byte, on a connection of which nothing is known? `n` bytes
 * count; the call has `call` of them.
 */
static __always_inline enum http2_start http2_classify(const struct piece *piece, __u32 n,
						       __u32 call)
{
	enum http2_start start = http2_classify_preface(piece, n);
	struct http2_frame frame = {};

	if (start != HTTP2_NO || n < HTTP2_HEADER_LEN)
		return start;
	http2_frame_parse(piece, &frame);
	if (http2_is_server_first(piece, &frame, n))
		return HTTP2_SERVER_FIRST;
	return http2_classify_headers(piece, &frame, n, call);
}

#endif
