/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * State by the socket's address, for probes to which a socket is no typed pointer (kprobes,
 * io_uring). An address may come back with another socket: the socket's inode number tells them
 * apart.
 */
#ifndef WEFT_LIB_CONN_BY_SK_BPF_H
#define WEFT_LIB_CONN_BY_SK_BPF_H

#include "lib/call_ended.bpf.h"

/* No cookie can be asked for; a socket's inode number is its own as long as it lives. */
static __always_inline __u64 socket_identity(struct sock *sk)
{
	struct socket_alloc *both = (struct socket_alloc *)BPF_CORE_READ(sk, sk_socket);

	return 1ULL << 63 | BPF_CORE_READ(both, vfs_inode.i_ino);
}

/* The state of a socket that was seen before. */
static __always_inline struct conn *conn_known_by_sk(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct conn *conn = bpf_map_lookup_elem(&conns_by_sk, &key);

	return conn && conn->cookie == socket_identity(sk) ? conn : NULL;
}

/* A new state. A function of its own, so that its stack is not in use while bytes are walked. */
static __noinline __attribute__((unused)) struct conn *conn_make_by_sk(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct conn *conn;
	__u32 slot = 0;

	conn = bpf_map_lookup_elem(&conn_template, &slot);
	if (!conn || bpf_map_update_elem(&conns_by_sk, &key, conn, BPF_ANY)) {
		stat_add(STAT_NO_STATE);
		return NULL;
	}
	conn = bpf_map_lookup_elem(&conns_by_sk, &key);
	if (conn)
		conn_init(conn, sk, socket_identity(sk));
	return conn;
}

/* The state of a socket, made if it is to be traced. */
static __always_inline struct conn *conn_by_sk(struct sock *sk)
{
	struct conn *conn = conn_known_by_sk(sk);

	if (conn)
		return conn;
	return socket_selected(sk) ? conn_make_by_sk(sk) : NULL;
}

/* End of file on a unix socket: as peer_ends() does it. */
static __always_inline void peer_ends_by_sk(struct sock *sk, const struct conn *own)
{
	struct sock *peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
	__u64 key = (__u64)peer;
	struct conn *conn;

	if (!peer || BPF_CORE_READ(peer, sk_shutdown) != SHUTDOWN_MASK)
		return;
	/* it has no inode any more by which to know it, but it still names this end as its other
	 * one */
	conn = bpf_map_lookup_elem(&conns_by_sk, &key);
	if (conn && conn->peer == own->self)
		unix_ended(peer, conn, own);
}

/* A call on the socket has ended with this result. */
static __always_inline int socket_called_by_sk(struct sock *sk, int result, __u8 dir)
{
	struct conn *conn = result > 0 ? conn_by_sk(sk) : conn_known_by_sk(sk);

	if (!conn)
		return 0;
	if (call_ended(sk, conn, dir, result))
		tls_ended(sk, conn, dir, result);
	if (result == 0 && dir == DIR_IN && conn->family == AF_UNIX)
		peer_ends_by_sk(sk, conn);
	return 0;
}

#endif
