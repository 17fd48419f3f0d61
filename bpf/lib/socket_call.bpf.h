/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What every probe on socket calls does: is this socket traced, where are the bytes, walk them. The
 * probes differ only in how they come by the socket and its state.
 */
#ifndef WEFT_LIB_SOCKET_CALL_BPF_H
#define WEFT_LIB_SOCKET_CALL_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#include "lib/test_process.bpf.h"
#include "lib/user_buffer.bpf.h"

#define SOCK_STREAM   1
#define IPPROTO_TCP   6
#define MSG_PEEK      2
#define RCV_SHUTDOWN  1
#define SHUTDOWN_MASK 3

#define WALK_TIMED 7 /* one of so many calls is timed: and not of each exchange the same */

#define EPIPE	   32
#define ECONNRESET 104
#define ETIMEDOUT  110

/* NULL: it is in use. */
static __always_inline struct walk *scratch_try(__u32 slot)
{
	struct walk *walk = bpf_map_lookup_elem(&scratch, &slot);

	/* at once: programs at functions of libraries may be preempted by each other */
	if (!walk || __sync_lock_test_and_set(&walk->busy, 1))
		return NULL;
	return walk;
}

static __always_inline struct walk *scratch_take(enum scratch_slot slot)
{
	struct walk *walk = scratch_try(slot);

	if (!walk)
		stat_add(STAT_BUSY);
	return walk;
}

static __always_inline void scratch_give(struct walk *walk)
{
	walk->tid = 0; /* tls_walk_begun() */
	walk->busy = 0;
}

static __always_inline void walk_init(struct walk *walk, const struct sock *sk, __u8 dir, __u32 len)
{
	__u64 id = bpf_get_current_pid_tgid();

	walk->sk = (__u64)sk;
	walk->now_ns = bpf_ktime_get_ns();
	walk->pid = id >> 32;
	walk->tid = id;
	walk->dir = dir;
	walk->len = len;
	walk->at = 0;
	walk->in_kernel = 0;
}

/* Does the port list, if there is one, let this connection in? */
static __always_inline int ports_selected(__u16 local, __u16 remote)
{
	__u8 n = knobs.n_ports;

	if (!n)
		return 1;
	for (__u32 i = 0; i < CONFIG_PORTS_MAX; i++) {
		if (i >= n)
			break;
		if (knobs.ports[i] == local || knobs.ports[i] == remote)
			return 1;
	}
	return 0;
}

static __always_inline int process_selected(__u32 pid)
{
	struct process_config *process;

	/* what settles most calls of a host where few processes are chosen costs next to nothing */
	if (!knobs.select_all && !process_marks[PROCESS_MARK_OF(pid)])
		return 0;
	process = bpf_map_lookup_elem(&processes, &pid);
	return process ? process->flags & PROCESS_F_SELECTED : knobs.select_all;
}

/* Is this a socket of a kind, and between ports, that are traced? */
static __always_inline int socket_fits(struct sock *sk)
{
	__u16 family, local, remote;

	if (knobs.netns && knobs.netns != BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum))
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
		return 0;
	if (BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return 0;
	if (family != AF_UNIX && BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	if (!knobs.n_ports)
		return 1;
	local = BPF_CORE_READ(sk, __sk_common.skc_num);
	remote = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	return family != AF_UNIX && ports_selected(local, remote);
}

/* Is a socket that was not seen before to be traced, for what it is and for who uses it? */
static __always_inline int socket_selected(struct sock *sk)
{
	return process_selected(bpf_get_current_pid_tgid() >> 32) && socket_fits(sk) &&
	       !test_process();
}

/* An IPv4 address as IPv6 has it: ::ffff:a.b.c.d. */
static __always_inline void ip_mapped(__u8 *ip, __u32 v4)
{
	((__u64 *)ip)[0] = 0;
	((__u32 *)ip)[2] = 0xffff0000;
	((__u32 *)ip)[3] = v4;
}

static __always_inline void tuple_init(struct conn_tuple *tuple, struct sock *sk, __u16 family)
{
	tuple->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (family == AF_UNIX)
		return;
	tuple->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	tuple->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (family == AF_INET) {
		ip_mapped(tuple->local_ip, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		ip_mapped(tuple->remote_ip, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else {
		BPF_CORE_READ_INTO(&tuple->local_ip, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&tuple->remote_ip, sk, __sk_common.skc_v6_daddr);
	}
}

/*
 * A name for a socket that both ends of a unix connection can give, whatever probe sees them: made
 * from its address, and mixed with a secret so that no kernel address leaves the kernel.
 */
static __always_inline void socket_name(volatile __u64 *ret_name, const struct sock *sk)
{
	__u64 name;

	/* the verifier lets nobody reckon with a pointer, but a word of a map is a number */
	*ret_name = (__u64)sk;
	name = (*ret_name ^ knobs.secret) * 0x9e3779b97f4a7c15ULL;
	*ret_name = name ^ name >> 32;
}

/* A socket that has moved bytes is connected: where it goes does not change any more. */
static __always_inline void conn_init(struct conn *conn, struct sock *sk, __u64 cookie)
{
	conn->cookie = cookie;
	conn->protocol = PROTOCOL_FIRST;
	conn->address = (__u64)sk;
	conn->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (conn->family == AF_UNIX) {
		socket_name(&conn->self, sk);
		socket_name(&conn->peer, BPF_CORE_READ((struct unix_sock *)sk, peer));
	}
	tuple_init(&conn->tuple, sk, conn->family);
}

/* Is the file behind the call's first argument this socket? If not, its buffer is not the call's.
 */
static __always_inline int call_is_on(struct task_struct *task, const struct call *call,
				      struct sock *sk)
{
	struct file **files = BPF_CORE_READ(task, files, fdt, fd);
	struct file *file = NULL;
	struct socket *socket;
	__u64 fd = call->fd & 0xffffffff;

	if (call->nr == CALL_SPLICE)
		fd = call->third & 0xffffffff;
	if (bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk) == sk;
}

/*
 * Finds the bytes of the call that moved walk->len bytes. Non-zero: this call is none of the
 * program's own system calls on this socket (io_uring, a kernel thread), or cannot be read. A
 * function of its own, so that its stack is not in use while the bytes are walked.
 */
static __noinline int walk_call(struct walk *walk, struct conn *conn, struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call call;

	if (task->flags & (PF_KTHREAD | PF_IO_WORKER))
		return -1;
	if (task_is_compat(task)) {
		stat_add(STAT_COMPAT);
		conn->verdict = VERDICT_OPAQUE;
		return -1;
	}
	call = current_call(task);
	if (!conn->fd_checked || task->io_uring) {
		if (!call_is_on(task, &call, sk))
			return -1;
		conn->fd_checked = 1;
	}
	walk_buffer(walk, &call);
	return 0;
}

/* Programs that see requests before they leave are only for sockets that are TCP's and no more. */
static __always_inline int socket_is_plain(struct sock *sk)
{
	return !BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ulp_ops);
}

/* The bytes that a call moved, on a connection that is not opaque. */
static __always_inline void socket_bytes(struct sock *sk, struct conn *conn, __u8 dir, __u32 len)
{
	struct walk *walk = scratch_take(SCRATCH_DATA);

	if (!walk)
		return;
	walk_init(walk, sk, dir, len);
	if (!walk_call(walk, conn, sk))
		conn_walk(conn, walk);
	/* a connection that was not seen to be opened: who asks on it is its opener, as it were */
	if (conn->role == ROLE_CLIENT && !(conn->wire & WIRE_F_ACTIVE) && conn->family != AF_UNIX)
		peer_allow(conn, walk->pid, socket_is_plain(sk));
	if (conn->verdict != VERDICT_TRACED && !(conn->wire & WIRE_F_ACTIVE)) {
		if (dir == DIR_IN)
			context_adopt(conn, walk);
		else
			context_answer(conn);
	}
	if (++walk->untimed >= WALK_TIMED) {
		walk->untimed = 0;
		stat_add_many(STAT_WALK_NS, (bpf_ktime_get_ns() - walk->now_ns) * WALK_TIMED);
	}
	scratch_give(walk);
}

/* Bytes of a connection that is opaque: only whose they are may matter. */
static __always_inline void opaque_bytes(struct sock *sk, struct conn *conn, __u8 dir, int len)
{
	struct walk *walk;

	if (!knobs.tcp_option || len <= 0 || conn->wire & WIRE_F_ACTIVE)
		return;
	if (dir == DIR_OUT) {
		context_answer(conn);
		return;
	}
	walk = scratch_take(SCRATCH_DATA);
	if (!walk)
		return;
	walk_init(walk, sk, dir, len);
	context_adopt(conn, walk);
	scratch_give(walk);
}

/* The end of a connection, or of its reading side. */
static __always_inline void socket_end(struct sock *sk, struct conn *conn, int error,
				       enum scratch_slot slot)
{
	struct walk *walk;

	if (conn->verdict != VERDICT_TRACED || conn->closed)
		return;
	walk = scratch_take(slot);
	if (!walk)
		return;
	walk_init(walk, sk, DIR_IN, 0);
	conn_finish(conn, walk, error);
	scratch_give(walk);
}

/* A call that moved nothing: end of file, or an error that ends the connection. */
static __always_inline void socket_failed(struct sock *sk, struct conn *conn, __u8 dir, int result)
{
	if (result == 0 && dir == DIR_IN && conn->role == ROLE_CLIENT)
		socket_end(sk, conn, 0, SCRATCH_DATA);
	else if (result == -ECONNRESET || result == -EPIPE || result == -ETIMEDOUT)
		socket_end(sk, conn, -result, SCRATCH_DATA);
}

/*
 * End of file on a unix socket: the other end, `conn`, is closed, and no tracepoint has told of it.
 * What was open there ends now.
 */
static __always_inline void unix_ended(struct sock *peer, struct conn *conn, const struct conn *own)
{
	/* a client that leaves when all was sent to it has taken the rest by splice(2), unseen */
	if (own->role == ROLE_SERVER && own->answered == own->requests &&
	    conn->flow[DIR_IN].phase == FLOW_BODY) {
		conn->flow[DIR_IN].body += conn->flow[DIR_IN].left;
		conn->flow[DIR_IN].phase = FLOW_CLOSE;
	}
	socket_end(peer, conn, 0, SCRATCH_DATA);
}

#endif
