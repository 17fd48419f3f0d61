// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The walk over one call's bytes: step by step, each direction by its own phase, and each step by
 * the connection's protocol. Records of messages that follow each other are written here, too.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "classify/tls.h"
#include "lib/emit.bpf.h"
#include "lib/flow.bpf.h"

#define WALK_STEPS_MAX 512
#define WALK_STEPS     16 /* at a time: two short loops are verified sooner than a long one */

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
		end_init(event, conn, flow);
		record_emit(walk, sizeof(*event), 0);
	}
	message_ended(conn, walk, flow);
	return 0;
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
	header_init(&event->header, conn, flow, EVENT_CLOSE, walk->now_ns);
	event->header.message = MESSAGE_RESPONSE;
	event->header.exchange = conn->framed ? 0 : conn->answered + 1;
	event->header.flags = flags;
	event->body_bytes = flow->phase == FLOW_START ? 0 : flow->body;
	event->end_ns = flow->phase == FLOW_START ? 0 : flow->last_ns;
	event->error = error;
	event->pad = 0;
	record_emit(walk, sizeof(*event), 0);
	conn->answered = conn->requests;
	if (conn->role == ROLE_SERVER)
		context_end_server(conn, walk);
	return 0;
}

/*
 * First sequence number of a direction: what has passed since is counted by the kernel. The two
 * reads race with the softirq that adds to both; the count is read twice to see it.
 */
static __always_inline __u32 direction_base(const struct walk *walk, int sent)
{
	struct tcp_sock *tp = (struct tcp_sock *)walk->sk;
	__u32 base = 0;

	for (int i = 0; i < 4; i++) {
		__u64 before, after;
		__u32 next;

		if (sent) {
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

/* The names of a TCP connection's directions, as both ends know them. */
SUBPROGRAM int bases_find(struct conn *conn, struct walk *walk)
{
	int server;

	if (!conn || !walk || conn->family == AF_UNIX)
		return 0;
	server = conn->role == ROLE_SERVER;
	if (!conn->seq_base)
		conn->seq_base = direction_base(walk, server);
	/* who has opened the connection counts its SYN as a byte that was acknowledged */
	if (conn->framed && !conn->client_base)
		conn->client_base = direction_base(walk, !server) + !server;
	return 0;
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
	bases_find(conn, walk);
	header_init(&event->header, conn, flow, EVENT_REQUEST, flow->first_ns);
	event->tuple = conn->tuple;
	event->family = conn->family;
	join_of(&event->join, conn, flow);
	event->role = conn->role;
	event->tid = walk->tid;
	event->evidence = EVIDENCE_NONE;
	event->trace_flags = 0;
	event->tls = conn->tls_version;
	event->tls_cipher = conn->tls_cipher;
	__builtin_memset(&event->context, 0, sizeof(event->context));
	*(__u64 *)event->parent_id = 0;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	if (conn->role == ROLE_SERVER)
		context_begin_server(conn, walk, event);
	else
		context_begin_client(conn, walk, event);
	return 0;
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
		if (record_emit(walk, sizeof(*event), len))
			stat_add(STAT_REQUESTS_LOST);
		return 0;
	}
	if (first) {
		struct event_response *event = RECORD(walk, event_response);

		response_init(event, conn, flow, more, len);
		event->status = flow->status;
		return record_emit(walk, sizeof(*event), len);
	}
	struct event_head_more *event = RECORD(walk, event_head_more);

	more_init(event, conn, flow, more, len);
	if (!context_settle(conn, walk, flow, more, &event->context))
		event->trace_flags = conn->own.flags;
	return record_emit(walk, sizeof(*event), len);
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

#define TLS_LOOK 8 /* bytes that show whether a record begins */

/* Does the connection carry records of TLS? Then nothing else is looked for. */
static __always_inline int tls_begins(struct conn *conn, struct walk *walk)
{
	int got;

	if (!knobs.tls || conn->tls != TLS_NO)
		return 0;
	got = capture_fill(walk, 0, walk_room(walk, TLS_LOOK));
	if (got <= 0 || !tls_starts(walk->piece.data, got))
		return 0;
	conn->tls = TLS_RECORDS;
	conn->verdict = VERDICT_OPAQUE;
	return 1;
}

/*
 * No message of the connection's protocol starts here. As long as none was seen on it, the
 * protocols are asked one after the other.
 */
SUBPROGRAM int step_other(struct conn *conn, struct walk *walk)
{
	struct flow *flow;

	if (!conn || !walk)
		return STEP_STOP;
	flow = walk_flow(conn, walk);
	if (conn->verdict == VERDICT_UNDECIDED) {
		if (!flow->carry_len && tls_begins(conn, walk))
			return STEP_STOP;
		if (++conn->protocol < PROTOCOL_ID_MAX)
			return STEP_NEXT;
		conn->protocol = PROTOCOL_FIRST + conn->upgraded;
	}
	if (!flow->carry_len)
		return flow_miss(conn, flow);
	/* what was kept belongs to nothing that goes on here */
	flow->carry_len = 0;
	return STEP_NEXT;
}

/* Two functions per protocol: with STEP_INSIDE the first one leaves the rest to the second. */
static __always_inline int protocol_step(struct conn *conn, struct walk *walk)
{
	switch (conn->protocol) {
#define PROTOCOL(constant, name)                                                                   \
	case PROTOCOL_##constant:                                                                  \
		return name##_step(conn, walk);
#include "abi/protocols.def"
#undef PROTOCOL
	default:
		return STEP_STOP;
	}
}

static __always_inline int protocol_inside(struct conn *conn, struct walk *walk)
{
	switch (conn->protocol) {
#define PROTOCOL(constant, name)                                                                   \
	case PROTOCOL_##constant:                                                                  \
		return name##_inside(conn, walk);
#include "abi/protocols.def"
#undef PROTOCOL
	default:
		return STEP_STOP;
	}
}

/* Some steps. What they call comes one behind the other: it shares 512 bytes of stack, and no more
 * than eight functions may wait for each other. */
SUBPROGRAM int conn_steps(struct conn *conn, struct walk *walk)
{
	if (!conn || !walk)
		return STEP_STOP;
	for (__u64 i = 0; i < WALK_STEPS; i++) {
		int step;

		if (walk->at >= walk->len)
			return STEP_STOP;
		step = protocol_step(conn, walk);
		if (step == STEP_INSIDE)
			step = protocol_inside(conn, walk);
		if (step == STEP_OTHER)
			step = step_other(conn, walk);
		if (step != STEP_NEXT)
			return STEP_STOP;
	}
	return STEP_NEXT;
}

/* The rest of a call is given up, and with it the message, or the streams, that it belongs to. */
SUBPROGRAM int walk_give_up(struct conn *conn, struct walk *walk)
{
	if (!conn || !walk || (!conn->framed && walk_flow(conn, walk)->phase == FLOW_START))
		return 0;
	stat_add(STAT_TOO_MANY);
	if (!conn->framed)
		return message_end(conn, walk);
	conn->verdict = VERDICT_OPAQUE;
	return report_close(conn, walk, 0, EVENT_F_BLIND);
}

SUBPROGRAM int conn_walk(struct conn *conn, struct walk *walk)
{
	if (!conn || !walk)
		return 0;
	walk->silent = conn->wire & WIRE_F_TEST;
	if (walk->dir == DIR_IN)
		conn->touched = conn->mixed = 0;
	else
		conn->walked = 1;
	for (__u64 i = 0; i < WALK_STEPS_MAX / WALK_STEPS; i++) {
		if (conn_steps(conn, walk) != STEP_NEXT)
			break;
	}
	if (walk->at < walk->len && conn->verdict == VERDICT_TRACED)
		walk_give_up(conn, walk);
	if (walk->dir == DIR_IN)
		context_resume(conn);
	return 0;
}

SUBPROGRAM int conn_pass(struct conn *conn, struct walk *walk)
{
	struct flow *flow;

	if (!conn || !walk)
		return 0;
	walk->silent = conn->wire & WIRE_F_TEST;
	flow = walk_flow(conn, walk);
	/* what of them belongs to a header block cannot be told */
	if (conn->framed)
		return walk_give_up(conn, walk);
	if (flow->phase == FLOW_CLOSE)
		skip_call(walk, flow);
	else if (flow->phase == FLOW_CHUNK_DATA || flow->phase == FLOW_CHUNK_CRLF)
		skip_chunk(walk, flow);
	else if (flow->phase == FLOW_BODY && skip_left(walk, flow))
		message_end(conn, walk);
	if (walk->at < walk->len) {
		if (flow->phase <= FLOW_HEAD)
			stat_add(STAT_NO_BUFFER);
		else
			message_end(conn, walk);
		flow_miss(conn, flow);
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
	if (conn->framed || conn->answered != conn->requests)
		report_close(conn, walk, error, 0);
	conn->closed = 1;
	return 0;
}
