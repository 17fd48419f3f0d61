/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds named functions in a Go executable, stripped or not, and where they return. A uretprobe
 * writes its own address over the one to return to, which Go's runtime finds there when it moves a
 * stack, and dies of; so probes are set upon the return instructions themselves.
 *
 * There is no disassembler: Go's runtime knows for each instruction how far the stack pointer is
 * from where it was at the function's entry ("pcsp"), and the compiler lets a function return
 * straight behind the instruction that brings it back there. What is at such a place must be a
 * return instruction, or the known end of a function that has its stack grown; else the function
 * is refused, as a probe amid an instruction would change it.
 */
#ifndef WEFT_DISCOVER_GO_FUNCTION_H
#define WEFT_DISCOVER_GO_FUNCTION_H

#include <stddef.h>
#include <stdint.h>

#define GO_RETURNS_MAX	 32
#define GO_FUNCTIONS_MAX 16

struct go_function {
	const char *name; /* the caller's */
	/*
	 * 0, or why no probes may be set, and the rest is zero. -ENOENT: there is none;
	 * -EOPNOTSUPP: several of that name, assembly, one without a stack frame of its own, one
	 * that ends by jumping elsewhere, or that does not begin as compilers have it; -E2BIG: more
	 * code or returns than any has; -EBADMSG: malformed.
	 */
	int result;
	uint64_t entry; /* offset in the file */
	size_t n_returns;
	uint64_t returns[GO_RETURNS_MAX]; /* offsets in the file, rising */
};

/*
 * Looks in the open executable `fd`, code of `machine` (EM_X86_64 or EM_AARCH64), for functions
 * that are named in full, like "crypto/tls.(*Conn).Read". 0: at least one is there, and
 * `ret_functions` has as many as names. -ENOENT: none is, or it is no Go program; -EBADMSG: no ELF
 * file of that machine, or malformed; -E2BIG: larger than real files are; -EOPNOTSUPP: of a Go
 * before 1.17 (on Arm 1.18), or of an unknown one. Takes at most 600 KiB of memory at a time.
 */
int go_functions_find(int fd, uint16_t machine, const char *const *names, size_t n,
		      struct go_function *ret_functions);

#endif
