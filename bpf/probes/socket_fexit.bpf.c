// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Socket data, third choice: the ends of the protocols' own functions, where the kernel allows
 * trampolines. State is in socket storage, as with the tracepoints.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/socket_called.bpf.h"

/* What was sent of a socket's stream by the calls that were seen. */
static __always_inline __u32 sent_seq(struct sock *sk)
{
	return BPF_CORE_READ((struct tcp_sock *)sk, write_seq);
}

static __always_inline int tcp_sent(struct sock *sk, int result)
{
	struct conn *conn;
	int r = socket_called(sk, result, DIR_OUT);

	conn = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (conn)
		conn->sent_seq = sent_seq(sk);
	return r;
}

/*
 * The same of an enrolled socket, which has other functions than TCP's. They call those only where
 * the socket has just left: then that call has been seen.
 */
static __always_inline int enrolled_sent(struct sock *sk, int result)
{
	struct conn *conn = bpf_sk_storage_get(&conns, sk, 0, 0);

	if (!conn || (result > 0 && conn->sent_seq == sent_seq(sk)))
		return 0;
	return socket_called(sk, result, DIR_OUT);
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(fexit_tcp_send, struct sock *sk, struct msghdr *msg, size_t size, int result)
{
	return tcp_sent(sk, result);
}

SEC("fexit/tcp_bpf_sendmsg")
int BPF_PROG(fexit_bpf_send, struct sock *sk, struct msghdr *msg, size_t size, int result)
{
	return enrolled_sent(sk, result);
}

/*
 * Takes an argument of a function by its place. The verifier wants each place as a constant, so the
 * compiler must not reckon one out.
 */
#define ARGUMENT(ctx, place)                                                                       \
	({                                                                                         \
		__u64 value = (ctx)[place];                                                        \
		asm volatile("/* argument " #place " */" : "+r"(value));                           \
		value;                                                                             \
	})

/*
 * The result stands behind the arguments, and their number has changed: up to Linux 5.18 one came
 * before the flags, and from 7.1 on (and in stable releases before) the last one is gone.
 */
SEC("fexit/tcp_recvmsg")
int fexit_tcp_recv(__u64 *ctx)
{
	int flags, result;

	if (knobs.recv_arguments == 6) {
		flags = ARGUMENT(ctx, 4);
		result = ARGUMENT(ctx, 6);
	} else if (knobs.recv_arguments == 5) {
		flags = ARGUMENT(ctx, 3);
		result = ARGUMENT(ctx, 5);
	} else {
		flags = ARGUMENT(ctx, 3);
		result = ARGUMENT(ctx, 4);
	}
	if (flags & MSG_PEEK)
		return 0;
	return socket_called((struct sock *)ctx[0], result, DIR_IN);
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

/* sendfile(2) and splice(2), up to Linux 6.4. */
SEC("fexit/tcp_sendpage")
int BPF_PROG(fexit_tcp_page, struct sock *sk, struct page *page, int offset, size_t size, int flags,
	     int result)
{
	return tcp_sent(sk, result);
}

SEC("fexit/tcp_bpf_sendpage")
int BPF_PROG(fexit_bpf_page, struct sock *sk, struct page *page, int offset, size_t size, int flags,
	     int result)
{
	return enrolled_sent(sk, result);
}

SEC("fexit/unix_stream_sendpage")
int BPF_PROG(fexit_unix_page, struct socket *sock, struct page *page, int offset, size_t size,
	     int flags, int result)
{
	return socket_called(sock->sk, result, DIR_OUT);
}
