// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Socket data, first choice: the tracepoints that fire after every socket call (Linux >= 6.3).
 * State is in socket storage.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/socket_called.bpf.h"

SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_send, struct sock *sk, int result, int flags)
{
	return socket_called(sk, result, DIR_OUT);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_recv, struct sock *sk, int result, int flags)
{
	if (flags & MSG_PEEK)
		return 0;
	return socket_called(sk, result, DIR_IN);
}
