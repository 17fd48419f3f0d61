/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Telling the watcher about the current process. */
#ifndef WEFT_LIB_PROCESS_EVENT_BPF_H
#define WEFT_LIB_PROCESS_EVENT_BPF_H

#include <bpf/bpf_core_read.h>

#include "maps.bpf.h"

/* Non-zero: there is no room, which is counted. The watcher then looks at all processes anew. */
static __always_inline int process_event_send(enum process_event_type type, __u32 pid)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct process_event *event = bpf_ringbuf_reserve(&process_events, sizeof(*event), 0);
	struct mm_struct *mm;
	__u64 from = 0, size = 0;

	if (!event) {
		stat_add(STAT_PROCESS_LOST);
		return -1;
	}
	event->type = type;
	event->pid = pid;
	event->parent_pid = BPF_CORE_READ(task, real_parent, tgid);
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	mm = BPF_CORE_READ(task, mm);
	if (type != PROCESS_EXIT && mm) {
		from = BPF_CORE_READ(mm, arg_start);
		size = BPF_CORE_READ(mm, arg_end) - from;
	}
	if (size > sizeof(event->args))
		size = sizeof(event->args);
	if (size && bpf_probe_read_user(event->args, size, (void *)from))
		size = 0;
	event->args_len = size;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

#endif
