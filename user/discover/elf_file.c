/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/elf_file.h"

#include <errno.h>
#include <stdbool.h>

#include "base/cleanup.h"

void elf_close(Elf **elf)
{
	elf_end(*elf);
}

static bool is_of_this_machine(Elf *elf)
{
	GElf_Ehdr header;

	return elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) &&
	       header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == ELF_MACHINE &&
	       header.e_ident[EI_DATA] ==
		       (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB);
}

int elf_open(int fd, Elf **ret_elf)
{
	_cleanup_(elf_close) Elf *elf = NULL;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -EBADMSG;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || !is_of_this_machine(elf))
		return -EBADMSG;
	*ret_elf = TAKE_PTR(elf);
	return 0;
}
