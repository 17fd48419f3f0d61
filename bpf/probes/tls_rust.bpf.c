// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * rustls, within programs written in Rust. It knows no sockets: a program carries records between
 * the two. Two functions are called through tables of pointers, so that no compiler makes them
 * vanish in their callers, and once for each record: the one that encrypts it, MessageEncrypter's
 * encrypt(), and the one that is handed what it held, ExpectTraffic's handle(). All is known at
 * their entry; no return is probed.
 *
 * Rust promises no layout. What is read here is checked for what only the expected one has; where
 * nothing of that kind is found, nothing is seen.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "lib/library_next.bpf.h"
#include "lib/tls_direct.bpf.h"

/*
 * A method's arguments: the object, and what follows it. A result that registers cannot hold is
 * left where a hidden argument says: the first one on x86, and one of its own on Arm.
 */
#if defined(__TARGET_ARCH_x86)
#define RUST_OBJECT(ctx) ((ctx)->si)
#define RUST_FIRST(ctx)	 ((ctx)->dx)
#define RUST_SECOND(ctx) ((ctx)->cx)
#elif defined(__TARGET_ARCH_arm64)
#define RUST_REGS(ctx)	 ((const struct user_pt_regs *)(ctx))
#define RUST_OBJECT(ctx) (RUST_REGS(ctx)->regs[0])
#define RUST_FIRST(ctx)	 (RUST_REGS(ctx)->regs[1])
#define RUST_SECOND(ctx) (RUST_REGS(ctx)->regs[2])
#endif

/* Numbers of the enums ContentType and ProtocolVersion, as they are declared. */
#define RUST_HANDSHAKE 2
#define RUST_DATA      3
#define RUST_TLS_1_2   4 /* of data in any version: RFC 8446 section 5.1 */
#define RUST_TLS_1_3   5

/* A record that is to go out. */
struct record {
	__u64 buf;
	__u32 n_iov; /* 0: `buf` is the bytes themselves, not an array of slices of them */
	__u32 start; /* of the record, in what the slices hold together */
	__u32 len;
	__u32 type;
};

/* What type and version stand for, in whichever order the compiler has put them. 0: not that. */
static __always_inline __u32 record_type(__u64 word)
{
	__u32 type = word & 0xff, version = word >> 16 & 0xffff;

	if ((word & 0xffff) == RUST_TLS_1_2 || (word & 0xffff) == RUST_TLS_1_3) {
		version = word & 0xffff;
		type = word >> 32 & 0xff;
	}
	if (type == RUST_DATA && version == RUST_TLS_1_2)
		return type;
	if (type == RUST_HANDSHAKE && (version == RUST_TLS_1_2 || version == RUST_TLS_1_3))
		return type;
	return 0;
}

/*
 * BorrowedPlainMessage (rustls 0.21, 0.22) begins with a slice, OutboundPlainMessage (0.23) with a
 * slice behind a zero, or with an array of slices, and where in it the record begins and ends. Type
 * and version follow. Where the latter has lengths there is nothing that looks like a type: no
 * record is as long.
 */
static __always_inline int record_read(__u64 message, struct record *record)
{
	__u64 words[5] = {};

	if (bpf_probe_read_user(words, sizeof(words), (void *)message))
		return 0;
	record->n_iov = record->start = 0;
	record->type = record_type(words[2]);
	if (record->type) {
		record->buf = words[0];
		record->len = words[1];
	} else {
		record->type = record_type(words[4]);
		record->buf = words[0] ?: words[1];
		record->len = words[0] ? words[3] - words[2] : words[2];
		if (words[0]) {
			record->n_iov = words[1];
			record->start = words[2];
		}
	}
	return record->type && record->buf && record->len && record->len <= TLS_FRAGMENT_MAX;
}

/*
 * A handshake's record is made while the thread deals with what it has just read: that is the
 * socket which the key is for.
 */
static __always_inline void bind_to_last(const struct unit *unit, __u64 encrypter)
{
	if (unit->tls.socket.sk)
		tls_bind(encrypter, &unit->tls.socket, TLS_APART_OUT);
}

/* Gives the walk over a record that is to go out on the socket. */
static __always_inline struct walk *write_now(__u64 sk, struct conn *inside,
					      const struct record *record)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	struct walk *walk = tls_walk_begin(sk, DIR_OUT, record->buf, record->len);

	if (!walk)
		return NULL;
	inside->inside_seq[DIR_OUT] = BPF_CORE_READ(tp, write_seq);
	if (record->n_iov) {
		/* what stands before it in the slices is taken for walked */
		walk_iov(walk, record->buf, record->n_iov);
		walk->at = record->start;
		walk->len += record->start;
		inside->inside_seq[DIR_OUT] -= record->start;
	}
	return walk;
}

/* Keeps a copy of the slices. Non-zero: it cannot be. */
static __always_inline int slices_wait(const struct record *record)
{
	static const struct tls_slices none;
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 n = record->n_iov;
	struct tls_slices *waiting;

	bpf_map_update_elem(&tls_waiting, &tid, &none, BPF_ANY);
	waiting = bpf_map_lookup_elem(&tls_waiting, &tid);
	verify_here(n);
	if (!waiting || !n || n > TLS_SLICES_MAX || record->start)
		return -1;
	return bpf_probe_read_user(waiting->slices, n * sizeof(waiting->slices[0]),
				   (void *)record->buf);
}

/* Does the record begin where what waits ends? */
static __always_inline int continues(const struct tls_call *call, const struct record *record)
{
	if (record->n_iov)
		return call->n_iov == record->n_iov && call->buf == record->buf &&
		       call->size == record->start;
	return !call->n_iov && call->buf + call->size == record->buf;
}

/* The first one of a client: the thread's next send on a socket tells whose it is. */
static __always_inline void write_waits(struct tls_call *call, __u64 encrypter,
					const struct record *record)
{
	if (call->session == encrypter && call->dir == DIR_OUT && continues(call, record)) {
		call->size += record->len;
		return;
	}
	call->session = 0;
	if (record->n_iov && slices_wait(record)) {
		stat_add(STAT_TLS_UNBOUND);
		return;
	}
	call->session = encrypter;
	call->buf = record->buf;
	call->size = record->len;
	call->n_iov = record->n_iov;
	call->size_at = 0;
	call->used = 0;
	call->dir = DIR_OUT;
	call->inside = 0;
	call->again = 0;
	call->whole = 1;
}

/* The state of what the socket carries that the key is for. Its own state goes with the socket. */
static __always_inline struct conn *inside_of(const struct tls_session *session)
{
	struct tls_direct *direct;
	__u64 sk;

	if (!session)
		return NULL;
	sk = session->sk;
	direct = bpf_map_lookup_elem(&tls_directs, &sk);
	if (!direct || direct->socket.cookie != session->cookie)
		return NULL;
	return tls_inside_make(&direct->socket);
}

/* Gives the walk that is to follow. `number`: of the record, from 0 on with each key. */
static __always_inline struct walk *write_begins(__u64 encrypter, __u64 number,
						 const struct record *record)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct tls_session_key key = { .session = encrypter, .pid = id >> 32 };
	struct unit *unit = unit_make(id);
	struct tls_session *session;
	struct conn *inside;

	if (!unit)
		return NULL;
	/* another one has lain there */
	if (!number)
		bpf_map_delete_elem(&tls_sessions, &key);
	if (record->type == RUST_HANDSHAKE) {
		if (!number)
			bind_to_last(unit, encrypter);
		return NULL;
	}
	session = bpf_map_lookup_elem(&tls_sessions, &key);
	inside = inside_of(session);
	if (inside)
		return write_now(session->sk, inside, record);
	write_waits(&unit->tls, encrypter, record);
	return NULL;
}

static __always_inline int is_traced(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (!process_selected(pid))
		return 0;
	stat_add(STAT_TLS_TRAPS);
	tls_process_meet(pid);
	return 1;
}

/* encrypt(&mut self, message, number) -> Result<...> */
SEC("uprobe/rust_tls_write")
int rust_tls_write(struct pt_regs *ctx)
{
	struct walk *walk = NULL;
	struct record record;

	if (is_traced() && record_read(RUST_FIRST(ctx), &record))
		walk = write_begins(RUST_OBJECT(ctx), RUST_SECOND(ctx), &record);
	library_go_on(ctx, walk);
	return 0;
}

/*
 * A Message begins with its MessagePayload, of which ApplicationData is the 3rd or 4th kind. The
 * number of the kind stands where the capacity of a vector might, above all that one can have. The
 * data is a slice, or a vector, behind another such word.
 */
#define RUST_KIND     (1ULL << 63)
#define RUST_DATA_MIN (RUST_KIND + 3)
#define RUST_DATA_MAX (RUST_KIND + 5)

struct message {
	__u64 kind;
	__u64 capacity;
	__u64 buf;
	__u64 len;
};

static __always_inline int message_read(__u64 address, struct message *message)
{
	return !bpf_probe_read_user(message, sizeof(*message), (void *)address) &&
	       message->kind >= RUST_DATA_MIN && message->kind <= RUST_DATA_MAX && message->len &&
	       message->len <= TLS_FRAGMENT_MAX;
}

/* Gives the walk that is to follow. The thread has just read the record from its socket. */
static __always_inline struct walk *read_ends(const struct message *message)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());
	struct tls_direct *direct;
	struct conn *inside;
	__u64 sk = unit ? unit->tls.socket.sk : 0;

	inside = sk ? tls_inside_make(&unit->tls.socket) : NULL;
	if (!inside) {
		stat_add(STAT_TLS_UNBOUND);
		return NULL;
	}
	direct = bpf_map_lookup_elem(&tls_directs, &sk);
	inside->inside_seq[DIR_IN] = direct ? tls_direct_read_seq(direct, message->len, 1)
					    : bpf_get_prandom_u32();
	tls_unadopt(inside);
	return tls_walk_begin(sk, DIR_IN, message->buf, message->len);
}

/* handle(self, context, message) -> Result<...> */
SEC("uprobe/rust_tls_read")
int rust_tls_read(struct pt_regs *ctx)
{
	struct message message = {};
	struct walk *walk = NULL;

	if (is_traced() && message_read(RUST_SECOND(ctx), &message))
		walk = read_ends(&message);
	library_go_on(ctx, walk);
	return 0;
}
