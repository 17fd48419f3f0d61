// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Connections that were open before weft came: the callbacks by which context travels in an option
 * of TCP are asked for on them, too (Linux >= 6.12). Run once in each network namespace.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "classify/address.h"
#include "lib/socket_call.bpf.h"

#define SOL_TCP 6

/*
 * Ports that are listened on, by network namespace and port: a connection from one of them was
 * accepted. Filled by the iterator, which comes by such sockets first; never emptied.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u8);
} listening SEC(".maps");

/* What the connection needs to be told of. */
static __always_inline int callbacks_wanted(struct sock *sk, const __u64 *place)
{
	struct conn_tuple tuple = {};

	/* before tracing begins it is only seen whether the kernel lets them be set */
	if (test_process())
		return 0;
	if (bpf_map_lookup_elem(&listening, place))
		return BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG;
	tuple_init(&tuple, sk, BPF_CORE_READ(sk, __sk_common.skc_family));
	if (!address_in(knobs.propagate_to, knobs.n_propagate_to, tuple.remote_ip))
		return 0;
	return BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;
}

/* 0: the kernel has let them be set. */
static __always_inline long callbacks_ask(struct tcp_sock *tp, const __u64 *place)
{
	int flags = 0, more;
	long r = bpf_getsockopt(tp, SOL_TCP, TCP_BPF_SOCK_OPS_CB_FLAGS, &flags, sizeof(flags));

	if (r)
		return r;
	more = flags | callbacks_wanted((struct sock *)tp, place);
	if ((more ^ flags) & BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG &&
	    !bpf_sk_storage_get(&asked, tp, 0, BPF_SK_STORAGE_GET_F_CREATE))
		more = flags;
	return bpf_setsockopt(tp, SOL_TCP, TCP_BPF_SOCK_OPS_CB_FLAGS, &more, sizeof(more));
}

/* Tells the reader '+' for a connection that was reached, '-' for one that the kernel keeps. */
SEC("iter/tcp")
int open_socket(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;
	__u32 netns;
	__u64 place;
	__u8 there = 1;
	char told = '+';

	if (!skc)
		return 0;
	netns = BPF_CORE_READ(skc, skc_net.net, ns.inum);
	place = (__u64)netns << 16 | skc->skc_num;
	if (skc->skc_state == TCP_LISTEN) {
		bpf_map_update_elem(&listening, &place, &there, BPF_ANY);
		return 0;
	}
	if (skc->skc_state != TCP_ESTABLISHED || (knobs.netns && knobs.netns != netns))
		return 0;
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp)
		return 0;
	if (callbacks_ask(tp, &place))
		told = '-';
	bpf_seq_write(ctx->meta->seq, &told, sizeof(told));
	return 0;
}
