/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* TCP sequence numbers of a call's bytes. */
#ifndef WEFT_LIB_SEQUENCE_BPF_H
#define WEFT_LIB_SEQUENCE_BPF_H

#include <bpf/bpf_core_read.h>

#include "conn.bpf.h"

/*
 * Sequence number of the call's byte `at`; only meaningful on TCP. What was inserted is taken to
 * stand at one place in it: between the first of several headers and the last one it is not exact,
 * and nobody asks, for streams have numbers.
 */
static __always_inline __u32 walk_seq_at(const struct conn *conn, const struct walk *walk, __u32 at)
{
	struct tcp_sock *tp = (struct tcp_sock *)walk->sk;

	/* where in the record a byte was cannot be told: both ends count from its beginning */
	if (conn->tls == TLS_INSIDE)
		return conn->inside_seq[walk->dir == DIR_OUT ? DIR_OUT : DIR_IN] + at;
	if (walk->dir == DIR_IN)
		return BPF_CORE_READ(tp, copied_seq) - walk->len + at;
	return BPF_CORE_READ(tp, write_seq) - walk->len + at -
	       (at < conn->inserted_at ? conn->inserted : 0);
}

/* The same of the byte walk->at. */
static __always_inline __u32 walk_seq(const struct conn *conn, const struct walk *walk)
{
	return walk_seq_at(conn, walk, walk->at);
}

/* The name of the flow's exchange at both ends: struct join_key. `stream`: 0 unless framed. */
static __always_inline void join_of(struct join_key *ret_join, const struct conn *conn,
				    const struct flow *flow)
{
	int client = conn->role == ROLE_CLIENT;

	if (conn->family == AF_UNIX) {
		ret_join->client = client ? conn->self : conn->peer;
		ret_join->server = client ? conn->peer : conn->self;
		return;
	}
	ret_join->client = conn->framed ? (__u64)flow->exchange << 32 | conn->client_base
					: flow->first_seq;
	ret_join->server = conn->seq_base;
}

#endif
