/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the iterator over TCP sockets (bpf/probes/tcp_iter.bpf.c). */
#ifndef WEFT_ATTACH_OPEN_SOCKETS_H
#define WEFT_ATTACH_OPEN_SOCKETS_H

#include <stddef.h>

struct open_sockets {
	size_t reached;
	size_t refused; /* by the kernel */
};

/*
 * Looks at all connections of the calling thread's network namespace; adds to what is counted.
 * `program`: the loaded iterator. -EOPNOTSUPP: this kernel lets none of them be reached; -errno.
 */
int open_sockets_reach(int program, struct open_sockets *counts);

#endif
