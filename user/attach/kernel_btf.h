/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's type information (BTF), also where the libbpf that weft was built with is older than
 * the kernel: libbpf before 1.0 refuses all of it for one type of a kind that came later, and the
 * kernels that Ubuntu 22.04 offers beside its first one have such types.
 */
#ifndef WEFT_ATTACH_KERNEL_BTF_H
#define WEFT_ATTACH_KERNEL_BTF_H

#include <stddef.h>

struct btf;

/*
 * The running kernel's, the same for everybody until the last one has given it back. In one thread.
 * NULL: errno says why, ENOENT or ESRCH: it has none.
 */
struct btf *kernel_btf_load(void);

/* Gives it back. Any other is freed, and NULL is accepted. */
void kernel_btf_free(struct btf *btf);

/*
 * Turns types of the kinds that libbpf 0.5 does not know into others, in place: each keeps its
 * number and its length. weft looks at none of them. -EBADMSG: not BTF, or of a kind unknown here
 * too.
 */
int kernel_btf_simplify(void *data, size_t size);

#endif
