// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Are there requests in the message that is about to leave, on a connection of HTTP/2, that may be
 * given a header? Only such whose whole head is in one frame that begins and ends here, with no
 * other head before it in the message, and only if nothing that the program has said on this
 * connection, from its preface on, was trace context of its own: what is said once may be referred
 * to by a number later (RFC 7541 section 2.3.2).
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

#define SURVEY_FILL	  (PIECE_MAX - FLOW_CARRY_MAX)
#define SURVEY_USUAL	  256 /* most heads are no longer than that */
#define SURVEY_FRAMES_MAX 8   /* that are looked at before the first head, */
#define SURVEY_OTHERS_MAX                                                                          \
	(5 * HEADS_MAX)	  /* and behind it: a head has a body, of several at times */
#define SURVEY_AT_ONCE 16 /* two short loops are verified sooner than a long one */

_Static_assert(sizeof(struct http2_table) <= HEAD_ROOM, "there is room for one");

/* What the heads of the message have put into their direction's table. */
static __always_inline struct http2_table *survey_table(struct walk *walk)
{
	return (struct http2_table *)walk->room;
}

/* The whole head of a request, if the frame in the piece is one, says what? */
static __always_inline enum framing survey_block(struct conn *conn, struct walk *walk,
						 const struct http2_frame *frame, __u32 got)
{
	struct http2_table *table = survey_table(walk);
	__u32 end = HTTP2_HEADER_LEN + frame->length;

	if (!(frame->flags & HTTP2_F_END_HEADERS) || frame->flags & HTTP2_F_PADDED ||
	    !(frame->stream & 1) || frame->stream <= conn->http2.last_stream ||
	    frame->stream <= walk->frame.stream || end > got)
		return FRAMING_NONE;
	__builtin_memset(&walk->fields, 0, sizeof(walk->fields));
	http2_fields(table, &walk->fields, &walk->piece, http2_block_at(frame), end);
	http2_block_ended(table);
	if (table->lost)
		return FRAMING_NONE;
	walk->frame.at = walk->at;
	walk->frame.len = frame->length;
	walk->frame.stream = frame->stream;
	walk->frame.end = walk->line_end = walk->at + end;
	return FRAMING_FIT;
}

/* Looks at the frame at walk->at, and goes behind it. */
SUBPROGRAM int survey_frame(struct conn *conn, struct walk *walk)
{
	struct http2_frame *frame;
	__u32 left;
	int got;

	if (!conn || !walk || walk->at >= walk->len)
		return FRAMING_NONE;
	frame = &walk->http2.frame;
	left = walk->len - walk->at;
	got = capture_fill(walk, 0, left < SURVEY_USUAL ? left : SURVEY_USUAL);
	if (got < HTTP2_HEADER_LEN || got > SURVEY_FILL)
		return FRAMING_NONE;
	http2_frame_parse(&walk->piece, frame);
	if (!http2_frame_fits(frame, 0))
		return FRAMING_NEVER;
	if (frame->type == HTTP2_HEADERS) {
		if (HTTP2_HEADER_LEN + frame->length > got)
			got = capture_fill(walk, 0, left < SURVEY_FILL ? left : SURVEY_FILL);
		if (got < HTTP2_HEADER_LEN || got > SURVEY_FILL)
			return FRAMING_NONE;
		return survey_block(conn, walk, frame, got);
	}
	if (left - HTTP2_HEADER_LEN <= frame->length)
		return FRAMING_NONE;
	walk->at += HTTP2_HEADER_LEN + frame->length;
	return FRAMING_NO;
}

/* Where the message's first frame is; non-zero: none begins with it, as far as is known. */
static __always_inline int survey_start(struct conn *conn, struct walk *walk, enum framing *ret)
{
	const struct flow *out = &conn->flow[DIR_OUT];
	int got;

	walk->at = 0;
	if (conn->framed) {
		/* what is left of a frame that the call before has begun */
		walk->at = out->left < walk->len ? out->left : walk->len;
		*ret = conn->http2.table.lost || conn->http2.table.any ? FRAMING_NEVER
								       : FRAMING_NONE;
		return *ret == FRAMING_NEVER || !out->http2.synced || out->http2.block_open ||
		       (out->left && out->http2.inside) || walk->at >= walk->len;
	}
	got = capture_fill(walk, 0, walk->len < HTTP2_PREFACE_LEN ? walk->len : HTTP2_PREFACE_LEN);
	*ret = FRAMING_NO;
	if (got < HTTP2_PREFACE_LEN || http2_classify_preface(&walk->piece, got) != HTTP2_PREFACE)
		return -1;
	*ret = FRAMING_NONE;
	walk->at = HTTP2_PREFACE_LEN;
	return walk->at >= walk->len;
}

SUBPROGRAM int propagate_framed(struct conn *conn, struct walk *walk)
{
	enum framing framing;

	if (!conn || !walk)
		return FRAMING_NO;
	__builtin_memset(survey_table(walk), 0, sizeof(struct http2_table));
	__builtin_memset(&walk->frame, 0, sizeof(walk->frame));
	if (survey_start(conn, walk, &framing))
		return framing;
	for (__u64 i = 0; i < SURVEY_FRAMES_MAX; i++) {
		int found = survey_frame(conn, walk);

		if (found != FRAMING_NO)
			return found;
	}
	return FRAMING_NONE;
}

/* The head that was found is one of those that leave together. Non-zero: it cannot be told. */
static __always_inline int survey_note(struct conn *conn, struct walk *walk)
{
	__u64 n = walk->n_heads;

	if (heads_index(&conn->heads, walk->frame.stream) >= HEADS_MAX)
		return -1;
	if (!context_present(&walk->fields)) {
		if (n >= walk->heads_max ||
		    walk->frame.end + (n + 1) * walk->field_len > walk->place_max)
			return -1;
		verify_here(n);
		if (n >= HEADS_MAX)
			return -1;
		walk->heads[n] = walk->frame;
		walk->n_heads = n + 1;
	}
	heads_tell(&conn->heads, walk->frame.stream);
	return 0;
}

/* Some frames behind the head that was found. Non-zero: no other head follows that may be given a
 * header. */
SUBPROGRAM int survey_others(struct conn *conn, struct walk *walk)
{
	const struct http2_table *table;

	if (!conn || !walk)
		return -1;
	table = survey_table(walk);
	for (__u64 i = 0; i < SURVEY_AT_ONCE; i++) {
		int found = survey_frame(conn, walk);

		if (found == FRAMING_NO)
			continue;
		if (found != FRAMING_FIT || table->any || survey_note(conn, walk))
			return -1;
		walk->at = walk->line_end;
	}
	return 0;
}

SUBPROGRAM int propagate_others(struct conn *conn, struct walk *walk)
{
	if (!conn || !walk || survey_note(conn, walk) || survey_table(walk)->any)
		return 0;
	walk->at = walk->line_end;
	for (__u64 i = 0; i < SURVEY_OTHERS_MAX / SURVEY_AT_ONCE; i++) {
		if (survey_others(conn, walk))
			break;
	}
	return 0;
}
