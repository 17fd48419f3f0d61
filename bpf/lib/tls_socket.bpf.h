/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Calls on sockets that carry TLS: which session of a library they belong to, and which of the
 * bytes that the library was asked to send each record holds.
 */
#ifndef WEFT_LIB_TLS_SOCKET_BPF_H
#define WEFT_LIB_TLS_SOCKET_BPF_H

#include "lib/process_event.bpf.h"
#include "lib/tls_direct.bpf.h"

#define TLS_RECORDS_CALL_MAX 32 /* records of data that are told apart in one call */
#define EAGAIN		     11

/*
 * A connection carries TLS: the watcher is told of its process, once, to look for libraries. A
 * function of its own, so that its stack is not in use while bytes are walked.
 */
static __noinline __attribute__((unused)) int tls_meet(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct process_config *process = bpf_map_lookup_elem(&processes, &pid);
	struct process_config fresh = { .flags = PROCESS_F_SELECTED | PROCESS_F_TLS };

	if (process && process->flags & PROCESS_F_TLS)
		return 0;
	if (process)
		process->flags |= PROCESS_F_TLS;
	else
		bpf_map_update_elem(&processes, &pid, &fresh, BPF_NOEXIST);
	process_event_send(PROCESS_TLS, pid);
	return 0;
}

/* Is the thread within a call that reads from a session? */
static __always_inline int tls_is_read(const struct unit *unit)
{
	return unit->tls.session && unit->tls.dir == DIR_IN;
}

/* Bytes that such a call takes in are seen inside: nothing needs to be guessed of them. */
static __always_inline int tls_is_read_within(const struct conn *conn, __u8 dir)
{
	const struct unit *unit = unit_of(bpf_get_current_pid_tgid());

	return dir == DIR_IN && (conn->direct || (unit && tls_is_read(unit)));
}

/* Within a call of the session the socket was used: it is the session's. */
static __always_inline void tls_claim(struct tls_call *call, struct conn *conn)
{
	call->inside = 1;
	if (conn->session == call->session)
		return;
	conn->session = call->session;
	tls_bind(call->session, &call->socket, 0);
}

/* The first send of a call. One that had to wait is made again; a new one starts a record. */
static __always_inline void tls_write_begins(struct tls_call *call, struct tls_stream *stream)
{
	if (stream->resume_size && stream->resume_size == call->size &&
	    stream->resume_buf == call->buf) {
		call->used = stream->resume;
	} else if (stream->lost) {
		stream->lost = 0;
		stream->left = 0;
		stream->have = 0;
	}
	stream->resume_size = 0;
}

/*
 * A record of data goes out: how many bytes of what the library was handed does it hold? Those are
 * its next ones, and what they are to is the state of the thread's socket. In tls.bpf.c.
 */
int tls_sends(struct conn *conn, struct unit *unit);

/* Walks bytes that are sent. */
static __always_inline void tls_walk_sent(struct conn *inside, __u64 sk, __u64 buf, __u32 n)
{
	struct walk *walk = tls_walk_begin(sk, DIR_OUT, buf, n);

	if (!walk)
		return;
	conn_walk(inside, walk);
	scratch_give(walk);
}

/* The same, of what lies in the slices of the thread's write, all of it at once. */
static __always_inline void tls_walk_slices(const struct tls_call *call)
{
	__u32 tid = bpf_get_current_pid_tgid(), n = call->size;
	struct tls_slices *waiting = bpf_map_lookup_elem(&tls_waiting, &tid);
	struct conn *inside = tls_inside(call->socket.sk, call->socket.cookie);

	for (__u32 i = 0; waiting && inside && n && i < TLS_SLICES_MAX; i++) {
		__u64 len = waiting->slices[i].iov_len;

		if (len > n)
			len = n;
		if (len)
			tls_walk_sent(inside, call->socket.sk, (__u64)waiting->slices[i].iov_base,
				      len);
		inside->inside_seq[DIR_OUT] += len;
		n -= len;
	}
}

/* Walks what the record holds. Not in tls_sends(): no more than eight functions may wait. */
static __always_inline void tls_record_sent(struct conn *conn, struct unit *unit)
{
	struct tls_call *call = &unit->tls;
	__u32 n = tls_sends(conn, unit);
	struct conn *inside = n ? tls_inside(call->socket.sk, call->socket.cookie) : NULL;

	if (!inside)
		return;
	if (call->n_iov)
		call->again = 1; /* when the call's records are done with */
	else
		tls_walk_sent(inside, call->socket.sk, call->buf + call->used - n, n);
}

/* A record of data begins to come in, the first of a call if `i` is 0. */
static __always_inline void tls_arrives(struct tls_call *call, const struct tls_stream *stream,
					__u32 i)
{
	struct tls_arrived *arrived = &call->arrived[i & (TLS_ARRIVED_MAX - 1)];

	if (i >= TLS_ARRIVED_MAX)
		return;
	call->n_arrived = i + 1;
	arrived->seq = stream->seq;
	arrived->len = stream->len;
}

static __always_inline void tls_records(struct conn *conn, struct walk *walk, struct unit *unit)
{
	__u8 dir = walk->dir == DIR_OUT ? DIR_OUT : DIR_IN;
	int writes = unit && unit->tls.session && unit->tls.dir == DIR_OUT && dir == DIR_OUT;

	if (writes && !unit->tls.inside)
		tls_write_begins(&unit->tls, &conn->stream[DIR_OUT]);
	for (__u32 i = 0; i < TLS_RECORDS_CALL_MAX; i++) {
		if (!tls_next(conn, walk))
			break;
		if (dir == DIR_IN && unit)
			tls_arrives(&unit->tls, &conn->stream[DIR_IN], i);
		if (writes && unit->tls.session)
			tls_record_sent(conn, unit);
	}
	if (writes && unit->tls.again) {
		unit->tls.again = 0;
		tls_walk_slices(&unit->tls);
	}
	if (walk->at < walk->len)
		conn->stream[dir].lost = 1;
}

/*
 * A call on the socket has moved bytes, which have not been looked at yet. A function of its own,
 * so that its stack is not in use while they are.
 */
static __noinline __attribute__((unused)) int tls_call_begins(struct conn *conn, struct unit *unit,
							      __u8 dir, __u32 len)
{
	if (unit && (dir == DIR_IN || tls_is_read(unit)))
		tls_note(&unit->tls.socket, conn);
	if (unit && tls_is_read(unit))
		tls_claim(&unit->tls, conn);
	/* a header by itself, as libraries read it: here a record begins for certain */
	if (dir == DIR_IN && len == TLS_HEADER_LEN && conn->stream[DIR_IN].lost) {
		conn->stream[DIR_IN].lost = 0;
		conn->stream[DIR_IN].left = 0;
		conn->stream[DIR_IN].have = 0;
	}
	return 0;
}

static __always_inline void tls_bytes(struct sock *sk, struct conn *conn, __u8 dir, __u32 len)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct unit *unit = dir == DIR_IN || conn->direct ? unit_make(tid) : unit_of(tid);
	struct walk *walk = scratch_take(SCRATCH_DATA);

	if (!walk)
		return;
	tls_call_begins(conn, unit, dir, len);
	tls_direct_begins(conn, unit, dir);
	walk_init(walk, sk, dir, len);
	if (!walk_call(walk, conn, sk))
		tls_records(conn, walk, unit);
	if (conn->direct)
		tls_direct_ends(conn, unit, dir);
	scratch_give(walk);
}

/* A call that moved nothing. A write that has to wait is called again. Its stack is its own, too.
 */
static __noinline __attribute__((unused)) int tls_failed(struct sock *sk, struct conn *conn,
							 __u8 dir, int result)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());
	struct tls_stream *stream = &conn->stream[DIR_OUT];
	struct conn *inside;

	if (result == -EAGAIN) {
		if (dir != DIR_OUT || !unit || !unit->tls.session || unit->tls.dir != DIR_OUT)
			return 0;
		stream->resume_buf = unit->tls.buf;
		stream->resume_size = unit->tls.size;
		stream->resume = unit->tls.used;
		unit->tls.session = 0;
		return 0;
	}
	inside = tls_inside(conn->address, conn->cookie | TLS_INSIDE_COOKIE);
	if (inside)
		socket_failed(sk, inside, dir, result);
	return 0;
}

#endif
