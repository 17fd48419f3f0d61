/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The end of a call on a socket, whatever it carries. */
#ifndef WEFT_LIB_CALL_ENDED_BPF_H
#define WEFT_LIB_CALL_ENDED_BPF_H

#include "lib/pass.bpf.h"
#include "lib/tls_socket.bpf.h"

/* On a connection that is not looked into, or not here. Non-zero: tls_ended() is to follow. */
static __always_inline int opaque_ended(struct sock *sk, struct conn *conn, __u8 dir, int result)
{
	int is_tls = knobs.tls && conn->tls != TLS_NO;

	if (!is_tls || !tls_is_read_within(conn, dir))
		opaque_bytes(sk, conn, dir, result);
	return is_tls;
}

/* The thread's requests that have left together are all known. */
static __always_inline void heads_over(struct conn *conn)
{
	if (conn->heads.seed && conn->heads.tid == (__u32)bpf_get_current_pid_tgid())
		conn->heads.seed = 0;
}

/*
 * Bytes of frames have left. Where some were not walked it is not known any more where the next
 * frame begins, nor what was said: nothing is inserted from then on.
 */
static __always_inline void frames_left(struct sock *sk, struct conn *conn, int result)
{
	__u32 before = conn->framed_seq;

	conn->framed_seq = BPF_CORE_READ((struct tcp_sock *)sk, write_seq);
	if (result > 0 && (!conn->walked ||
			   (before && conn->framed_seq - before != (__u32)result + conn->inserted)))
		conn->wire |= WIRE_F_LEAVE;
	conn->walked = 0;
}

/* What is kept of a call that has moved bytes, or would have. */
static __always_inline void call_noted(struct sock *sk, struct conn *conn, __u8 dir, int result)
{
	if (dir == DIR_OUT) {
		conn->wire &= ~WIRE_F_PENDING;
		heads_over(conn);
		if (conn->framed && conn->family != AF_UNIX)
			frames_left(sk, conn, result);
		conn->inserted = 0;
	} else if (result > 0 && conn->family != AF_UNIX) {
		conn->seen_seq = BPF_CORE_READ((struct tcp_sock *)sk, copied_seq);
	}
}

/* Is the call of an exchange that is let pass? Where few are followed, that is asked first. */
static __always_inline int call_passes(struct sock *sk, struct conn *conn, __u8 dir, int result)
{
	if (result <= 0 || !bytes_pass(conn, dir))
		return 0;
	call_noted(sk, conn, dir, result);
	return 1;
}

/* A call on the socket has ended with this result. Non-zero: tls_ended() is to follow. */
static __always_inline int call_ended(struct sock *sk, struct conn *conn, __u8 dir, int result)
{
	if (conn->verdict == VERDICT_OPAQUE)
		return opaque_ended(sk, conn, dir, result);
	if (call_passes(sk, conn, dir, result))
		return 0;
	if (result > 0)
		socket_bytes(sk, conn, dir, result);
	else
		socket_failed(sk, conn, dir, result);
	call_noted(sk, conn, dir, result);
	if (result <= 0 || !knobs.tls || conn->tls != TLS_RECORDS)
		return 0;
	tls_meet(); /* as has just shown */
	return 1;
}

/* The rest of it, on a connection that carries TLS. */
static __always_inline void tls_ended(struct sock *sk, struct conn *conn, __u8 dir, int result)
{
	if (result > 0)
		tls_bytes(sk, conn, dir, result);
	else
		tls_failed(sk, conn, dir, result);
}

#endif
