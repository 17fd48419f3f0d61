// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Processes that start and end. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lib/process_event.bpf.h"

/* A new program image: what was known of the process no longer holds, but for its selection by pid.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct process_config *process = bpf_map_lookup_elem(&processes, &pid);

	if (process) {
		process->unit = UNIT_THREAD;
		process->flags &= ~(PROCESS_F_NOTED | PROCESS_F_THREAD_CONTEXT | PROCESS_F_TLS);
		__sync_fetch_and_add(&process_generation, 1);
	}
	process_event_send(PROCESS_EXEC, pid);
	return 0;
}

/* A child is selected and works as its parent does, until it executes something else. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_pid = parent->tgid;
	__u32 pid = child->tgid;
	struct process_config *known, copy;

	if (pid == parent_pid)
		return 0;
	known = bpf_map_lookup_elem(&processes, &parent_pid);
	if (!known)
		return 0;
	copy = *known;
	copy.flags &= ~(PROCESS_F_NOTED | PROCESS_F_ENROLS);
	if (copy.flags & PROCESS_F_SELECTED)
		process_mark(pid);
	if (bpf_map_update_elem(&processes, &pid, &copy, BPF_ANY))
		stat_add(STAT_NO_STATE);
	return 0;
}

/*
 * Before the process gives up its descriptors, and with them perhaps the last link of sock_ops: who
 * was enrolled a moment earlier has sent by then.
 */
static __always_inline void enrolment_end(void)
{
	__u32 key = 0;
	struct wire_config *config = bpf_map_lookup_elem(&wire, &key);

	if (config)
		config->mode = WIRE_ENDING;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u32 pid = task->tgid, tid = task->pid;
	struct process_config *process;

	bpf_map_delete_elem(&units, &tid);
	if (task->signal->live.counter != 0)
		return 0;
	process = bpf_map_lookup_elem(&processes, &pid);
	if (!process)
		return 0;
	if (process->flags & PROCESS_F_ENROLS)
		enrolment_end();
	if (process->flags & PROCESS_F_NOTED)
		process_event_send(PROCESS_EXIT, pid);
	bpf_map_delete_elem(&processes, &pid);
	return 0;
}
