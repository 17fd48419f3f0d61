/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of ELF files share. */
#ifndef WEFT_DISCOVER_ELF_FILE_H
#define WEFT_DISCOVER_ELF_FILE_H

#include <gelf.h>
#include <stdbool.h>

/* For _cleanup_: ends the handle; its descriptor stays open. NULL is accepted. */
void elf_close(Elf **elf);

/* Is it an ELF file of this machine's kind, word size and byte order? */
bool elf_is_of_this_machine(Elf *elf);

#endif
