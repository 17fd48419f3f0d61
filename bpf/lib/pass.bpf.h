/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Exchanges that are let pass, so that weft takes no more of busy processors than it may: the
 * watcher says when new ones may be followed. An exchange that is followed is followed to its end,
 * and so is what its server asks of others.
 */
#ifndef WEFT_LIB_PASS_BPF_H
#define WEFT_LIB_PASS_BPF_H

#include "maps.bpf.h"

static __always_inline int follow_begins(void)
{
	__u32 key = 0;
	const __u64 *follow_ns = bpf_map_lookup_elem(&follow, &key);

	return !follow_ns || !*follow_ns ||
	       (bpf_ktime_get_ns() & (FOLLOW_WINDOW_NS - 1)) < *follow_ns;
}

/*
 * Is a request due that is the only one on its connection? (Not before the first one: what the
 * connection carries is not known.)
 */
static __always_inline int pass_possible(const struct conn *conn)
{
	const struct flow *in = &conn->flow[DIR_IN], *out = &conn->flow[DIR_OUT];

	return conn->verdict == VERDICT_TRACED && !conn->framed &&
	       conn->requests == conn->answered && in->phase == FLOW_START &&
	       out->phase == FLOW_START && !in->carry_len && !out->carry_len;
}

/* Is the request of a client's connection made for one that is followed? */
static __always_inline int request_is_owed(const struct conn *conn)
{
	return conn->role == ROLE_CLIENT && conn->unit != UNIT_UNKNOWN && context_pass(DIR_OUT);
}

/*
 * A request of many on its connection begins, or is to be sent. Non-zero: it passes. Its frames are
 * walked all the same, and what it puts into a table of header compression is reported. (Not the
 * first one: most of the table comes with it.)
 */
static __always_inline int stream_passes(const struct conn *conn)
{
	return conn->framed && conn->requests && !follow_begins() && !request_is_owed(conn);
}

/*
 * A request begins, or goes on, on such a connection. Non-zero: it passes. Decided once, by what
 * comes first of the hooks that see it.
 */
static __always_inline int request_passes(struct conn *conn)
{
	int begins = follow_begins();

	/* an answer that was taken from a unix socket by splice(2) has not been seen */
	if (conn->passing == PASSING_ASKED && !(begins && conn->family == AF_UNIX))
		return 1;
	conn->passing = PASSING_NONE;
	if (conn->prepared || begins || request_is_owed(conn))
		return 0;
	conn->passing = PASSING_ASKED;
	stat_add(STAT_REQUESTS_PASSED);
	return 1;
}

/* The same before it is sent. */
static __always_inline int request_begins_to_pass(struct conn *conn)
{
	return conn->role == ROLE_CLIENT && pass_possible(conn) && request_passes(conn);
}

/* Bytes were moved. Non-zero: they are of an exchange that passes. */
static __always_inline int bytes_pass(struct conn *conn, __u8 dir)
{
	if (!conn->passing && follow_begins())
		return 0;
	if (!pass_possible(conn)) {
		conn->passing = PASSING_NONE;
		return 0;
	}
	if ((dir == DIR_OUT) == (conn->role == ROLE_CLIENT)) {
		if (!request_passes(conn))
			return 0;
	} else {
		if (!conn->passing)
			return 0;
		conn->passing = PASSING_ANSWERED;
	}
	/* what an event loop turns to, or a thread has read, is served now: nothing that is
	 * followed */
	if (dir == DIR_IN && (conn->role == ROLE_SERVER || conn->unit == UNIT_EVENT_LOOP))
		context_pass(DIR_IN);
	return 1;
}

#endif
