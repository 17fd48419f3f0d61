/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of ELF files share. */
#ifndef WEFT_DISCOVER_ELF_FILE_H
#define WEFT_DISCOVER_ELF_FILE_H

#include <gelf.h>
#include <stdint.h>

/* Of the code that this host runs. */
#if defined(__x86_64__)
#define ELF_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define ELF_MACHINE EM_AARCH64
#endif

/* For _cleanup_: ends the handle; its descriptor stays open. NULL is accepted. */
void elf_close(Elf **elf);

/* Reads the file by its descriptor. -EBADMSG: no ELF of this machine's kind, word size and byte
 * order. */
int elf_open(int fd, Elf **ret_elf);

/*
 * Where in the file the `size` bytes of code at an address are. -ENOENT: they are not all code of
 * one segment; -EBADMSG: the file is malformed; -E2BIG: it has more segments than real files have.
 */
int elf_code_offset(Elf *elf, uint64_t address, uint64_t size, uint64_t *ret_offset);

#endif
