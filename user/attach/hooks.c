/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/hooks.h"

#include "bpf/abi/config.h"

/*
 * Up to Linux 6.4, sendfile(2) and splice(2) hand pages to a socket by a function of their own,
 * which the tracepoints do not see either. Sockets whose messages are looked at before they leave
 * have functions of their own, too.
 */
/* clang-format off */
#define FEXIT_PAGES \
	{ "fexit_tcp_page", .function = "tcp_sendpage", .if_there = true }, \
	{ "fexit_bpf_page", .function = "tcp_bpf_sendpage", .if_there = true }, \
	{ "fexit_unix_page", .function = "unix_stream_sendpage", .if_there = true }

/* A probe at a function's entry, and the one at its end that they all share. */
#define KPROBE(program, hooked, ...) \
	{ program, .function = hooked, __VA_ARGS__ }, \
	{ "kret_socket", .function = hooked, __VA_ARGS__ }

#define KPROBE_PAGES \
	KPROBE("kp_tcp_page", "tcp_sendpage", .if_there = true), \
	KPROBE("kp_tcp_page", "tcp_bpf_sendpage", .if_there = true), \
	KPROBE("kp_unix_page", "unix_stream_sendpage", .if_there = true)

#define TRACEPOINTS { \
	{ "socket_walk", .tracepoint = "sock_send_length", .place = PLACE_NEXT, .slot = SOCKET_WALK }, \
	{ "socket_tls", .tracepoint = "sock_send_length", .place = PLACE_NEXT, .slot = SOCKET_TLS }, \
	{ "sock_send", .tracepoint = "sock_send_length" }, \
	{ "sock_recv", .tracepoint = "sock_recv_length" }, \
	FEXIT_PAGES, \
}

#define FEXITS { \
	{ "fexit_tcp_send", .function = "tcp_sendmsg" }, \
	{ "fexit_bpf_send", .function = "tcp_bpf_sendmsg", .if_there = true }, \
	{ "fexit_tcp_recv", .function = "tcp_recvmsg", .arguments = 4, .arguments_max = 6 }, \
	{ "fexit_unix_send", .function = "unix_stream_sendmsg" }, \
	{ "fexit_unix_recv", .function = "unix_stream_recvmsg" }, \
	FEXIT_PAGES, \
}

#define LIBRARY_CALLS { \
	{ "tls_send", .place = PLACE_LIBRARY }, \
	{ "tls_recv", .place = PLACE_LIBRARY }, \
	{ "tls_recv_ex", .place = PLACE_LIBRARY }, \
	{ "tls_received", .place = PLACE_LIBRARY }, \
	{ "tls_walks", .place = PLACE_LIBRARY_NEXT, .slot = LIBRARY_WALK }, \
}

#define DIRECT_CALLS { \
	{ "go_tls_write", .place = PLACE_LIBRARY }, \
	{ "go_tls_read", .place = PLACE_LIBRARY }, \
	{ "go_tls_returned", .place = PLACE_LIBRARY }, \
	{ "rust_tls_write", .place = PLACE_LIBRARY }, \
	{ "rust_tls_read", .place = PLACE_LIBRARY }, \
	{ "tls_walks", .place = PLACE_LIBRARY_NEXT, .slot = LIBRARY_WALK }, \
}
/* clang-format on */

const struct surface surfaces[SURFACE_MAX] = {
	[SURFACE_SOCKET_DATA] = {
		.name = "socket data",
		.without = "nothing can be traced",
		.required = true,
		.hooks = {
			{
				.name = "tracepoints sock_send_length, sock_recv_length",
				.programs = TRACEPOINTS,
				.preemption = PREEMPTION_NEW,
			},
			{
				.name = "tracepoints by way of perf",
				.by_address = true,
				.programs = {
					{ "perf_send", .tracepoint = "sock_send_length" },
					{ "perf_recv", .tracepoint = "sock_recv_length" },
					KPROBE_PAGES,
				},
			},
			{
				.name = "fexit on tcp_sendmsg, tcp_recvmsg, unix_stream_*",
				.programs = FEXITS,
				.preemption = PREEMPTION_ON,
			},
			{
				.name = "kprobes on the same",
				.by_address = true,
				.programs = {
					KPROBE("kp_tcp_send", "tcp_sendmsg"),
					KPROBE("kp_tcp_recv", "tcp_recvmsg", .arguments = 4,
					       .arguments_max = 6),
					KPROBE("kp_unix_send", "unix_stream_sendmsg"),
					KPROBE("kp_unix_recv", "unix_stream_recvmsg"),
					KPROBE("kp_tcp_send", "tcp_bpf_sendmsg", .if_there = true),
					KPROBE_PAGES,
				},
			},
			{
				.name = "tracepoints, preempted: some calls are missed",
				.programs = TRACEPOINTS,
				.preemption = PREEMPTION_ACCEPTED,
			},
			{
				.name = "fexit, preempted: some calls are missed",
				.programs = FEXITS,
				.preemption = PREEMPTION_ACCEPTED,
			},
		},
	},
	[SURFACE_CONNECTION_STATE] = {
		.name = "connection state",
		.without = "answers that end with the connection, resets and time-outs are not "
			   "seen",
		.hooks = {
			{
				.name = "tracepoint inet_sock_set_state",
				.programs = {
					{ "sock_state", .tracepoint = "inet_sock_set_state" },
				},
			},
		},
	},
	[SURFACE_PROCESSES] = {
		.name = "processes",
		.without = "programs started later are named late, and not selected by --exe",
		.hooks = {
			{
				.name = "tracepoints sched_process_exec, _fork, _exit",
				.programs = {
					{ "process_exec", .tracepoint = "sched_process_exec" },
					{ "process_fork", .tracepoint = "sched_process_fork" },
					{ "process_exit", .tracepoint = "sched_process_exit" },
				},
			},
		},
	},
	[SURFACE_SPLICE] = {
		.name = "spliced reads",
		.without = "answers that a proxy takes by splice(2) end late",
		.hooks = {
			{
				.name = "tracepoint tcp_rcv_space_adjust",
				.programs = {
					{ "tcp_spliced", .tracepoint = "tcp_rcv_space_adjust" },
				},
			},
		},
	},
	/* up to 5.16 the tracepoint does not say which request has ended */
	[SURFACE_IO_URING] = {
		.name = "io_uring",
		.without = "programs that use io_uring for sockets are not traced",
		.hooks = {
			{
				.name = "tracepoint io_uring_complete (entry)",
				.programs = {
					{ "uring_complete", .tracepoint = "io_uring_complete",
					  .arguments = 3 },
				},
			},
			{
				.name = "tracepoint io_uring_complete (values)",
				.programs = {
					{ "uring_complete5", .tracepoint = "io_uring_complete",
					  .arguments = 5, .arguments_max = 7 },
				},
			},
		},
	},
	[SURFACE_WIRE] = {
		.name = "context out",
		.without = "requests that leave the host do not carry their trace",
		.hooks = {
			{
				.name = "sock_ops, sockhash and sk_msg",
				.programs = {
					{ "wire_socket", .place = PLACE_CGROUP },
					{ "wire_message", .place = PLACE_SOCKETS },
				},
			},
			{
				.name = "sock_ops (TCP option only)",
				.programs = {
					{ "wire_socket", .place = PLACE_CGROUP },
				},
			},
		},
	},
	[SURFACE_LIBRARIES] = {
		.name = "TLS libraries",
		.without = "what TLS carries is not seen",
		.hooks = {
			{
				.name = "uprobes, many at a time",
				.programs = LIBRARY_CALLS,
				.multi = true,
			},
			{
				.name = "uprobes, by way of perf",
				.programs = LIBRARY_CALLS,
			},
		},
	},
	[SURFACE_DIRECT] = {
		.name = "TLS of Go, Rust",
		.without = "what TLS carries is not seen in programs written in Go or Rust",
		.hooks = {
			{
				.name = "uprobes, many at a time",
				.programs = DIRECT_CALLS,
				.multi = true,
			},
			{
				.name = "uprobes, by way of perf",
				.programs = DIRECT_CALLS,
			},
		},
	},
	[SURFACE_OPEN] = {
		.name = "open connections",
		.without = "connections that were open before weft started do not carry context to "
			   "other hosts",
		.hooks = {
			{
				.name = "iterator over TCP sockets",
				.programs = {
					{ "open_socket", .place = PLACE_SEQUENCE,
					  .constant = "TCP_BPF_SOCK_OPS_CB_FLAGS" },
				},
			},
		},
	},
};

size_t surface_hooks(const struct surface *surface)
{
	size_t n = 0;

	while (n < SURFACE_HOOKS_MAX && surface->hooks[n].name)
		n++;
	return n;
}
