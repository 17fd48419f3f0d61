/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The end of a call on a socket, whatever it carries. */
#ifndef WEFT_LIB_CALL_ENDED_BPF_H
#define WEFT_LIB_CALL_ENDED_BPF_H

#include "lib/tls_socket.bpf.h"

/* The same on a connection that is not looked into, or not here. */
static __always_inline void opaque_ended(struct sock *sk, struct conn *conn, __u8 dir, int result)
{
	int is_tls = knobs.tls && conn->tls != TLS_NO;

	if (!is_tls || !tls_is_read_within(dir))
		opaque_bytes(sk, conn, dir, result);
	if (!is_tls)
		return;
	if (result > 0)
		tls_bytes(sk, conn, dir, result);
	else
		tls_failed(sk, conn, dir, result);
}

/* A call on the socket has ended with this result. */
static __always_inline void call_ended(struct sock *sk, struct conn *conn, __u8 dir, int result)
{
	if (conn->verdict == VERDICT_OPAQUE) {
		opaque_ended(sk, conn, dir, result);
		return;
	}
	if (result > 0)
		socket_bytes(sk, conn, dir, result);
	else
		socket_failed(sk, conn, dir, result);
	if (knobs.tls && conn->tls == TLS_RECORDS && result > 0) { /* as has just shown */
		tls_meet();
		tls_bytes(sk, conn, dir, result);
	}
	if (dir == DIR_OUT) {
		conn->wire &= ~WIRE_F_PENDING;
		conn->inserted = 0;
	}
	if (result <= 0)
		return;
	if (dir == DIR_IN && conn->family != AF_UNIX)
		conn->seen_seq = BPF_CORE_READ((struct tcp_sock *)sk, copied_seq);
}

#endif
