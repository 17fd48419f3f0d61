// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Connections that are opened and that end. Runs in the caller's context or in softirq. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/conn_by_sk.bpf.h"
#include "lib/socket_called.bpf.h"

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
	/* what it sends cannot be reported: nothing must point to it */
	if (task_is_compat(bpf_get_current_task_btf())) {
		stat_add(STAT_COMPAT);
		conn->wire = WIRE_F_ACTIVE;
		conn->verdict = VERDICT_OPAQUE;
		return;
	}
	peer_allow(conn, pid, socket_is_plain(sk));
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
	if (conn->direct && state == TCP_CLOSE) {
		__u64 sk_key = conn->address;

		bpf_map_delete_elem(&tls_directs, &sk_key);
	}
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
