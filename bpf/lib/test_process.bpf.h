/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Before tracing begins, user space tries on connections of its own what this kernel bears. Until
 * that is settled nobody else is looked at: nothing is counted that no span could come of.
 */
#ifndef WEFT_LIB_TEST_PROCESS_BPF_H
#define WEFT_LIB_TEST_PROCESS_BPF_H

#include "maps.bpf.h"

/* The process of the self-test, 0: there is none, and tracing has begun. */
static __always_inline __u32 test_process(void)
{
	__u32 key = 0;
	const struct wire_config *config = bpf_map_lookup_elem(&wire, &key);

	return config ? config->test_pid : 0;
}

#endif
