/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* TCP sequence numbers of a call's bytes. */
#ifndef WEFT_LIB_SEQUENCE_BPF_H
#define WEFT_LIB_SEQUENCE_BPF_H

#include <bpf/bpf_core_read.h>

#include "conn.bpf.h"

/*
 * Sequence number of the call's byte walk->at; only meaningful on TCP. A header that was inserted
 * stands behind the first line of the call's first message: every other message comes after it.
 */
static __always_inline __u32 walk_seq(const struct conn *conn, const struct walk *walk)
{
	return walk->end_seq - walk->len + walk->at -
	       (walk->dir == DIR_IN || walk->at ? 0 : conn->inserted);
}

#endif
