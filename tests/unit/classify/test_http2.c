/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "classify/http1.h"
#include "classify/http2.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Of HEADERS on stream 1, END_STREAM and END_HEADERS: ":method: GET" and more. */
#define GET "\x00\x00\x04\x01\x05\x00\x00\x00\x01\x82\x84\x86\x41"
#define OK  "\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88"

static struct piece piece;

static enum http2_start start_of(const void *text, size_t n, size_t call)
{
	memset(&piece, 0xa5, sizeof(piece));
	memcpy(piece.data, text, n);
	return http2_classify(&piece, (uint32_t)n, (uint32_t)call);
}

static void test_preface(void **state)
{
	const char *text = PREFACE "\x00\x00\x00\x04\x00\x00\x00\x00\x00";

	(void)state;
	for (size_t n = 1; n < HTTP2_PREFACE_LEN; n++) {
		char wrong[HTTP2_PREFACE_LEN];

		assert_int_equal(start_of(text, n, n), HTTP2_MORE);
		memcpy(wrong, text, sizeof(wrong));
		wrong[n - 1] ^= 1;
		assert_int_equal(start_of(wrong, n, n), HTTP2_NO);
		assert_int_equal(start_of(wrong, sizeof(wrong), sizeof(wrong)), HTTP2_NO);
	}
	assert_int_equal(start_of(text, HTTP2_PREFACE_LEN, HTTP2_PREFACE_LEN), HTTP2_PREFACE);
	assert_int_equal(start_of(text, HTTP2_PREFACE_LEN + 9, 1000), HTTP2_PREFACE);
}

/* The preface looks like a request of the older protocol, which must not take it for one. */
static void test_preface_is_no_request(void **state)
{
	(void)state;
	for (size_t n = 4; n <= HTTP2_PREFACE_LEN; n++) {
		start_of(PREFACE, n, n);
		assert_int_equal(http1_classify(&piece, (uint32_t)n), HTTP1_NO);
	}
}

static void test_server_first(void **state)
{
	static const struct {
		uint8_t bytes[16];
		enum http2_start start;
	} rows[] = {
		/* nothing but the header; the usual three settings */
		{ { 0, 0, 0, 4, 0, 0, 0, 0, 0 }, HTTP2_SERVER_FIRST },
		{ { 0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 128 }, HTTP2_SERVER_FIRST },
		/* an answer to settings, on a stream, of a wrong length, of no known setting */
		{ { 0, 0, 0, 4, 1, 0, 0, 0, 0 }, HTTP2_NO },
		{ { 0, 0, 6, 4, 0, 0, 0, 0, 1, 0, 3 }, HTTP2_NO },
		{ { 0, 0, 7, 4, 0, 0, 0, 0, 0, 0, 3 }, HTTP2_NO },
		{ { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0x47, 0x45 }, HTTP2_NO },
		{ { 0, 8, 6, 4, 0, 0, 0, 0, 0, 0, 3 }, HTTP2_NO },
		{ { 0, 0, 6, 4, 0, 0x80, 0, 0, 0, 0, 3 }, HTTP2_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(start_of(rows[i].bytes, 16, 40), rows[i].start);
}

static void test_in_the_middle(void **state)
{
	char odd[32] = GET;

	(void)state;
	assert_int_equal(start_of(GET, 13, 13), HTTP2_REQUEST);
	assert_int_equal(start_of(OK, 10, 10), HTTP2_RESPONSE);
	/* the frame ends behind the call; what follows is no frame */
	assert_int_equal(start_of(GET, 12, 12), HTTP2_NO);
	assert_int_equal(start_of(GET "\x00\x00\x05\x00", 17, 40), HTTP2_REQUEST);
	assert_int_equal(start_of(GET "\x00\x00\x05\x47", 17, 40), HTTP2_NO);
	/* on a stream of the server's, not whole, of other flags, with another field first */
	odd[8] = 2;
	assert_int_equal(start_of(odd, 13, 13), HTTP2_NO);
	memcpy(odd, GET, 13);
	odd[4] = 1;
	assert_int_equal(start_of(odd, 13, 13), HTTP2_NO);
	odd[4] = (char)0x85;
	assert_int_equal(start_of(odd, 13, 13), HTTP2_NO);
	memcpy(odd, GET, 13);
	odd[9] = (char)0xbe;
	assert_int_equal(start_of(odd, 13, 13), HTTP2_NO);
}

static void test_other_bytes(void **state)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"*1\r\n$4\r\nPING\r\n",
		"SSH-2.0-OpenSSH_9.2",
		"PRIVMSG #a :b\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(start_of(texts[i], strlen(texts[i]), strlen(texts[i])), HTTP2_NO);
}

static struct http2_frame frame_of(const char *bytes)
{
	struct http2_frame frame;

	memcpy(piece.data, bytes, HTTP2_HEADER_LEN);
	http2_frame_parse(&piece, &frame);
	return frame;
}

static void test_frame_header(void **state)
{
	struct http2_frame frame = frame_of("\x01\x02\x03\x09\x04\xff\xff\xff\xfe");

	(void)state;
	assert_int_equal(frame.length, 0x010203);
	assert_int_equal(frame.type, HTTP2_CONTINUATION);
	assert_int_equal(frame.flags, HTTP2_F_END_HEADERS);
	assert_int_equal(frame.stream, 0x7ffffffe); /* the reserved bit does not count */
}

static void test_frame_fits(void **state)
{
	static const struct {
		struct http2_frame frame;
		int block_open;
		int fits;
	} rows[] = {
		{ { .type = HTTP2_DATA, .length = 70000, .stream = 1 }, 0, 1 },
		{ { .type = HTTP2_DATA, .length = 1 }, 0, 0 },
		{ { .type = HTTP2_DATA, .length = 1, .stream = 1 }, 1, 0 },
		{ { .type = HTTP2_HEADERS, .stream = 1 }, 0, 1 },
		{ { .type = HTTP2_HEADERS }, 0, 0 },
		{ { .type = HTTP2_CONTINUATION, .stream = 1 }, 1, 1 },
		{ { .type = HTTP2_CONTINUATION, .stream = 1 }, 0, 0 },
		{ { .type = HTTP2_PRIORITY, .length = 5, .stream = 1 }, 0, 1 },
		{ { .type = HTTP2_PRIORITY, .length = 4, .stream = 1 }, 0, 0 },
		{ { .type = HTTP2_RST_STREAM, .length = 4, .stream = 1 }, 0, 1 },
		{ { .type = HTTP2_RST_STREAM, .length = 4 }, 0, 0 },
		{ { .type = HTTP2_SETTINGS, .length = 12 }, 0, 1 },
		{ { .type = HTTP2_SETTINGS, .length = 13 }, 0, 0 },
		{ { .type = HTTP2_PING, .length = 8 }, 0, 1 },
		{ { .type = HTTP2_PING, .length = 8, .stream = 1 }, 0, 0 },
		{ { .type = HTTP2_GOAWAY, .length = 20 }, 0, 1 },
		{ { .type = HTTP2_WINDOW_UPDATE, .length = 4 }, 0, 1 },
		{ { .type = HTTP2_WINDOW_UPDATE, .length = 4, .stream = 3 }, 0, 1 },
		{ { .type = HTTP2_WINDOW_UPDATE, .length = 8 }, 0, 0 },
		{ { .type = 0xaa, .length = 100, .stream = 3 }, 0, 1 },
		{ { .type = 0xaa, .length = 100, .stream = 3 }, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(http2_frame_fits(&rows[i].frame, rows[i].block_open),
				 rows[i].fits);
}

static void test_error_code(void **state)
{
	(void)state;
	memcpy(piece.data, "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08", 13);
	assert_int_equal(http2_error_code(&piece), 8);
}

static __u8 bare_of(const char *block, size_t len, __u8 before)
{
	memset(piece.data, 0xa5, 32);
	memcpy(piece.data + HTTP2_HEADER_LEN, block, len);
	return http2_bare(&piece, HTTP2_HEADER_LEN, before);
}

/* A direction says that its table is to hold nothing, and takes it back. */
static void test_bare(void **state)
{
	(void)state;
	assert_int_equal(bare_of("\x20\x88", 2, 0), 1);
	assert_int_equal(bare_of("\x20", 1, 0), 1);
	assert_int_equal(bare_of("\x88", 1, 1), 1);
	assert_int_equal(bare_of("\x88", 1, 0), 0);
	assert_int_equal(bare_of("\x20\x3f\xe1\x1f", 4, 1), 0);
	assert_int_equal(bare_of("\x3f\xe1\x1f\x88", 4, 1), 0);
	assert_int_equal(bare_of("\x21\x88", 2, 1), 0);
	assert_int_equal(bare_of("\x20\x20\x88", 3, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preface),	     cmocka_unit_test(test_preface_is_no_request),
		cmocka_unit_test(test_server_first), cmocka_unit_test(test_in_the_middle),
		cmocka_unit_test(test_other_bytes),  cmocka_unit_test(test_frame_header),
		cmocka_unit_test(test_frame_fits),   cmocka_unit_test(test_error_code),
		cmocka_unit_test(test_bare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
