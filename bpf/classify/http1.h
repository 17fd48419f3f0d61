/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * HTTP/1 as far as the kernel side needs it: does a message start here, where does its head end,
 * and how is its body framed (RFC 9112). Pure functions of bytes: no maps, no helpers; the same
 * text is built for BPF and for the host's unit tests.
 *
 * Bytes are looked at in a struct piece: up to PIECE_MAX bytes, aligned, followed by zeroes or
 * leftovers that may be read but never count.
 */
#ifndef WEFT_CLASSIFY_HTTP1_H
#define WEFT_CLASSIFY_HTTP1_H

#include "classify/trace_context.h"
#include "lib/piece.h"

enum http1_start {
	HTTP1_NO,   /* no HTTP/1 message starts here */
	HTTP1_MORE, /* too few bytes to tell */
	HTTP1_REQUEST,
	HTTP1_RESPONSE,
};

#define HTTP1_METHOD_MAX 24
/* Lines that one scan takes: as many as most heads have. The rest waits for the next one. */
#define HTTP1_LINES_MAX	 24
#define HTTP1_TURNS_MAX	 (HTTP1_LINES_MAX + PIECE_STRIDES)
#define HTTP1_STATUS_LEN 12 /* "HTTP/1.1 200" */

/* What a line is to its head. */
enum http1_line {
	HTTP1_LINE_NONE,    /* there was none yet */
	HTTP1_LINE_OTHER,   /* all that it says was noted */
	HTTP1_LINE_CONTEXT, /* it may carry trace context */
};

/* Framing facts of one head, gathered line by line. All zero at its start. */
struct http1_head {
	__u64 content_length;
	__u8 has_length;
	__u8 chunked; /* the last transfer coding is chunked */
	__u8 encoded; /* there is a Transfer-Encoding */
	__u8 midline; /* the next piece starts inside a line */
	__u8 lines;   /* enum http1_line: the last line; the start line, if there is one, is over */
	__u8 done;    /* the empty line was seen */
	__u8 bad;     /* the start line is not of HTTP/1 */
	__u8 begun;   /* the caller has taken note of the message */
	__u8 paused;  /* there were more lines than a scan takes: go on behind those */
	__u8 request; /* as the caller of the scan has said */
	__u8 pad[6];
};

/* tchar of RFC 9110 section 5.6.2 as two bit sets, characters 0-63 and 64-127. */
#define HTTP1_TCHAR_LOW	 0x03ff6cfa00000000ULL
#define HTTP1_TCHAR_HIGH 0x57ffffffc7fffffeULL

/* Without branches: the verifier would go each way, for every character. */
static __always_inline int http1_is_tchar(__u8 c)
{
	__u64 set = HTTP1_TCHAR_LOW ^ (HTTP1_TCHAR_LOW ^ HTTP1_TCHAR_HIGH) * (c >> 6 & 1);

	return set >> (c & 63) & 1 & ~(c >> 7);
}

static __always_inline int http1_is_digit(__u8 c)
{
	return c >= '0' && c <= '9';
}

static __always_inline int http1_is_head_method(const __u8 *p)
{
	return (piece_load(p) & 0xffffffffffULL) == 0x2044414548ULL; /* "HEAD " */
}

static __always_inline int http1_is_connect_method(const __u8 *p)
{
	return piece_load(p) == 0x205443454e4e4f43ULL; /* "CONNECT " */
}

/* "HTTP/1." then a digit, a space and three digits: RFC 9112 section 4. */
static __always_inline enum http1_start http1_classify_response(const __u8 *p, __u32 n)
{
	const __u64 version = 0x002e312f50545448ULL; /* "HTTP/1." */
	__u64 word = piece_load(p) & 0x00ffffffffffffffULL;

	if (n < 7) {
		__u64 mask = n ? (1ULL << (n * 8)) - 1 : 0;

		return (word & mask) == (version & mask) ? HTTP1_MORE : HTTP1_NO;
	}
	if (word != version)
		return HTTP1_NO;
	if (n < HTTP1_STATUS_LEN)
		return HTTP1_MORE;
	if (!http1_is_digit(p[7]) || p[8] != ' ' || !http1_is_digit(p[9]) ||
	    !http1_is_digit(p[10]) || !http1_is_digit(p[11]))
		return HTTP1_NO;
	return HTTP1_RESPONSE;
}

/*
 * Length of the token at the piece's start, at most HTTP1_METHOD_MAX. A function of its own: the
 * verifier knows its loop's turns, and would follow the caller's code for each of them.
 */
PIECE_FUNCTION __u32 http1_token(const struct piece *piece, __u32 n)
{
	__u32 i;

	if (!piece)
		return 0;
	for (i = 0; i < HTTP1_METHOD_MAX && i < n; i++) {
		if (!http1_is_tchar(piece->data[i]))
			break;
	}
	return i;
}

/*
 * A method token, one space and the first character of a request target: RFC 9112 section 3. Looks
 * at the `n` first bytes of the piece.
 */
PIECE_FUNCTION int http1_classify_request(const struct piece *piece, __u32 n)
{
	__u32 i;
	__u8 next;

	if (!piece)
		return HTTP1_NO;
	i = http1_token(piece, n);
	if (i == n)
		return HTTP1_MORE;
	if (i == 0 || i == HTTP1_METHOD_MAX || piece_byte(piece, i) != ' ')
		return HTTP1_NO;
	/* the method of no request: RFC 9113 section 11.6 */
	if (piece_is(piece_load(piece->data), "PRI "))
		return HTTP1_NO;
	if (i + 1 == n)
		return HTTP1_MORE;
	next = piece_byte(piece, i + 1);
	if (next == '/' || next == '*' || (next | 0x20) == 'h')
		return HTTP1_REQUEST;
	/* authority-form goes with CONNECT alone */
	return http1_is_connect_method(piece->data) ? HTTP1_REQUEST : HTTP1_NO;
}

/* Does it start as most requests do? Tells nothing if it does not. */
static __always_inline int http1_is_common(const struct piece *piece, __u32 n)
{
	__u64 word = piece_load(piece->data);

	return n >= 8 && (piece_is(word, "GET /") || piece_is(word, "POST /"));
}

/* What starts at the piece's first byte? `n` is the number of bytes that count. */
static __always_inline enum http1_start http1_classify(const struct piece *piece, __u32 n)
{
	enum http1_start start;

	if (http1_is_common(piece, n))
		return HTTP1_REQUEST;
	start = http1_classify_response(piece->data, n);
	return start == HTTP1_NO ? (enum http1_start)http1_classify_request(piece, n) : start;
}

/* The status code of a response that http1_classify() recognised. */
static __always_inline __u16 http1_status(const struct piece *piece)
{
	const __u8 *p = piece->data + 9;

	return (__u16)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
}

#define HTTP1_BLANKS_MAX 8
#define HTTP1_DIGITS_MAX 18

/*
 * Digits after optional white space; a number with more of them than fit is none. The value grows
 * in `head`, not in a variable: what the verifier does not know it need not tell apart.
 */
static __always_inline void http1_parse_length(struct http1_head *head, const struct piece *piece,
					       __u32 at)
{
	__u32 i;

	for (i = 0; i < HTTP1_BLANKS_MAX; i++, at++) {
		if (piece_byte(piece, at) != ' ' && piece_byte(piece, at) != '\t')
			break;
	}
	head->content_length = 0;
	for (i = 0; i < HTTP1_DIGITS_MAX; i++, at++) {
		__u8 c = piece_byte(piece, at);

		if (!http1_is_digit(c))
			break;
		head->content_length = head->content_length * 10 + (c - '0');
	}
	head->has_length = i > 0 && i < HTTP1_DIGITS_MAX;
}

/* Is "chunked" the last coding named on the line that ends before `end` (exclusive)? */
static __always_inline void http1_parse_coding(struct http1_head *head, const struct piece *piece,
					       __u32 end)
{
	head->encoded = 1;
	for (__u32 i = 0; i < HTTP1_BLANKS_MAX; i++) {
		__u8 c = piece_byte(piece, end - 1);

		if (c != '\r' && c != ' ' && c != '\t')
			break;
		end--;
	}
	/* the letters in lower case: "chunked" */
	if (((piece_word(piece, end - 7) & 0x00ffffffffffffffULL) | 0x20202020202020ULL) ==
	    0x64656b6e756863ULL)
		head->chunked = 1;
}

/* May a line that starts with that word say something about framing? Few do. */
static __always_inline int http1_framing_likely(__u64 word)
{
	word |= PIECE_BYTES(0x20);
	return word == PIECE_TEXT("content-") || word == PIECE_TEXT("transfer");
}

/* Notes what such a line, of 16 bytes or more, says: names compared a word at a time. */
PIECE_FUNCTION int http1_field(struct http1_head *head, const struct piece *piece, __u32 start,
			       __u32 end)
{
	__u64 first, second;

	if (!head || !piece)
		return 0;
	first = piece_word(piece, start) | PIECE_BYTES(0x20);
	second = piece_word(piece, start + 8) | PIECE_BYTES(0x20);
	if (first == PIECE_TEXT("content-")) {
		if (piece_is(second, "length:"))
			http1_parse_length(head, piece, start + 15);
	} else if (second == PIECE_TEXT("-encodin")) {
		if ((piece_byte(piece, start + 16) | 0x20) == 'g' &&
		    piece_byte(piece, start + 17) == ':')
			http1_parse_coding(head, piece, end);
	}
	return 0;
}

/* A request line ends in "HTTP/1.x": anything else is another protocol (SIP, RTSP, HTTP/2). */
static __always_inline void http1_start_line(struct http1_head *head, const struct piece *piece,
					     __u32 end)
{
	if (piece_byte(piece, end - 1) == '\r')
		end--;
	if ((piece_word(piece, end - 8) & 0x00ffffffffffffffULL) != 0x002e312f50545448ULL)
		head->bad = 1;
}

/* Is trace context to be looked for in a line? `word` starts it, `last` is the line before. */
static __always_inline enum http1_line http1_line_kind(__u64 word, __u8 last)
{
	if (context_likely(word))
		return HTTP1_LINE_CONTEXT;
	return context_folded(word) && last == HTTP1_LINE_CONTEXT ? HTTP1_LINE_CONTEXT
								  : HTTP1_LINE_OTHER;
}

/* Any whole line, from `start` to its line feed at `end`: enum http1_line. */
PIECE_FUNCTION int http1_line(struct http1_head *head, const struct piece *piece, __u32 start,
			      __u32 end)
{
	__u32 length = end - start;
	__u64 word;
	__u8 last;

	if (!head || !piece)
		return HTTP1_LINE_OTHER;
	word = piece_word(piece, start);
	last = head->lines;
	head->lines = HTTP1_LINE_OTHER;
	if (head->midline) {
		head->midline = 0;
	} else if (length == 0 || (length == 1 && (word & 0xff) == '\r')) {
		head->done = 1;
	} else if (last == HTTP1_LINE_NONE) {
		if (head->request && length >= 10)
			http1_start_line(head, piece, end);
	} else {
		if (http1_framing_likely(word) && length > 15)
			http1_field(head, piece, start, end);
		if (head->request)
			head->lines = http1_line_kind(word, last);
	}
	return head->lines;
}

#define HTTP1_MARK(c) (1ULL << ((c)&63))
/* First characters of what framing and context say, of either case; of empty and folded lines. */
#define HTTP1_TELLING                                                                              \
	(HTTP1_MARK('B') | HTTP1_MARK('b') | HTTP1_MARK('C') | HTTP1_MARK('c') | HTTP1_MARK('T') | \
	 HTTP1_MARK('t') | HTTP1_MARK('U') | HTTP1_MARK('u') | HTTP1_MARK('X') | HTTP1_MARK('x') | \
	 HTTP1_MARK(' ') | HTTP1_MARK('\t') | HTTP1_MARK('\r') | HTTP1_MARK('\n'))

/*
 * May http1_line() have something to note of a line that starts with that character? Most lines
 * are told so without a call, which may cost more than the line.
 */
static __always_inline int http1_may_tell(const struct http1_head *head, __u8 first)
{
	return (HTTP1_TELLING >> (first & 63) & 1) | (head->lines ^ HTTP1_LINE_OTHER) |
	       head->midline;
}

/*
 * Reads the lines of a piece: notes framing facts in `head`, trace context of a request in
 * `fields`, and sets head->done at the empty line. `is_request` says what kind of start line to
 * expect; trailer fields and responses carry no context. Gives the number of bytes that belong to
 * the lines that it took; what is left is the start of a line that has not ended yet, or, when
 * head->paused, to be read in another piece.
 */
PIECE_FUNCTION __u32 http1_scan(struct http1_head *head, struct context_fields *fields,
				const struct piece *piece, __u32 len, __u32 is_request)
{
	__u32 at = 0, end = 0;

	if (!head || !fields || !piece)
		return 0;
	head->paused = 0;
	head->request = is_request;
	for (__u64 i = 0; i < HTTP1_TURNS_MAX; i++) {
		end = piece_find(piece, end, len, '\n');
		if (end >= len)
			return at;
		if (!piece_found(piece, end, '\n'))
			continue;
		if (http1_may_tell(head, piece_byte(piece, at)) &&
		    http1_line(head, piece, at, end) == HTTP1_LINE_CONTEXT)
			context_field(fields, piece, at, end);
		at = ++end;
		if (head->done)
			return at;
	}
	head->paused = 1;
	return at;
}

/* Has the scan left bytes that are not to be kept: behind the head, or lines still to be read? */
static __always_inline int http1_leaves(const struct http1_head *head)
{
	return head->done || head->paused;
}

/*
 * The line at `at` goes on behind the piece and is too long to be kept: the next piece starts
 * inside it. What it says is lost; that it is there is not.
 */
static __always_inline void http1_let_go(struct http1_head *head, struct context_fields *fields,
					 const struct piece *piece, __u32 at)
{
	if (head->request && head->lines != HTTP1_LINE_NONE && !head->midline &&
	    http1_line_kind(piece_word(piece, at), head->lines) == HTTP1_LINE_CONTEXT)
		context_torn(fields, piece, at);
	head->midline = 1;
}

/* How the body of a message is delimited. */
enum http1_body {
	HTTP1_BODY_NONE,
	HTTP1_BODY_LENGTH,
	HTTP1_BODY_CHUNKED,
	HTTP1_BODY_CLOSE,  /* until the connection ends */
	HTTP1_BODY_TUNNEL, /* no longer HTTP/1 */
};

static __always_inline enum http1_body http1_request_body(const struct http1_head *head)
{
	if (head->chunked)
		return HTTP1_BODY_CHUNKED;
	return head->has_length && head->content_length ? HTTP1_BODY_LENGTH : HTTP1_BODY_NONE;
}

/* RFC 9112 section 6.3. `to_head` and `to_connect`: the method of the request that is answered. */
static __always_inline enum http1_body
http1_response_body(const struct http1_head *head, __u16 status, int to_head, int to_connect)
{
	if (status == 101 || (to_connect && status >= 200 && status < 300))
		return HTTP1_BODY_TUNNEL;
	if (to_head || status < 200 || status == 204 || status == 304)
		return HTTP1_BODY_NONE;
	if (head->chunked)
		return HTTP1_BODY_CHUNKED;
	if (head->has_length && !head->encoded)
		return head->content_length ? HTTP1_BODY_LENGTH : HTTP1_BODY_NONE;
	return HTTP1_BODY_CLOSE;
}

/* A chunk-size line that is being read: RFC 9112 section 7.1. All zero at its start. */
struct http1_chunk {
	__u64 size;
	__u8 extension; /* what follows the digits is passed over */
	__u8 done;	/* the line has ended */
	__u8 bad;	/* not a chunk-size line */
	__u8 digits;	/* there was one */
	__u8 pad[4];
};

#define HTTP1_CHUNK_LINE_MAX 24

/* What is known of one direction of a connection, and of the connection, beyond any protocol. */
struct http1_flow {
	struct http1_head head;
	struct http1_chunk chunk;
};

#define HTTP1_EXCHANGES_MAX 256 /* unanswered requests on one connection: a power of two */

struct http1_conn {
	/* bit (exchange % HTTP1_EXCHANGES_MAX): the request's method was HEAD */
	__u64 to_head[HTTP1_EXCHANGES_MAX / 64];
	__u8 to_connect; /* the last request's method was CONNECT */
	__u8 pad[7];
};

/* What ends the digits: ';', a carriage return, a blank. */
#define HTTP1_CHUNK_STOPS (1ULL << ';' | 1ULL << '\r' | 1ULL << ' ' | 1ULL << '\t')

/* One character of the line, other than its end. Non-zero: it is out of place. */
PIECE_FUNCTION int http1_chunk_char(struct http1_chunk *chunk, __u32 c)
{
	__u8 letter = (c | 0x20) - 'a';

	if (!chunk || chunk->extension)
		return 0;
	if (c < 64 && HTTP1_CHUNK_STOPS >> c & 1) {
		chunk->extension = 1;
		return 0;
	}
	chunk->digits = 1;
	chunk->bad = chunk->size >> 56 || (!http1_is_digit(c) && letter >= 6);
	chunk->size = chunk->size << 4 | (http1_is_digit(c) ? c - '0' : letter + 10u);
	return chunk->bad;
}

/*
 * Takes up to HTTP1_CHUNK_LINE_MAX of the piece's bytes; gives how many it took. Reading goes on in
 * the next piece until chunk->done or chunk->bad.
 */
PIECE_FUNCTION __u32 http1_chunk_line(struct http1_chunk *chunk, const struct piece *piece,
				      __u32 len)
{
	__u32 i;

	if (!chunk || !piece)
		return 0;
	for (i = 0; i < HTTP1_CHUNK_LINE_MAX && i < len; i++) {
		if (piece->data[i] == '\n') {
			chunk->done = 1;
			chunk->bad = !chunk->digits;
			return i + 1;
		}
		if (http1_chunk_char(chunk, piece->data[i]))
			break;
	}
	return i;
}

#endif
