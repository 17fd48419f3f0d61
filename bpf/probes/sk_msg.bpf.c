// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Messages of enrolled sockets, before they leave: the head of a request gains its context, behind
 * the request line, or as the last field of a frame. Whatever is not certain leaves as it came.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "lib/header.h"
#include "lib/memory.bpf.h"
#include "lib/pass.bpf.h"
#include "lib/socket_call.bpf.h"
#include "lib/wire.bpf.h"

/* A pipeline that has not been heard of for as long gets no more headers made. */
#define ALIVE_NS (10LL * 1000 * 1000 * 1000)

/*
 * Makes room for `n` bytes, a constant, at `at` and writes them there. The room is a fragment of
 * its own, so it can be reached without copying. Gives `n`, or 0, if the message is as it was, or
 * INSERT_BROKEN.
 */
#define msg_insert(msg, at, text, n)                                                               \
	({                                                                                         \
		int gained = 0;                                                                    \
		if (!bpf_msg_push_data(msg, at, n, 0)) {                                           \
			char *data = NULL, *end = NULL;                                            \
			if (!bpf_msg_pull_data(msg, at, (at) + (n), 0)) {                          \
				data = (char *)(long)(msg)->data;                                  \
				end = (char *)(long)(msg)->data_end;                               \
			}                                                                          \
			if (data && data + (n) <= end) {                                           \
				__builtin_memcpy(data, text, n);                                   \
				gained = n;                                                        \
			} else if (bpf_msg_pop_data(msg, at, n, 0)) {                              \
				gained = INSERT_BROKEN;                                            \
			}                                                                          \
		}                                                                                  \
		gained;                                                                            \
	})

/* The lines of one propagator, behind the first line. Gives what msg_insert() gives. */
static __always_inline int insert_lines(struct sk_msg_md *msg, struct walk *walk,
					enum propagator form, const struct trace_context *context)
{
	char *text = (char *)walk->room;

	switch (form) {
	case PROPAGATOR_TRACECONTEXT:
		header_traceparent(text, context);
		return msg_insert(msg, walk->line_end, text, HEADER_TRACEPARENT_LEN);
	case PROPAGATOR_B3:
		header_b3(text, context);
		return msg_insert(msg, walk->line_end, text, HEADER_B3_LEN);
	case PROPAGATOR_B3MULTI:
		header_b3multi(text, context);
		return msg_insert(msg, walk->line_end, text, HEADER_B3MULTI_LEN);
	default:
		return 0;
	}
}

/*
 * In the forms that OTEL_PROPAGATORS asks for. Non-zero: the message must not leave. A function of
 * its own, so that its stack is not in use while the head is looked over.
 */
static __noinline int insert_context(struct sk_msg_md *msg, struct conn *conn, struct walk *walk)
{
	struct trace_context context = {};
	int gained = 0;
	__u64 forms = knobs.propagators;

	context_of(&context, &conn->own);
	conn->inserted = 0;
	conn->inserted_at = walk->line_end;
	for (__u32 i = 0; i < PROPAGATOR_MAX; i++, forms >>= PROPAGATOR_BITS) {
		enum propagator form = forms & ((1 << PROPAGATOR_BITS) - 1);

		if (form == PROPAGATOR_NONE)
			break;
		gained = insert_lines(msg, walk, form, &context);
		if (gained == INSERT_BROKEN)
			return -1;
		conn->inserted += gained;
	}
	if (conn->inserted)
		conn->wire |= WIRE_F_HEADER | WIRE_F_TOLD;
	stat_add(conn->inserted ? STAT_INJECTED : STAT_INJECT_FAILED);
	return 0;
}

/* Does somebody still read what the headers point to? */
static __always_inline int reader_alive(void)
{
	__u32 key = 0;
	const struct weft_control *page = bpf_map_lookup_elem(&control, &key);

	return page && (__s64)(bpf_ktime_get_ns() - page->alive_ns) < ALIVE_NS;
}

#define LINES_MAX   256	 /* bytes that the lines of one head may add to a message */
#define SEGMENT_OWN 1536 /* that the kernel needs to keep one segment */
#define OPTIONS_MAX 80	 /* of a segment, that may be options instead */
#define SURE_MAX    2048 /* that a socket with nothing to send takes whatever its buffer is */

/* What a socket may have unsent before it takes no more: TCP_NOTSENT_LOWAT, or its namespace's. */
static __always_inline __s64 unsent_max(struct tcp_sock *tp)
{
	struct net *net = BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.__sk_common.skc_net.net);

	return tp->notsent_lowat ?: BPF_CORE_READ(net, ipv4.sysctl_tcp_notsent_lowat);
}

/*
 * Bytes of a message that the socket is sure to take, where memory is to be had: one segment if
 * it has nothing to send, and else as many segments as fit half of its buffer, if that is free.
 * Memory for what is inserted is charged twice (bpf_msg_push_data() of net/core/filter.c).
 */
static __always_inline __s64 room_of(struct tcp_sock *tp, __s64 mss)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__s64 half = (__u32)sk->sk_sndbuf / 2, unsent = tp->write_seq - tp->snd_nxt, room, left;

	if ((__u32)sk->sk_wmem_queued >= half)
		return 0;
	room = (__u64)(half * mss) / (__u64)(mss + SEGMENT_OWN);
	left = unsent_max(tp) - unsent - 1;
	room = left < room ? left : room;
	if (socket_has_memory(sk))
		return room;
	left = (__s64)sk->sk_forward_alloc - SEGMENT_OWN;
	left = unsent || left < 0 ? 0 : (__u64)left / 2;
	left = left < mss ? left : mss;
	return left < room ? left : room;
}

/*
 * How far into a message headers may stand. The last one must leave in the call, with all that is
 * before it: if the socket takes less the program is told a number that has the gained bytes in it,
 * and sends bytes twice.
 */
static __always_inline __u32 place_max(struct tcp_sock *tp)
{
	__s64 mss = (__s64)tp->mss_cache - OPTIONS_MAX, sure = 0, room;

	if (mss <= 0)
		return 0;
	if (tp->write_seq == tp->snd_una)
		sure = mss < SURE_MAX ? mss : SURE_MAX;
	room = room_of(tp, mss);
	return room > sure ? room : sure;
}

/*
 * May this message be given a header? The first one of a call, that starts a request, on a
 * connection where nothing is under way, or of which it is known where the next frame begins.
 */
static __always_inline int message_fits(const struct conn *conn, struct tcp_sock *tp, __u32 mode)
{
	if (mode == WIRE_OFF || mode == WIRE_ENDING || conn->verdict == VERDICT_OPAQUE)
		return 0;
	if (conn->framed
		    ? conn->upgraded || !wire_frame_known(conn) || conn->framed_seq != tp->write_seq
		    : !wire_idle(conn) || tp->write_seq != tp->snd_una)
		return 0;
	if (tp->inet_conn.icsk_ulp_ops)
		return 0;
	return conn->wire & WIRE_F_TEST || reader_alive();
}

/* Points the walk at the message's bytes. Non-zero: they cannot be reached. */
static __always_inline int walk_message_out(struct walk *walk, struct sk_msg_md *msg, __u32 max)
{
	__u32 look = msg->size;

	if (look > max)
		look = max;
	if (bpf_msg_pull_data(msg, 0, look, 0))
		return -1;
	walk->len = look;
	walk->at = 0;
	walk->seg.base = (__u64)(long)msg->data;
	walk->seg.start = 0;
	walk->seg.len = look;
	walk->seg.n_iov = 0;
	walk->no_buffer = 0;
	walk->in_kernel = 1;
	return 0;
}

/*
 * Does the head name the span that the request that is served came with? Proxies hand that on. What
 * came over a connection that is not understood is known by its trace alone.
 */
static __noinline int context_passed(const struct context_fields *fields, const struct conn *conn)
{
	const struct request_ref *parent = &conn->parent;
	struct trace_context context = {}; /* Linux 5.15 hands no memory to fill to a subprogram */

	if (!parent->conn ||
	    context_resolve(fields, knobs.propagators, &context) != CONTEXT_PARENT ||
	    context.trace_id[0] != parent->trace_id[0] ||
	    context.trace_id[1] != parent->trace_id[1])
		return 0;
	return parent->adopted || context.span_id == parent->caller;
}

/* The request that begins in the message has its place: does its head name one itself? */
static __always_inline int context_kept(struct conn *conn, const struct walk *walk)
{
	if (!context_present(&walk->fields))
		return 0;
	conn->wire |= WIRE_F_HEADER | WIRE_F_TOLD;
	if (context_passed(&walk->fields, conn))
		conn->wire |= WIRE_F_PASSED;
	return 1;
}

/* If it names none it gains it. */
static __always_inline int request_out(struct sk_msg_md *msg, struct conn *conn, __u32 tid,
				       struct walk *walk)
{
	context_prepare(conn, conn->opener, tid);
	if (context_kept(conn, walk) || walk->line_end + LINES_MAX > walk->place_max)
		return 0;
	return insert_context(msg, conn, walk);
}

/* All of walk->heads gain a header. Non-zero: the message must not leave. */
static __noinline int heads_out(struct sk_msg_md *msg, struct conn *conn, struct walk *walk)
{
	__u64 n = walk->n_heads, last = n - 1;
	int gained;

	/* no heads make the last one a large number */
	verify_here(last);
	if (last >= HEADS_MAX)
		return 0;
	walk->line_end = walk->heads[last].end;
	gained = propagate_insert(msg, conn, walk);
	if (gained == INSERT_BROKEN)
		return -1;
	if (gained) {
		conn->inserted = gained;
		conn->inserted_at = walk->line_end;
		conn->wire |= WIRE_F_HEADER | WIRE_F_TOLD;
		stat_add_many(STAT_INJECTED, n);
		return 0;
	}
	stat_add_many(STAT_INJECT_FAILED, n);
	__builtin_memset(conn->heads.told, 0, sizeof(conn->heads.told));
	/* the first one has context of its own */
	if (walk->heads[0].stream != conn->heads.first)
		heads_tell(&conn->heads, conn->heads.first);
	return 0;
}

/* Where the first of the heads in the message is known. The others' parent is its own. */
static __always_inline int requests_out(struct sk_msg_md *msg, struct conn *conn, __u32 tid,
					struct walk *walk)
{
	struct conn_heads *heads = &conn->heads;
	struct trace_context first = {};
	int broken;

	if (conn->requests)
		conn->prepared = 0;
	context_prepare(conn, conn->opener, tid);
	context_kept(conn, walk);
	__builtin_memset(heads, 0, sizeof(*heads));
	heads->first = walk->frame.stream;
	heads->tid = tid;
	heads->seed = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32() | 1;
	walk->n_heads = 0;
	walk->field_len = fields_len(knobs.propagators);
	walk->heads_max = walk->field_len ? MESSAGE_GAIN_MAX / walk->field_len : 0;
	propagate_others(conn, walk);
	context_of(&first, &conn->own);
	broken = heads_out(msg, conn, walk);
	conn->own.trace_id[0] = first.trace_id[0];
	conn->own.trace_id[1] = first.trace_id[1];
	conn->own.span_id = first.span_id;
	conn->own.flags = first.flags;
	if (!heads->told[0])
		heads->seed = 0;
	return broken;
}

/*
 * The same where exchanges interleave. The connection's first request has the place that was told
 * with what opened it.
 */
static __always_inline int framed_out(struct sk_msg_md *msg, struct conn *conn, __u32 tid,
				      struct walk *walk)
{
	int framing = propagate_framed(conn, walk);

	if (framing == FRAMING_NO)
		conn->wire |= WIRE_F_OPAQUE;
	if (framing == FRAMING_NO || framing == FRAMING_NEVER) {
		conn->wire |= WIRE_F_LEAVE;
		return 0;
	}
	conn->wire |= WIRE_F_FRAMED;
	if (framing == FRAMING_NONE) {
		/* of what opens the connection, the option names what comes first */
		if (!conn->framed)
			context_prepare(conn, conn->opener, tid);
		return 0;
	}
	return requests_out(msg, conn, tid, walk);
}

static __always_inline int message_out(struct sk_msg_md *msg, struct conn *conn, __u32 tid,
				       struct walk *walk)
{
	if (walk_message_out(walk, msg, conn->framed ? MESSAGE_LOOK_FRAMED : MESSAGE_LOOK_MAX))
		return 0;
	if (conn->framed)
		return framed_out(msg, conn, tid, walk);
	if (propagate_survey(walk))
		return request_out(msg, conn, tid, walk);
	if (walk->at || conn->verdict == VERDICT_TRACED)
		return 0;
	return framed_out(msg, conn, tid, walk);
}

SEC("sk_msg")
int wire_message(struct sk_msg_md *msg)
{
	struct bpf_sock *sk = msg->sk;
	struct conn *conn = wire_conn(sk);
	const struct wire_config *config;
	struct tcp_sock *tp;
	struct walk *walk;
	__u32 key = 0, tid, room;
	int drop = 0;

	config = bpf_map_lookup_elem(&wire, &key);
	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!conn || !config || !tp || conn->wire & (WIRE_F_PENDING | WIRE_F_LEAVE))
		return SK_PASS;
	conn->wire |= WIRE_F_PENDING;
	conn->wire &= ~(WIRE_F_HEADER | WIRE_F_PASSED);
	conn->heads.seed = 0;
	if (config->mode == WIRE_EARLY_LEAVE || config->mode == WIRE_ENDING ||
	    conn->verdict == VERDICT_OPAQUE)
		conn->wire |= WIRE_F_LEAVE;
	tid = wire_sender(conn);
	if (!tid || !message_fits(conn, tp, config->mode))
		return SK_PASS;
	room = place_max(tp);
	if (!room)
		return SK_PASS;
	/* what an exchange that has passed made of the connection is known after the next one */
	if (request_begins_to_pass(conn))
		conn->wire |= WIRE_F_UNSEEN;
	if (conn->wire & WIRE_F_UNSEEN || stream_passes(conn))
		return SK_PASS;
	walk = scratch_take(SCRATCH_WIRE);
	if (!walk)
		return SK_PASS;
	walk->place_max = room;
	drop = message_out(msg, conn, tid, walk);
	if (conn->wire & WIRE_F_OPAQUE)
		conn->wire |= WIRE_F_LEAVE;
	scratch_give(walk);
	return drop ? SK_DROP : SK_PASS;
}
