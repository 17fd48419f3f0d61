/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a connection, fed with bytes in as many calls as one likes: the carry protocol
 * of bpf/conn.bpf.c (step_message, step_head) without a kernel. The line that a call leaves
 * unfinished is kept for the next one, up to FLOW_CARRY_MAX bytes; a longer one is let go, and its
 * end is passed over. A stream that does not begin with a message is refused for good.
 */
#ifndef WEFT_TESTS_LIB_HEAD_SCAN_H
#define WEFT_TESTS_LIB_HEAD_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "classify/http1.h"

/* As in bpf/conn.bpf.h and bpf/conn.bpf.c, which only the BPF compiler reads. */
#define FLOW_CARRY_MAX 96
#define FILL_REQUEST   (PIECE_MAX - FLOW_CARRY_MAX)
#define FILL_RESPONSE  1024

struct head_scan {
	struct http1_head head;
	struct context_fields fields;
	enum http1_start start; /* HTTP1_MORE until it is known */
	bool begun;		/* whole lines have been seen */
	uint64_t head_bytes;	/* from the start line's first byte to behind the last line seen */
	uint32_t carry_len;
	uint8_t carry[FLOW_CARRY_MAX];
	struct piece piece;
};

static inline void head_scan_init(struct head_scan *scan)
{
	memset(scan, 0, sizeof(*scan));
	scan->start = HTTP1_MORE;
}

/* Nothing more is to be learnt: the head is over, or it is none. */
static inline bool head_scan_over(const struct head_scan *scan)
{
	return scan->start == HTTP1_NO || scan->head.done || scan->head.bad;
}

/* Keeps the piece's bytes from `from` to `len`. */
static inline void head_scan_keep(struct head_scan *scan, uint32_t from, uint32_t len)
{
	scan->carry_len = len - from;
	memcpy(scan->carry, scan->piece.data + from, scan->carry_len);
}

/*
 * `len` bytes stand in the piece, the first `kept` of them from earlier calls; the call has `left`
 * bytes, those in the piece counted in. Gives the new ones used.
 */
static inline uint32_t head_scan_lines(struct head_scan *scan, uint32_t kept, uint32_t len,
				       size_t left)
{
	uint32_t is_request = scan->start == HTTP1_REQUEST;
	uint32_t used = http1_scan(&scan->head, &scan->fields, &scan->piece, len, is_request);
	uint32_t out = used;
	bool whole;

	scan->carry_len = 0;
	if (scan->head.bad)
		return 0;
	/* a line that only the end of the piece has cut is read again, whole */
	whole = http1_leaves(&scan->head) || (used > kept && len - kept < left);
	if (!whole && len - used > FLOW_CARRY_MAX) {
		out = len;
		http1_let_go(&scan->head, &scan->fields, &scan->piece, used);
	}
	if (!whole)
		head_scan_keep(scan, out, len);
	scan->head_bytes += out;
	scan->begun |= out > 0;
	return (whole ? used : len) - kept;
}

/* Gives the bytes of the call that were used; less than `size` when the scan is over. */
static inline size_t head_scan_feed(struct head_scan *scan, const uint8_t *data, size_t size)
{
	size_t at = 0;

	while (at < size && !head_scan_over(scan)) {
		uint32_t fill = scan->start == HTTP1_RESPONSE ? FILL_RESPONSE : FILL_REQUEST;
		uint32_t kept = scan->carry_len;
		uint32_t got = size - at < fill ? (uint32_t)(size - at) : fill;

		memcpy(scan->piece.data, scan->carry, kept);
		memcpy(scan->piece.data + kept, data + at, got);
		if (!scan->begun) {
			/* an empty line before a start line is to be ignored: RFC 9112 section 2.2
			 */
			if (!kept && (data[at] == '\r' || data[at] == '\n')) {
				at++;
				continue;
			}
			scan->start = http1_classify(&scan->piece, kept + got);
			if (scan->start == HTTP1_MORE) {
				head_scan_keep(scan, 0, kept + got);
				return at + got;
			}
			if (scan->start == HTTP1_NO)
				return at;
		}
		at += head_scan_lines(scan, kept, kept + got, size - at);
	}
	return at;
}

#endif
