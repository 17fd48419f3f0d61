/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A socket call has ended: for the probes that may keep their state in socket storage. */
#ifndef WEFT_LIB_SOCKET_CALLED_BPF_H
#define WEFT_LIB_SOCKET_CALLED_BPF_H

#include "lib/socket_call.bpf.h"

/* The state of a socket's connection, made on the first bytes if the socket is to be traced. */
static __always_inline struct conn *conn_make(struct sock *sk)
{
	struct conn *conn;
	struct sock *peer;

	if (!socket_selected(sk))
		return NULL;
	conn = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!conn) {
		stat_add(STAT_NO_STATE);
		return NULL;
	}
	conn_init(conn, sk, bpf_get_socket_cookie(sk));
	if (conn->family == AF_UNIX) {
		struct unix_sock *unix_sk = bpf_skc_to_unix_sock(sk);

		peer = unix_sk ? unix_sk->peer : NULL;
		if (peer)
			conn->peer_cookie = bpf_get_socket_cookie(peer);
	}
	return conn;
}

static __always_inline int socket_called(struct sock *sk, int result, __u8 dir)
{
	struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, 0);

	if (!conn) {
		if (result <= 0)
			return 0;
		conn = conn_make(sk);
		if (!conn)
			return 0;
	}
	if (conn->verdict == VERDICT_OPAQUE)
		return 0;
	if (result > 0) {
		socket_bytes(sk, conn, dir, result);
		if (dir == DIR_IN && conn->family != AF_UNIX)
			conn->seen_seq = BPF_CORE_READ((struct tcp_sock *)sk, copied_seq);
	} else {
		socket_failed(sk, conn, dir, result);
	}
	return 0;
}

#endif
