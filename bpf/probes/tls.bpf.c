// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Functions of TLS libraries that are handed bytes to send, or room for bytes that came:
 * SSL_write(session, buffer, size) and all that are like it. What is sent is read when its record
 * goes out, by the socket's own probe; what came, when the function returns.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/tls.bpf.h"

/*
 * Nothing is in it, and nothing is called. From Linux 6.13 on a program that makes no tail call has
 * its stack in memory of the CPU (commit a76ab5731e32), and these may be preempted: two of them
 * would write to one stack.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} tls_nowhere SEC(".maps");

#define KEEP_STACK(ctx)                                                                            \
	do {                                                                                       \
		if (knobs.private_stack)                                                           \
			bpf_tail_call(ctx, &tls_nowhere, 0);                                       \
	} while (0)

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
	call->size = size;
	call->used = 0;
	call->dir = dir;
	call->inside = 0;
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

/* Bytes that the program sends by itself, later: nothing will tell then which record holds them. */
static __always_inline void write_now(const struct tls_session *session,
				      const struct tls_call *call)
{
	struct conn *inside = tls_inside(session->sk, session->cookie);
	struct tcp_sock *tp = (struct tcp_sock *)session->sk;

	if (!inside)
		return;
	inside->inside_seq[DIR_OUT] = BPF_CORE_READ(tp, write_seq);
	tls_walk(inside, session->sk, DIR_OUT, call->buf, call->size);
}

/*
 * Another call has followed a write of which nothing was sent: this program sends by itself. What
 * it has written first is there still, if it looks like it.
 */
static __always_inline void write_unsent(struct tls_call *call)
{
	struct tls_session *session = session_of(call->session);
	__u64 first[2];

	buffer_begins(call, first);
	if (!session || first[0] != call->first[0] || first[1] != call->first[1]) {
		stat_add(STAT_TLS_UNBOUND);
		return;
	}
	session->apart |= TLS_APART_OUT;
	write_now(session, call);
}

/* A call that has to be made again is made with the same arguments. */
static __always_inline void call_follows(__u64 session, __u64 buf, __u32 size)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());

	if (unit && unit->tls.session == session && unit->tls.dir == DIR_OUT && !unit->tls.used &&
	    (unit->tls.buf != buf || unit->tls.size != size))
		write_unsent(&unit->tls);
}

static __always_inline void send_begins(__u64 session, __u64 buf, __u64 size)
{
	const struct tls_session *known;
	struct tls_call *call;

	if ((int)size <= 0)
		return;
	call_follows(session, buf, size);
	call = call_begins(session, buf, (__u32)size, DIR_OUT);
	if (!call)
		return;
	known = session_of(session);
	if (known && known->apart & TLS_APART_OUT) {
		call->session = 0;
		write_now(known, call);
	} else {
		buffer_begins(call, call->first);
	}
}

SEC("uprobe/SSL_write")
int BPF_KPROBE(tls_send, __u64 session, __u64 buf, __u64 size)
{
	send_begins(session, buf, size);
	KEEP_STACK(ctx);
	return 0;
}

static __always_inline struct tls_call *read_begins(__u64 session, __u64 buf, __u64 size)
{
	if ((int)size <= 0)
		return NULL;
	call_follows(session, 0, 0);
	return call_begins(session, buf, (__u32)size, DIR_IN);
}

SEC("uprobe/SSL_read")
int BPF_KPROBE(tls_recv, __u64 session, __u64 buf, __u64 size)
{
	read_begins(session, buf, size);
	KEEP_STACK(ctx);
	return 0;
}

/* The number of bytes is left at an address. */
SEC("uprobe/SSL_read_ex")
int BPF_KPROBE(tls_recv_ex, __u64 session, __u64 buf, __u64 size, __u64 size_at)
{
	struct tls_call *call = read_begins(session, buf, size);

	if (call)
		call->size_at = size_at;
	KEEP_STACK(ctx);
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
		return tls_inside_make(call);
	session = session_of(call->session);
	if (session && (!(session->apart & TLS_APART_IN) || !call->sk))
		inside = tls_inside(session->sk, session->cookie);
	if (inside) {
		call->sk = session->sk;
		return inside;
	}
	if (!call->sk)
		return NULL;
	if (!session || session->sk != call->sk || session->cookie != call->cookie)
		tls_bind(call, TLS_APART_IN | TLS_APART_OUT);
	return tls_inside_make(call);
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

static __always_inline void read_ends(int result)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());
	struct tls_call *call;
	struct conn *inside;
	__u32 n;

	if (!unit)
		return;
	call = &unit->tls;
	if (!call->session || call->dir != DIR_IN)
		return;
	stat_add(STAT_TLS_TRAPS);
	n = call_result(call, result);
	inside = n ? read_from(call) : NULL;
	call->session = 0;
	if (!inside) {
		if (n)
			stat_add(STAT_TLS_UNBOUND);
		return;
	}
	inside->inside_seq[DIR_IN] = read_seq(call, n);
	tls_unadopt(inside);
	tls_walk(inside, call->sk, DIR_IN, call->buf, n);
}

SEC("uretprobe/SSL_read")
int BPF_KRETPROBE(tls_received, int result)
{
	read_ends(result);
	KEEP_STACK(ctx);
	return 0;
}
