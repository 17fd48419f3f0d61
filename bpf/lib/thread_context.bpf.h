/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What an SDK says of the thread that runs: the span that is active on it (OTEP 4947, "Thread
 * Context"). It is authoritative, and free of charge to the process: nothing is hooked, its memory
 * is read where it publishes it. The dynamic linker's part of the way is glibc's.
 */
#ifndef WEFT_LIB_THREAD_CONTEXT_BPF_H
#define WEFT_LIB_THREAD_CONTEXT_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "abi/config.h"
#include "abi/context.h"

/* "Thread-Local Context Record", as much of it as is of use. */
struct thread_context_record {
	__u64 trace_id[2]; /* bytes in wire order */
	__u64 span_id;
	__u8 valid;
	__u8 flags; /* W3C trace-flags */
} __attribute__((packed));

#if defined(__TARGET_ARCH_x86)
#define TLS_DTV_AT 8 /* tcbhead_t.dtv (sysdeps/x86_64/nptl/tls.h) */

static __always_inline __u64 thread_pointer(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread.fsbase);
}
#elif defined(__TARGET_ARCH_arm64)
#define TLS_DTV_AT 0 /* sysdeps/aarch64/nptl/tls.h */

static __always_inline __u64 thread_pointer(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread.uw.tp_value);
}
#endif

#define TLS_DTV_ENTRY 16 /* dtv_t: where the module's block is, and what to free */

/* Address of the variable in the thread, 0: it has none. */
static __always_inline __u64 tls_address(const struct tls_place *place, __u64 pointer)
{
	__u64 vector = 0, block = 0;

	if (!pointer)
		return 0;
	if (!place->module)
		return pointer + place->offset;
	if (bpf_probe_read_user(&vector, sizeof(vector), (void *)(pointer + TLS_DTV_AT)) ||
	    bpf_probe_read_user(&block, sizeof(block),
				(void *)(vector + (__u64)place->module * TLS_DTV_ENTRY)))
		return 0;
	/* a block that the thread has not touched yet is not there: -1 */
	return block + 1 > 1 ? block + place->offset : 0;
}

/* The span that is active on the thread, which must be the running one. Non-zero: none is told. */
static __always_inline int thread_context_read(const struct process_config *process, __u32 tid,
					       struct trace_context *ret)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct thread_context_record record = {};
	__u64 at, from = 0;

	if (!process || !(process->flags & PROCESS_F_THREAD_CONTEXT) ||
	    BPF_CORE_READ(task, pid) != tid)
		return -1;
	at = tls_address(&process->thread_context, thread_pointer(task));
	if (!at || bpf_probe_read_user(&from, sizeof(from), (void *)at) || !from ||
	    bpf_probe_read_user(&record, sizeof(record), (void *)from))
		return -1;
	if (record.valid != 1 || !(record.trace_id[0] | record.trace_id[1]) || !record.span_id)
		return -1;
	ret->trace_id[0] = record.trace_id[0];
	ret->trace_id[1] = record.trace_id[1];
	ret->span_id = record.span_id;
	ret->flags = record.flags & (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM);
	return 0;
}

#endif
