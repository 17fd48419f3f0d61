/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A socket call has ended: for the probes that may keep their state in socket storage. */
#ifndef WEFT_LIB_SOCKET_CALLED_BPF_H
#define WEFT_LIB_SOCKET_CALLED_BPF_H

#include "lib/socket_call.bpf.h"

/* The state of a socket's connection, made on the first bytes if the socket is to be traced. */
static __always_inline struct conn *conn_make(struct sock *sk)
{
	struct conn *conn;

	if (!socket_selected(sk))
		return NULL;
	conn = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!conn) {
		stat_add(STAT_NO_STATE);
		return NULL;
	}
	conn_init(conn, sk, bpf_get_socket_cookie(sk));
	return conn;
}

/*
 * End of file on a unix socket: the other end is closed, and no tracepoint has told of it. What was
 * open there ends now.
 */
static __always_inline void peer_ends(struct sock *sk, const struct conn *own)
{
	struct unix_sock *unix_sk = bpf_skc_to_unix_sock(sk);
	struct sock *peer = unix_sk ? unix_sk->peer : NULL;
	struct conn *conn;

	if (!peer || peer->sk_shutdown != SHUTDOWN_MASK)
		return;
	conn = bpf_sk_storage_get(&conns, peer, 0, 0);
	if (!conn)
		return;
	/* a client that leaves when all was sent to it has taken the rest by splice(2), unseen */
	if (own->role == ROLE_SERVER && own->answered == own->requests &&
	    conn->flow[DIR_IN].phase == FLOW_BODY) {
		conn->flow[DIR_IN].body += conn->flow[DIR_IN].left;
		conn->flow[DIR_IN].phase = FLOW_CLOSE;
	}
	socket_end(peer, conn, 0, SCRATCH_DATA);
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
		if (result == 0 && dir == DIR_IN && conn->family == AF_UNIX)
			peer_ends(sk, conn);
	}
	return 0;
}

#endif
