/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Will the kernel let a socket have memory for what it sends? */
#ifndef WEFT_LIB_MEMORY_BPF_H
#define WEFT_LIB_MEMORY_BPF_H

#include <bpf/bpf_core_read.h>

#define MEMORY_MARGIN	  4096 /* pages that others may take meanwhile */
#define MEMORY_GROUPS_MAX 8    /* control groups, one in the other */

/* Control groups of the first version count sockets' memory apart: Linux with CONFIG_MEMCG_V1. */
struct mem_cgroup___v1 {
	_Bool tcpmem_active;
} __attribute__((preserve_access_index));

/* Are the group, and those that it is in, far from their limits? */
static __always_inline int group_has_memory(const struct mem_cgroup *group)
{
	const struct mem_cgroup___v1 *first = (const void *)group;
	const struct page_counter *counter = &group->memory;

	if (bpf_core_field_exists(first->tcpmem_active) && BPF_CORE_READ(first, tcpmem_active))
		return 0;
	for (__u32 i = 0; i < MEMORY_GROUPS_MAX; i++) {
		long used = BPF_CORE_READ(counter, usage.counter);

		if (used + MEMORY_MARGIN > (long)BPF_CORE_READ(counter, max))
			return 0;
		counter = BPF_CORE_READ(counter, parent);
		if (!counter)
			return 1;
	}
	return 0;
}

/*
 * Below the first limit of net.ipv4.tcp_mem nobody is refused (__sk_mem_raise_allocated() of
 * net/core/sock.c), but by a control group. What processors have set aside is not in the count: a
 * megabyte each.
 */
static __always_inline int socket_has_memory(const struct sock *sk)
{
	const struct proto *proto = BPF_CORE_READ(sk, __sk_common.skc_prot);
	const long *limits = BPF_CORE_READ(proto, sysctl_mem);
	long used = BPF_CORE_READ(proto, memory_allocated, counter), limit = 0;
	unsigned long group = 0;

	if (!limits || bpf_probe_read_kernel(&limit, sizeof(limit), limits))
		return 0;
	if (2 * (used + MEMORY_MARGIN) > limit)
		return 0;
	if (!bpf_core_field_exists(sk->sk_memcg))
		return 1;
	group = (unsigned long)BPF_CORE_READ(sk, sk_memcg) & ~7UL; /* flags in the lowest bits */
	return !group || group_has_memory((const struct mem_cgroup *)group);
}

#endif
