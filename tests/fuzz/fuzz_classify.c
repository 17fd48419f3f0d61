/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side's reading of heads and chunk-size lines, built for the host. The first two bytes
 * of the input say where the rest is cut into two calls; what is found must not depend on that.
 * Lines that are longer than what is kept of one are let go, and what they say may get lost: then
 * only the head's end must be the same.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/head_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool right)
{
	if (!right)
		abort();
}

static bool has_long_line(const uint8_t *data, size_t size)
{
	size_t line = 0;

	for (size_t i = 0; i < size; i++) {
		if (i - line >= FLOW_CARRY_MAX)
			return true;
		if (data[i] == '\n')
			line = i + 1;
	}
	return false;
}

static void compare(const struct head_scan *a, const struct head_scan *b, bool exact)
{
	require(a->start == b->start);
	if (a->head.bad != b->head.bad)
		require(!exact);
	if (a->head.bad || b->head.bad)
		return;
	require(a->head.done == b->head.done);
	require(!a->head.done || a->head_bytes == b->head_bytes);
	if (!exact)
		return;
	require(a->head.content_length == b->head.content_length);
	require(a->head.has_length == b->head.has_length);
	require(a->head.chunked == b->head.chunked);
	require(a->head.encoded == b->head.encoded);
}

static void scan_heads(const uint8_t *data, size_t size, size_t cut)
{
	static struct head_scan whole, halves, bytes;
	bool exact = !has_long_line(data, size);

	head_scan_init(&whole);
	head_scan_feed(&whole, data, size);
	require(!whole.head.done || whole.head_bytes <= size);
	head_scan_init(&halves);
	head_scan_feed(&halves, data, cut);
	head_scan_feed(&halves, data + cut, size - cut);
	compare(&whole, &halves, exact);
	head_scan_init(&bytes);
	for (size_t i = 0; i < size; i++)
		head_scan_feed(&bytes, data + i, 1);
	compare(&whole, &bytes, exact);
}

/* In memory of its own: what is read behind a piece is a report. */
static size_t chunk_feed(struct http1_chunk *chunk, const uint8_t *data, size_t size)
{
	struct piece *piece = malloc(sizeof(*piece));
	size_t at = 0;

	require(piece != NULL);
	memset(piece, '\n', sizeof(*piece));
	while (at < size && !chunk->done && !chunk->bad) {
		uint32_t n = size - at < PIECE_MAX ? (uint32_t)(size - at) : PIECE_MAX;
		uint32_t used;

		memcpy(piece->data, data + at, n);
		used = http1_chunk_line(chunk, piece, n);
		require(used <= n && (used > 0 || chunk->bad));
		at += used;
	}
	free(piece);
	return at;
}

static void scan_chunk(const uint8_t *data, size_t size, size_t cut)
{
	struct http1_chunk whole = { 0 }, halves = { 0 };
	size_t used = chunk_feed(&whole, data, size);
	size_t used_halves = chunk_feed(&halves, data, cut);

	if (!halves.done && !halves.bad)
		used_halves += chunk_feed(&halves, data + cut, size - cut);
	require(whole.bad == halves.bad);
	require(whole.done == halves.done);
	require(used == used_halves);
	require(whole.bad || whole.size == halves.size);
	require(!whole.done || data[used - 1] == '\n');
}

static void search(const uint8_t *data, size_t size, size_t from)
{
	struct piece *piece = calloc(1, sizeof(*piece));
	const uint8_t *found;
	uint32_t at;

	require(piece != NULL);
	size = size < PIECE_MAX ? size : PIECE_MAX;
	from = from < size ? from : size;
	memcpy(piece->data, data, size);
	at = piece_find_far(piece, (uint32_t)from, (uint32_t)size, '\n');
	found = memchr(piece->data + from, '\n', size - from);
	require(at == (found ? (uint32_t)(found - piece->data) : size));
	free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cut;

	if (size < 2)
		return 0;
	cut = (size_t)data[0] << 8 | data[1];
	data += 2;
	size -= 2;
	cut = size ? cut % (size + 1) : 0;
	scan_heads(data, size, cut);
	scan_chunk(data, size, cut);
	search(data, size, cut);
	return 0;
}
