/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side's reading of trace context in header blocks, built for the host, against
 * libnghttp2's. Input: blocks of one direction, two bytes of length before each; the first byte of
 * all says after how many bytes the kernel side's pieces are cut. What the one reads is what the
 * other reads, and of a direction that never named a context it is known for certain that a block
 * does not. A block that is said to change no table does not.
 */
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "classify/http2_fields.h"

#define TABLE_SIZE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool right)
{
	if (!right)
		abort();
}

static bool is_lower(const nghttp2_nv *field)
{
	for (size_t i = 0; i < field->namelen; i++)
		if (field->name[i] >= 'A' && field->name[i] <= 'Z')
			return false;
	return true;
}

/*
 * A field as a line, for the reader of lines. Names with capitals are malformed (RFC 9113 section
 * 8.2.1): what either makes of them does not matter.
 */
static bool take_line(struct context_fields *fields, const nghttp2_nv *field)
{
	size_t len = field->namelen + 1 + field->valuelen;
	struct piece piece = { { 0 } };

	/* nor, of those that are longer than half a table, whether the table has them */
	if (!is_lower(field) || field->namelen > TABLE_SIZE / 2)
		return false;
	if (len + 16 > PIECE_MAX || memchr(field->name, ':', field->namelen))
		return true;
	memcpy(piece.data, field->name, field->namelen);
	piece.data[field->namelen] = ':';
	if (field->valuelen > 0)
		memcpy(piece.data + field->namelen + 1, field->value, field->valuelen);
	if (context_likely(piece_word(&piece, 0)))
		context_field(fields, &piece, 0, (__u32)len);
	return true;
}

/* Non-zero: it is no header block, or one that nobody may send. */
static int inflate(nghttp2_hd_inflater *inflater, const uint8_t *block, size_t len,
		   struct context_fields *fields)
{
	for (;;) {
		int flags = 0;
		nghttp2_nv field;
		ssize_t n = nghttp2_hd_inflate_hd2(inflater, &field, &flags, block, len, 1);

		if (n < 0)
			return -1;
		block += n;
		len -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT && !take_line(fields, &field))
			return -1;
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(inflater);
			return len ? -1 : 0;
		}
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && !len)
			return -1;
	}
}

static void read_pieces(struct http2_table *table, struct context_fields *fields,
			const uint8_t *block, size_t len, size_t cut)
{
	struct piece piece;

	for (size_t at = 0; at < len;) {
		size_t n = cut && cut < len - at ? cut : len - at;

		n = n < PIECE_MAX ? n : PIECE_MAX;
		memset(&piece, 0xa5, sizeof(piece));
		memcpy(piece.data, block + at, n);
		http2_fields(table, fields, &piece, 0, (__u32)n);
		at += n;
	}
	http2_block_ended(table);
}

/* What the kernel side takes for the block's effect on the table. */
static int effect_of(const uint8_t *block, size_t len)
{
	struct piece piece;

	if (len == 0 || len > PIECE_MAX)
		return HTTP2_CHANGES;
	memset(&piece, 0xa5, sizeof(piece));
	memcpy(piece.data, block, len);
	return http2_effect(&piece, 0, (__u32)len);
}

/* What of a table shows whether it was changed. */
struct shape {
	size_t bytes;
	size_t entries;
	size_t size;
};

static struct shape shape_of(nghttp2_hd_inflater *inflater)
{
	return (struct shape){
		.bytes = nghttp2_hd_inflate_get_dynamic_table_size(inflater),
		.entries = nghttp2_hd_inflate_get_num_table_entries(inflater),
		.size = nghttp2_hd_inflate_get_max_dynamic_table_size(inflater),
	};
}

/*
 * A context that the kernel side reads is there, and says the same. (That it comes twice the kernel
 * side does not see if one of the two is an older entry of the table.)
 */
static void compare(const struct context_fields *kernel, const struct context_fields *whole)
{
	if (whole->spoilt)
		return;
	for (__u64 form = PROPAGATOR_TRACECONTEXT; form < PROPAGATOR_MAX; form++) {
		struct trace_context one = {}, other = {};

		if (context_resolve(kernel, form, &one) != CONTEXT_PARENT)
			continue;
		require(context_resolve(whole, form, &other) == CONTEXT_PARENT);
		require(one.trace_id[0] == other.trace_id[0] &&
			one.trace_id[1] == other.trace_id[1] && one.span_id == other.span_id);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	nghttp2_hd_inflater *inflater;
	struct http2_table table = {};
	size_t cut, at = 1;

	if (size < 1)
		return 0;
	cut = data[0];
	require(nghttp2_hd_inflate_new(&inflater) == 0);
	nghttp2_hd_inflate_change_table_size(inflater, TABLE_SIZE);
	while (size - at > 2) {
		struct context_fields kernel = {}, whole = {};
		size_t len = (size_t)data[at] << 8 | data[at + 1];
		bool certain = !table.any && !table.lost;
		struct shape before, after;

		at += 2;
		if (len > size - at)
			len = size - at;
		read_pieces(&table, &kernel, data + at, len, cut);
		before = shape_of(inflater);
		if (inflate(inflater, data + at, len, &whole) < 0)
			break;
		after = shape_of(inflater);
		require(effect_of(data + at, len) == HTTP2_CHANGES ||
			memcmp(&before, &after, sizeof(before)) == 0);
		at += len;
		if (certain && !table.lost)
			require(!kernel.seen == !whole.seen);
		compare(&kernel, &whole);
	}
	nghttp2_hd_inflate_del(inflater);
	return 0;
}
