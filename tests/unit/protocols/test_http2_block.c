/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks, cut and padded in every way, and by whom half was missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "lib/http2_peer.h"
#include "protocols/http2_block.h"

#define HEADERS	     1
#define PUSH	     5
#define CONTINUATION 9

#define END	 0x04
#define PADDED	 0x08
#define PRIORITY 0x20

/* Fields as a line of text: "name=value;", "?;" for what is not known. */
struct seen {
	size_t len;
	char text[4096];
};

static void on_field(void *context, struct view name, struct view value)
{
	struct seen *seen = context;

	if (name.len == 0)
		name = value = VIEW("?");
	seen->len += (size_t)snprintf(seen->text + seen->len, sizeof(seen->text) - seen->len,
				      "%.*s=%.*s;", (int)name.len, name.data, (int)value.len,
				      value.data);
}

static void assert_reads(struct http2_block_reader *reader, struct view frames, const char *text)
{
	struct seen seen = {};

	assert_int_equal(http2_block_read(reader, frames, true, on_field, &seen), 0);
	assert_string_equal(seen.text, text);
}

static struct view one_frame(uint8_t *bytes, struct view block)
{
	return (struct view){ .data = (const char *)bytes,
			      .len = http2_frame_put(bytes, HEADERS, END, 1, block) };
}

static void test_one_after_the_other(void **state)
{
	struct http2_block_reader reader = {};
	struct http2_peer peer;
	uint8_t bytes[512];

	(void)state;
	http2_peer_init(&peer, 4096);
	assert_int_equal(http2_block_reset(&reader, NULL, true), 0);
	for (int i = 0; i < 200; i++) {
		char path[16], text[64];

		snprintf(path, sizeof(path), "/%d", i);
		snprintf(text, sizeof(text), ":method=GET;:path=/%d;x-a=b;", i);
		assert_reads(&reader,
			     one_frame(bytes, http2_peer_block(&peer, ":method", "GET", ":path",
							       path, "x-a", "b", NULL)),
			     text);
	}
	http2_peer_clear(&peer);
	http2_block_clear(&reader);
}

/* A padded frame with a priority, and one that goes on: at every cut the same comes out. */
static void test_cut_anywhere(void **state)
{
	struct http2_peer peer;
	struct view block, rest;
	uint8_t payload[256] = { 7 }, bytes[512];
	size_t len;

	(void)state;
	http2_peer_init(&peer, 4096);
	block = http2_peer_block(&peer, ":method", "GET", ":path", "/a/long/path", NULL);
	memcpy(payload + 6, block.data, 4);
	len = http2_frame_put(bytes, HEADERS, PADDED | PRIORITY, 1,
			      (struct view){ .data = (const char *)payload, .len = 6 + 4 + 7 });
	rest = view_from(block, 4);
	len += http2_frame_put(bytes + len, CONTINUATION, 0, 1, VIEW(""));
	len += http2_frame_put(bytes + len, CONTINUATION, END, 1, rest);
	for (size_t cut = 9; cut <= len; cut++) {
		struct http2_block_reader reader = {};
		struct seen seen = {};
		struct view whole = { .data = (const char *)bytes, .len = len };
		struct view first = { .data = whole.data, .len = cut };

		/* a frame's header is never cut: the kernel side waits for all of it */
		if ((cut > 26 && cut < 35) || (cut > 35 && cut < 44))
			continue;
		http2_block_reset(&reader, NULL, true);
		if (cut < len)
			assert_int_equal(http2_block_read(&reader, first, false, on_field, &seen),
					 0);
		assert_int_equal(http2_block_read(&reader,
						  cut < len ? view_from(whole, cut) : whole, true,
						  on_field, &seen),
				 0);
		assert_string_equal(seen.text, ":method=GET;:path=/a/long/path;");
		http2_block_clear(&reader);
	}
	http2_peer_clear(&peer);
}

static void test_promise(void **state)
{
	struct http2_block_reader reader = {};
	struct http2_peer peer;
	uint8_t payload[64] = { 0, 0, 0, 2 }, bytes[128];
	struct view block;
	size_t len;

	(void)state;
	http2_peer_init(&peer, 4096);
	http2_block_reset(&reader, NULL, true);
	block = http2_peer_block(&peer, ":path", "/pushed", NULL);
	memcpy(payload + 4, block.data, block.len);
	len = http2_frame_put(bytes, PUSH, END, 1,
			      (struct view){ .data = (const char *)payload, .len = 4 + block.len });
	assert_reads(&reader, (struct view){ .data = (const char *)bytes, .len = len },
		     ":path=/pushed;");
	http2_peer_clear(&peer);
	http2_block_clear(&reader);
}

/* Whoever comes later knows what is said in full, and knows what he does not know. */
static void test_blind(void **state)
{
	struct http2_block_reader reader = {};
	struct http2_peer peer;
	uint8_t bytes[512];

	(void)state;
	http2_peer_init(&peer, 4096);
	http2_peer_block(&peer, ":path", "/before", "x-old", "1", "x-name", "1", NULL);
	http2_block_reset(&reader, NULL, false);
	/* paths are never put into a table by this peer; the rest refers to what was missed; of the
	 * last only the name does */
	assert_reads(&reader,
		     one_frame(bytes, http2_peer_block(&peer, ":method", "GET", ":path", "/after",
						       "x-old", "1", "x-name", "2", NULL)),
		     ":method=GET;:path=/after;?=?;?=?;");
	assert_reads(&reader,
		     one_frame(bytes, http2_peer_block(&peer, ":path", "/before", "x-old", "1",
						       "x-new", "3", ":path", "/after", NULL)),
		     ":path=/before;?=?;x-new=3;:path=/after;");
	assert_reads(&reader, one_frame(bytes, http2_peer_block(&peer, "x-new", "3", NULL)),
		     "x-new=3;");
	/* the peer empties its table: nothing unknown is left */
	assert_int_equal(nghttp2_hd_deflate_change_table_size(peer.deflater, 0), 0);
	assert_int_equal(nghttp2_hd_deflate_change_table_size(peer.deflater, 4096), 0);
	assert_reads(&reader, one_frame(bytes, http2_peer_block(&peer, "x-old", "1", NULL)),
		     "x-old=1;");
	http2_peer_clear(&peer);
	http2_block_clear(&reader);
}

/* The table of a blind one is as large as a peer's can be: no reference goes beyond it. */
static void test_blind_to_many(void **state)
{
	struct http2_block_reader reader = {};
	struct http2_peer peer;
	uint8_t bytes[512];

	(void)state;
	http2_peer_init(&peer, 4096);
	for (int i = 0; i < 110; i++) {
		char name[4] = { (char)('a' + i % 26), (char)('a' + i / 26), 0, 0 };

		http2_peer_block(&peer, name, "1", NULL);
	}
	http2_block_reset(&reader, NULL, false);
	assert_reads(&reader, one_frame(bytes, http2_peer_block(&peer, "aa", "1", "zd", "1", NULL)),
		     "?=?;?=?;");
	http2_peer_clear(&peer);
	http2_block_clear(&reader);
}

static void test_bad_bytes(void **state)
{
	static const struct view rows[] = {
		VIEW_INIT("\0\0\4\1\4\0\0\0"),			 /* half a frame's header */
		VIEW_INIT("\0\0\4\0\4\0\0\0\1\x82\x84\x86\x41"), /* no header block */
		VIEW_INIT("\0\0\2\1\4\0\0\0\1\xff\xff"),	 /* an index without an end */
		VIEW_INIT("\0\0\1\1\4\0\0\0\1\xc0"),		 /* of an entry that there is not */
		VIEW_INIT("\0\0\2\1\x0c\0\0\0\1\x09\x82"),	 /* more padding than frame */
		VIEW_INIT("\0\0\2\1\x24\0\0\0\1\x82\x82"),	 /* half a priority */
		VIEW_INIT("\0\0\4\1\4\0\0\0\1\x82"),		 /* the frame goes on */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http2_block_reader reader = {};
		struct seen seen = {};

		http2_block_reset(&reader, NULL, true);
		assert_int_equal(http2_block_read(&reader, rows[i], true, on_field, &seen),
				 -EBADMSG);
		http2_block_clear(&reader);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_promise),
		cmocka_unit_test(test_blind),
		cmocka_unit_test(test_blind_to_many),
		cmocka_unit_test(test_bad_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
