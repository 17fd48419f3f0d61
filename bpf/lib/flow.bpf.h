/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the walks of all protocols do with a flow and a call's bytes. */
#ifndef WEFT_LIB_FLOW_BPF_H
#define WEFT_LIB_FLOW_BPF_H

#include "lib/sequence.bpf.h"
#include "maps.bpf.h"

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
	flow->messages = 0;
	flow->left = 0;
	flow->head_sent = 0;
	flow->mute = 0;
	flow->interim = 0;
	flow->settled = 0;
	flow->carry_len = 0;
	flow->status = 0;
	__builtin_memset(flow->state, 0, sizeof(flow->state));
}

static __always_inline void header_init(struct event_header *header, const struct conn *conn,
					const struct flow *flow, __u8 type, __u64 time_ns)
{
	header->type = type;
	header->protocol = conn->protocol;
	header->message = flow->is_request ? MESSAGE_REQUEST : MESSAGE_RESPONSE;
	header->flags = 0;
	header->time_ns = time_ns;
	header->conn = conn->cookie;
	header->exchange = flow->exchange;
}

/* The record of a response's head, of which `len` bytes are in the piece. */
static __always_inline void response_init(struct event_response *event, const struct conn *conn,
					  const struct flow *flow, __u8 flags, __u32 len)
{
	header_init(&event->header, conn, flow, EVENT_RESPONSE, flow->first_ns);
	event->header.flags = flags;
	event->body_bytes = flow->body;
	event->end_ns = flow->last_ns;
	event->status = 0;
	event->early = 0;
	event->pad = 0;
	event->head_len = len;
	event->messages = flow->messages;
	event->pad2 = 0;
}

/* The same of a head that goes on. */
static __always_inline void more_init(struct event_head_more *event, const struct conn *conn,
				      const struct flow *flow, __u8 flags, __u32 len)
{
	header_init(&event->header, conn, flow, EVENT_HEAD_MORE, flow->last_ns);
	event->header.flags = flags;
	event->body_bytes = flow->body;
	event->end_ns = flow->last_ns;
	event->head_len = len;
	event->messages = flow->messages;
	event->trace_flags = 0;
	__builtin_memset(event->pad, 0, sizeof(event->pad));
	__builtin_memset(&event->context, 0, sizeof(event->context));
}

/* The same of the end of a message that its head's record could not carry. */
static __always_inline void end_init(struct event_end *event, const struct conn *conn,
				     const struct flow *flow)
{
	header_init(&event->header, conn, flow, EVENT_END, flow->last_ns);
	event->body_bytes = flow->body;
	event->messages = flow->messages;
	event->pad = 0;
}

/* Would a message in the call's direction be a request, as far as is known? */
static __always_inline int flow_is_request(const struct conn *conn, const struct walk *walk)
{
	return walk->dir == (conn->role == ROLE_CLIENT ? DIR_OUT : DIR_IN);
}

/* Bookkeeping at a message's last byte. */
static __always_inline void message_ended(struct conn *conn, struct walk *walk, struct flow *flow)
{
	if (!flow->is_request && !flow->interim && !flow->mute) {
		conn->answered = flow->exchange;
		conn->wire &= ~WIRE_F_UNSEEN;
		if (conn->role == ROLE_SERVER && conn->answered == conn->requests)
			context_end_server(conn, walk);
	}
	flow_restart(flow);
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

/*
 * Puts what was kept of earlier calls into the piece; gives its length. That is read a second time,
 * so that the verifier does not follow what comes next once for none and once for some.
 */
static __always_inline __u32 flow_kept(const struct flow *flow, struct walk *walk)
{
	__u64 kept = flow->carry_len;

	verify_here(kept);
	if (kept && kept <= FLOW_CARRY_MAX)
		bpf_probe_read_kernel(walk->piece.data, kept, flow->carry);
	return *(const volatile __u8 *)&flow->carry_len;
}

/* Bytes that are left of the call, at most `max`. */
static __always_inline __u32 walk_room(const struct walk *walk, __u32 max)
{
	__u32 left = walk->len - walk->at;

	return left < max ? left : max;
}

/* Notes time and place of a message's first byte. */
static __always_inline void flow_first_byte(struct conn *conn, struct walk *walk, struct flow *flow)
{
	flow->first_ns = walk->now_ns;
	if (conn->family != AF_UNIX)
		flow->first_seq = walk_seq(conn, walk);
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

/* Skips a chunk's data and what ends it, as far as the call goes. */
static __always_inline void skip_chunk(struct walk *walk, struct flow *flow)
{
	if (flow->phase == FLOW_CHUNK_DATA && skip_left(walk, flow)) {
		flow->phase = FLOW_CHUNK_CRLF;
		flow->left = 2;
	}
	if (flow->phase == FLOW_CHUNK_CRLF && skip_left(walk, flow))
		flow->phase = FLOW_CHUNK_SIZE;
}

/* Skips the rest of the call, of a message that ends with the connection. */
static __always_inline void skip_call(struct walk *walk, struct flow *flow)
{
	flow->body += walk->len - walk->at;
	flow->last_ns = walk->now_ns;
	walk->at = walk->len;
}

#endif
