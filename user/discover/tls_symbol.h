/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a thread-local variable that an executable or a shared library exports (.dynsym), and how
 * to tell where it lies in a process. For executables the file itself says it; for libraries the
 * dynamic linker has written it into a slot of the library's memory, to be read there. Files are
 * hostile: sizes are bounded before anything of them is read.
 */
#ifndef WEFT_DISCOVER_TLS_SYMBOL_H
#define WEFT_DISCOVER_TLS_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

/* ELF for the x86-64 psABI and for the Arm 64-bit architecture, "Thread Local Storage". */
enum tls_access {
	TLS_NO_SLOT,	/* nothing of the library's own refers to the variable in a known way */
	TLS_OFFSET,	/* one word: its offset from the thread pointer (initial exec) */
	TLS_DESCRIPTOR, /* two words: a function and its argument (TLSDESC) */
	TLS_INDEX,	/* two words: module and offset in it (general dynamic) */
};

struct tls_symbol {
	uint64_t base;	/* address of the file's first page, as the file counts */
	int64_t offset; /* from the thread pointer, if the file is the executable */
	enum tls_access access;
	uint64_t slot; /* its address, as the file counts */
};

/*
 * Looks for a variable of that name in the file. `*budget`: bytes of its tables that may be read;
 * they are taken off. -ENOENT: it exports none; -EBADMSG: no ELF file of this machine, or
 * malformed; -E2BIG: there is more of it than the budget and real files have.
 */
int tls_symbol_find(int fd, const char *name, size_t *budget, struct tls_symbol *ret_symbol);

#endif
