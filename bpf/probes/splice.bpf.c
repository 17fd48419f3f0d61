// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Reads of a TCP socket by splice(2), which the socket tracepoints do not see: TCP adjusts its
 * receive window after every read, and the sequence number says how much was taken.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/conn_by_sk.bpf.h"

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(tcp_spliced, struct sock *sk)
{
	struct conn *conn;
	struct walk *walk;
	__u32 len;

	/* every read comes by here */
	if (!knobs.by_address && !sk->sk_bpf_storage)
		return 0;
	if (current_call(bpf_get_current_task_btf()).nr != CALL_SPLICE)
		return 0;
	conn = knobs.by_address ? conn_known_by_sk(sk) : bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!conn || conn->verdict != VERDICT_TRACED)
		return 0;
	len = BPF_CORE_READ((struct tcp_sock *)sk, copied_seq) - conn->seen_seq;
	if ((int)len <= 0)
		return 0;
	walk = scratch_take(SCRATCH_DATA);
	if (!walk)
		return 0;
	walk_init(walk, sk, DIR_IN, len);
	conn->seen_seq += len;
	if (!bytes_pass(conn, DIR_IN))
		conn_pass(conn, walk);
	scratch_give(walk);
	return 0;
}
