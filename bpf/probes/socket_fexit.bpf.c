// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Socket data, second choice: the ends of the protocols' own functions, where the kernel allows
 * trampolines. State is in socket storage, as with the tracepoints.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/socket_called.bpf.h"

SEC("fexit/tcp_sendmsg")
int BPF_PROG(fexit_tcp_send, struct sock *sk, struct msghdr *msg, size_t size, int result)
{
	return socket_called(sk, result, DIR_OUT);
}

/* Up to 5.18 there was one more argument before the flags: the result is taken by its place at the end. */
SEC("fexit/tcp_recvmsg")
int BPF_PROG(fexit_tcp_recv, struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len,
	     int result)
{
	if (flags & MSG_PEEK)
		return 0;
	return socket_called(sk, result, DIR_IN);
}

SEC("fexit/unix_stream_sendmsg")
int BPF_PROG(fexit_unix_send, struct socket *sock, struct msghdr *msg, size_t len, int result)
{
	return socket_called(sock->sk, result, DIR_OUT);
}

SEC("fexit/unix_stream_recvmsg")
int BPF_PROG(fexit_unix_recv, struct socket *sock, struct msghdr *msg, size_t size, int flags,
	     int result)
{
	if (flags & MSG_PEEK)
		return 0;
	return socket_called(sock->sk, result, DIR_IN);
}
