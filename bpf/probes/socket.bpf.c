// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Socket data, first choice: the tracepoints that fire after every socket call (Linux >= 6.3).
 * State is in socket storage.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/socket_called.bpf.h"

/*
 * Where both tracepoints go on with calls that may matter: one program, so that the walk is
 * verified once for both. Filled in by user space, before the tracepoints are attached.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SOCKET_GOALS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} socket_next SEC(".maps");

/* The call's direction is left in what is taken for it until socket_dir() asks. */
static __always_inline void go_on(void *ctx, __u8 dir, enum socket_goal goal)
{
	struct walk *walk = scratch_take(SCRATCH_DATA);

	if (!walk)
		return;
	walk->dir = dir;
	bpf_tail_call(ctx, &socket_next, goal);
	/* there is nothing there any more: weft is about to end */
	scratch_give(walk);
}

static __always_inline __u8 socket_dir(void)
{
	__u32 key = SCRATCH_DATA;
	struct walk *walk = bpf_map_lookup_elem(&scratch, &key);
	__u8 dir = walk ? walk->dir : DIR_IN;

	if (walk)
		scratch_give(walk);
	return dir;
}

/* Most sockets of a host have no storage at all. */
static __always_inline int may_matter(struct sock *sk, int result)
{
	return sk->sk_bpf_storage || (result > 0 && socket_selected(sk));
}

/* Where few requests are followed the rest is to cost little: no more is done for them. */
static __always_inline int passes(struct sock *sk, __u8 dir, int result)
{
	struct conn *conn;

	if (follow_begins())
		return 0;
	conn = conn_known(sk);
	return conn && call_passes(sk, conn, dir, result);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_send, struct sock *sk, int result, int flags)
{
	if (may_matter(sk, result) && !passes(sk, DIR_OUT, result))
		go_on(ctx, DIR_OUT, SOCKET_WALK);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_recv, struct sock *sk, int result, int flags)
{
	if (!(flags & MSG_PEEK) && may_matter(sk, result) && !passes(sk, DIR_IN, result))
		go_on(ctx, DIR_IN, SOCKET_WALK);
	return 0;
}

/*
 * What both go on with: they are of one prototype. What ends with a tail call has the task's stack,
 * not one of the CPU's memory (Linux 6.13, commit a76ab5731e32): two runs that begin at different
 * tracepoints are not kept from sharing that.
 */
SEC("tp_btf/sock_send_length")
int BPF_PROG(socket_walk, struct sock *sk, int result, int flags)
{
	__u8 dir = socket_dir();

	if (socket_taken(sk, result, dir))
		go_on(ctx, dir, SOCKET_TLS);
	else if (knobs.private_stack)
		bpf_tail_call(ctx, &socket_next, SOCKET_NOWHERE);
	return 0;
}

/* The same for what records of TLS hold. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(socket_tls, struct sock *sk, int result, int flags)
{
	__u8 dir = socket_dir();
	struct conn *conn = conn_known(sk);

	if (conn)
		tls_ended(sk, conn, dir, result);
	if (knobs.private_stack)
		bpf_tail_call(ctx, &socket_next, SOCKET_NOWHERE);
	return 0;
}
