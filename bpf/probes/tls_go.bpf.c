// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Go's own TLS: crypto/tls.(*Conn).Read and Write. Goroutines move from thread to thread, so
 * nothing is kept by thread: a call's socket is found from the connection that it is made on, and a
 * read's return from its goroutine. Arguments and results are in registers (Go 1.17 and later:
 * cmd/compile/abi-internal.md). Returns are probed as instructions: a uretprobe changes the stack,
 * which Go reads and moves.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "lib/library_next.bpf.h"
#include "lib/tls_direct.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define GO_G(ctx)      ((ctx)->r14)
#define GO_FIRST(ctx)  ((ctx)->ax) /* the receiver, or the first result */
#define GO_SECOND(ctx) ((ctx)->bx) /* the slice: its array, */
#define GO_THIRD(ctx)  ((ctx)->cx) /* and its length */
#elif defined(__TARGET_ARCH_arm64)
#define GO_REGS(ctx)   ((const struct user_pt_regs *)(ctx))
#define GO_G(ctx)      (GO_REGS(ctx)->regs[28])
#define GO_FIRST(ctx)  (GO_REGS(ctx)->regs[0])
#define GO_SECOND(ctx) (GO_REGS(ctx)->regs[1])
#define GO_THIRD(ctx)  (GO_REGS(ctx)->regs[2])
#endif

/*
 * tls.Conn begins with the net.Conn that it is on, an interface: its type, and what it is. That is
 * a *net.TCPConn, of which the first word is the *net.netFD; the descriptor lies behind the
 * latter's lock (internal/poll.FD). Or it is something that holds a net.Conn first.
 */
#define GO_INTERFACE_DATA 8
#define GO_SYSFD_AT	  16
#define GO_WRAPPED_MAX	  3

#define S_IFMT	  0170000
#define S_IFSOCK  0140000
#define FILES_MAX (1 << 20) /* that a process may have open: nr_open, as it comes */

static __always_inline __u64 user_word(__u64 address)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

/* The address of the TCP socket that a descriptor of the process is, 0: it is none. */
static __always_inline __u64 socket_of(__u64 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;
	struct socket *socket;
	struct sock *sk;

	if (fd >= FILES_MAX || fd >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file ||
	    (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	return sk && socket_fits(sk) ? (__u64)sk : 0;
}

/*
 * The state of the socket that a session is on. That there is a net.TCPConn is taken for granted;
 * of anything else the socket must be known to carry TLS.
 */
static __always_inline struct tls_direct *find_socket(__u64 session)
{
	__u64 at = user_word(session + GO_INTERFACE_DATA);

	for (int i = 0; i < GO_WRAPPED_MAX && at; i++) {
		__u64 sk = socket_of((__u32)user_word(user_word(at) + GO_SYSFD_AT));
		struct tls_direct *direct = NULL;

		if (sk)
			direct = bpf_map_lookup_elem(&tls_directs, &sk);
		if (sk && !i && !direct) {
			direct = tls_direct_make(sk);
			if (direct)
				direct->handshake = HANDSHAKE_OVER;
		}
		if (direct) {
			direct->socket.sk = sk;
			return direct;
		}
		at = user_word(at + GO_INTERFACE_DATA);
	}
	return NULL;
}

/* The same, as it was found before. A socket's state goes with it. */
static __always_inline struct tls_direct *known_socket(const struct tls_session_key *key)
{
	struct tls_session *known = bpf_map_lookup_elem(&tls_sessions, key);
	struct tls_direct *direct;

	if (!known)
		return NULL;
	direct = bpf_map_lookup_elem(&tls_directs, &known->sk);
	return direct && direct->session == key->session ? direct : NULL;
}

/* NULL: the process is not traced, or the socket is not known. */
static __always_inline struct tls_direct *socket_begins(__u64 session)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct tls_session_key key = { .session = session, .pid = pid };
	struct tls_session found = {};
	struct tls_direct *direct;

	if (!process_selected(pid))
		return NULL;
	stat_add(STAT_TLS_TRAPS);
	direct = known_socket(&key);
	if (direct)
		return direct;
	tls_process_meet(pid);
	direct = find_socket(session);
	if (!direct) {
		stat_add(STAT_TLS_UNBOUND);
		return NULL;
	}
	direct->session = session;
	found.sk = direct->socket.sk;
	bpf_map_update_elem(&tls_sessions, &key, &found, BPF_ANY);
	return direct;
}

SEC("uprobe/go_tls_write")
int go_tls_write(struct pt_regs *ctx)
{
	__u64 size = GO_THIRD(ctx);
	struct tls_direct *direct = (__s32)size > 0 ? socket_begins(GO_FIRST(ctx)) : NULL;

	if (direct) {
		direct->buf = GO_SECOND(ctx);
		direct->used = 0;
		direct->size = size;
	}
	KEEP_STACK(ctx);
	return 0;
}

/* Who reads. */
static __always_inline struct tls_read_key reader(struct pt_regs *ctx)
{
	return (struct tls_read_key){ .task = GO_G(ctx), .pid = bpf_get_current_pid_tgid() >> 32 };
}

SEC("uprobe/go_tls_read")
int go_tls_read(struct pt_regs *ctx)
{
	struct tls_direct *direct = socket_begins(GO_FIRST(ctx));
	struct tls_read_key key = reader(ctx);
	struct tls_read read = { .session = GO_FIRST(ctx), .buf = GO_SECOND(ctx) };

	if (direct) {
		read.sk = direct->socket.sk;
		read.size = GO_THIRD(ctx);
		bpf_map_update_elem(&tls_reads, &key, &read, BPF_ANY);
	}
	KEEP_STACK(ctx);
	return 0;
}

/* The state of what the read has given bytes of. */
static __always_inline struct conn *read_from(const struct tls_read *read, __u32 n)
{
	struct tls_direct *direct = bpf_map_lookup_elem(&tls_directs, &read->sk);
	struct conn *inside = NULL;

	if (direct && direct->session == read->session && direct->socket.cookie)
		inside = tls_inside_make(&direct->socket);
	if (!inside) {
		stat_add(STAT_TLS_UNBOUND);
		return NULL;
	}
	inside->inside_seq[DIR_IN] = tls_direct_read_seq(direct, n, n < read->size);
	return inside;
}

SEC("uprobe/go_tls_returned")
int go_tls_returned(struct pt_regs *ctx)
{
	struct tls_read_key key = reader(ctx);
	struct tls_read *read = bpf_map_lookup_elem(&tls_reads, &key);
	struct walk *walk = NULL;
	__u64 n = GO_FIRST(ctx);

	if (!read)
		return 0;
	stat_add(STAT_TLS_TRAPS);
	if ((__s64)n > 0 && n <= read->size && read_from(read, n))
		walk = tls_walk_begin(read->sk, DIR_IN, read->buf, n);
	bpf_map_delete_elem(&tls_reads, &key);
	library_go_on(ctx, walk);
	return 0;
}
