/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/elf_file.h"

#include <errno.h>
#include <stdbool.h>

#include "base/cleanup.h"

#define SEGMENTS_MAX 128

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

int elf_code_offset(Elf *elf, uint64_t address, uint64_t size, uint64_t *ret_offset)
{
	size_t n_segments;

	if (elf_getphdrnum(elf, &n_segments) != 0)
		return -EBADMSG;
	if (n_segments > SEGMENTS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n_segments; i++) {
		GElf_Phdr segment;
		uint64_t at;

		if (!gelf_getphdr(elf, (int)i, &segment))
			return -EBADMSG;
		at = address - segment.p_vaddr;
		if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X) ||
		    address < segment.p_vaddr || at >= segment.p_filesz ||
		    size > segment.p_filesz - at || segment.p_offset > INT64_MAX - at)
			continue;
		*ret_offset = segment.p_offset + at;
		return 0;
	}
	return -ENOENT;
}
