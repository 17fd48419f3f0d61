// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Sockets as they are established, and their segments' headers: who is enrolled, when it leaves,
 * and the TCP option that carries context where no header can.
 *
 * The option is of kind 25, which other tracers use too: trace id and span id, 24 bytes. A 25th one
 * with flags is there only when the trace is not sampled, or when the option goes with a header
 * that was handed on: readers that know no flags would take the one for sampled and the other for
 * better than the header, and they refuse an option that is longer.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/notice.bpf.h"
#include "lib/pass.bpf.h"
#include "lib/test_process.bpf.h"
#include "lib/wire.bpf.h"

#define OPTION_KIND 25

struct context_option {
	__u8 kind;
	__u8 len;
	__u8 trace_id[WEFT_TRACE_ID_LEN];
	__u8 span_id[WEFT_SPAN_ID_LEN];
	__u8 flags;
} __attribute__((packed));

#define OPTION_F_NEARER (1 << 7) /* CONTEXT_F_NEARER, beside the trace flags */

#define OPTION_SAMPLED_LEN offsetof(struct context_option, flags)

static __always_inline __u32 option_len(const struct conn *conn)
{
	return conn->own.flags & TRACE_FLAG_SAMPLED && !(conn->wire & WIRE_F_PASSED)
		       ? OPTION_SAMPLED_LEN
		       : sizeof(struct context_option);
}

static __always_inline void wire_join(struct bpf_sock_ops *ops)
{
	struct conn *conn = wire_conn(ops->sk);
	__u64 cookie = bpf_get_socket_cookie(ops);
	__u32 key = 0, flags = ops->bpf_sock_ops_cb_flags;
	const struct wire_config *config = bpf_map_lookup_elem(&wire, &key);

	if (!conn || !config || !(conn->wire & WIRE_F_ALLOWED))
		return;
	if (config->mode != WIRE_OFF && config->mode != WIRE_ENDING) {
		if (bpf_sock_hash_update(ops, &wire_socks, &cookie, BPF_NOEXIST))
			stat_add(STAT_NOT_ENROLLED);
		else
			conn->wire |= WIRE_F_ENROLLED;
	}
	if (conn->wire & WIRE_F_ENROLLED || knobs.tcp_option)
		flags |= BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;
	if (conn->wire & WIRE_F_ENROLLED && config->mode == WIRE_EARLY_LEAVE)
		flags |= BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG;
	bpf_sock_ops_cb_flags_set(ops, flags);
}

/* Every accepted socket: who will use it is not known here, and the callback costs those nothing
 * that are sent no such option. */
static __always_inline void option_listen(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;

	if (!knobs.tcp_option || !tp)
		return;
	if (knobs.netns && !test_process() &&
	    knobs.netns != BPF_CORE_READ((struct sock *)tp, __sk_common.skc_net.net, ns.inum))
		return;
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags |
					       BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG);
}

/*
 * The message that is being sent is the last one to be looked at: before its answer can come, the
 * socket is an ordinary one again.
 */
static __always_inline void wire_leave(struct bpf_sock_ops *ops, struct conn *conn)
{
	__u64 cookie = bpf_get_socket_cookie(ops);
	__u32 flags = ops->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG;

	if (bpf_map_delete_elem(&wire_socks, &cookie))
		stat_add(STAT_NOT_LEFT);
	conn->wire &= ~WIRE_F_ENROLLED;
	if (!knobs.tcp_option)
		flags &= ~BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;
	bpf_sock_ops_cb_flags_set(ops, flags);
}

/*
 * The server speaks first, to a socket that is to leave before it hears anything: it leaves now.
 * The kernel lets no data segment pass by here before another one has been received.
 */
static __always_inline void wire_spoken_to(struct bpf_sock_ops *ops)
{
	struct conn *conn = wire_conn(ops->sk);
	struct tcphdr *tcp = (struct tcphdr *)(long)ops->skb_data;

	if (!conn || (void *)(tcp + 1) > (void *)(long)ops->skb_data_end)
		return;
	if (conn->wire & WIRE_F_ENROLLED && ops->skb_len > 4 * tcp->doff)
		wire_leave(ops, conn);
}

/* Has this end not spoken since the other one did? And if it speaks, may that be a request? */
static __always_inline int turn_due(const struct bpf_sock_ops *ops, const struct conn *conn)
{
	if (conn->turned && conn->turn_rcv == ops->rcv_nxt)
		return 0;
	return conn->verdict != VERDICT_TRACED || wire_idle(conn) || wire_frame_due(conn);
}

/* Does the head that is on its way say all that there is to say? */
static __always_inline int wire_has_header(const struct conn *conn)
{
	return conn->wire & WIRE_F_HEADER && !(conn->wire & WIRE_F_PASSED);
}

/* Leaves word for the other end, by the name that context_receive() gives to the exchange there. */
static __always_inline void notice_early(const struct bpf_sock_ops *ops, struct conn *conn)
{
	struct notice_key key = {
		.join = { .client = ops->snd_nxt,
			  .server = ops->rcv_nxt - (__u32)ops->bytes_received },
	};

	notice_put(&key, &conn->own, bpf_ktime_get_ns());
	conn->wire |= WIRE_F_TOLD;
}

/* The first segment of a request goes out. Non-zero: it gets no option. */
static __always_inline int option_prepare(struct bpf_sock_ops *ops, struct conn *conn)
{
	/* of requests that leave together none but the first has an option, or needs one */
	int has_header = wire_has_header(conn) ||
			 (conn->heads.seed && !(conn->wire & WIRE_F_HEADER));
	__u32 tid = wire_sender(conn);

	if (!(conn->wire & WIRE_F_HEADER))
		conn->wire &= ~WIRE_F_PASSED;
	conn->turned = 1;
	conn->turn_rcv = ops->rcv_nxt;
	conn->turn_seq = ops->snd_nxt;
	conn->wire &= ~(WIRE_F_HEADER | WIRE_F_OPTION);
	if (has_header || !tid)
		return -1;
	if (conn->verdict == VERDICT_OPAQUE || conn->wire & WIRE_F_OPAQUE)
		return context_prepare_opaque(conn, conn->opener, tid) ? 0 : -1;
	/* what a connection that was not looked at will say first is not known */
	if (conn->verdict != VERDICT_TRACED && !conn->prepared)
		return -1;
	if (wire_framed(conn)) {
		/* both ends know a stream without an option */
		if (conn->wire & WIRE_F_LOCAL)
			return -1;
		if (conn->requests && !conn->heads.seed)
			conn->prepared = 0;
	}
	context_prepare(conn, conn->opener, tid);
	if (conn->wire & WIRE_F_LOCAL) {
		/* cheaper than an option that is written, sent and parsed */
		notice_early(ops, conn);
		return -1;
	}
	return 0;
}

/* May the segment that is about to be made carry an option? */
static __always_inline int option_possible(const struct conn *conn)
{
	return !wire_has_header(conn) &&
	       !(conn->wire & WIRE_F_LOCAL && conn->verdict == VERDICT_TRACED);
}

/* The size of segments is being reckoned, not a header: there must be room when one is written. */
static __always_inline int sizes_asked(const struct bpf_sock_ops *ops)
{
	return ops->args[0] == BPF_WRITE_HDR_TCP_CURRENT_MSS;
}

static __always_inline void option_reserve(struct bpf_sock_ops *ops, const struct conn *conn)
{
	if (bpf_reserve_hdr_opt(ops, option_len(conn), 0))
		stat_add(STAT_OPTION_NO_ROOM);
}

/*
 * A request's first segment may be lost, and its option with it. Until its first byte is
 * acknowledged all segments leave room, and what may be that one again carries the option again.
 * (Which segment it is cannot be asked. A probe of the tail, RFC 8985 section 7, comes before the
 * loss is known.)
 */
static __always_inline void option_repeat(struct bpf_sock_ops *ops, const struct conn *conn)
{
	if (!(conn->wire & WIRE_F_OPTION) || ops->snd_una != conn->turn_seq)
		return;
	if (sizes_asked(ops))
		bpf_reserve_hdr_opt(ops, sizeof(struct context_option), 0);
	else if (ops->lost_out || ops->packets_out == 1)
		option_reserve(ops, conn);
}

/* Segments of a connection of which nothing is known, before it is taken for nobody's concern. */
#define ASKED_SEGMENTS_MAX 64

/*
 * Connections that were open before weft came are called for whoever has them. Where that is
 * somebody who answers and does not ask, or nobody of concern, it was the last time. (Who has it
 * cannot be asked: segments are sent in softirq, too. But who is traced is known when the first
 * call ends.)
 */
static __always_inline void header_unwanted(struct bpf_sock_ops *ops, const struct conn *conn)
{
	struct bpf_sock *sk = ops->sk;
	__u8 *segments = sk ? bpf_sk_storage_get(&asked, sk, 0, 0) : NULL;

	if (!segments)
		return;
	if (conn ? conn->role != ROLE_SERVER && !(conn->wire & WIRE_F_ACTIVE)
		 : sizes_asked(ops) || ++*segments < ASKED_SEGMENTS_MAX)
		return;
	bpf_sk_storage_delete(&asked, sk);
	bpf_sock_ops_cb_flags_set(ops,
				  ops->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
}

/* Is the segment of a request that is let pass? Not if its head has gained a header. */
static __always_inline int segment_passes(struct conn *conn)
{
	return !(conn->wire & WIRE_F_HEADER) &&
	       (conn->framed ? stream_passes(conn) : request_begins_to_pass(conn));
}

static __always_inline void header_length(struct bpf_sock_ops *ops)
{
	struct conn *conn;

	/* most segments of a connection that is used once are acknowledgements and its end */
	if (!sizes_asked(ops) && !ops->skb_len)
		return;
	conn = wire_conn(ops->sk);
	if (!conn || !(conn->wire & WIRE_F_ALLOWED)) {
		header_unwanted(ops, conn);
		return;
	}
	if (conn->wire & WIRE_F_LEAVE && conn->wire & WIRE_F_ENROLLED)
		wire_leave(ops, conn);
	if (!knobs.tcp_option)
		return;
	if (!turn_due(ops, conn)) {
		option_repeat(ops, conn);
	} else if (sizes_asked(ops)) {
		if (option_possible(conn))
			bpf_reserve_hdr_opt(ops, sizeof(struct context_option), 0);
	} else if (!segment_passes(conn) && !option_prepare(ops, conn)) {
		option_reserve(ops, conn);
	}
}

static __always_inline void option_write(struct bpf_sock_ops *ops)
{
	struct context_option option = { .kind = OPTION_KIND };
	struct conn *conn = wire_conn(ops->sk);

	if (!conn)
		return;
	__builtin_memcpy(option.trace_id, conn->own.trace_id, sizeof(option.trace_id));
	__builtin_memcpy(option.span_id, &conn->own.span_id, sizeof(option.span_id));
	option.flags = conn->own.flags | (conn->wire & WIRE_F_PASSED ? OPTION_F_NEARER : 0);
	option.len = option_len(conn);
	if (option.len == OPTION_SAMPLED_LEN
		    ? bpf_store_hdr_opt(ops, &option, OPTION_SAMPLED_LEN, 0)
		    : bpf_store_hdr_opt(ops, &option, sizeof(option), 0))
		return;
	conn->wire |= WIRE_F_TOLD | WIRE_F_OPTION;
	stat_add(STAT_OPTION_SENT);
}

/* Keeps the option by the bytes that it came with, until they are read. */
static __always_inline void option_parse(struct bpf_sock_ops *ops)
{
	struct context_option option = { .kind = OPTION_KIND };
	struct trace_context context = { .propagator = PROPAGATOR_TRACECONTEXT };
	struct option_key key = {};
	struct tcphdr *tcp = (struct tcphdr *)(long)ops->skb_data;
	long len = bpf_load_hdr_opt(ops, &option, sizeof(option), 0);

	if ((void *)(tcp + 1) > (void *)(long)ops->skb_data_end ||
	    (len != OPTION_SAMPLED_LEN && len != sizeof(option)))
		return;
	__builtin_memcpy(context.trace_id, option.trace_id, sizeof(option.trace_id));
	__builtin_memcpy(&context.span_id, option.span_id, sizeof(option.span_id));
	if (!(context.trace_id[0] | context.trace_id[1]) || !context.span_id)
		return;
	context.flags = TRACE_FLAG_SAMPLED;
	if (len == sizeof(option)) {
		context.flags = option.flags & (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM);
		context.hints = option.flags & OPTION_F_NEARER ? CONTEXT_F_NEARER : 0;
	}
	key.cookie = bpf_get_socket_cookie(ops);
	key.seq = bpf_ntohl(tcp->seq);
	bpf_map_update_elem(&options, &key, &context, BPF_ANY);
}

SEC("sockops")
int wire_socket(struct bpf_sock_ops *ops)
{
	switch (ops->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		wire_join(ops);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		option_listen(ops);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		header_length(ops);
		break;
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
		option_write(ops);
		break;
	case BPF_SOCK_OPS_PARSE_HDR_OPT_CB:
		if (ops->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG)
			wire_spoken_to(ops);
		else
			option_parse(ops);
		break;
	}
	return 1;
}
