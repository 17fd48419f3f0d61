// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Functions of TLS libraries that are handed bytes to send, or room for bytes that came:
 * SSL_write(session, buffer, size) and all that are like it. What is sent is read when its record
 * goes out, by the socket's own probe; what came, when the function returns.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/library_next.bpf.h"

#define WALKS_MAX 2 /* by one call */

struct library_next_map library_next SEC(".maps");

/* NULL: the process is not traced. */
static __always_inline struct tls_call *call_begins(__u64 session, __u64 buf, __u64 size, __u8 dir)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct tls_call *call;
	struct unit *unit;

	if (!process_selected(id >> 32))
		return NULL;
	stat_add(STAT_TLS_TRAPS);
	unit = unit_make(id);
	if (!unit)
		return NULL;
	call = &unit->tls;
	call->session = session;
	call->buf = buf;
	call->size_at = 0;
	call->n_iov = 0;
	call->whole = 0;
	call->size = size;
	call->used = 0;
	call->dir = dir;
	call->inside = 0;
	call->again = 0;
	return call;
}

static __always_inline struct tls_session *session_of(__u64 session)
{
	struct tls_session_key key = { .session = session,
				       .pid = bpf_get_current_pid_tgid() >> 32 };

	return bpf_map_lookup_elem(&tls_sessions, &key);
}

/* What tells a buffer from another one that lies at its place later. */
static __always_inline void buffer_begins(const struct tls_call *call, __u64 first[2])
{
	__u32 size = call->size;

	first[0] = first[1] = 0;
	if (size > 2 * sizeof(first[0]))
		size = 2 * sizeof(first[0]);
	bpf_probe_read_user(first, size, (void *)call->buf);
}

/*
 * Bytes that the program sends by itself, later: nothing will tell then which record holds them.
 * Gives their walk.
 */
static __always_inline struct walk *write_now(const struct tls_session *session,
					      const struct tls_call *call)
{
	struct conn *inside = tls_inside(session->sk, session->cookie);
	struct tcp_sock *tp = (struct tcp_sock *)session->sk;

	if (!inside)
		return NULL;
	inside->inside_seq[DIR_OUT] = BPF_CORE_READ(tp, write_seq);
	return tls_walk_begin(session->sk, DIR_OUT, call->buf, call->size);
}

/*
 * Another call has followed a write of which nothing was sent: this program sends by itself. What
 * it has written first is there still, if it looks like it.
 */
static __always_inline struct walk *write_unsent(struct tls_call *call)
{
	struct tls_session *session = session_of(call->session);
	__u64 first[2];

	buffer_begins(call, first);
	if (!session || first[0] != call->first[0] || first[1] != call->first[1]) {
		stat_add(STAT_TLS_UNBOUND);
		return NULL;
	}
	session->apart |= TLS_APART_OUT;
	return write_now(session, call);
}

/* A call that has to be made again is made with the same arguments. */
static __always_inline struct walk *call_follows(__u64 session, __u64 buf, __u32 size)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());

	if (unit && unit->tls.session == session && unit->tls.dir == DIR_OUT && !unit->tls.used &&
	    (unit->tls.buf != buf || unit->tls.size != size))
		return write_unsent(&unit->tls);
	return NULL;
}

/* Gives the walk that is to follow. */
static __always_inline struct walk *send_begins(__u64 session, __u64 buf, __u64 size)
{
	const struct tls_session *known;
	struct tls_call *call;
	struct walk *walk;

	if ((int)size <= 0)
		return NULL;
	walk = call_follows(session, buf, size);
	call = call_begins(session, buf, (__u32)size, DIR_OUT);
	if (!call)
		return walk;
	known = session_of(session);
	if (!known || !(known->apart & TLS_APART_OUT)) {
		buffer_begins(call, call->first);
		return walk;
	}
	call->session = 0;
	if (!walk)
		return write_now(known, call);
	call->again = 1;
	return walk;
}

SEC("uprobe/SSL_write")
int BPF_KPROBE(tls_send, __u64 session, __u64 buf, __u64 size)
{
	library_go_on(ctx, send_begins(session, buf, size));
	return 0;
}

/* Gives the walk that is to follow. `size_at`: where the number of bytes is left, or 0. */
static __always_inline struct walk *read_begins(__u64 session, __u64 buf, __u64 size, __u64 size_at)
{
	struct tls_call *call;
	struct walk *walk;

	if ((int)size <= 0)
		return NULL;
	walk = call_follows(session, 0, 0);
	call = call_begins(session, buf, (__u32)size, DIR_IN);
	if (call)
		call->size_at = size_at;
	return walk;
}

SEC("uprobe/SSL_read")
int BPF_KPROBE(tls_recv, __u64 session, __u64 buf, __u64 size)
{
	library_go_on(ctx, read_begins(session, buf, size, 0));
	return 0;
}

SEC("uprobe/SSL_read_ex")
int BPF_KPROBE(tls_recv_ex, __u64 session, __u64 buf, __u64 size, __u64 size_at)
{
	library_go_on(ctx, read_begins(session, buf, size, size_at));
	return 0;
}

/* How much the call has given out. */
static __always_inline __u32 call_result(const struct tls_call *call, int result)
{
	__u64 size = 0;

	if (result <= 0)
		return 0;
	if (!call->size_at)
		return result;
	if (bpf_probe_read_user(&size, sizeof(size), (void *)call->size_at)) {
		stat_add(STAT_UNREADABLE);
		return 0;
	}
	return size;
}

/*
 * The connection that the bytes came on: the one that was used within the call, or that the session
 * is known for; or else that the thread has read from last, and handed to the library.
 */
static __always_inline struct conn *read_from(struct tls_call *call)
{
	struct tls_session *session;
	struct conn *inside = NULL;

	if (call->inside)
		return tls_inside_make(&call->socket);
	session = session_of(call->session);
	if (session && (!(session->apart & TLS_APART_IN) || !call->socket.sk))
		inside = tls_inside(session->sk, session->cookie);
	if (inside) {
		call->socket.sk = session->sk;
		return inside;
	}
	if (!call->socket.sk)
		return NULL;
	if (!session || session->sk != call->socket.sk || session->cookie != call->socket.cookie)
		tls_bind(call->session, &call->socket, TLS_APART_IN | TLS_APART_OUT);
	return tls_inside_make(&call->socket);
}

/*
 * Where the record began that has held the bytes. Others may have come before it and were the
 * library's own: from TLS 1.3 on, the end of the handshake looks like data.
 */
static __always_inline __u32 read_seq(const struct tls_call *call, __u32 len)
{
	__u32 seq = call->arrived[0].seq;

	for (__u32 i = 0; i < TLS_ARRIVED_MAX; i++)
		if (i < call->n_arrived && call->arrived[i].len == len + TLS_ADDED_1_3)
			return call->arrived[i].seq;
	return seq;
}

/* Gives the walk that is to follow. */
static __always_inline struct walk *read_ends(int result)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());
	struct tls_call *call;
	struct conn *inside;
	__u32 n;

	if (!unit)
		return NULL;
	call = &unit->tls;
	if (!call->session || call->dir != DIR_IN)
		return NULL;
	stat_add(STAT_TLS_TRAPS);
	n = call_result(call, result);
	inside = n ? read_from(call) : NULL;
	call->session = 0;
	if (!inside) {
		if (n)
			stat_add(STAT_TLS_UNBOUND);
		return NULL;
	}
	inside->inside_seq[DIR_IN] = read_seq(call, n);
	tls_unadopt(inside);
	return tls_walk_begin(call->socket.sk, DIR_IN, call->buf, n);
}

SEC("uretprobe/SSL_read")
int BPF_KRETPROBE(tls_received, int result)
{
	library_go_on(ctx, read_ends(result));
	return 0;
}

/* Is there more to walk? Then that is what is walked next. */
static __always_inline int walk_again(struct walk *walk)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());

	if (!unit || !unit->tls.again)
		return 0;
	unit->tls.again = 0;
	tls_walk_init(walk, walk->sk, DIR_OUT, unit->tls.buf, unit->tls.size);
	return 1;
}

/* What all of them go on with, and Go's, too. */
SEC("uprobe/tls_walks")
int tls_walks(struct pt_regs *ctx)
{
	struct walk *walk = tls_walk_begun();

	if (!walk)
		return 0;
	for (int i = 0; i < WALKS_MAX; i++) {
		__u64 key = walk->sk | TLS_INSIDE_KEY;
		struct conn *inside = bpf_map_lookup_elem(&conns_by_sk, &key);

		if (inside)
			conn_walk(inside, walk);
		if (!walk_again(walk))
			break;
	}
	scratch_give(walk);
	KEEP_STACK(ctx);
	return 0;
}
