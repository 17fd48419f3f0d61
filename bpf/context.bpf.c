// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Which server request does the running code work for, and where in a trace does a request stand?
 * The unit is the thread; event loops are told apart by their process' unit kind, and threads that
 * turn out to multiplex are not asked any more: a missing parent is better than a wrong one.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "classify/address.h"
#include "lib/mix.h"
#include "lib/notice.bpf.h"
#include "lib/process_event.bpf.h"
#include "lib/sequence.bpf.h"
#include "lib/thread_context.bpf.h"
#include "lib/unit.bpf.h"

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
 * with its command line: it may be gone before anybody reads /proc. Where there is no room to note
 * that, nothing will be known of it, and no parents are inferred.
 */
static __always_inline enum unit_kind process_meet(__u32 pid)
{
	struct process_config *process = bpf_map_lookup_elem(&processes, &pid);
	struct process_config fresh = { .flags = PROCESS_F_SELECTED };

	if (process && process->flags & PROCESS_F_NOTED)
		return process->unit;
	if (!process) {
		process_mark(pid);
		bpf_map_update_elem(&processes, &pid, &fresh, BPF_NOEXIST);
		process = bpf_map_lookup_elem(&processes, &pid);
	}
	if (!process) {
		stat_add(STAT_NO_STATE);
		return UNIT_UNKNOWN;
	}
	/* before the watcher can look: it takes an entry for that of a process that it was told of
	 */
	process->flags |= PROCESS_F_NOTED;
	if (process_event_send(PROCESS_SEEN, pid))
		process->flags &= ~PROCESS_F_NOTED;
	return process->unit;
}

/* The request is over: who has noted it on another thread than this one shall know. */
static __always_inline void request_ended(const struct conn *conn, const struct walk *walk,
					  __u64 span_id, __u32 reader_tid)
{
	struct unit *unit;
	__u8 one = 1;

	/* nobody asks, where threads cannot tell */
	if (conn->unit == UNIT_UNKNOWN)
		return;
	unit = unit_of(walk->tid);
	if (unit && unit->current.conn == conn->cookie && unit->current.span_id == span_id)
		unit->current.conn = 0;
	if (walk->tid != reader_tid || (unit && unit->opens))
		bpf_map_update_elem(&ended, &span_id, &one, BPF_ANY);
}

/* What the thread serves, if in such a process the thread can tell, and the request is open. */
static __always_inline struct unit *serving_unit(enum unit_kind kind, __u32 tid)
{
	struct unit *unit = unit_of(tid);

	if (!unit || kind == UNIT_UNKNOWN || (kind == UNIT_THREAD && unit->multiplexes))
		return NULL;
	return request_is_open(&unit->current) ? unit : NULL;
}

/*
 * Would the sampler keep a trace of this id? The random part is the id's last 56 bits: Trace
 * Context Level 2, section 3.2.2.3.1.
 */
static __always_inline __u8 trace_sampled(const __u64 *trace_id)
{
	__u64 random = bpf_be64_to_cpu(trace_id[1]) & ((1ULL << 56) - 1);

	if (knobs.sampler_root == SAMPLER_RATIO)
		return random >= knobs.sampler_threshold ? TRACE_FLAG_SAMPLED : 0;
	return knobs.sampler_root == SAMPLER_ALWAYS_ON ? TRACE_FLAG_SAMPLED : 0;
}

/* Flags of a span in the trace of `parent`. */
static __always_inline __u8 child_flags(const __u64 *trace_id, __u8 parent_flags)
{
	if (knobs.sampler_parent_based)
		return parent_flags;
	return (parent_flags & TRACE_FLAG_RANDOM) | trace_sampled(trace_id);
}

static __always_inline void start_trace(struct request_ref *request)
{
	request->trace_id[0] = new_id();
	request->trace_id[1] = new_id();
	request->flags = TRACE_FLAG_RANDOM | trace_sampled(request->trace_id);
}

/* A request goes on in the trace of who has sent it. */
static __always_inline void trace_join(struct request_ref *request,
				       const struct trace_context *context)
{
	request->trace_id[0] = context->trace_id[0];
	request->trace_id[1] = context->trace_id[1];
	request->flags = context->hints & CONTEXT_F_DEFERRED
				 ? trace_sampled(context->trace_id)
				 : child_flags(context->trace_id, context->flags);
}

/* Leaves word of a request for the other end, which may be on this host. */
static __always_inline void notice_leave(const struct conn *conn, const struct walk *walk,
					 const struct event_request *event)
{
	struct notice_key key = { .join = event->join };

	if (conn->family == AF_UNIX)
		key.serial = event->header.exchange;
	notice_put(&key, &conn->own, walk->now_ns);
}

/* The sender of the request that is served may have left word by now in whose trace it is. */
static __always_inline void request_settle(struct request_ref *request)
{
	struct trace_context context;

	if (!request->late || notice_get(&request->notice, request->after_ns, &context))
		return;
	request->late = 0;
	trace_join(request, &context);
}

/* The span that the process' own SDK has on the thread. Non-zero: none is told. */
static __always_inline int sdk_speak(struct conn *conn, const struct process_config *process,
				     __u32 tid)
{
	struct trace_context active;

	if (thread_context_read(process, tid, &active))
		return -1;
	conn->opened_for = 0;
	conn->parent.conn = CONN_OF_SDK;
	conn->parent.trace_id[0] = active.trace_id[0];
	conn->parent.trace_id[1] = active.trace_id[1];
	conn->parent.span_id = active.span_id;
	conn->parent.caller = 0;
	conn->parent.flags = active.flags;
	conn->parent.adopted = 0;
	conn->parent.late = 0;
	return 0;
}

/*
 * Finds the request that a client's connection speaks for: what the process' SDK says, or the one
 * that it was opened for, or what the thread serves. `parent.conn` is 0 if there is none. Gives the
 * process' unit kind.
 */
static __always_inline enum unit_kind context_speak(struct conn *conn, __u32 pid, __u32 tid)
{
	const struct process_config *process = bpf_map_lookup_elem(&processes, &pid);
	enum unit_kind kind = process ? process->unit : UNIT_THREAD;
	struct unit *unit;

	if (!sdk_speak(conn, process, tid))
		return kind;
	/* who opened it for a request that is not known does not serve another one with it first */
	if (conn->opened_for && (!conn->parent.conn || request_is_open(&conn->parent)))
		return kind;
	unit = serving_unit(kind, tid);
	if (unit)
		conn->parent = unit->current;
	else
		conn->parent.conn = 0;
	return kind;
}

/*
 * A connection that is not understood is opened for a request and speaks for it until that is over:
 * TLS has to be agreed upon before anything is asked.
 */
SUBPROGRAM int context_prepare_opaque(struct conn *conn, __u32 pid, __u32 tid)
{
	if (!conn)
		return 0;
	context_speak(conn, pid, tid);
	if (conn->parent.conn) {
		request_settle(&conn->parent);
		conn->own = conn->parent;
	}
	conn->own.conn = 0;
	return conn->parent.conn != 0;
}

/*
 * Place of the next request on a client's connection: a child of what its thread serves, or the
 * start of a trace. Decided once, by what comes first of the hooks that see it leave.
 */
SUBPROGRAM int context_prepare(struct conn *conn, __u32 pid, __u32 tid)
{
	if (!conn || conn->prepared)
		return 0;
	conn->unit = context_speak(conn, pid, tid);
	conn->opened_for = 0;
	conn->own.conn = 0;
	conn->own.span_id = new_id();
	if (conn->parent.conn) {
		request_settle(&conn->parent);
		conn->own.trace_id[0] = conn->parent.trace_id[0];
		conn->own.trace_id[1] = conn->parent.trace_id[1];
		conn->own.flags = child_flags(conn->parent.trace_id, conn->parent.flags);
	} else {
		start_trace(&conn->own);
	}
	conn->prepared = 1;
	return 0;
}

SUBPROGRAM int context_spread(struct conn *conn, __u32 stream)
{
	if (!conn)
		return 0;
	conn->own.span_id = mix_id(conn->heads.seed, stream, 0);
	conn->prepared = 1;
	if (conn->parent.conn)
		return 0;
	conn->own.trace_id[0] = mix_id(conn->heads.seed, stream, 1);
	conn->own.trace_id[1] = mix_id(conn->heads.seed, stream, 2);
	conn->own.flags = TRACE_FLAG_RANDOM | trace_sampled(conn->own.trace_id);
	return 0;
}

/*
 * Where exchanges interleave, what was prepared is of the first request of those that may have been
 * given a header together; or of the one whose frame begins the segment with the option; or of the
 * connection's first one, wherever it stands: the option was on what opens the connection.
 */
static __always_inline void framed_begin(struct conn *conn, const struct walk *walk)
{
	const struct conn_heads *heads = &conn->heads;
	const struct flow *out = &conn->flow[DIR_OUT];

	if (heads->seed && heads->tid == walk->tid) {
		if (out->exchange != heads->first)
			context_spread(conn, out->exchange);
		conn->wire &= ~WIRE_F_TOLD;
		if (heads_told(heads, out->exchange))
			conn->wire |= WIRE_F_TOLD;
		return;
	}
	if (conn->requests == 1 || conn->turn_seq == out->first_seq)
		return;
	conn->prepared = 0;
	conn->wire &= ~WIRE_F_TOLD;
}

SUBPROGRAM int context_begin_client(struct conn *conn, struct walk *walk,
				    struct event_request *event)
{
	if (!conn || !walk || !event)
		return 0;
	process_meet(walk->pid);
	if (conn->framed)
		framed_begin(conn, walk);
	context_prepare(conn, walk->pid, walk->tid);
	conn->prepared = 0;
	context_place(event, &conn->own);
	if (!(conn->wire & WIRE_F_TOLD))
		notice_leave(conn, walk, event);
	conn->wire &= ~WIRE_F_TOLD;
	if (conn->parent.conn) {
		*(__u64 *)event->parent_id = conn->parent.span_id;
		event->evidence = conn->parent.conn == CONN_OF_SDK ? EVIDENCE_THREAD_CONTEXT
				  : conn->parent.adopted	   ? EVIDENCE_TCP_OPTION
				  : conn->unit == UNIT_EVENT_LOOP  ? EVIDENCE_EVENT_LOOP
								   : EVIDENCE_UNIT;
	}
	return 0;
}

/* What the TCP option of the segment that starts with that byte says. Non-zero: there was none. */
static __always_inline int option_take(const struct walk *walk, __u32 seq,
				       struct trace_context *ret)
{
	struct sock *sk = (struct sock *)walk->sk;
	struct option_key key = { .cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter),
				  .seq = seq };
	const struct trace_context *context;

	if (!knobs.tcp_option)
		return -1;
	context = bpf_map_lookup_elem(&options, &key);
	if (!context)
		return -1;
	*ret = *context;
	return 0;
}

/* The option of the request that has begun, as framed_begin() has it at the other end. */
static __always_inline int request_option(const struct conn *conn, const struct walk *walk,
					  struct trace_context *ret)
{
	if (!option_take(walk, conn->flow[DIR_IN].first_seq, ret))
		return 0;
	return conn->framed && conn->requests == 1 ? option_take(walk, conn->client_base, ret) : -1;
}

static __always_inline int sender_trusted(const struct conn *conn)
{
	return conn->family == AF_UNIX ||
	       address_in(knobs.propagate_trust, knobs.n_propagate_trust, conn->tuple.remote_ip);
}

/* The sender names no span, and has decided about sampling all the same (B3). */
static __always_inline void sampling_obey(struct request_ref *request,
					  const struct trace_context *context)
{
	if (knobs.sampler_parent_based)
		request->flags = (request->flags & TRACE_FLAG_RANDOM) |
				 (context->flags & TRACE_FLAG_SAMPLED);
}

/* The server's request takes the context that came with it, if it trusts its sender. */
static __always_inline void context_take(struct conn *conn, struct event_context *context)
{
	if (context->evidence != EVIDENCE_SAME_HOST && !sender_trusted(conn)) {
		context->use = CONTEXT_FOREIGN;
		return;
	}
	context->use = CONTEXT_TAKEN;
	trace_join(&conn->own, &context->carried);
}

/*
 * A TCP option stands in for a head that names no caller. One that says so also goes before a head
 * that was only handed on, by a proxy: it names the proxy's own span, in the same trace.
 */
static __always_inline int option_counts(const struct conn *conn, const struct walk *walk,
					 enum context_kind kind, struct event_context *context)
{
	struct trace_context option;

	if (conn->family == AF_UNIX || request_option(conn, walk, &option))
		return 0;
	if (kind == CONTEXT_PARENT && (!(option.hints & CONTEXT_F_NEARER) ||
				       option.trace_id[0] != context->carried.trace_id[0] ||
				       option.trace_id[1] != context->carried.trace_id[1]))
		return 0;
	context->carried = option;
	return 1;
}

/* Nothing came with the request: its sender is of this host, and has left word, or will have. */
static __always_inline int notice_counts(struct conn *conn, struct event_context *context)
{
	const struct flow *in = &conn->flow[DIR_IN], *out = &conn->flow[DIR_OUT];

	if (!conn->framed && conn->requests - conn->answered > 1)
		return 0;
	/*
	 * Ends that were first seen at different moments count differently: what was left before
	 * the last answer was given is of another exchange. But a stream is of one name at both
	 * ends.
	 */
	conn->own.after_ns = conn->framed ? 0 : out->last_ns;
	join_of(&conn->own.notice.join, conn, in);
	conn->own.notice.serial = conn->family == AF_UNIX ? in->exchange : 0;
	conn->own.late = notice_get(&conn->own.notice, conn->own.after_ns, &context->carried) != 0;
	return !conn->own.late;
}

SUBPROGRAM int context_receive(struct conn *conn, struct walk *walk,
			       struct event_context *ret_context)
{
	enum context_kind kind;
	struct unit *unit;

	if (!conn || !walk || !ret_context)
		return 0;
	__builtin_memset(ret_context, 0, sizeof(*ret_context));
	ret_context->settled = 1;
	ret_context->refused = context_refused(&conn->fields, knobs.propagators);
	kind = context_resolve(&conn->fields, knobs.propagators, &ret_context->carried);
	if (kind == CONTEXT_PARENT) {
		ret_context->evidence = EVIDENCE_HEADER;
		ret_context->head_span_id = ret_context->carried.span_id;
	}
	if (conn->role != ROLE_SERVER) {
		ret_context->use = kind == CONTEXT_PARENT ? CONTEXT_CARRIED : CONTEXT_UNUSED;
		return 0;
	}
	conn->own.caller = ret_context->head_span_id;
	if (option_counts(conn, walk, kind, ret_context))
		ret_context->evidence = EVIDENCE_TCP_OPTION;
	else if (kind != CONTEXT_PARENT && notice_counts(conn, ret_context))
		ret_context->evidence = EVIDENCE_SAME_HOST;
	if (ret_context->evidence != EVIDENCE_NONE)
		context_take(conn, ret_context);
	else if (conn->framed && !sender_trusted(conn))
		ret_context->use = CONTEXT_FOREIGN; /* what its head says is read in user space */
	else if (kind == CONTEXT_DECISION && sender_trusted(conn))
		sampling_obey(&conn->own, &ret_context->carried);
	unit = unit_of(walk->tid);
	/* unless the thread has several before it: context_begin_server() */
	if (unit && unit->current.conn && unit->current.span_id == conn->own.span_id)
		unit->current = conn->own;
	return 0;
}

/* The thread serves the connection's request from now on. */
static __always_inline void unit_serve(struct unit *unit, const struct conn *conn)
{
	if (unit->current.conn != conn->cookie && !(unit->current.adopted && unit->answered) &&
	    request_is_open(&unit->current))
		unit->multiplexes = 1;
	unit->answered = 0;
	unit->current = conn->own;
}

SUBPROGRAM int context_begin_server(struct conn *conn, struct walk *walk,
				    struct event_request *event)
{
	struct unit *unit;

	if (!conn || !walk || !event)
		return 0;
	conn->own.conn = conn->cookie;
	conn->own.span_id = new_id();
	conn->own.caller = 0;
	conn->own.adopted = 0;
	conn->own.late = 0;
	start_trace(&conn->own);
	conn->reader_tid = walk->tid;
	conn->unit = process_meet(walk->pid);
	context_place(event, &conn->own);
	unit = conn->unit == UNIT_UNKNOWN ? NULL : unit_make(walk->tid);
	if (!unit)
		return 0;
	unit_serve(unit, conn);
	/* several unanswered requests of one connection: which one is worked for cannot be told */
	if (conn->mixed || (conn->requests - conn->answered > 1 &&
			    !(conn->framed && conn->unit == UNIT_EVENT_LOOP)))
		unit->current.conn = 0;
	return 0;
}

/*
 * The thread has turned to a connection that names no caller. What it served for another one's sake
 * is not what it serves now.
 */
static __always_inline void unit_turn(const struct conn *conn, __u32 tid)
{
	struct unit *unit = unit_of(tid);

	if (!unit || !unit->current.adopted)
		return;
	if (conn->own.adopted)
		unit->current = conn->own;
	else
		unit->current.conn = 0;
}

/*
 * A connection that is not understood (TLS) has brought bytes whose segment names a caller: until
 * another one does, the thread works for that caller, whose span is the parent of what it sends.
 */
SUBPROGRAM int context_adopt(struct conn *conn, struct walk *walk)
{
	struct trace_context context;
	struct unit *unit;

	if (!conn || !walk || !knobs.tcp_option || conn->family == AF_UNIX ||
	    conn->wire & WIRE_F_ACTIVE)
		return 0;
	walk->at = 0;
	if (option_take(walk, walk_seq(conn, walk), &context) || !sender_trusted(conn)) {
		if (conn->turned)
			conn->own.adopted = 0;
		conn->turned = 0;
		unit_turn(conn, walk->tid);
		return 0;
	}
	conn->turned = 0;
	conn->own.conn = conn->cookie;
	conn->own.span_id = context.span_id;
	conn->own.caller = 0;
	conn->own.late = 0;
	conn->own.adopted = 1;
	trace_join(&conn->own, &context);
	conn->reader_tid = walk->tid;
	conn->unit = process_meet(walk->pid);
	unit = unit_make(walk->tid);
	if (unit)
		unit_serve(unit, conn);
	return 0;
}

SUBPROGRAM int context_answer(struct conn *conn)
{
	struct unit *unit;

	if (!conn)
		return 0;
	conn->turned = 1;
	if (!conn->own.adopted)
		return 0;
	unit = unit_of(bpf_get_current_pid_tgid());
	if (unit && unit->current.conn == conn->cookie)
		unit->answered = 1;
	return 0;
}

SUBPROGRAM int context_end_server(struct conn *conn, struct walk *walk)
{
	if (!conn || !walk)
		return 0;
	request_ended(conn, walk, conn->own.span_id, conn->reader_tid);
	conn->own.conn = 0;
	return 0;
}

SUBPROGRAM int context_end_stream(struct conn *conn, struct walk *walk, struct stream *stream)
{
	if (!conn || !walk || !stream)
		return 0;
	request_ended(conn, walk, stream->ref.span_id, stream->reader_tid);
	return 0;
}

SUBPROGRAM int context_pass(__u32 dir)
{
	/* sock_ops programs may not ask for the id itself before Linux 6.10 */
	struct unit *unit = unit_of(bpf_get_current_task_btf()->pid);

	if (!unit)
		return 0;
	if (dir == DIR_OUT)
		return request_is_open(&unit->current);
	unit->current.conn = 0;
	return 0;
}

SUBPROGRAM int context_resume(struct conn *conn)
{
	struct unit *unit;

	if (!conn || conn->unit != UNIT_EVENT_LOOP)
		return 0;
	unit = unit_of(bpf_get_current_pid_tgid());
	if (!unit || (conn->framed && !conn->touched))
		return 0;
	if (conn->mixed)
		unit->current.conn = 0;
	else if (conn->role == ROLE_SERVER && conn->own.conn &&
		 (conn->framed || conn->requests - conn->answered == 1))
		unit->current = conn->own;
	else if (conn->role == ROLE_CLIENT && conn->parent.conn != CONN_OF_SDK)
		unit->current = conn->parent; /* nobody's, if that is not known */
	return 0;
}

SUBPROGRAM int context_open(struct conn *conn)
{
	struct unit *unit = serving_unit(UNIT_EVENT_LOOP, bpf_get_current_pid_tgid());

	if (!conn)
		return 0;
	conn->opened_for = 1;
	conn->parent.conn = 0;
	if (!unit)
		return 0;
	unit->opens = 1;
	conn->parent = unit->current;
	return 0;
}
