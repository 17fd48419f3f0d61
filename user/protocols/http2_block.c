/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/http2_block.h"

#include <errno.h>

#include "base/cursor.h"

#define FRAME_HEADER 9
#define PRIORITY_LEN 5
#define PROMISED_LEN 4

#define F_PADDED   0x08
#define F_PRIORITY 0x20

enum {
	TYPE_HEADERS = 1,
	TYPE_PUSH_PROMISE = 5,
	TYPE_CONTINUATION = 9,
};

int http2_block_reset(struct http2_block_reader *reader, nghttp2_mem *memory, bool exact)
{
	struct hpack hpack = reader->hpack;

	*reader = (struct http2_block_reader){ .hpack = hpack };
	return hpack_reset(&reader->hpack, memory, exact);
}

void http2_block_clear(struct http2_block_reader *reader)
{
	hpack_clear(&reader->hpack);
}

static int take_frame_header(struct http2_block_reader *reader, struct cursor *cursor)
{
	struct view header;
	uint8_t type, flags;

	if (cursor_take(cursor, FRAME_HEADER, &header) < 0)
		return -EBADMSG;
	type = (uint8_t)header.data[3];
	flags = (uint8_t)header.data[4];
	if (type != TYPE_HEADERS && type != TYPE_PUSH_PROMISE && type != TYPE_CONTINUATION)
		return -EBADMSG;
	reader->left = (uint32_t)(uint8_t)header.data[0] << 16 |
		       (uint32_t)(uint8_t)header.data[1] << 8 | (uint8_t)header.data[2];
	reader->padding = 0;
	reader->pad_due = type != TYPE_CONTINUATION && flags & F_PADDED;
	reader->skip = 0;
	if (type == TYPE_HEADERS && flags & F_PRIORITY)
		reader->skip = PRIORITY_LEN;
	if (type == TYPE_PUSH_PROMISE)
		reader->skip = PROMISED_LEN;
	return 0;
}

/* Takes up to `n` bytes of the frame's payload. */
static struct view take_payload(struct http2_block_reader *reader, struct cursor *cursor,
				uint32_t n)
{
	struct view bytes = {};

	if (n > cursor_left(cursor))
		n = (uint32_t)cursor_left(cursor);
	if (cursor_take(cursor, n, &bytes) == 0)
		reader->left -= n;
	return bytes;
}

/* What comes before the block's bytes in the payload. */
static int take_prefix(struct http2_block_reader *reader, struct cursor *cursor)
{
	if (reader->pad_due && reader->left > 0 && cursor_left(cursor) > 0) {
		reader->padding = (uint8_t)take_payload(reader, cursor, 1).data[0];
		reader->pad_due = false;
	}
	if (reader->pad_due)
		return 0;
	if (reader->skip + reader->padding > reader->left)
		return -EBADMSG;
	reader->skip -= (uint32_t)take_payload(reader, cursor, reader->skip).len;
	return 0;
}

/* One frame, or the part of it that the piece has. */
static int read_frame(struct http2_block_reader *reader, struct cursor *cursor, hpack_field *field,
		      void *context)
{
	struct view bytes;

	if (reader->left == 0 && take_frame_header(reader, cursor) < 0)
		return -EBADMSG;
	if (take_prefix(reader, cursor) < 0)
		return -EBADMSG;
	if (reader->pad_due || reader->skip > 0)
		return reader->left > 0 ? 0 : -EBADMSG;
	bytes = take_payload(reader, cursor,
			     reader->left > reader->padding ? reader->left - reader->padding : 0);
	if (hpack_read(&reader->hpack, bytes, false, field, context) < 0)
		return -EBADMSG;
	if (reader->left <= reader->padding)
		reader->padding -= (uint32_t)take_payload(reader, cursor, reader->padding).len;
	return 0;
}

int http2_block_read(struct http2_block_reader *reader, struct view piece, bool final,
		     hpack_field *field, void *context)
{
	struct cursor cursor = cursor_of(piece);
	int r = reader->broken ? -EBADMSG : 0;

	while (r == 0 && cursor_left(&cursor) > 0)
		r = read_frame(reader, &cursor, field, context);
	if (r == 0 && final)
		r = reader->left == 0 ? hpack_read(&reader->hpack, VIEW(""), true, field, context)
				      : -EBADMSG;
	reader->broken = r < 0 && !final;
	return r;
}
