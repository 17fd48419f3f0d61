/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A socket call has ended: for the probes that may keep their state in socket storage. */
#ifndef WEFT_LIB_SOCKET_CALLED_BPF_H
#define WEFT_LIB_SOCKET_CALLED_BPF_H

#include "lib/socket_call.bpf.h"

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

/* As end_seq_read(), of a socket that is a typed pointer. */
static __always_inline __u32 end_seq_of(struct sock *sk, __u8 dir)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return 0;
	return dir == DIR_IN ? tp->copied_seq : tp->write_seq;
}

static __always_inline int socket_called(struct sock *sk, int result, __u8 dir)
{
	struct conn *conn = conn_known(sk);

	if (!conn) {
		if (result <= 0 || !socket_selected(sk))
			return 0;
		conn = conn_make(sk);
		if (!conn)
			return 0;
	}
	call_ended(sk, conn, dir, result,
		   end_seq_matters(conn, dir, result) ? end_seq_of(sk, dir) : 0);
	if (result == 0 && dir == DIR_IN && conn->family == AF_UNIX)
		peer_ends(sk, conn);
	return 0;
}

#endif
