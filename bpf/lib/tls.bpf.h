/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What is inside TLS: the socket's bytes are walked by records, and what the records hold is read
 * where the program hands it to the library. It has a state of its own beside the socket's, for
 * programs at a library's functions may not use socket storage.
 */
#ifndef WEFT_LIB_TLS_BPF_H
#define WEFT_LIB_TLS_BPF_H

#include "classify/tls.h"
#include "lib/socket_call.bpf.h"

#define TLS_INSIDE_KEY	  1ULL	       /* in `conns_by_sk`, beside the socket's address */
#define TLS_INSIDE_COOKIE (1ULL << 62) /* and in what names the connection */

/* The state of what a socket's records hold. NULL: nothing of it was seen. */
static __always_inline struct conn *tls_inside(__u64 sk, __u64 cookie)
{
	__u64 key = sk | TLS_INSIDE_KEY;
	struct conn *conn = bpf_map_lookup_elem(&conns_by_sk, &key);

	return conn && conn->cookie == cookie ? conn : NULL;
}

/* The same, made if there is none. */
static __always_inline struct conn *tls_inside_make(const struct tls_socket *socket)
{
	struct conn *conn = tls_inside(socket->sk, socket->cookie);
	__u64 key = socket->sk | TLS_INSIDE_KEY;
	__u32 slot = 0;

	if (conn)
		return conn;
	conn = bpf_map_lookup_elem(&conn_template, &slot);
	if (!conn || bpf_map_update_elem(&conns_by_sk, &key, conn, BPF_ANY)) {
		stat_add(STAT_NO_STATE);
		return NULL;
	}
	conn = bpf_map_lookup_elem(&conns_by_sk, &key);
	if (!conn)
		return NULL;
	stat_add(STAT_TLS_CONNECTIONS);
	conn_init(conn, (struct sock *)socket->sk, socket->cookie);
	conn->tls = TLS_INSIDE;
	conn->tls_version = socket->version ? socket->version : TLS_VERSION_UNKNOWN;
	conn->tls_cipher = socket->cipher;
	conn->wire = socket->active ? WIRE_F_ACTIVE : 0;
	return conn;
}

/* This socket is used now. */
static __always_inline void tls_note(struct tls_socket *socket, const struct conn *conn)
{
	socket->sk = conn->address;
	socket->cookie = conn->cookie | TLS_INSIDE_COOKIE;
	socket->active = !!(conn->wire & WIRE_F_ACTIVE);
	socket->version = conn->tls_version;
	socket->cipher = conn->tls_cipher;
}

/* The session is the socket's that the thread has used. */
static __always_inline void tls_bind(__u64 session, const struct tls_socket *socket, __u32 apart)
{
	struct tls_session_key key = { .session = session,
				       .pid = bpf_get_current_pid_tgid() >> 32 };
	struct tls_session to = { .sk = socket->sk, .cookie = socket->cookie, .apart = apart };

	bpf_map_update_elem(&tls_sessions, &key, &to, BPF_ANY);
}

/*
 * What the thread serves for the socket's sake is a guess, made from its segments. From now on
 * what comes in is seen.
 */
static __always_inline void tls_unadopt(const struct conn *inside)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());

	if (unit && unit->current.adopted &&
	    (unit->current.conn | TLS_INSIDE_COOKIE) == inside->cookie)
		unit->current.conn = 0;
}

/* The walk over bytes that the library is handed, or has given out. */
static __always_inline void tls_walk_init(struct walk *walk, __u64 sk, __u8 dir, __u64 buf,
					  __u32 len)
{
	walk_init(walk, (struct sock *)sk, dir, len);
	walk->seg.base = buf;
	walk->seg.len = len;
	walk->seg.start = 0;
	walk->seg.n_iov = 0;
	walk->no_buffer = 0;
}

/* NULL: several are under way on this processor, which is counted. */
static __always_inline struct walk *tls_walk_begin(__u64 sk, __u8 dir, __u64 buf, __u32 len)
{
	struct walk *walk = NULL;

	for (__u32 slot = SCRATCH_TLS; slot < SCRATCH_MAX && !walk; slot++)
		walk = scratch_try(slot);
	if (walk)
		tls_walk_init(walk, sk, dir, buf, len);
	else
		stat_add(STAT_BUSY);
	return walk;
}

/* The one that the thread has begun. */
static __always_inline struct walk *tls_walk_begun(void)
{
	__u32 tid = bpf_get_current_pid_tgid();

	for (__u32 slot = SCRATCH_TLS; slot < SCRATCH_MAX; slot++) {
		__u32 key = slot;
		struct walk *walk = bpf_map_lookup_elem(&scratch, &key);

		if (walk && walk->busy && walk->tid == tid)
			return walk;
	}
	return NULL;
}

#endif
