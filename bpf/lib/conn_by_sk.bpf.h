/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * State by the socket's address, for probes to which a socket is no typed pointer (kprobes,
 * io_uring). An address may come back with another socket: the socket's inode number tells them
 * apart.
 */
#ifndef WEFT_LIB_CONN_BY_SK_BPF_H
#define WEFT_LIB_CONN_BY_SK_BPF_H

#include "lib/socket_call.bpf.h"

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

/* A new state. */
static __always_inline struct conn *conn_make_by_sk(struct sock *sk)
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

#endif
