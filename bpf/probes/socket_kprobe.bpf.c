// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Socket data, fourth choice: kprobes on the protocols' own functions, where the kernel has no
 * trampolines for BPF (arm64 before Linux 6.4), or preempts them. The entry notes the socket with
 * the thread, the return takes it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/conn_by_sk.bpf.h"

/* Nothing is begun on a socket that is not traced, so its return has little to do. */
static __always_inline int call_wanted(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct conn *conn = bpf_map_lookup_elem(&conns_by_sk, &key);

	if (bpf_get_current_task_btf()->flags & (PF_KTHREAD | PF_IO_WORKER))
		return 0;
	/* an opaque state may be that of an earlier socket at this address */
	if (conn && (conn->verdict != VERDICT_OPAQUE || conn->cookie == socket_identity(sk)))
		return conn->verdict != VERDICT_OPAQUE || (knobs.tls && conn->tls != TLS_NO);
	return socket_selected(sk);
}

/*
 * A call within a call (a page of the buffer comes over the network) takes the outer one's place,
 * and the outer one ends as unknown; so does a call whose return the kernel had no room to follow.
 */
static __always_inline int call_begins(struct sock *sk, __u8 dir)
{
	struct unit *unit;

	if (!call_wanted(sk))
		return 0;
	unit = unit_make(bpf_get_current_pid_tgid());
	if (!unit)
		return 0;
	if (unit->call_sk)
		stat_add(STAT_BUSY);
	unit->call_sk = (__u64)sk;
	unit->call_dir = dir;
	return 0;
}

/* A look at bytes that stay where they are. What an earlier call has left must not be taken for it.
 */
static __always_inline int call_peeks(void)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());

	if (unit)
		unit->call_sk = 0;
	return 0;
}

/* Of all the functions below. A section must name one: libbpf 0.5 knows no bare "kretprobe". */
SEC("kretprobe/tcp_sendmsg")
int BPF_KRETPROBE(kret_socket, int result)
{
	struct unit *unit = unit_of(bpf_get_current_pid_tgid());
	struct sock *sk;

	if (!unit || !unit->call_sk)
		return 0;
	sk = (struct sock *)unit->call_sk;
	unit->call_sk = 0;
	return socket_called_by_sk(sk, result, unit->call_dir);
}

SEC("kprobe/tcp_sendmsg")
int BPF_KPROBE(kp_tcp_send, struct sock *sk)
{
	return call_begins(sk, DIR_OUT);
}

/* Up to Linux 5.18 there was one more argument, before the flags. */
SEC("kprobe/tcp_recvmsg")
int BPF_KPROBE(kp_tcp_recv, struct sock *sk, struct msghdr *msg, size_t len, int fourth, int fifth)
{
	int flags = knobs.recv_arguments == 6 ? fifth : fourth;

	return flags & MSG_PEEK ? call_peeks() : call_begins(sk, DIR_IN);
}

SEC("kprobe/unix_stream_sendmsg")
int BPF_KPROBE(kp_unix_send, struct socket *sock)
{
	return call_begins(BPF_CORE_READ(sock, sk), DIR_OUT);
}

SEC("kprobe/unix_stream_recvmsg")
int BPF_KPROBE(kp_unix_recv, struct socket *sock, struct msghdr *msg, size_t size, int flags)
{
	return flags & MSG_PEEK ? call_peeks() : call_begins(BPF_CORE_READ(sock, sk), DIR_IN);
}

/* sendfile(2) and splice(2), up to Linux 6.4. */
SEC("kprobe/tcp_sendpage")
int BPF_KPROBE(kp_tcp_page, struct sock *sk)
{
	return call_begins(sk, DIR_OUT);
}

SEC("kprobe/unix_stream_sendpage")
int BPF_KPROBE(kp_unix_page, struct socket *sock)
{
	return call_begins(BPF_CORE_READ(sock, sk), DIR_OUT);
}
