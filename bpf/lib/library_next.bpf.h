/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What programs at functions of libraries and of programs go on with: one for all of them, so
 * that the walk is verified once.
 */
#ifndef WEFT_LIB_LIBRARY_NEXT_BPF_H
#define WEFT_LIB_LIBRARY_NEXT_BPF_H

#include "lib/tls.bpf.h"

/* By enum library_goal. Filled in by user space, before a function is probed. */
struct library_next_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, LIBRARY_GOALS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
};
extern struct library_next_map library_next SEC(".maps");

/*
 * From Linux 6.13 on a program that makes no tail call has its stack in memory of the CPU (commit
 * a76ab5731e32), and these may be preempted: two of them would write to one stack.
 */
#define KEEP_STACK(ctx)                                                                            \
	do {                                                                                       \
		if (knobs.private_stack)                                                           \
			bpf_tail_call(ctx, &library_next, LIBRARY_NOWHERE);                        \
	} while (0)

/* Goes on with the walk that tls_walk_begin() has given, if it has. */
static __always_inline void library_go_on(void *ctx, struct walk *walk)
{
	if (walk) {
		bpf_tail_call(ctx, &library_next, LIBRARY_WALK);
		/* there is nothing there any more: weft is about to end */
		scratch_give(walk);
	}
	KEEP_STACK(ctx);
}

#endif
