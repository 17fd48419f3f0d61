/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A socket call has ended: for the probes that may keep their state in socket storage. */
#ifndef WEFT_LIB_SOCKET_CALLED_BPF_H
#define WEFT_LIB_SOCKET_CALLED_BPF_H

#include "lib/call_ended.bpf.h"

/* The state of a socket that was seen before. Most have no storage at all: that is seen at once. */
static __always_inline struct conn *conn_known(struct sock *sk)
{
	return sk->sk_bpf_storage ? bpf_sk_storage_get(&conns, sk, 0, 0) : NULL;
}

/* A new state of a socket's connection. */
static __always_inline struct conn *conn_make(struct sock *sk)
{
	struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!conn) {
		stat_add(STAT_NO_STATE);
		return NULL;
	}
	conn_init(conn, sk, bpf_get_socket_cookie(sk));
	return conn;
}

/* bpf_skc_to_unix_sock() of Linux 5.16, which the headers of libbpf 0.5 do not know. */
static struct unix_sock *(*const skc_to_unix_sock)(void *) = (void *)BPF_FUNC_skc_to_unix_sock;

/* The other end of a unix socket, if this kernel can give it typed. */
static __always_inline struct sock *unix_peer(struct sock *sk)
{
	struct unix_sock *unix_sk;

	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_skc_to_unix_sock))
		return NULL;
	unix_sk = skc_to_unix_sock(sk);
	return unix_sk ? unix_sk->peer : NULL;
}

static __always_inline void peer_ends(struct sock *sk, const struct conn *own)
{
	struct sock *peer = unix_peer(sk);
	struct conn *conn;

	if (!peer || peer->sk_shutdown != SHUTDOWN_MASK)
		return;
	conn = bpf_sk_storage_get(&conns, peer, 0, 0);
	if (conn)
		unix_ended(peer, conn, own);
}

/*
 * A call has ended with this result. The state of its socket, if tls_ended() is to follow; else
 * NULL.
 */
static __always_inline struct conn *socket_taken(struct sock *sk, int result, __u8 dir)
{
	struct conn *conn = conn_known(sk);
	int is_tls;

	if (!conn) {
		if (result <= 0 || !socket_selected(sk))
			return NULL;
		conn = conn_make(sk);
		if (!conn)
			return NULL;
	}
	is_tls = call_ended(sk, conn, dir, result);
	if (result == 0 && dir == DIR_IN && conn->family == AF_UNIX)
		peer_ends(sk, conn);
	return is_tls ? conn : NULL;
}

static __always_inline int socket_called(struct sock *sk, int result, __u8 dir)
{
	struct conn *conn = socket_taken(sk, result, dir);

	if (conn)
		tls_ended(sk, conn, dir, result);
	return 0;
}

#endif
