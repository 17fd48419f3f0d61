/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Where the bytes of the socket call that just ended lie in the program's memory: read from the
 * arguments that the task's saved registers still hold (bpf_task_pt_regs, Linux 5.15).
 */
#ifndef WEFT_LIB_USER_BUFFER_BPF_H
#define WEFT_LIB_USER_BUFFER_BPF_H

#include "lib/unit.bpf.h"

#define TS_COMPAT    0x0002	/* x86 thread_info.status: a call of the 32-bit ABI */
#define TIF_32BIT    22		/* arm64 thread_info.flags: the same */
#define PF_IO_WORKER 0x00000010 /* io_uring's worker threads */
#define PF_KTHREAD   0x00200000

/* The arguments that matter, and which call it was. */
struct call {
	__u64 nr;
	__u64 fd;
	__u64 second;
	__u64 third;
};

#if defined(__TARGET_ARCH_x86)
enum call_nr {
	CALL_READ = 0,
	CALL_WRITE = 1,
	CALL_READV = 19,
	CALL_WRITEV = 20,
	CALL_SENDFILE = 40,
	CALL_SENDTO = 44,
	CALL_RECVFROM = 45,
	CALL_SENDMSG = 46,
	CALL_RECVMSG = 47,
	CALL_SPLICE = 275,
	CALL_RECVMMSG = 299,
	CALL_SENDMMSG = 307,
	CALL_PREADV2 = 327,
	CALL_PWRITEV2 = 328,
};

static __always_inline struct call current_call(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	return (struct call){
		.nr = regs->orig_ax, .fd = regs->di, .second = regs->si, .third = regs->dx
	};
}

static __always_inline int task_is_compat(struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT;
}
#elif defined(__TARGET_ARCH_arm64)
enum call_nr {
	CALL_READ = 63,
	CALL_WRITE = 64,
	CALL_READV = 65,
	CALL_WRITEV = 66,
	CALL_SENDFILE = 71,
	CALL_SPLICE = 76,
	CALL_SENDTO = 206,
	CALL_RECVFROM = 207,
	CALL_SENDMSG = 211,
	CALL_RECVMSG = 212,
	CALL_RECVMMSG = 243,
	CALL_SENDMMSG = 269,
	CALL_PREADV2 = 286,
	CALL_PWRITEV2 = 287,
};

static __always_inline struct call current_call(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	/* the first argument's register already holds the call's result to be */
	return (struct call){ .nr = regs->syscallno,
			      .fd = regs->orig_x0,
			      .second = regs->regs[1],
			      .third = regs->regs[2] };
}

static __always_inline int task_is_compat(struct task_struct *task)
{
	return (task->thread_info.flags >> TIF_32BIT) & 1;
}
#else
#error "weft knows the system calls of x86_64 and aarch64"
#endif

/* The message of a sendmmsg or recvmmsg that is under way: they are dealt with in order. */
static __always_inline __u64 mmsg_current(const struct call *call)
{
	struct unit *unit = unit_make(bpf_get_current_pid_tgid());
	__u32 index = 0;

	if (!unit)
		return 0;
	if (unit->mmsg == call->second)
		index = unit->mmsg_next;
	unit->mmsg = index + 1 < call->third ? call->second : 0;
	unit->mmsg_next = index + 1;
	return call->second + index * sizeof(struct mmsghdr);
}

static __always_inline void walk_iov(struct walk *walk, __u64 iov, __u64 count)
{
	walk->seg.iov = iov;
	walk->seg.n_iov = count < WALK_SEGMENTS_MAX ? count : WALK_SEGMENTS_MAX;
	walk->seg.len = 0;
}

static __always_inline void walk_message(struct walk *walk, __u64 address)
{
	struct user_msghdr message;

	if (!address || bpf_probe_read_user(&message, sizeof(message), (void *)address)) {
		walk->no_buffer = 1;
		return;
	}
	walk_iov(walk, (__u64)message.msg_iov, message.msg_iovlen);
}

/* Points the walk at the call's bytes; sets no_buffer when they are not in the program's memory. */
static __always_inline void walk_buffer(struct walk *walk, const struct call *call)
{
	walk->seg.start = 0;
	walk->seg.len = 0;
	walk->seg.n_iov = 0;
	walk->no_buffer = 0;
	switch (call->nr) {
	case CALL_READ:
	case CALL_WRITE:
	case CALL_SENDTO:
	case CALL_RECVFROM:
		walk->seg.base = call->second;
		walk->seg.len = walk->len;
		break;
	case CALL_READV:
	case CALL_WRITEV:
	case CALL_PREADV2:
	case CALL_PWRITEV2:
		walk_iov(walk, call->second, call->third);
		break;
	case CALL_SENDMSG:
	case CALL_RECVMSG:
		walk_message(walk, call->second);
		break;
	case CALL_SENDMMSG:
	case CALL_RECVMMSG:
		walk_message(walk, mmsg_current(call));
		break;
	default:
		walk->no_buffer = 1;
	}
}

#endif
