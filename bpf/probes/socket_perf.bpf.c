// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Socket data, second choice: the same tracepoints by way of perf, where a program of the first
 * choice may be preempted (Linux >= 7.0). perf's run with preemption off everywhere; their socket
 * is an address.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "lib/conn_by_sk.bpf.h"

SEC("tp/sock/sock_send_length")
int perf_send(struct trace_event_raw_sock_msg_length *event)
{
	return socket_called_by_sk(event->sk, event->ret, DIR_OUT);
}

SEC("tp/sock/sock_recv_length")
int perf_recv(struct trace_event_raw_sock_msg_length *event)
{
	if (event->flags & MSG_PEEK)
		return 0;
	return socket_called_by_sk(event->sk, event->ret, DIR_IN);
}
