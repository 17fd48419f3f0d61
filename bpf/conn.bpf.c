// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The walk over one call's bytes: step by step, each direction by its own phase, and each step by
 * the connection's protocol. Records of messages that follow each other are written here, too.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "lib/emit.bpf.h"
#include "lib/flow.bpf.h"

#define WALK_STEPS_MAX 512

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
		header_init(&event->header, conn, flow, EVENT_END, flow->last_ns);
		event->body_bytes = flow->body;
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
	event->header.exchange = conn->answered + 1;
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

/* The thread's name. Asked for when a connection changes hands: it costs more than the copy. */
static __always_inline void event_comm(struct event_request *event, struct conn *conn,
				       const struct walk *walk)
{
	if (conn->comm_tid != walk->tid) {
		bpf_get_current_comm(conn->comm, sizeof(conn->comm));
		conn->comm_tid = walk->tid;
	}
	((__u64 *)event->comm)[0] = ((__u64 *)conn->comm)[0];
	((__u64 *)event->comm)[1] = ((__u64 *)conn->comm)[1];
}

/* Fills in the record of a new request: who and where. Its place in a trace is not known yet. */
static __always_inline void request_fill(struct event_request *event, struct conn *conn,
					 struct walk *walk, struct flow *flow)
{
	if (conn->family != AF_UNIX && !conn->seq_base)
		conn->seq_base = server_seq_base(conn, walk);
	header_init(&event->header, conn, flow, EVENT_REQUEST, flow->first_ns);
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
	event_comm(event, conn, walk);
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

/* Is the head of a request complete now, or as much of it as is looked at? Once. */
static __always_inline int context_settles(struct flow *flow, __u8 flags)
{
	if (!flow->is_request || flow->settled || !(flags & (EVENT_F_HEAD_END | EVENT_F_TRUNCATED)))
		return 0;
	flow->settled = 1;
	return 1;
}

/* Writes the record of a request: its head, or the beginning of it. */
static __always_inline int request_emit(struct conn *conn, struct walk *walk, struct flow *flow,
					__u32 len, __u8 flags)
{
	struct event_request *event;

	event = RECORD(walk, event_request);
	request_fill(event, conn, walk, flow);
	context_begin(conn, walk, event, context_settles(flow, flags));
	event->header.flags = flags;
	event->body_bytes = flow->body;
	event->end_ns = flow->last_ns;
	event->head_len = len;
	if (record_emit(walk, sizeof(*event), len))
		stat_add(STAT_REQUESTS_LOST);
	return 0;
}

/* The same of a response. */
static __always_inline int response_emit(struct conn *conn, struct walk *walk, struct flow *flow,
					 __u32 len, __u8 flags)
{
	struct event_response *event = RECORD(walk, event_response);

	header_init(&event->header, conn, flow, EVENT_RESPONSE, flow->first_ns);
	event->header.flags = flags;
	event->body_bytes = flow->body;
	event->end_ns = flow->last_ns;
	event->status = flow->status;
	event->pad = 0;
	event->head_len = len;
	return record_emit(walk, sizeof(*event), len);
}

/* What follows of a head. */
static __always_inline int more_emit(struct conn *conn, struct walk *walk, struct flow *flow,
				     __u32 len, __u8 flags)
{
	struct event_head_more *event;

	event = RECORD(walk, event_head_more);
	header_init(&event->header, conn, flow, EVENT_HEAD_MORE, walk->now_ns);
	event->header.flags = flags;
	event->body_bytes = flow->body;
	event->end_ns = flow->last_ns;
	event->head_len = len;
	event->trace_flags = 0;
	__builtin_memset(event->pad, 0, sizeof(event->pad));
	__builtin_memset(&event->context, 0, sizeof(event->context));
	if (context_settles(flow, flags)) {
		context_receive(conn, walk, &event->context);
		event->trace_flags = conn->own.flags;
	}
	return record_emit(walk, sizeof(*event), len);
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
	if (!first)
		return more_emit(conn, walk, flow, len, more);
	if (flow->is_request)
		return request_emit(conn, walk, flow, len, more);
	return response_emit(conn, walk, flow, len, more);
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
		if (++conn->protocol < PROTOCOL_ID_MAX)
			return STEP_NEXT;
		conn->protocol = PROTOCOL_FIRST;
	}
	if (!flow->carry_len)
		return flow_miss(conn, flow);
	/* what was kept belongs to nothing that goes on here */
	flow->carry_len = 0;
	return STEP_NEXT;
}

/* One function per protocol. */
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

SUBPROGRAM int conn_walk(struct conn *conn, struct walk *walk)
{
	if (!conn || !walk)
		return 0;
	walk->silent = conn->wire & WIRE_F_TEST;
	walk->served = 0;
	for (__u64 i = 0; i < WALK_STEPS_MAX; i++) {
		int step;

		if (walk->at >= walk->len)
			break;
		step = protocol_step(conn, walk);
		if (step == STEP_OTHER)
			step = step_other(conn, walk);
		if (step != STEP_NEXT)
			break;
	}
	if (walk->at < walk->len && conn->verdict == VERDICT_TRACED &&
	    walk_flow(conn, walk)->phase != FLOW_START) {
		/* the rest of the call is given up, and with it the message that it belongs to */
		stat_add(STAT_TOO_MANY);
		message_end(conn, walk);
	}
	if (walk->dir == DIR_IN && conn->unit == UNIT_EVENT_LOOP && !walk->served)
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
