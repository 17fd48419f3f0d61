// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Socket reads and writes by io_uring: no system call's registers hold the buffer, but the request
 * does when it completes. A request is no typed pointer here, so state is kept by the socket's
 * address.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/conn_by_sk.bpf.h"

#define S_IFMT	 0170000
#define S_IFSOCK 0140000

/* enum io_uring_op (include/uapi/linux/io_uring.h): an ABI. */
enum uring_op {
	URING_READV = 1,
	URING_WRITEV = 2,
	URING_SENDMSG = 9,
	URING_RECVMSG = 10,
	URING_READ = 22,
	URING_WRITE = 23,
	URING_SEND = 26,
	URING_RECV = 27,
	URING_SEND_ZC = 47,
};

/* Which way an operation moves bytes. Non-zero: it moves none. */
static __always_inline int uring_direction(__u8 op, __u8 *ret_dir)
{
	switch (op) {
	case URING_READV:
	case URING_RECVMSG:
	case URING_READ:
	case URING_RECV:
		*ret_dir = DIR_IN;
		return 0;
	case URING_WRITEV:
	case URING_SENDMSG:
	case URING_WRITE:
	case URING_SEND:
	case URING_SEND_ZC:
		*ret_dir = DIR_OUT;
		return 0;
	default:
		return -1;
	}
}

/*
 * The operation's own part of a request is laid over its first bytes. A function of its own, so
 * that its stack is not in use while they are walked.
 */
static __noinline void uring_buffer(struct walk *walk, struct io_kiocb *req, __u8 op)
{
	struct io_sr_msg *message = (struct io_sr_msg *)req;
	struct io_rw *rw = (struct io_rw *)req;

	walk->seg.start = 0;
	walk->seg.len = 0;
	walk->seg.n_iov = 0;
	walk->no_buffer = 0;
	switch (op) {
	case URING_SEND:
	case URING_RECV:
	case URING_SEND_ZC:
		walk->seg.base = (__u64)BPF_CORE_READ(message, buf);
		walk->seg.len = walk->len;
		break;
	case URING_READ:
	case URING_WRITE:
		walk->seg.base = BPF_CORE_READ(rw, addr);
		walk->seg.len = walk->len;
		break;
	case URING_READV:
	case URING_WRITEV:
		walk_iov(walk, BPF_CORE_READ(rw, addr), BPF_CORE_READ(rw, len));
		break;
	default:
		walk_message(walk, (__u64)BPF_CORE_READ(message, umsg));
	}
}

static __always_inline void uring_bytes(struct io_kiocb *req, struct sock *sk, __u8 op, int result)
{
	struct conn *conn = conn_by_sk(sk);
	struct walk *walk;
	__u8 dir;

	if (!conn || conn->verdict == VERDICT_OPAQUE || uring_direction(op, &dir))
		return;
	if (result <= 0) {
		socket_failed(sk, conn, dir, result);
		return;
	}
	walk = scratch_take(SCRATCH_URING);
	if (!walk)
		return;
	walk_init(walk, bpf_get_current_task_btf(), sk, dir, result,
		  end_seq_matters(conn, dir, result) ? end_seq_read(sk, dir) : 0);
	uring_buffer(walk, req, op);
	conn_walk(conn, walk);
	scratch_give(walk);
}

static __always_inline int uring_completed(struct io_kiocb *req, int result)
{
	struct file *file;
	struct inode *inode;
	struct socket *socket;
	__u8 op, dir;

	if (!req)
		return 0;
	op = BPF_CORE_READ(req, opcode);
	if (uring_direction(op, &dir))
		return 0;
	file = BPF_CORE_READ(req, file);
	inode = file ? BPF_CORE_READ(file, f_inode) : NULL;
	if (!inode || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	uring_bytes(req, BPF_CORE_READ(socket, sk), op, result);
	return 0;
}

/* Newer kernels hand over the completion entry. On older ones this is no pointer, and is refused.
 */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(uring_complete, void *ring, void *req, struct io_uring_cqe *cqe)
{
	return uring_completed(req, cqe->res);
}

/* Older kernels: its fields one by one. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(uring_complete5, void *ring, void *req, __u64 user_data, int result)
{
	return uring_completed(req, result);
}
