/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lib/head_scan.h"

#define SAMPLES	   "tests/wire/http1"
#define SAMPLE_MAX 65536

static struct piece piece;
static struct context_fields fields;

/* The text at the piece's start, with `n` bytes that count and leftovers behind them. */
static void piece_set(const void *text, size_t n, uint8_t leftover)
{
	memset(&piece, leftover, sizeof(piece));
	memcpy(piece.data, text, n);
}

/* --- what starts here --- */

/* Every beginning of the text is undecided or decided rightly, whatever lies behind it. */
static void assert_prefixes(const char *text, enum http1_start expected)
{
	static const uint8_t leftovers[] = { 0x00, ' ', '/', '1', '\n', 'A', 0xff };
	size_t len = strlen(text);

	for (size_t l = 0; l < sizeof(leftovers); l++) {
		bool decided = false;

		for (size_t n = 0; n <= len; n++) {
			enum http1_start start;

			piece_set(text, n, leftovers[l]);
			start = http1_classify(&piece, (uint32_t)n);
			if (n == 0)
				assert_int_equal(start, HTTP1_MORE);
			if (start == HTTP1_MORE)
				assert_false(decided);
			else
				assert_int_equal(start, expected);
			decided = start != HTTP1_MORE;
		}
		assert_true(decided);
	}
}

static void test_requests(void **state)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\n",
		"G / HTTP/1.1\r\n",
		"get / HTTP/1.1\r\n",
		"GET * HTTP/1.1\r\n",
		"OPTIONS * HTTP/1.1\r\n",
		"GET http://example.com/ HTTP/1.1\r\n",
		"GET HTTPS://example.com/ HTTP/1.1\r\n",
		"CONNECT example.com:443 HTTP/1.1\r\n",
		"CONNECT [::1]:443 HTTP/1.1\r\n",
		"HTTP / HTTP/1.1\r\n",
		"HTTPS /x HTTP/1.1\r\n",
		"HEAD /x HTTP/1.0\r\n",
		"BASELINE-CONTROL /x HTTP/1.1\r\n",
		"M-SEARCH * HTTP/1.1\r\n",
		"!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n",
		"ABCDEFGHIJKLMNOPQRSTUVW / HTTP/1.1\r\n", /* HTTP1_METHOD_MAX - 1 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_prefixes(texts[i], HTTP1_REQUEST);
}

static void test_responses(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\n",
		"HTTP/1.0 404 Not Found\r\n",
		"HTTP/1.1 200\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_prefixes(texts[i], HTTP1_RESPONSE);
	piece_set("HTTP/1.1 418 ", 13, 0);
	assert_int_equal(http1_status(&piece), 418);
	piece_set("HTTP/1.1 999", 12, '9');
	assert_int_equal(http1_status(&piece), 999);
}

static void test_neither(void **state)
{
	static const char *const texts[] = {
		" GET / HTTP/1.1\r\n",
		"GET  / HTTP/1.1\r\n",
		"GET\t/ HTTP/1.1\r\n",
		"GET x HTTP/1.1\r\n", /* authority-form belongs to CONNECT */
		"CONNECTS example.com:443 HTTP/1.1\r\n",
		"connect example.com:443 HTTP/1.1\r\n", /* methods have letter case */
		"GET\r\n",
		"ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.1\r\n", /* HTTP1_METHOD_MAX */
		"INVITE sip:bob@example.com SIP/2.0\r\n",
		"DESCRIBE rtsp://example.com/x RTSP/1.0\r\n",
		"220 mail.example.com ESMTP\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"*1\r\n$4\r\nPING\r\n",
		"{\"method\": \"GET\"}",
		"HTTP/2.0 200 OK\r\n",
		"HTTP/1.x 200 OK\r\n",
		"HTTP/1.1 2x0 OK\r\n",
		"HTTP/1.1  200 OK\r\n",
		"HTTP/1.12 200 OK\r\n",
		"ICY 200 OK\r\n",
		"\x16\x03\x01\x02\x05\x01",
		"\x80\x81\x82",
		"G\xc3\x89T / HTTP/1.1\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_prefixes(texts[i], HTTP1_NO);
}

/* Exactly the characters of RFC 9110 section 5.6.2 are a method's. */
static void test_token_characters(void **state)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	(void)state;
	for (unsigned int c = 0; c < 256; c++) {
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool token = letter || (c >= '0' && c <= '9') || (c && strchr(others, (int)c));

		assert_int_equal(!!http1_is_tchar((uint8_t)c), token);
	}
}

static void test_methods(void **state)
{
	(void)state;
	piece_set("HEAD / HTTP/1.1", 15, 0);
	assert_true(http1_is_head_method(piece.data));
	assert_false(http1_is_connect_method(piece.data));
	piece_set("HEADER /", 8, 0);
	assert_false(http1_is_head_method(piece.data));
	piece_set("CONNECT a:1", 11, 0);
	assert_true(http1_is_connect_method(piece.data));
	assert_false(http1_is_head_method(piece.data));
	piece_set("CONNECTX a:1", 12, 0);
	assert_false(http1_is_connect_method(piece.data));
}

/* --- a head's lines --- */

static struct http1_head scan(const char *text, enum http1_start start)
{
	struct http1_head head = { 0 };
	size_t len = strlen(text);

	piece_set(text, len, '\n');
	http1_scan(&head, &fields, &piece, (uint32_t)len, start == HTTP1_REQUEST);
	return head;
}

/* Start lines that look like a request's and are of another protocol. */
static void test_start_line(void **state)
{
	static const struct {
		const char *text;
		bool bad;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n", false },
		{ "GET / HTTP/1.0\n", false },
		{ "GET /a b HTTP/1.1\r\n", false },
		{ "GET /\r\n", false }, /* HTTP/0.9, or a line too short to tell */
		{ "OPTIONS * RTSP/1.0\r\n", true },
		{ "SETUP /media RTSP/1.0\r\n", true },
		{ "SUBSCRIBE * SIP/2.0\r\n", true },
		{ "PRI * HTTP/2.0\r\n", true },
		{ "GET /xyz HTTP/1.\r\n", true },
		{ "GET /xyz http/1.1\r\n", true },
		{ "HELP help me, please\r\n", true },
		{ "GET /without-a-version\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(scan(rows[i].text, HTTP1_REQUEST).bad, rows[i].bad);
	assert_false(scan("HTTP/1.1 200 OK, whatever\r\n", HTTP1_RESPONSE).bad);
}

struct framing {
	const char *fields;
	uint64_t length;
	bool has_length;
	bool encoded;
	bool chunked;
};

static const struct framing framings[] = {
	{ "", 0, false, false, false },
	{ "Content-Length: 5\r\n", 5, true, false, false },
	{ "Content-Length: 5\n", 5, true, false, false },
	{ "content-length:5\r\n", 5, true, false, false },
	{ "CONTENT-LENGTH: \t 5\r\n", 5, true, false, false },
	{ "Content-Length: 0\r\n", 0, true, false, false },
	{ "Content-Length: 12345678901234567\r\n", 12345678901234567, true, false, false },
	{ "Content-Length: 123456789012345678\r\n", 123456789012345678, false, false, false },
	{ "Content-Length: \r\n", 0, false, false, false },
	{ "Content-Length:\r\n", 0, false, false, false },
	{ "Content-Length: x\r\n", 0, false, false, false },
	{ "Content-Length: -1\r\n", 0, false, false, false },
	{ "Content-Length : 5\r\n", 0, false, false, false },
	{ " Content-Length: 5\r\n", 0, false, false, false },
	{ "X-Content-Length: 5\r\n", 0, false, false, false },
	{ "Content-Lengths: 5\r\n", 0, false, false, false },
	{ "Content-Type: text/plain\r\n", 0, false, false, false },
	{ "Content-Length: 5\r\nContent-Length: 7\r\n", 7, true, false, false },
	{ "Transfer-Encoding: chunked\r\n", 0, false, true, true },
	{ "transfer-encoding:CHUNKED\n", 0, false, true, true },
	{ "Transfer-Encoding: gzip, chunked \t \r\n", 0, false, true, true },
	{ "Transfer-Encoding: gzip\r\n", 0, false, true, false },
	{ "Transfer-Encoding: chunked, gzip\r\n", 0, false, true, false },
	{ "Transfer-Encodings: chunked\r\n", 0, false, false, false },
	{ "X-Transfer-Encoding: chunked\r\n", 0, false, false, false },
	{ "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 5, true, true, true },
	{ "A:b\r\nContent-Length: 5\r\nC:d\r\n", 5, true, false, false },
};

static void test_framing(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(framings) / sizeof(framings[0]); i++) {
		const struct framing *row = &framings[i];
		struct http1_head head;

		snprintf(text, sizeof(text), "POST /p HTTP/1.1\r\n%s\r\nContent-Length: 77\r\n\r\n",
			 row->fields);
		head = scan(text, HTTP1_REQUEST);
		assert_true(head.done);
		assert_false(head.bad);
		assert_int_equal(head.has_length, row->has_length);
		if (row->has_length)
			assert_int_equal(head.content_length, row->length);
		assert_int_equal(head.encoded, row->encoded);
		assert_int_equal(head.chunked, row->chunked);
	}
}

/* A start line is no field, and the start of a line that goes on is not used up. */
static void test_used(void **state)
{
	static const char text[] = "POST /Content-Length:5 HTTP/1.1\r\nHost: a\r\nConte";
	struct http1_head head = { 0 };
	uint32_t used;

	(void)state;
	piece_set(text, sizeof(text) - 1, '\n');
	used = http1_scan(&head, &fields, &piece, sizeof(text) - 1, 1);
	assert_int_equal(used, sizeof(text) - 1 - strlen("Conte"));
	assert_false(head.done);
	assert_false(head.has_length);
	assert_true(head.lines);
}

/* All lines are looked at, however short they are: so many a scan, the rest in the next one. */
static void test_many_lines(void **state)
{
	struct http1_head head = { .lines = HTTP1_LINE_OTHER };
	uint32_t len = HTTP1_TURNS_MAX * 2, used;

	(void)state;
	memset(&piece, 0xff, sizeof(piece));
	for (uint32_t i = 0; i < 2 * len; i += 2)
		memcpy(piece.data + i, "a\n", 2);
	used = http1_scan(&head, &fields, &piece, 2 * len, 1);
	assert_int_equal(used, len);
	assert_true(head.paused);
	assert_true(http1_leaves(&head));
	assert_false(head.done);
	piece.data[len - 2] = '\n';
	used = http1_scan(&head, &fields, &piece, len, 1);
	assert_int_equal(used, len - 1);
	assert_false(head.paused);
	assert_true(head.done);
}

/* More lines than a scan takes, in one call and in many. */
static void test_many_lines_fed(void **state)
{
	static struct head_scan whole;
	char text[8192] = "GET / HTTP/1.1\r\n";
	size_t len = strlen(text);

	(void)state;
	while (len < 6000)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "a:%zu\n", len % 7);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "Content-Length: 5\r\n\r\nbody");
	head_scan_init(&whole);
	assert_int_equal(head_scan_feed(&whole, (const uint8_t *)text, len), len - 4);
	assert_true(whole.head.done);
	assert_int_equal(whole.head.content_length, 5);
	assert_int_equal(whole.head_bytes, len - 4);
	for (size_t step = 1; step < 3000; step += 97) {
		static struct head_scan cut;

		head_scan_init(&cut);
		for (size_t at = 0; at < len; at += step)
			head_scan_feed(&cut, (const uint8_t *)text + at,
				       len - at < step ? len - at : step);
		assert_true(cut.head.done);
		assert_int_equal(cut.head.content_length, 5);
		assert_int_equal(cut.head_bytes, len - 4);
	}
}

/* --- heads that come in pieces --- */

static size_t read_file(const char *name, uint8_t *data)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	size_t size;

	assert_true(asprintf(&path, "%s/%s", SAMPLES, name) > 0);
	file = fopen(path, "rb");
	assert_non_null(file);
	size = fread(data, 1, SAMPLE_MAX, file);
	assert_true(size < SAMPLE_MAX);
	return size;
}

/* In memory of just its size. */
static void feed_copy(struct head_scan *scanner, const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	if (size)
		memcpy(copy, data, size);
	head_scan_feed(scanner, copy, size);
}

static void assert_same(const struct head_scan *cut, const struct head_scan *whole)
{
	assert_int_equal(cut->start, whole->start);
	assert_int_equal(cut->head.bad, whole->head.bad);
	if (whole->head.bad)
		return;
	assert_int_equal(cut->head.done, whole->head.done);
	assert_int_equal(cut->head.content_length, whole->head.content_length);
	assert_int_equal(cut->head.has_length, whole->head.has_length);
	assert_int_equal(cut->head.chunked, whole->head.chunked);
	assert_int_equal(cut->head.encoded, whole->head.encoded);
	if (whole->head.done)
		assert_int_equal(cut->head_bytes, whole->head_bytes);
}

/* The sample in two calls, cut everywhere; and a byte a call. */
static void assert_cuts(const uint8_t *data, size_t size, struct head_scan *whole)
{
	static struct head_scan scanner;

	head_scan_init(whole);
	feed_copy(whole, data, size);
	for (size_t cut = 0; cut <= size; cut++) {
		head_scan_init(&scanner);
		feed_copy(&scanner, data, cut);
		feed_copy(&scanner, data + cut, size - cut);
		assert_same(&scanner, whole);
	}
	head_scan_init(&scanner);
	for (size_t i = 0; i < size; i++)
		feed_copy(&scanner, data + i, 1);
	assert_same(&scanner, whole);
}

/* Where the head ends, found in another way: behind the first empty line after the start line. */
static size_t head_size(const uint8_t *data, size_t size)
{
	size_t start = 0, line;

	while (start < size && (data[start] == '\r' || data[start] == '\n'))
		start++;
	line = start;
	for (size_t i = start; i < size; i++) {
		if (data[i] != '\n')
			continue;
		if (i == line || (i == line + 1 && data[line] == '\r'))
			return i + 1 - start;
		line = i + 1;
	}
	return 0;
}

static void test_samples(void **state)
{
	static uint8_t data[SAMPLE_MAX];
	static struct head_scan whole;
	struct dirent **entries;
	int n = scandir(SAMPLES, &entries, NULL, alphasort);
	unsigned int heads = 0, refused = 0;

	(void)state;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		const char *dot = strrchr(entries[i]->d_name, '.');
		bool request = dot && strcmp(dot, ".request") == 0;

		if (request || (dot && strcmp(dot, ".response") == 0)) {
			size_t size = read_file(entries[i]->d_name, data);

			assert_cuts(data, size, &whole);
			if (whole.start == HTTP1_NO || whole.head.bad) {
				refused++;
			} else if (whole.head.done) {
				assert_int_equal(whole.start,
						 request ? HTTP1_REQUEST : HTTP1_RESPONSE);
				assert_int_equal(whole.head_bytes, head_size(data, size));
				heads++;
			}
		}
		free(entries[i]);
	}
	free(entries);
	assert_true(heads >= 40);
	assert_true(refused >= 2);
}

/* Lines longer than what is kept of one, and heads longer than a piece. */
static void test_long_heads(void **state)
{
	static const size_t lengths[] = { 80, 95, 96, 97, 98, 200, 1951, 1952, 1953, 2048, 5000 };
	static struct head_scan whole;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		_cleanup_free_ char *text = NULL;
		char filler[5001];
		int size;

		memset(filler, 'x', lengths[i]);
		filler[lengths[i]] = '\0';
		size = asprintf(&text,
				"POST /%s HTTP/1.1\r\nCookie: %s\r\nContent-Length: 5\r\n"
				"X: %s\r\nY:\r\n\r\nbody\r\n\r\n",
				filler, filler, filler);
		assert_true(size > 0);
		assert_cuts((const uint8_t *)text, (size_t)size, &whole);
		assert_true(whole.head.done);
		assert_int_equal(whole.head.content_length, 5);
		assert_int_equal(whole.head_bytes, (size_t)size - strlen("body\r\n\r\n"));
	}
}

/* --- how a body is delimited --- */

static void test_request_body(void **state)
{
	(void)state;
	assert_int_equal(http1_request_body(&(struct http1_head){ 0 }), HTTP1_BODY_NONE);
	assert_int_equal(http1_request_body(&(struct http1_head){ .has_length = 1 }),
			 HTTP1_BODY_NONE);
	assert_int_equal(
		http1_request_body(&(struct http1_head){ .has_length = 1, .content_length = 3 }),
		HTTP1_BODY_LENGTH);
	/* a length that was no number */
	assert_int_equal(http1_request_body(&(struct http1_head){ .content_length = 3 }),
			 HTTP1_BODY_NONE);
	assert_int_equal(
		http1_request_body(&(struct http1_head){
			.has_length = 1, .content_length = 3, .encoded = 1, .chunked = 1 }),
		HTTP1_BODY_CHUNKED);
}

static void test_response_body(void **state)
{
	static const struct http1_head none = { 0 };
	static const struct http1_head empty = { .has_length = 1 };
	static const struct http1_head length = { .has_length = 1, .content_length = 3 };
	static const struct http1_head chunked = {
		.has_length = 1, .content_length = 3, .encoded = 1, .chunked = 1
	};
	static const struct http1_head encoded = { .has_length = 1,
						   .content_length = 3,
						   .encoded = 1 };
	static const struct {
		const struct http1_head *head;
		uint16_t status;
		bool to_head;
		bool to_connect;
		enum http1_body expected;
	} rows[] = {
		{ &none, 200, false, false, HTTP1_BODY_CLOSE },
		{ &empty, 200, false, false, HTTP1_BODY_NONE },
		{ &length, 200, false, false, HTTP1_BODY_LENGTH },
		{ &chunked, 200, false, false, HTTP1_BODY_CHUNKED },
		{ &encoded, 200, false, false, HTTP1_BODY_CLOSE },
		{ &length, 404, false, false, HTTP1_BODY_LENGTH },
		{ &length, 200, true, false, HTTP1_BODY_NONE },
		{ &chunked, 200, true, false, HTTP1_BODY_NONE },
		{ &none, 200, true, false, HTTP1_BODY_NONE },
		{ &length, 204, false, false, HTTP1_BODY_NONE },
		{ &length, 304, false, false, HTTP1_BODY_NONE },
		{ &chunked, 304, false, false, HTTP1_BODY_NONE },
		{ &none, 100, false, false, HTTP1_BODY_NONE },
		{ &length, 103, false, false, HTTP1_BODY_NONE },
		{ &none, 101, false, false, HTTP1_BODY_TUNNEL },
		{ &length, 101, true, false, HTTP1_BODY_TUNNEL },
		{ &none, 200, false, true, HTTP1_BODY_TUNNEL },
		{ &length, 204, false, true, HTTP1_BODY_TUNNEL },
		{ &length, 299, false, true, HTTP1_BODY_TUNNEL },
		{ &length, 300, false, true, HTTP1_BODY_LENGTH },
		{ &length, 407, false, true, HTTP1_BODY_LENGTH },
		{ &none, 100, false, true, HTTP1_BODY_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(http1_response_body(rows[i].head, rows[i].status, rows[i].to_head,
						     rows[i].to_connect),
				 rows[i].expected);
}

/* --- chunk-size lines --- */

/* Feeds the text in calls of `step` bytes; gives how many bytes the line took. */
static size_t chunk_feed(struct http1_chunk *chunk, const char *text, size_t step)
{
	size_t len = strlen(text), at = 0;

	memset(chunk, 0, sizeof(*chunk));
	while (at < len && !chunk->done && !chunk->bad) {
		size_t n = len - at < step ? len - at : step;
		uint32_t used;

		piece_set(text + at, n, '\n');
		used = http1_chunk_line(chunk, &piece, (uint32_t)n);
		assert_true(used <= n);
		assert_true(used > 0 || chunk->bad);
		at += used;
	}
	return at;
}

static void test_chunk_lines(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		enum {
			MORE,
			DONE,
			BAD
		} result;
	} rows[] = {
		{ "0\r\n", 0, DONE },
		{ "000\r\n", 0, DONE },
		{ "5\r\n", 5, DONE },
		{ "5\n", 5, DONE },
		{ "1f\r\n", 0x1f, DONE },
		{ "1F\r\n", 0x1f, DONE },
		{ "abcdef\r\n", 0xabcdef, DONE },
		{ "ABCDEF\r\n", 0xabcdef, DONE },
		{ "5;name=value\r\n", 5, DONE },
		{ "5 ; a=\"quoted, long, longer than one look at the line\"\r\n", 5, DONE },
		{ "5\t\r\n", 5, DONE },
		{ "00000000000000000000000000000005\r\n", 5, DONE },
		{ "7fffffffffffff\r\n", 0x7fffffffffffff, DONE },
		{ "ffffffffffffff\r\n", 0xffffffffffffff, DONE },
		{ "fffffffffffffff\r\n", 0xfffffffffffffff, DONE },
		{ "fffffffffffffffff\r\n", 0, BAD },
		{ "10000000000000000\r\n", 0, BAD },
		{ "g\r\n", 0, BAD },
		{ "5g\r\n", 0, BAD },
		{ "-5\r\n", 0, BAD },
		{ "0x5\r\n", 0, BAD },
		{ "`\r\n", 0, BAD },
		{ "@\r\n", 0, BAD },
		{ ":\r\n", 0, BAD },
		{ "/\r\n", 0, BAD },
		{ "\x81\r\n", 0, BAD },
		{ "\r\n", 0, BAD },
		{ "\n", 0, BAD },
		{ ";a\r\n", 0, BAD },
		{ "5", 5, MORE },
		{ "5;a\r", 5, MORE },
	};
	struct http1_chunk chunk;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);

		for (size_t step = 1; step <= len + 1; step++) {
			size_t used = chunk_feed(&chunk, rows[i].text, step);

			assert_int_equal(chunk.bad, rows[i].result == BAD);
			if (rows[i].result == BAD)
				continue;
			assert_int_equal(chunk.done, rows[i].result == DONE);
			assert_int_equal(chunk.size, rows[i].size);
			assert_int_equal(used, len);
		}
	}
}

/* What follows the line belongs to the body. */
static void test_chunk_line_end(void **state)
{
	struct http1_chunk chunk;

	(void)state;
	assert_int_equal(chunk_feed(&chunk, "3\r\n0\r\n\r\n", 100), 3);
	assert_true(chunk.done);
	assert_int_equal(chunk.size, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),     cmocka_unit_test(test_responses),
		cmocka_unit_test(test_neither),	     cmocka_unit_test(test_token_characters),
		cmocka_unit_test(test_methods),	     cmocka_unit_test(test_start_line),
		cmocka_unit_test(test_framing),	     cmocka_unit_test(test_used),
		cmocka_unit_test(test_many_lines),   cmocka_unit_test(test_many_lines_fed),
		cmocka_unit_test(test_samples),	     cmocka_unit_test(test_long_heads),
		cmocka_unit_test(test_request_body), cmocka_unit_test(test_response_body),
		cmocka_unit_test(test_chunk_lines),  cmocka_unit_test(test_chunk_line_end),

	};

	return cmocka_run_group_tests_name("classify/http1", tests, NULL, NULL);
}
