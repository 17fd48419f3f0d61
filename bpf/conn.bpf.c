// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The walk over one call's bytes: message by message, each direction by its own phase. Bodies are
 * skipped by count. Every step deals with one head, one body, or one piece of chunked framing.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "lib/sequence.bpf.h"
#include "maps.bpf.h"

#define WALK_STEPS_MAX 512
#define FILL_REQUEST   (PIECE_MAX - FLOW_CARRY_MAX)
#define FILL_RESPONSE  1024
#define FILL_CHUNK     HTTP1_CHUNK_LINE_MAX
#define FILL_TRAILER   512

/* What a step says: the walk ends, or takes the next step. */
enum step {
	STEP_STOP,
	STEP_NEXT,
	STEP_HEAD, /* lines of a head stand in the piece: step_head() goes on with them */
};

/* The record's fixed part, which ends where the piece starts. */
#define RECORD(walk, type) ((struct type *)((walk)->room + HEAD_ROOM - sizeof(struct type)))

static __always_inline struct flow *walk_flow(struct conn *conn, const struct walk *walk)
{
	return &conn->flow[walk->dir == DIR_OUT ? DIR_OUT : DIR_IN];
}

static __always_inline void flow_restart(struct flow *flow)
{
	flow->phase = FLOW_START;
	flow->body = 0;
	flow->left = 0;
	flow->head_sent = 0;
	flow->mute = 0;
	flow->interim = 0;
	flow->settled = 0;
	flow->carry_len = 0;
	flow->status = 0;
	__builtin_memset(&flow->head, 0, sizeof(flow->head));
}

static __always_inline void header_init(struct event_header *header, const struct flow *flow,
					__u8 type, __u64 time_ns, __u64 cookie)
{
	header->type = type;
	header->protocol = PROTOCOL_HTTP1;
	header->message = flow->is_request ? MESSAGE_REQUEST : MESSAGE_RESPONSE;
	header->flags = 0;
	header->time_ns = time_ns;
	header->conn = cookie;
	header->exchange = flow->exchange;
}

/* Bookkeeping at a message's last byte. */
static __always_inline void message_ended(struct conn *conn, struct walk *walk, struct flow *flow)
{
	if (!flow->is_request && !flow->interim && !flow->mute) {
		conn->answered = flow->exchange;
		if (conn->role == ROLE_SERVER && conn->answered == conn->requests)
			context_end_server(conn, walk);
	}
	flow_restart(flow);
}

/* Reports the end of a message that its head's record could not carry. */
SUBPROGRAM int message_end(struct conn *conn, struct walk *walk)
{
	struct flow *flow;
	struct event_end *event;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	event = RECORD(walk, event_end);
	if (!flow->mute) {
		header_init(&event->header, flow, EVENT_END, flow->last_ns, conn->cookie);
		event->body_bytes = flow->body;
		capture_emit(walk, sizeof(*event), 0);
	}
	message_ended(conn, walk, flow);
	return 0;
}

/* Would a message in the call's direction be a request, as far as is known? */
static __always_inline int flow_is_request(const struct conn *conn, const struct walk *walk)
{
	return walk->dir == (conn->role == ROLE_CLIENT ? DIR_OUT : DIR_IN);
}

/* Exchanges from the oldest unanswered one on get no answer, or one that was not understood
 * (BLIND). */
SUBPROGRAM int report_close(struct conn *conn, struct walk *walk, int error, __u32 flags)
{
	struct event_close *event;
	struct flow *flow;

	if (!conn || !walk)
		return 0;
	flow = &conn->flow[conn->role == ROLE_SERVER ? DIR_OUT : DIR_IN];
	event = RECORD(walk, event_close);
	header_init(&event->header, flow, EVENT_CLOSE, walk->now_ns, conn->cookie);
	event->header.message = MESSAGE_RESPONSE;
	event->header.exchange = conn->answered + 1;
	event->header.flags = flags;
	event->body_bytes = flow->phase == FLOW_START ? 0 : flow->body;
	event->end_ns = flow->phase == FLOW_START ? 0 : flow->last_ns;
	event->error = error;
	event->pad = 0;
	capture_emit(walk, sizeof(*event), 0);
	conn->answered = conn->requests;
	if (conn->role == ROLE_SERVER)
		context_end_server(conn, walk);
	return 0;
}

/*
 * A message begins. What it says about the other direction: on a unix socket, a body there that has
 * not ended was taken by splice(2), which is not seen (TCP tells by sequence numbers). And if bytes
 * went there that were not understood, they were the answer to what is unanswered.
 */
static __always_inline void other_direction(struct conn *conn, struct walk *walk)
{
	struct flow *other = &conn->flow[walk->dir == DIR_OUT ? DIR_IN : DIR_OUT];

	if (conn->family == AF_UNIX && other->phase >= FLOW_BODY && other->phase < FLOW_CLOSE) {
		other->body += other->left;
		walk->dir ^= 1;
		message_end(conn, walk);
		walk->dir ^= 1;
	}
	if (other->unframed && conn->requests != conn->answered && flow_is_request(conn, walk))
		report_close(conn, walk, 0, EVENT_F_BLIND);
	other->unframed = 0;
}

/*
 * First sequence number of the server's direction: what has passed since is counted by the kernel.
 * The two reads race with the softirq that adds to both; the count is read twice to see it.
 */
static __always_inline __u32 server_seq_base(const struct conn *conn, const struct walk *walk)
{
	struct tcp_sock *tp = (struct tcp_sock *)walk->sk;
	__u32 base = 0;

	for (int i = 0; i < 4; i++) {
		__u64 before, after;
		__u32 next;

		if (conn->role == ROLE_SERVER) {
			before = BPF_CORE_READ(tp, bytes_acked);
			next = BPF_CORE_READ(tp, snd_una);
			after = BPF_CORE_READ(tp, bytes_acked);
		} else {
			before = BPF_CORE_READ(tp, bytes_received);
			next = BPF_CORE_READ(tp, rcv_nxt);
			after = BPF_CORE_READ(tp, bytes_received);
		}
		base = next - (__u32)before;
		if (before == after)
			break;
	}
	return base;
}

static __always_inline void event_join(struct event_request *event, const struct conn *conn,
				       const struct flow *flow)
{
	int client = conn->role == ROLE_CLIENT;

	if (conn->family == AF_UNIX) {
		event->join.client = client ? conn->self : conn->peer;
		event->join.server = client ? conn->peer : conn->self;
	} else {
		event->join.client = flow->first_seq;
		event->join.server = conn->seq_base;
	}
}

/* Fills in the record of a new request: who, where, and its place in a trace. */
SUBPROGRAM int request_record(struct conn *conn, struct walk *walk)
{
	struct event_request *event;
	struct flow *flow;

	if (!conn || !walk)
		return 0;
	event = RECORD(walk, event_request);
	flow = walk_flow(conn, walk);
	if (conn->family != AF_UNIX && !conn->seq_base)
		conn->seq_base = server_seq_base(conn, walk);
	header_init(&event->header, flow, EVENT_REQUEST, flow->first_ns, conn->cookie);
	event->tuple = conn->tuple;
	event->family = conn->family;
	event_join(event, conn, flow);
	event->role = conn->role;
	event->tid = walk->tid;
	event->evidence = EVIDENCE_NONE;
	event->trace_flags = 0;
	__builtin_memset(event->pad, 0, sizeof(event->pad));
	__builtin_memset(&event->context, 0, sizeof(event->context));
	*(__u64 *)event->parent_id = 0;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	if (conn->role == ROLE_SERVER)
		context_begin_server(conn, walk, event);
	else
		context_begin_client(conn, walk, event);
	return 0;
}

/* Was the method of that request HEAD? Its answer has no body, whatever its head says. */
static __always_inline int to_head_get(const struct conn *conn, __u32 exchange)
{
	__u32 word = exchange / 64 & (CONN_EXCHANGES_MAX / 64 - 1);

	return conn->to_head[word] >> (exchange & 63) & 1;
}

static __always_inline void to_head_set(struct conn *conn, __u32 exchange, int is_head)
{
	__u32 word = exchange / 64 & (CONN_EXCHANGES_MAX / 64 - 1);
	__u64 bit = 1ULL << (exchange & 63);

	conn->to_head[word] = is_head ? conn->to_head[word] | bit : conn->to_head[word] & ~bit;
}

/*
 * A head has been recognised at the piece's first byte: gives the message its role, number and
 * flags. Non-zero: it cannot be a message of this connection.
 */
SUBPROGRAM int message_begin(struct conn *conn, struct walk *walk, __u32 start)
{
	struct flow *flow;
	__u8 role;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	role = (start == HTTP1_REQUEST) == (walk->dir == DIR_OUT) ? ROLE_CLIENT : ROLE_SERVER;
	if (conn->role != ROLE_UNKNOWN && conn->role != role)
		return -1;
	conn->role = role;
	conn->verdict = VERDICT_TRACED;
	flow->misses = 0;
	flow->is_request = start == HTTP1_REQUEST;
	other_direction(conn, walk);
	if (flow->is_request) {
		if (conn->requests - conn->answered >= CONN_EXCHANGES_MAX) {
			stat_add(STAT_PIPELINED);
			conn->answered = conn->requests;
		}
		flow->exchange = ++conn->requests;
		to_head_set(conn, flow->exchange, http1_is_head_method(walk->piece.data));
		conn->to_connect = http1_is_connect_method(walk->piece.data);
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
		body = http1_request_body(&flow->head);
	else
		body = http1_response_body(&flow->head, flow->status,
					   to_head_get(conn, flow->exchange), conn->to_connect);
	switch (body) {
	case HTTP1_BODY_NONE:
		return 1;
	case HTTP1_BODY_TUNNEL:
		*flags |= EVENT_F_UPGRADE;
		return 1;
	case HTTP1_BODY_LENGTH:
		flow->phase = FLOW_BODY;
		flow->left = flow->head.content_length;
		if (flow->left > walk->len - walk->at)
			return 0;
		/* the whole body came with this call */
		walk->at += flow->left;
		flow->body = flow->left;
		flow->last_ns = walk->now_ns;
		return 1;
	case HTTP1_BODY_CHUNKED:
		flow->phase = FLOW_CHUNK_SIZE;
		__builtin_memset(&flow->chunk, 0, sizeof(flow->chunk));
		return 0;
	case HTTP1_BODY_CLOSE:
		flow->phase = FLOW_CLOSE;
		return 0;
	}
	return 1;
}

/* Of `len` bytes of a head, those that the capture limit lets out. */
static __always_inline __u32 head_room(struct flow *flow, __u32 len, __u8 *flags)
{
	__u32 max = flow->is_request ? knobs.request_head_max : knobs.response_head_max;
	__u32 left = max > flow->head_sent ? max - flow->head_sent : 0;

	if (len > left) {
		*flags |= EVENT_F_TRUNCATED;
		len = left;
	}
	flow->head_sent += len;
	return len;
}

/*
 * The head of a request is complete, or as much of it as is looked at: what context it came with.
 * Non-zero: it has been settled before, or is not yet.
 */
static __always_inline int context_settle(struct conn *conn, struct walk *walk, struct flow *flow,
					  __u8 flags, struct event_context *ret_context)
{
	if (!flow->is_request || flow->settled || !(flags & (EVENT_F_HEAD_END | EVENT_F_TRUNCATED)))
		return -1;
	flow->settled = 1;
	return context_receive(conn, walk, ret_context);
}

/* Writes the record for `len` bytes of a head. */
SUBPROGRAM int head_emit(struct conn *conn, struct walk *walk, __u32 len, __u32 flags)
{
	struct flow *flow;
	__u8 more = flags;
	int first;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	first = flow->head_sent == 0;
	if (flow->interim)
		more |= EVENT_F_INTERIM;
	len = head_room(flow, len, &more);
	if (first && flow->is_request) {
		struct event_request *event = RECORD(walk, event_request);

		if (!context_settle(conn, walk, flow, more, &event->context) &&
		    event->context.use == CONTEXT_TAKEN) {
			context_place(event, &conn->own);
			*(__u64 *)event->parent_id = event->context.carried.span_id;
			event->evidence = event->context.evidence;
		}
		event->header.flags = more;
		event->body_bytes = flow->body;
		event->end_ns = flow->last_ns;
		event->head_len = len;
		if (capture_emit(walk, sizeof(*event), len))
			stat_add(STAT_REQUESTS_LOST);
		return 0;
	}
	if (first) {
		struct event_response *event = RECORD(walk, event_response);

		header_init(&event->header, flow, EVENT_RESPONSE, flow->first_ns, conn->cookie);
		event->header.flags = more;
		event->body_bytes = flow->body;
		event->end_ns = flow->last_ns;
		event->status = flow->status;
		event->pad = 0;
		event->head_len = len;
		return capture_emit(walk, sizeof(*event), len);
	}
	struct event_head_more *event = RECORD(walk, event_head_more);

	header_init(&event->header, flow, EVENT_HEAD_MORE, walk->now_ns, conn->cookie);
	event->header.flags = more;
	event->body_bytes = flow->body;
	event->end_ns = flow->last_ns;
	event->head_len = len;
	event->trace_flags = 0;
	__builtin_memset(event->pad, 0, sizeof(event->pad));
	__builtin_memset(&event->context, 0, sizeof(event->context));
	if (!context_settle(conn, walk, flow, more, &event->context))
		event->trace_flags = conn->own.flags;
	return capture_emit(walk, sizeof(*event), len);
}

/* Keeps the piece's bytes from `from` to `len` for the next call. */
static __always_inline void flow_keep(struct flow *flow, const struct walk *walk, __u32 from,
				      __u32 len)
{
	__u64 rest = len - from;

	verify_here(rest);
	flow->carry_len = 0;
	if (rest == 0 || rest > FLOW_CARRY_MAX || from >= PIECE_MAX)
		return;
	bpf_probe_read_kernel(flow->carry, rest, walk->piece.data + from);
	flow->carry_len = rest;
}

/* Puts what was kept of earlier calls into the piece; gives its length. */
static __always_inline __u32 flow_kept(const struct flow *flow, struct walk *walk)
{
	__u32 kept = flow->carry_len;

	if (kept > FLOW_CARRY_MAX)
		return 0;
	bpf_probe_read_kernel(walk->piece.data, kept, flow->carry);
	return kept;
}

/* Bytes that are left of the call, at most `max`. */
static __always_inline __u32 walk_room(const struct walk *walk, __u32 max)
{
	__u32 left = walk->len - walk->at;

	return left < max ? left : max;
}

/* This call does not start a message: try again with the next ones, for a while. */
static __always_inline enum step flow_miss(struct conn *conn, struct flow *flow)
{
	__u32 max = conn->verdict == VERDICT_TRACED ? CONN_RESYNC_MAX : CONN_MISSES_MAX;

	flow_restart(flow);
	flow->unframed = 1;
	if (conn->verdict == VERDICT_TRACED)
		stat_add(STAT_UNFRAMED);
	if (++flow->misses >= max)
		conn->verdict = VERDICT_OPAQUE;
	return STEP_STOP;
}

/* Notes time and place of a message's first byte. */
static __always_inline void flow_first_byte(struct conn *conn, struct walk *walk, struct flow *flow)
{
	flow->first_ns = walk->now_ns;
	if (conn->family != AF_UNIX)
		flow->first_seq = walk_seq(conn, walk);
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
	int begins, whole, ends = 0;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	kept = walk->kept;
	len = kept + walk->got;
	begins = flow->phase == FLOW_START;
	used = http1_scan(&flow->head, &conn->fields, &walk->piece, len, flow->is_request);
	if (flow->head.bad) {
		conn->verdict = VERDICT_OPAQUE;
		return STEP_STOP;
	}
	/* a line that only the end of the piece has cut is read again, whole */
	whole = http1_leaves(&flow->head) || (used > kept && len - kept < walk->len - walk->at);
	out = used;
	if (!whole && len - used > FLOW_CARRY_MAX) {
		out = len;
		http1_let_go(&flow->head, &conn->fields, &walk->piece, used);
	}
	flow->last_ns = walk->now_ns;
	flow->carry_len = 0;
	if (!whole)
		flow_keep(flow, walk, out, len);
	walk->at += (whole ? used : len) - kept;
	if (out == 0)
		return STEP_NEXT;
	flow->phase = FLOW_HEAD;
	if (begins && flow->is_request && !flow->mute)
		request_record(conn, walk);
	if (flow->head.done) {
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
		return flow_miss(conn, flow);
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
		if (start == HTTP1_NO && kept) {
			/* what was kept belongs to nothing that goes on here */
			flow->carry_len = 0;
			return STEP_NEXT;
		}
		if (start == HTTP1_NO)
			return flow_miss(conn, flow);
		/* a start line that goes on in the next call is met here a second time */
		if (!flow->head.begun && message_begin(conn, walk, start))
			return flow_miss(conn, flow);
		flow->head.begun = 1;
	}
	walk->kept = kept;
	return STEP_HEAD;
}

/* Skips counted bytes. Non-zero: all of them have passed. */
static __always_inline int skip_left(struct walk *walk, struct flow *flow)
{
	__u64 have = walk->len - walk->at;
	__u64 n = flow->left < have ? flow->left : have;

	walk->at += n;
	flow->left -= n;
	flow->last_ns = walk->now_ns;
	if (flow->phase != FLOW_CHUNK_CRLF)
		flow->body += n;
	return flow->left == 0;
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
		walk->at += http1_chunk_line(&flow->chunk, &walk->piece, got);
	if (got <= 0 || flow->chunk.bad) {
		message_end(conn, walk);
		return flow_miss(conn, flow);
	}
	if (flow->chunk.done) {
		flow->left = flow->chunk.size;
		flow->phase = flow->left ? FLOW_CHUNK_DATA : FLOW_TRAILER;
		__builtin_memset(&flow->chunk, 0, sizeof(flow->chunk));
		__builtin_memset(&flow->head, 0, sizeof(flow->head));
		flow->head.lines = 1; /* trailer fields have no start line */
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
		return flow_miss(conn, flow);
	}
	flow->last_ns = walk->now_ns;
	used = http1_scan(&flow->head, &conn->fields, &walk->piece, kept + got, 0);
	if (http1_leaves(&flow->head)) {
		walk->at += used - kept;
		flow->carry_len = 0;
		if (flow->head.done)
			message_end(conn, walk);
		return STEP_NEXT;
	}
	walk->at += got;
	if (kept + got - used > FLOW_CARRY_MAX)
		flow->head.midline = 1;
	flow_keep(flow, walk, used, kept + got);
	return STEP_NEXT;
}

/* One function per phase. */
SUBPROGRAM int conn_step(struct conn *conn, struct walk *walk)
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
		return step == STEP_HEAD ? step_head(conn, walk) : step;
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

SUBPROGRAM int conn_walk(struct conn *conn, struct walk *walk)
{
	if (!conn || !walk)
		return 0;
	walk->silent = conn->wire & WIRE_F_TEST;
	for (__u64 i = 0; i < WALK_STEPS_MAX; i++) {
		if (conn_step(conn, walk) != STEP_NEXT)
			break;
	}
	if (walk->at < walk->len && conn->verdict == VERDICT_TRACED &&
	    walk_flow(conn, walk)->phase != FLOW_START) {
		/* the rest of the call is given up, and with it the message that it belongs to */
		stat_add(STAT_TOO_MANY);
		message_end(conn, walk);
	}
	if (walk->dir == DIR_IN)
		context_resume(conn);
	return 0;
}

SUBPROGRAM int conn_finish(struct conn *conn, struct walk *walk, int error)
{
	struct flow *flow;

	if (!conn || !walk || conn->closed || conn->verdict != VERDICT_TRACED)
		return 0;
	walk->silent = conn->wire & WIRE_F_TEST;
	walk->dir = conn->role == ROLE_SERVER ? DIR_OUT : DIR_IN;
	flow = walk_flow(conn, walk);
	if (flow->phase == FLOW_CLOSE && !error)
		message_end(conn, walk);
	if (conn->answered != conn->requests)
		report_close(conn, walk, error, 0);
	conn->closed = 1;
	return 0;
}
