/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "classify/http2_fields.h"
#include "context.h"
#include "lib/http2_peer.h"

static struct piece piece;
static struct http2_table table;

/* What the block says; `cut`: it comes in two pieces. */
static struct context_fields read_block(struct view block, size_t cut)
{
	struct context_fields fields = {};

	memset(&piece, 0xa5, sizeof(piece));
	memcpy(piece.data, block.data, cut);
	http2_fields(&table, &fields, &piece, 0, (uint32_t)cut);
	memset(&piece, 0x5a, sizeof(piece));
	memcpy(piece.data, block.data + cut, block.len - cut);
	http2_fields(&table, &fields, &piece, 0, (uint32_t)(block.len - cut));
	return fields;
}

static struct found find_in(struct view block, size_t cut, uint64_t order)
{
	struct context_fields fields = read_block(block, cut);
	struct found found = { .refused = context_refused(&fields, order) };

	found.kind = (enum context_kind)context_resolve(&fields, order, &found.context);
	return found;
}

static void assert_parent(struct found found)
{
	assert_int_equal(found.kind, CONTEXT_PARENT);
	assert_memory_equal(found.context.trace_id, trace_bytes, sizeof(trace_bytes));
	assert_memory_equal(&found.context.span_id, span_bytes, sizeof(span_bytes));
	assert_int_equal(found.refused, 0);
}

/* As libraries send it: Huffman's code, names and values that the table learns. */
static void test_peer(void **state)
{
	struct http2_peer peer;

	(void)state;
	http2_peer_init(&peer, 4096);
	memset(&table, 0, sizeof(table));
	for (int i = 0; i < 200; i++) {
		char path[32], value[64], other[40];
		struct view block;

		snprintf(path, sizeof(path), "/item/%d", i);
		snprintf(value, sizeof(value), "00-" TRACE "-%016x-0%d", i + 1, i & 1);
		snprintf(other, sizeof(other), "x-other-%d", i % 7);
		block = http2_peer_block(&peer, ":method", "GET", ":path", path, ":scheme", "http",
					 ":authority", "a.example", other, path, "traceparent",
					 value, "x-request-id", path, NULL);
		struct found found = find_in(block, block.len, ALL);
		assert_int_equal(found.kind, CONTEXT_PARENT);
		assert_memory_equal(found.context.trace_id, trace_bytes, sizeof(trace_bytes));
		assert_int_equal(((const uint8_t *)&found.context.span_id)[7], (i + 1) & 0xff);
		assert_int_equal(found.context.flags, i & 1 ? SAMPLED : 0);
		assert_false(table.lost);
		assert_true(table.any);
	}
	http2_peer_clear(&peer);
}

static void test_formats(void **state)
{
	struct http2_peer peer;

	(void)state;
	http2_peer_init(&peer, 4096);
	memset(&table, 0, sizeof(table));
	/* twice: the second time by the table's entries */
	for (int i = 0; i < 2; i++) {
		struct view block =
			http2_peer_block(&peer, ":method", "GET", "b3", TRACE "-" SPAN "-1", NULL);

		/* the second one is one byte that names the entry: its value is not kept */
		if (i == 0)
			assert_parent(find_in(block, block.len, ORDER(B3, NONE, NONE, NONE)));
		else
			assert_int_equal(
				find_in(block, block.len, ORDER(B3, NONE, NONE, NONE)).kind,
				CONTEXT_NONE);
	}
	{
		struct view block = http2_peer_block(&peer, "x-b3-traceid", TRACE, "x-b3-spanid",
						     SPAN, "x-b3-sampled", "1", NULL);

		assert_parent(find_in(block, block.len, ORDER(B3, NONE, NONE, NONE)));
		block = http2_peer_block(&peer, "uber-trace-id", TRACE ":" SPAN ":0:1", NULL);
		assert_parent(find_in(block, block.len, ALL));
		block = http2_peer_block(&peer, "x-amzn-trace-id", XRAY, NULL);
		assert_parent(find_in(block, block.len, ALL));
	}
	http2_peer_clear(&peer);
}

/* A literal that is not to be kept, without Huffman's code: as weft itself writes it. */
static void test_plain(void **state)
{
	static const char block[] = "\x82\x84\x86\x10\x0btraceparent\x37" PARENT "\x88";
	const struct view view = { .data = block, .len = sizeof(block) - 1 };

	(void)state;
	memset(&table, 0, sizeof(table));
	assert_parent(find_in(view, view.len, ALL));
	assert_int_equal(table.entries, 0);
	assert_false(table.any);
}

/* Doubled, malformed, and none at all. */
static void test_refused(void **state)
{
	struct http2_peer peer;
	struct found found;
	struct view block;

	(void)state;
	http2_peer_init(&peer, 4096);
	memset(&table, 0, sizeof(table));
	block = http2_peer_block(&peer, "traceparent", PARENT, "a", "b", "traceparent",
				 "00-" TRACE "-" OTHER "-01", NULL);
	found = find_in(block, block.len, ALL);
	assert_int_equal(found.kind, CONTEXT_NONE);
	assert_int_equal(found.refused, 1);
	block = http2_peer_block(&peer, "traceparent", "00-" TRACE "-0-01", NULL);
	found = find_in(block, block.len, ALL);
	assert_int_equal(found.kind, CONTEXT_NONE);
	assert_int_equal(found.refused, 1);
	block = http2_peer_block(&peer, ":method", "POST", "traceparents", PARENT, "x-tra", "1",
				 NULL);
	found = find_in(block, block.len, ALL);
	assert_int_equal(found.kind, CONTEXT_NONE);
	assert_int_equal(found.refused, 0);
	http2_peer_clear(&peer);
}

/*
 * A long value goes on in the next piece, and what is behind it is read all the same, wherever in
 * the value the cut is.
 */
static void test_pieces(void **state)
{
	char token[900];

	(void)state;
	memset(token, '!', sizeof(token));
	token[sizeof(token) - 1] = 0;
	for (size_t cut = 20; cut < sizeof(token); cut++) {
		struct http2_peer peer;
		struct view block;

		http2_peer_init(&peer, 4096);
		memset(&table, 0, sizeof(table));
		block = http2_peer_block(&peer, ":method", "GET", "authorization", token,
					 "traceparent", PARENT, NULL);
		assert_true(block.len > sizeof(token));
		assert_parent(find_in(block, cut, ALL));
		assert_int_equal(table.skip, 0);
		http2_peer_clear(&peer);
	}
}

/* A cut anywhere else: only a value that is cut itself is not read. */
static void test_torn(void **state)
{
	struct http2_peer peer;
	struct view block;
	char whole[256];
	size_t value;

	(void)state;
	http2_peer_init(&peer, 4096);
	block = http2_peer_block(&peer, ":method", "GET", ":path", "/a/path", "x-some", "value",
				 "traceparent", PARENT, "x-more", "other", NULL);
	assert_true(block.len < sizeof(whole));
	memcpy(whole, block.data, block.len);
	http2_peer_clear(&peer);
	/* name and value, as Huffman's code makes them, with a length before each */
	value = block.len;
	for (size_t at = 0; at + 8 < block.len; at++)
		if (memcmp(whole + at, "\x4d\x83\x21\x6b\x1d\x85\xa9\x3f", 8) == 0)
			value = at + 8;
	assert_true(value < block.len);
	for (size_t cut = 0; cut <= block.len; cut++) {
		struct view view = { .data = whole, .len = block.len };
		uint32_t length = (uint8_t)whole[value] & 0x7f;
		struct found found;

		memset(&table, 0, sizeof(table));
		found = find_in(view, cut, ALL);
		assert_false(table.lost);
		assert_int_equal(table.rest_len, 0);
		if (cut > value && cut <= value + length)
			assert_int_equal(found.refused, 1);
		else
			assert_parent(found);
	}
}

/* A piece for each byte. */
static void test_bytes(void **state)
{
	static const char block[] = "\x82\x40\x0b"
				    "x-some-name\x05"
				    "value\x84";

	(void)state;
	memset(&table, 0, sizeof(table));
	for (size_t i = 0; i < sizeof(block) - 1; i++) {
		struct context_fields fields = {};

		memset(&piece, 0xa5, sizeof(piece));
		piece.data[0] = (uint8_t)block[i];
		http2_fields(&table, &fields, &piece, 0, 1);
		assert_int_equal(fields.seen, 0);
	}
	http2_block_ended(&table);
	assert_false(table.lost);
	assert_int_equal(table.entries, 1);
}

/* No value of any byte reads beyond the piece, or leaves what is not a place in it. */
static void test_any_bytes(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct context_fields fields = {};
		uint32_t len = 1 + random % 300;

		for (uint32_t i = 0; i < len; i++) {
			random = random * 1664525 + 1013904223;
			piece.data[i] = (uint8_t)(random >> 24);
		}
		if (round % 16 == 0)
			memset(&table, 0, sizeof(table));
		http2_fields(&table, &fields, &piece, 0, len);
		assert_true(table.skip < 1 << 22);
	}
}

static int effect_of(struct view block)
{
	memset(&piece, 0xa5, sizeof(piece));
	memcpy(piece.data, block.data, block.len);
	return http2_effect(&piece, 0, (uint32_t)block.len);
}

/* What a block does to the table. A block of which something is missing may do anything. */
static void test_effect(void **state)
{
	struct http2_peer peer;
	struct view block;

	(void)state;
	http2_peer_init(&peer, 4096);
	block = http2_peer_block(&peer, ":method", "GET", "x-kept", "a value", NULL);
	assert_int_equal(effect_of(block), HTTP2_CHANGES);
	block = http2_peer_block(&peer, ":method", "GET", "x-kept", "a value", NULL);
	assert_int_equal(effect_of(block), HTTP2_REFERS);
	/* libnghttp2 puts no path and no length into the table */
	block = http2_peer_block(&peer, ":method", "GET", ":path", "/item/1", "content-length",
				 "1234", "x-kept", "a value", NULL);
	assert_int_equal(effect_of(block), HTTP2_INERT);
	/* but for the path, whose bytes may end anywhere, all fields are of a byte */
	for (size_t len = 2; len < block.len - 1; len++)
		assert_int_not_equal(effect_of((struct view){ block.data, len }), HTTP2_REFERS);
	assert_int_equal(effect_of(VIEW("\x20")), HTTP2_CHANGES);
	assert_int_equal(effect_of(VIEW("\x82\xff\x10")), HTTP2_REFERS);
	assert_int_equal(effect_of(VIEW("\x82\xff")), HTTP2_CHANGES);
	assert_int_equal(effect_of(VIEW("\x82\xff\xff\xff\xff\xff")), HTTP2_CHANGES);
	assert_int_equal(effect_of(VIEW("\x10\x01x\x02yz")), HTTP2_INERT);
	assert_int_equal(effect_of(VIEW("\x10\x01x\x03yz")), HTTP2_CHANGES);
	assert_int_equal(effect_of(VIEW("")), HTTP2_REFERS);
	http2_peer_clear(&peer);
}

/* A text of one character, as libnghttp2 writes it. */
static void check_code(char c)
{
	char text[] = { c, c, c, c, c, c, c, c, c, c, c, 0 };
	struct http2_peer peer;
	struct view block;
	uint64_t length;

	http2_peer_init(&peer, 0);
	block = http2_peer_block(&peer, "a", text, NULL);
	memset(&piece, 0, sizeof(piece));
	memcpy(piece.data, block.data, block.len);
	http2_peer_clear(&peer);
	/* a change of the table's size, one byte each for the field and its name's length, the
	   name's letter */
	for (uint32_t at = 0; at < block.len; at++) {
		if (!(piece.data[at] & 0x80))
			continue;
		length = http2_integer(&piece, at, (uint32_t)block.len, 0x7f);
		if ((length >> 32) + (uint32_t)length != block.len)
			continue;
		assert_int_equal(http2_huffman(&piece, (uint32_t)(length >> 32), (uint32_t)length,
					       HTTP2_VALUE_AT),
				 strlen(text));
		assert_memory_equal(piece.data + HTTP2_VALUE_AT, text, strlen(text));
		return;
	}
	/* what would be no shorter is sent as it is */
	assert_non_null(strchr("&*,;XZ", c));
}

static void test_codes(void **state)
{
	int n = 0;

	(void)state;
	for (size_t i = 0; i < 256; i++) {
		char c = (char)(http2_codes[i] & 0xff);

		if (c == 0 || (i && http2_codes[i - 1] == http2_codes[i]))
			continue;
		check_code(c);
		n++;
	}
	assert_int_equal(n, 10 + 26 + 32 + 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer),   cmocka_unit_test(test_formats),
		cmocka_unit_test(test_plain),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pieces), cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_codes),  cmocka_unit_test(test_torn),
		cmocka_unit_test(test_bytes),  cmocka_unit_test(test_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
