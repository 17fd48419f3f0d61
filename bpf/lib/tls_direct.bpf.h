/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Sockets whose session is known from itself, in runtimes that move tasks from thread to thread.
 * While a call on the socket is looked at, what is known of it takes the thread's place. Of other
 * runtimes, only the records that have come in are kept by socket.
 */
#ifndef WEFT_LIB_TLS_DIRECT_BPF_H
#define WEFT_LIB_TLS_DIRECT_BPF_H

#include "lib/tls.bpf.h"

static __always_inline int tls_process_is_direct(__u32 pid)
{
	return bpf_map_lookup_elem(&tls_processes, &pid) != NULL;
}

/* A call is the first that is known of it. */
static __always_inline void tls_process_meet(__u32 pid)
{
	__u8 yes = 1;

	if (!tls_process_is_direct(pid))
		bpf_map_update_elem(&tls_processes, &pid, &yes, BPF_ANY);
}

/* Made if there is none. NULL: there is no room. */
static __always_inline struct tls_direct *tls_direct_make(__u64 sk)
{
	static const struct tls_direct fresh;
	struct tls_direct *direct = bpf_map_lookup_elem(&tls_directs, &sk);

	if (direct)
		return direct;
	bpf_map_update_elem(&tls_directs, &sk, &fresh, BPF_NOEXIST);
	direct = bpf_map_lookup_elem(&tls_directs, &sk);
	if (!direct)
		stat_add(STAT_NO_STATE);
	return direct;
}

/* The write that is under way becomes the thread's call. */
static __always_inline void tls_direct_write(struct tls_call *call, const struct tls_direct *direct)
{
	call->session = direct->session;
	call->buf = direct->buf;
	call->size = direct->size;
	call->used = direct->used;
	call->size_at = 0;
	call->n_iov = 0;
	call->whole = 0;
	call->dir = DIR_OUT;
	call->inside = direct->used != 0; /* a new one starts a record */
}

/* It was another socket's, of the same address. */
static __always_inline void tls_direct_forget(struct tls_direct *direct)
{
	direct->session = 0;
	direct->used = direct->size = 0;
	direct->taken = 0;
	direct->read = direct->arrived;
	direct->added = direct->handshake = 0;
}

/* A call on the socket has moved bytes, which have not been looked at yet. */
static __noinline __attribute__((unused)) int tls_direct_begins(struct conn *conn,
								struct unit *unit, __u8 dir)
{
	struct tls_direct *direct;

	if (!conn || !unit || !tls_process_is_direct(bpf_get_current_pid_tgid() >> 32))
		return 0;
	direct = tls_direct_make(conn->address);
	if (!direct)
		return 0;
	conn->direct = 1;
	if (direct->socket.cookie && direct->socket.cookie != (conn->cookie | TLS_INSIDE_COOKIE))
		tls_direct_forget(direct);
	tls_note(&direct->socket, conn);
	if (direct->session)
		conn->session = direct->session;
	unit->tls.n_arrived = 0;
	if (dir == DIR_OUT && direct->used < direct->size)
		tls_direct_write(&unit->tls, direct);
	return 0;
}

#define HANDSHAKE_RECORDS 4 /* certificates, too */
#define HANDSHAKE_OVER	  0xff

/*
 * What a client sends to end the handshake looks like data from TLS 1.3 on. Its last record is
 * known by its length.
 */
static __always_inline int tls_direct_shakes(struct tls_direct *direct,
					     const struct tls_arrived *record)
{
	if (direct->socket.version != TLS_VERSION_1_3 || direct->socket.active ||
	    direct->handshake == HANDSHAKE_OVER)
		return 0;
	if (record->len == TLS_FINISHED_256 || record->len == TLS_FINISHED_384) {
		direct->handshake = HANDSHAKE_OVER;
		return 1;
	}
	return ++direct->handshake <= HANDSHAKE_RECORDS;
}

/* The next thread that uses the socket goes on from there. */
static __noinline __attribute__((unused)) int tls_direct_ends(struct conn *conn, struct unit *unit,
							      __u8 dir)
{
	struct tls_direct *direct;
	struct tls_call *call;
	__u64 sk;

	if (!conn || !unit)
		return 0;
	sk = conn->address;
	call = &unit->tls;
	direct = bpf_map_lookup_elem(&tls_directs, &sk);
	if (!direct)
		return 0;
	if (dir == DIR_OUT) {
		if (!direct->session)
			return 0;
		/* a handshake is under way: what is to be written waits for its end, unseen */
		direct->used = conn->stream[DIR_OUT].header[0] == TLS_HANDSHAKE ? direct->size
										: call->used;
		call->session = 0;
		return 0;
	}
	for (__u32 i = 0; i < TLS_ARRIVED_MAX; i++)
		if (i < call->n_arrived && !tls_direct_shakes(direct, &call->arrived[i]))
			direct->queue[direct->arrived++ & (TLS_QUEUE_MAX - 1)] = call->arrived[i];
	return 0;
}

/* May these bytes be from a record of which so many are left? */
static __always_inline int tls_direct_holds(const struct tls_direct *direct, __u32 left, __u32 n,
					    int whole)
{
	if (!whole)
		return (__s32)left >= (__s32)(n + TLS_ADDED_MIN);
	if (direct->socket.version == TLS_VERSION_1_3)
		return left == n + TLS_ADDED_1_3;
	return left >= n + TLS_ADDED_MIN && left <= n + TLS_ADDED_MAX;
}

/*
 * Where the record began that the `n` bytes are of which a read has given out: the oldest one that
 * may have held them. Records of the library's own come between: from TLS 1.3 on they look like
 * data. `whole`: the read has taken what was left of the record, for there was room for more. If it
 * is not known, a number that nobody else has.
 */
static __always_inline __u32 tls_direct_read_seq(struct tls_direct *direct, __u32 n, int whole)
{
	__u32 added = direct->added;

	if (!added)
		added = direct->socket.version == TLS_VERSION_1_3 ? TLS_ADDED_1_3 : TLS_ADDED_1_2;
	if (direct->arrived - direct->read > TLS_QUEUE_MAX)
		direct->read = direct->arrived - TLS_QUEUE_MAX;
	for (__u32 i = 0; i < TLS_QUEUE_MAX; i++) {
		const struct tls_arrived *record;
		__u32 taken = direct->taken, left, seq;

		if (direct->read == direct->arrived)
			break;
		record = &direct->queue[direct->read & (TLS_QUEUE_MAX - 1)];
		left = record->len - taken;
		seq = record->seq + taken;
		if (tls_direct_holds(direct, left, n, whole)) {
			if (whole && !taken)
				direct->added = left - n < 255 ? left - n : 0;
			if (whole || left <= n + added) {
				direct->taken = 0;
				direct->read++;
			} else {
				direct->taken = taken + n;
			}
			return seq;
		}
		direct->taken = 0;
		direct->read++;
	}
	return bpf_get_prandom_u32();
}

#endif
