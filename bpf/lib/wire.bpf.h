/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the programs on the way out share: the connection behind a socket of theirs. */
#ifndef WEFT_LIB_WIRE_BPF_H
#define WEFT_LIB_WIRE_BPF_H

#include <bpf/bpf_core_read.h>

#include "lib/user_buffer.bpf.h"

/* NULL: the socket is not traced. */
static __always_inline struct conn *wire_conn(struct bpf_sock *sk)
{
	__u64 key;

	if (!sk)
		return NULL;
	if (!knobs.by_address)
		return bpf_sk_storage_get(&conns, sk, 0, 0);
	key = (__u64)bpf_skc_to_tcp_sock(sk);
	return bpf_map_lookup_elem(&conns_by_sk, &key);
}

/*
 * The thread that sends, 0: it cannot be told. Requests of io_uring are met again in a state of
 * their own, which would not know what was decided here; heads that come from a file or a pipe are
 * not met again at all.
 */
static __always_inline __u32 wire_sender(const struct conn *conn)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 nr;

	if (task->tgid != conn->opener || task->io_uring ||
	    task->flags & (PF_KTHREAD | PF_IO_WORKER))
		return 0;
	nr = current_call(task).nr;
	return nr == CALL_SENDFILE || nr == CALL_SPLICE ? 0 : task->pid;
}

static __always_inline int wire_framed(const struct conn *conn)
{
	return conn->framed || conn->wire & WIRE_F_FRAMED;
}

/* Is a request due on the connection, and is nothing else under way on it? */
static __always_inline int wire_idle(const struct conn *conn)
{
	return !conn->framed && !conn->upgraded && conn->role != ROLE_SERVER &&
	       conn->flow[DIR_OUT].phase == FLOW_START && !conn->flow[DIR_OUT].carry_len &&
	       conn->requests == conn->answered;
}

/* Is it known where the next frame of a client begins, of several exchanges that interleave? */
static __always_inline int wire_frame_known(const struct conn *conn)
{
	return conn->framed && conn->role != ROLE_SERVER && !conn->flow[DIR_OUT].carry_len;
}

/* A request of several that interleave may begin where no frame is under way. */
static __always_inline int wire_frame_due(const struct conn *conn)
{
	return wire_frame_known(conn) && !conn->flow[DIR_OUT].left;
}

#endif
