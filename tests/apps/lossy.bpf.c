// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A bad cable: of a device's packets, one in fifty is lost. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define ONE_IN	50
#define TC_PASS 0
#define TC_SHOT 2

SEC("tc")
int lossy(struct __sk_buff *skb)
{
	return bpf_get_prandom_u32() % ONE_IN ? TC_PASS : TC_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
