// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * HTTP/1's walk. Every step deals with one head, one body, or one piece of chunked framing; bodies
 * are skipped by count.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "lib/flow.bpf.h"

#define FILL_REQUEST  (PIECE_MAX - FLOW_CARRY_MAX)
#define FILL_RESPONSE 1024
#define FILL_CHUNK    HTTP1_CHUNK_LINE_MAX
#define FILL_TRAILER  512

/* Was the method of that request HEAD? Its answer has no body, whatever its head says. */
static __always_inline int to_head_get(const struct conn *conn, __u32 exchange)
{
	__u32 word = exchange / 64 & (HTTP1_EXCHANGES_MAX / 64 - 1);

	return conn->http1.to_head[word] >> (exchange & 63) & 1;
}

static __always_inline void to_head_set(struct conn *conn, __u32 exchange, int is_head)
{
	__u32 word = exchange / 64 & (HTTP1_EXCHANGES_MAX / 64 - 1);
	__u64 bit = 1ULL << (exchange & 63);

	conn->http1.to_head[word] = is_head ? conn->http1.to_head[word] | bit
					    : conn->http1.to_head[word] & ~bit;
}

/*
 * A head has been recognised at the piece's first byte: gives the message its role, number and
 * flags. Non-zero: it cannot be a message of this connection.
 */
static __always_inline int message_begin(struct conn *conn, struct walk *walk, struct flow *flow,
					 __u32 start)
{
	__u8 role;

	role = (start == HTTP1_REQUEST) == (walk->dir == DIR_OUT) ? ROLE_CLIENT : ROLE_SERVER;
	if (conn->role != ROLE_UNKNOWN && conn->role != role)
		return -1;
	conn->role = role;
	conn->verdict = VERDICT_TRACED;
	flow->misses = 0;
	flow->is_request = start == HTTP1_REQUEST;
	other_direction(conn, walk);
	if (flow->is_request) {
		if (conn->requests - conn->answered >= HTTP1_EXCHANGES_MAX) {
			stat_add(STAT_PIPELINED);
			conn->answered = conn->requests;
		}
		flow->exchange = ++conn->requests;
		to_head_set(conn, flow->exchange, http1_is_head_method(walk->piece.data));
		conn->http1.to_connect = http1_is_connect_method(walk->piece.data);
		__builtin_memset(&conn->fields, 0, sizeof(conn->fields));
		stat_add(STAT_REQUESTS);
		return 0;
	}
	flow->status = http1_status(&walk->piece);
	flow->interim = flow->status < 200 && flow->status != 101;
	flow->exchange = conn->answered + 1;
	flow->mute = conn->answered == conn->requests;
	stat_add(flow->mute ? STAT_ORPHAN : STAT_RESPONSES);
	return 0;
}

/* Sets the phase that follows a whole head. Non-zero: the message has ended with it. */
static __always_inline int body_begin(struct conn *conn, struct walk *walk, struct flow *flow,
				      __u8 *flags)
{
	enum http1_body body;

	if (flow->is_request)
		body = http1_request_body(&flow->http1.head);
	else
		body = http1_response_body(&flow->http1.head, flow->status,
					   to_head_get(conn, flow->exchange),
					   conn->http1.to_connect);
	switch (body) {
	case HTTP1_BODY_NONE:
		return 1;
	case HTTP1_BODY_TUNNEL:
		*flags |= EVENT_F_UPGRADE;
		return 1;
	case HTTP1_BODY_LENGTH:
		flow->phase = FLOW_BODY;
		flow->left = flow->http1.head.content_length;
		if (flow->left > walk->len - walk->at)
			return 0;
		/* the whole body came with this call */
		walk->at += flow->left;
		flow->body = flow->left;
		flow->last_ns = walk->now_ns;
		return 1;
	case HTTP1_BODY_CHUNKED:
		flow->phase = FLOW_CHUNK_SIZE;
		__builtin_memset(&flow->http1.chunk, 0, sizeof(flow->http1.chunk));
		return 0;
	case HTTP1_BODY_CLOSE:
		flow->phase = FLOW_CLOSE;
		return 0;
	}
	return 1;
}

/*
 * One step in a head: the bytes that walk->kept and walk->got count stand in the piece. Whole lines
 * leave; the start of a line that has not ended is kept, unless it is long.
 */
SUBPROGRAM int step_head(struct conn *conn, struct walk *walk)
{
	struct flow *flow;
	__u32 kept, len, used, out;
	__u8 flags = 0;
	int whole, ends = 0;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	kept = walk->kept;
	len = kept + walk->got;
	used = http1_scan(&flow->http1.head, &conn->fields, &walk->piece, len, flow->is_request);
	if (flow->http1.head.bad) {
		conn->verdict = VERDICT_OPAQUE;
		return STEP_STOP;
	}
	/* a line that only the end of the piece has cut is read again, whole */
	whole = http1_leaves(&flow->http1.head) ||
		(used > kept && len - kept < walk->len - walk->at);
	out = used;
	if (!whole && len - used > FLOW_CARRY_MAX) {
		out = len;
		http1_let_go(&flow->http1.head, &conn->fields, &walk->piece, used);
	}
	flow->last_ns = walk->now_ns;
	flow->carry_len = 0;
	if (!whole)
		flow_keep(flow, walk, out, len);
	walk->at += (whole ? used : len) - kept;
	if (out == 0)
		return STEP_NEXT;
	flow->phase = FLOW_HEAD;
	if (flow->http1.head.done) {
		flags |= EVENT_F_HEAD_END;
		ends = body_begin(conn, walk, flow, &flags);
		if (ends)
			flags |= EVENT_F_END;
	}
	if (!flow->mute)
		head_emit(conn, walk, out, flags);
	if (ends)
		message_ended(conn, walk, flow);
	if (flags & EVENT_F_UPGRADE) {
		conn->verdict = VERDICT_OPAQUE;
		return STEP_STOP;
	}
	return STEP_NEXT;
}

/* A message is due or its head goes on: fills the piece, and tells what starts there. */
SUBPROGRAM int step_message(struct conn *conn, struct walk *walk)
{
	struct flow *flow;
	enum http1_start start;
	__u32 kept;
	int got;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	kept = flow_kept(flow, walk);
	if (!kept && flow->phase == FLOW_START)
		flow_first_byte(conn, walk, flow);
	got = capture_fill(walk, kept,
			   walk_room(walk,
				     flow_is_request(conn, walk) ? FILL_REQUEST : FILL_RESPONSE));
	if (got <= 0) {
		stat_add(walk->no_buffer ? STAT_NO_BUFFER : STAT_UNREADABLE);
		return STEP_OTHER;
	}
	if (got > PIECE_MAX - FLOW_CARRY_MAX)
		return STEP_STOP;
	if (flow->phase == FLOW_START) {
		/* an empty line before a start line is to be ignored: RFC 9112 section 2.2 */
		if (!kept && (walk->piece.data[0] == '\r' || walk->piece.data[0] == '\n')) {
			walk->at++;
			return STEP_NEXT;
		}
		start = http1_classify(&walk->piece, kept + got);
		if (start == HTTP1_MORE) {
			flow_keep(flow, walk, 0, kept + got);
			walk->at += got;
			return STEP_STOP;
		}
		if (start == HTTP1_NO)
			return STEP_OTHER;
		/* a start line that goes on in the next call is met here a second time */
		if (!flow->http1.head.begun && message_begin(conn, walk, flow, start))
			return STEP_OTHER;
		flow->http1.head.begun = 1;
	}
	walk->kept = kept;
	return STEP_INSIDE;
}

SUBPROGRAM int step_chunk_size(struct conn *conn, struct walk *walk)
{
	struct flow *flow;
	int got;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	got = capture_fill(walk, 0, walk_room(walk, FILL_CHUNK));
	flow->last_ns = walk->now_ns;
	if (got > 0)
		walk->at += http1_chunk_line(&flow->http1.chunk, &walk->piece, got);
	if (got <= 0 || flow->http1.chunk.bad) {
		message_end(conn, walk);
		return STEP_OTHER;
	}
	if (flow->http1.chunk.done) {
		flow->left = flow->http1.chunk.size;
		flow->phase = flow->left ? FLOW_CHUNK_DATA : FLOW_TRAILER;
		__builtin_memset(&flow->http1.chunk, 0, sizeof(flow->http1.chunk));
		__builtin_memset(&flow->http1.head, 0, sizeof(flow->http1.head));
		flow->http1.head.lines = 1; /* trailer fields have no start line */
	}
	return STEP_NEXT;
}

/* Trailer fields, up to the empty line that ends the message. */
SUBPROGRAM int step_trailer(struct conn *conn, struct walk *walk)
{
	struct flow *flow;
	__u32 kept, used;
	int got;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	kept = flow_kept(flow, walk);
	got = capture_fill(walk, kept, walk_room(walk, FILL_TRAILER));
	if (got <= 0 || got > PIECE_MAX - FLOW_CARRY_MAX) {
		message_end(conn, walk);
		return STEP_OTHER;
	}
	flow->last_ns = walk->now_ns;
	used = http1_scan(&flow->http1.head, &conn->fields, &walk->piece, kept + got, 0);
	if (http1_leaves(&flow->http1.head)) {
		walk->at += used - kept;
		flow->carry_len = 0;
		if (flow->http1.head.done)
			message_end(conn, walk);
		return STEP_NEXT;
	}
	walk->at += got;
	if (kept + got - used > FLOW_CARRY_MAX)
		flow->http1.head.midline = 1;
	flow_keep(flow, walk, used, kept + got);
	return STEP_NEXT;
}

/* One function per phase. */
SUBPROGRAM int http1_step(struct conn *conn, struct walk *walk)
{
	struct flow *flow;
	int step;

	if (!conn || !walk || walk->at >= walk->len)
		return STEP_STOP;
	flow = walk_flow(conn, walk);
	switch (flow->phase) {
	case FLOW_START:
	case FLOW_HEAD:
		/* one behind the other: calls that wait for each other share 512 bytes of stack */
		step = step_message(conn, walk);
		return step == STEP_INSIDE ? step_head(conn, walk) : step;
	case FLOW_BODY:
		if (skip_left(walk, flow))
			message_end(conn, walk);
		return STEP_NEXT;
	case FLOW_CHUNK_SIZE:
		return step_chunk_size(conn, walk);
	case FLOW_CHUNK_DATA:
		if (skip_left(walk, flow)) {
			flow->phase = FLOW_CHUNK_CRLF;
			flow->left = 2;
		}
		return STEP_NEXT;
	case FLOW_CHUNK_CRLF:
		if (skip_left(walk, flow))
			flow->phase = FLOW_CHUNK_SIZE;
		return STEP_NEXT;
	case FLOW_TRAILER:
		return step_trailer(conn, walk);
	default: /* FLOW_CLOSE */
		flow->body += walk->len - walk->at;
		flow->last_ns = walk->now_ns;
		walk->at = walk->len;
		return STEP_STOP;
	}
}
