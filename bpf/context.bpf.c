// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Which server request does the running code work for? The unit is the thread; event loops are told
 * apart by their process' unit kind, and threads that turn out to multiplex are not asked any more:
 * a missing parent is better than a wrong one.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "lib/process_event.bpf.h"
#include "maps.bpf.h"

/* Eight random bytes that are not all zero. */
static __always_inline __u64 new_id(void)
{
	__u64 id = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();

	return id ? id : 1;
}

/* Is the request still being served, as far as is known? */
static __always_inline int request_is_open(const struct request_ref *request)
{
	__u64 key = request->span_id;

	return request->conn && !bpf_map_lookup_elem(&ended, &key);
}

/*
 * What is known of the process. A process that the watcher has not heard of is told to it, once,
 * with its command line: it may be gone before anybody reads /proc.
 */
static __always_inline enum unit_kind process_unit(__u32 pid)
{
	struct process_config *process = bpf_map_lookup_elem(&processes, &pid);
	struct process_config fresh = { .flags = PROCESS_F_SELECTED | PROCESS_F_NOTED };

	if (process && process->flags & PROCESS_F_NOTED)
		return process->unit;
	if (process)
		process->flags |= PROCESS_F_NOTED;
	else
		bpf_map_update_elem(&processes, &pid, &fresh, BPF_NOEXIST);
	process_event_send(PROCESS_SEEN, pid);
	return process ? process->unit : UNIT_THREAD;
}

static __always_inline struct unit *current_unit(__u64 flags)
{
	return bpf_task_storage_get(&units, bpf_get_current_task_btf(), 0, flags);
}

static __always_inline void set_trace(struct event_request *event,
				      const struct request_ref *request)
{
	((__u64 *)event->trace_id)[0] = request->trace_id[0];
	((__u64 *)event->trace_id)[1] = request->trace_id[1];
}

/* What the thread serves, if in such a process the thread can tell, and the request is open. */
static __always_inline struct unit *serving_unit(enum unit_kind kind)
{
	struct unit *unit = current_unit(0);

	if (!unit || kind == UNIT_UNKNOWN || (kind == UNIT_THREAD && unit->multiplexes))
		return NULL;
	return request_is_open(&unit->current) ? unit : NULL;
}

SUBPROGRAM int context_begin_client(struct conn *conn, struct walk *walk,
				    struct event_request *event)
{
	enum unit_kind kind;
	struct unit *unit;

	if (!conn || !walk || !event)
		return 0;
	*(__u64 *)event->span_id = new_id();
	kind = process_unit(walk->pid);
	if (!conn->opened_for || !request_is_open(&conn->parent)) {
		unit = serving_unit(kind);
		if (unit)
			conn->parent = unit->current;
		else
			conn->parent.conn = 0;
	}
	conn->opened_for = 0;
	conn->unit = kind;
	if (conn->parent.conn) {
		*(__u64 *)event->parent_id = conn->parent.span_id;
		event->evidence = kind == UNIT_EVENT_LOOP ? EVIDENCE_EVENT_LOOP : EVIDENCE_UNIT;
	} else {
		conn->parent.trace_id[0] = new_id();
		conn->parent.trace_id[1] = new_id();
	}
	set_trace(event, &conn->parent);
	return 0;
}

SUBPROGRAM int context_begin_server(struct conn *conn, struct walk *walk,
				    struct event_request *event)
{
	struct unit *unit;

	if (!conn || !walk || !event)
		return 0;
	conn->own.conn = conn->cookie;
	conn->own.trace_id[0] = new_id();
	conn->own.trace_id[1] = new_id();
	conn->own.span_id = new_id();
	set_trace(event, &conn->own);
	*(__u64 *)event->span_id = conn->own.span_id;
	conn->reader_tid = walk->tid;
	conn->unit = process_unit(walk->pid);
	unit = current_unit(BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!unit) {
		stat_add(STAT_NO_STATE);
		return 0;
	}
	if (unit->current.conn != conn->cookie && request_is_open(&unit->current))
		unit->multiplexes = 1;
	unit->current = conn->own;
	/* several unanswered requests of one connection: which one is worked for cannot be told */
	if (conn->requests - conn->answered > 1)
		unit->current.conn = 0;
	return 0;
}

SUBPROGRAM int context_end_server(struct conn *conn, struct walk *walk)
{
	struct unit *unit = current_unit(0);
	__u64 key;
	__u8 one = 1;

	if (!conn || !walk)
		return 0;
	if (unit && unit->current.conn == conn->cookie &&
	    unit->current.span_id == conn->own.span_id)
		unit->current.conn = 0;
	if (walk->tid != conn->reader_tid) {
		key = conn->own.span_id;
		bpf_map_update_elem(&ended, &key, &one, BPF_ANY);
	}
	conn->own.conn = 0;
	return 0;
}

SUBPROGRAM int context_resume(struct conn *conn)
{
	struct unit *unit;

	if (!conn || conn->unit != UNIT_EVENT_LOOP)
		return 0;
	unit = current_unit(0);
	if (!unit)
		return 0;
	if (conn->role == ROLE_SERVER && conn->own.conn && conn->requests - conn->answered == 1)
		unit->current = conn->own;
	else if (conn->role == ROLE_CLIENT && conn->parent.conn)
		unit->current = conn->parent;
	return 0;
}

SUBPROGRAM int context_open(struct conn *conn)
{
	struct unit *unit = serving_unit(UNIT_EVENT_LOOP);

	if (!conn || !unit)
		return 0;
	conn->parent = unit->current;
	conn->opened_for = 1;
	return 0;
}
