// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Whom context is sent to. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "classify/address.h"
#include "maps.bpf.h"

/* Is the other end on this host for certain? */
static __always_inline int peer_is_local(const struct conn_tuple *tuple)
{
	const __u64 *local = (const __u64 *)tuple->local_ip;
	const __u64 *remote = (const __u64 *)tuple->remote_ip;

	/* 127.0.0.0/8, mapped, and ::1 are often another address than the own one */
	return (local[0] == remote[0] && local[1] == remote[1]) ||
	       (remote[0] == 0 && (remote[1] & 0xffffffffffULL) == 0x7fffff0000ULL);
}

SUBPROGRAM int peer_allow(struct conn *conn, __u32 pid, int plain)
{
	__u32 key = 0;
	const struct wire_config *config = bpf_map_lookup_elem(&wire, &key);

	if (!conn)
		return 0;
	conn->wire |= WIRE_F_ACTIVE;
	conn->opener = pid;
	if (!config || !plain)
		return 0;
	if (config->test_pid == pid)
		conn->wire |= WIRE_F_ALLOWED | WIRE_F_TEST;
	else if ((config->mode != WIRE_OFF || knobs.tcp_option) &&
		 address_in(knobs.propagate_to, knobs.n_propagate_to, conn->tuple.remote_ip))
		conn->wire |= WIRE_F_ALLOWED | (peer_is_local(&conn->tuple) ? WIRE_F_LOCAL : 0);
	return 0;
}
