// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Is the message that is about to leave a request that may be given a header? Only if its whole
 * head is here and names no context of its own, wherever in it that might stand.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

#define SURVEY_FILL	  (PIECE_MAX - FLOW_CARRY_MAX)
#define SURVEY_PIECES_MAX 24 /* more than the longest head has, though lines are not cut */

enum survey {
	SURVEY_GO_ON,
	SURVEY_FIT,
	SURVEY_UNFIT,
};

/* The message must start with a request. What a proxy is told to CONNECT is not touched. */
static __always_inline int survey_start(const struct walk *walk, __u32 got)
{
	return http1_classify(&walk->piece, got) != HTTP1_REQUEST ||
	       http1_is_connect_method(walk->piece.data);
}

/* Where the first line ends: room is made behind it. */
static __always_inline void survey_first_line(struct walk *walk, __u32 got)
{
	__u32 end = piece_find_far(&walk->piece, 0, got, '\n');

	if (end < got)
		walk->line_end = walk->at + end + 1;
}

/* Whole lines of the head, as many as a piece holds. */
SUBPROGRAM int survey_piece(struct walk *walk)
{
	__u32 left, used;
	int got;

	if (!walk)
		return SURVEY_UNFIT;
	left = walk->len - walk->at;
	got = capture_fill(walk, 0, left < SURVEY_FILL ? left : SURVEY_FILL);
	if (got <= 0 || got > SURVEY_FILL)
		return SURVEY_UNFIT;
	if (walk->at == 0 && survey_start(walk, got))
		return SURVEY_UNFIT;
	if (!walk->line_end)
		survey_first_line(walk, got);
	used = http1_scan(&walk->http1.head, &walk->fields, &walk->piece, got, 1);
	if (walk->http1.head.bad)
		return SURVEY_UNFIT;
	if (walk->http1.head.done)
		return SURVEY_FIT;
	if (!used && !http1_leaves(&walk->http1.head)) {
		/* a line that is longer than the piece */
		http1_let_go(&walk->http1.head, &walk->fields, &walk->piece, 0);
		used = got;
	}
	walk->at += used;
	return SURVEY_GO_ON;
}

SUBPROGRAM int propagate_survey(struct walk *walk)
{
	int survey = SURVEY_GO_ON;

	if (!walk)
		return 0;
	walk->line_end = 0;
	__builtin_memset(&walk->http1.head, 0, sizeof(walk->http1.head));
	__builtin_memset(&walk->fields, 0, sizeof(walk->fields));
	for (__u64 i = 0; i < SURVEY_PIECES_MAX; i++) {
		survey = survey_piece(walk);
		if (survey != SURVEY_GO_ON)
			break;
	}
	return survey == SURVEY_FIT;
}
