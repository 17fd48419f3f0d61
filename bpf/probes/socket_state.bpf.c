// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Connections that are opened and that end. Runs in the caller's context or in softirq. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "classify/address.h"
#include "lib/conn_by_sk.bpf.h"
#include "lib/socket_called.bpf.h"

/* Programs that see requests before they leave are only for sockets that are TCP's and no more. */
static __always_inline int socket_is_plain(struct sock *sk)
{
	return !BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ulp_ops);
}

/* Is the other end on this host for certain? */
static __always_inline int peer_is_local(const struct conn_tuple *tuple)
{
	const __u64 *local = (const __u64 *)tuple->local_ip;
	const __u64 *remote = (const __u64 *)tuple->remote_ip;

	/* 127.0.0.0/8, mapped, and ::1 are often another address than the own one */
	return (local[0] == remote[0] && local[1] == remote[1]) ||
	       (remote[0] == 0 && (remote[1] & 0xffffffffffULL) == 0x7fffff0000ULL);
}

/* May context be sent to the peer, and by what means? */
static __always_inline void wire_allow(struct sock *sk, struct conn *conn, __u32 pid)
{
	__u32 key = 0;
	const struct wire_config *config = bpf_map_lookup_elem(&wire, &key);

	conn->wire = WIRE_F_ACTIVE;
	conn->opener = pid;
	/* what it sends cannot be reported: nothing must point to it */
	if (task_is_compat(bpf_get_current_task_btf())) {
		stat_add(STAT_COMPAT);
		conn->verdict = VERDICT_OPAQUE;
		return;
	}
	if (!config || !socket_is_plain(sk))
		return;
	if (config->test_pid == pid)
		conn->wire |= WIRE_F_ALLOWED | WIRE_F_TEST;
	else if ((config->mode != WIRE_OFF || knobs.tcp_option) &&
		 address_in(knobs.propagate_to, knobs.n_propagate_to, conn->tuple.remote_ip))
		conn->wire |= WIRE_F_ALLOWED | (peer_is_local(&conn->tuple) ? WIRE_F_LOCAL : 0);
}

/*
 * A connection is being opened, by whom is known now. So is, in an event loop, for whom: not any
 * more when it comes to send.
 */
static __always_inline void socket_opens(struct sock *sk)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct process_config *process;
	struct conn *conn;

	/* whatever else is chosen: the self-test's own connections are looked at */
	if (pid != test_process() && !socket_selected(sk))
		return;
	conn = knobs.by_address ? conn_make_by_sk(sk) : conn_make(sk);
	if (!conn)
		return;
	wire_allow(sk, conn, pid);
	process = bpf_map_lookup_elem(&processes, &pid);
	if (process && process->unit == UNIT_EVENT_LOOP)
		context_open(conn);
}

/*
 * A client that only ends its sending side still waits for the answer; a server that does so has
 * given it.
 */
static __always_inline void socket_closes(struct sock *sk, struct conn *conn, int state)
{
	int error = 0;

	if (state == TCP_CLOSE)
		error = sk->sk_err;
	else if (conn->role == ROLE_CLIENT && !(sk->sk_shutdown & RCV_SHUTDOWN))
		return;
	socket_end(sk, conn, error, SCRATCH_STATE);
}

/* What its records hold ends with it. */
static __always_inline void tls_closes(struct sock *sk, const struct conn *conn, int state)
{
	__u64 key = conn->address | TLS_INSIDE_KEY;
	struct conn *inside;

	if (conn->tls != TLS_RECORDS)
		return;
	inside = bpf_map_lookup_elem(&conns_by_sk, &key);
	if (!inside)
		return;
	socket_closes(sk, inside, state);
	if (state == TCP_CLOSE)
		bpf_map_delete_elem(&conns_by_sk, &key);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sock_state, struct sock *sk, int before, int now)
{
	struct conn *conn;
	__u64 key = (__u64)sk;

	if (now != TCP_SYN_SENT && now != TCP_FIN_WAIT1 && now != TCP_LAST_ACK && now != TCP_CLOSE)
		return 0;
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (now == TCP_SYN_SENT) {
		socket_opens(sk);
		return 0;
	}
	conn = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (conn) {
		socket_closes(sk, conn, now);
		tls_closes(sk, conn, now);
	}
	conn = bpf_map_lookup_elem(&conns_by_sk, &key);
	if (conn) {
		tls_closes(sk, conn, now);
		socket_closes(sk, conn, now);
		if (now == TCP_CLOSE)
			bpf_map_delete_elem(&conns_by_sk, &key);
	}
	return 0;
}
