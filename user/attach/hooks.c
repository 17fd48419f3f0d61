/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/hooks.h"

const struct surface surfaces[SURFACE_MAX] = {
	[SURFACE_SOCKET_DATA] = {
		.name = "socket data",
		.without = "nothing can be traced",
		.required = true,
		.hooks = {
			{
				.name = "tracepoints sock_send_length, sock_recv_length",
				.programs = { "sock_send", "sock_recv" },
				.tracepoints = { "sock_send_length", "sock_recv_length" },
			},
			{
				.name = "fexit on sock_sendmsg, sock_recvmsg of TCP and unix sockets",
				.programs = { "fexit_tcp_send", "fexit_tcp_recv", "fexit_unix_send",
					      "fexit_unix_recv" },
				.functions = { "tcp_sendmsg", "tcp_recvmsg", "unix_stream_sendmsg",
					       "unix_stream_recvmsg" },
			},
		},
	},
	[SURFACE_CONNECTION_STATE] = {
		.name = "connection state",
		.without = "answers that end with the connection, resets and time-outs are not seen",
		.hooks = {
			{
				.name = "tracepoint inet_sock_set_state",
				.programs = { "sock_state" },
				.tracepoints = { "inet_sock_set_state" },
			},
		},
	},
	[SURFACE_PROCESSES] = {
		.name = "processes",
		.without = "programs started later are named late, and not selected by --exe",
		.hooks = {
			{
				.name = "tracepoints sched_process_exec, _fork, _exit",
				.programs = { "process_exec", "process_fork", "process_exit" },
				.tracepoints = { "sched_process_exec", "sched_process_fork",
						 "sched_process_exit" },
			},
		},
	},
	[SURFACE_SPLICE] = {
		.name = "spliced reads",
		.without = "answers that a proxy takes by splice(2) end late",
		.hooks = {
			{
				.name = "tracepoint tcp_rcv_space_adjust",
				.programs = { "tcp_spliced" },
				.tracepoints = { "tcp_rcv_space_adjust" },
			},
		},
	},
	[SURFACE_IO_URING] = {
		.name = "io_uring",
		.without = "programs that use io_uring for sockets are not traced",
		.hooks = {
			{
				.name = "tracepoint io_uring_complete (entry)",
				.programs = { "uring_complete" },
				.tracepoints = { "io_uring_complete" },
			},
			{
				.name = "tracepoint io_uring_complete (values)",
				.programs = { "uring_complete_5" },
				.tracepoints = { "io_uring_complete" },
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
