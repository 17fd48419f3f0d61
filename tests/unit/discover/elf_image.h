/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file with just what it takes to have a thread-local variable, for tests to change: two
 * segments, and the sections that name the variable and fill its slot.
 */
#ifndef WEFT_TESTS_ELF_IMAGE_H
#define WEFT_TESTS_ELF_IMAGE_H

#include <elf.h>
#include <stddef.h>
#include <string.h>

#define ELF_VARIABLE "otel_thread_ctx_v1"

#define ELF_BASE     0x10000 /* address of the first page */
#define ELF_SLOT     0x13008
#define ELF_TLS_SIZE 0x24
#define ELF_TLS_AT   0x14010 /* with an alignment of 16: the block ends 12 bytes later */
#define ELF_VALUE    0x10

#if defined(__x86_64__)
#define ELF_MACHINE	    EM_X86_64
#define ELF_OTHER_MACHINE   EM_AARCH64
#define ELF_RELOCATE_OFFSET R_X86_64_TPOFF64
#define ELF_RELOCATE_DESC   R_X86_64_TLSDESC
#define ELF_RELOCATE_MODULE R_X86_64_DTPMOD64
#define ELF_RELOCATE_OTHER  R_X86_64_GLOB_DAT
#define ELF_OFFSET	    (ELF_VALUE - 0x30) /* the block's end is the thread pointer */
#elif defined(__aarch64__)
#define ELF_MACHINE	    EM_AARCH64
#define ELF_OTHER_MACHINE   EM_X86_64
#define ELF_RELOCATE_OFFSET R_AARCH64_TLS_TPREL
#define ELF_RELOCATE_DESC   R_AARCH64_TLSDESC
#define ELF_RELOCATE_MODULE R_AARCH64_TLS_DTPMOD
#define ELF_RELOCATE_OTHER  R_AARCH64_GLOB_DAT
#define ELF_OFFSET	    (ELF_VALUE + 16) /* two words lie before the block */
#endif

enum elf_section {
	ELF_NO_SECTION,
	ELF_SYMBOLS,
	ELF_NAMES,
	ELF_RELOCATIONS,
	ELF_SECTIONS,
};

#define ELF_N_SYMBOLS	  3
#define ELF_N_RELOCATIONS 2

struct elf_image {
	Elf64_Ehdr header;
	Elf64_Phdr load;
	Elf64_Phdr tls;
	Elf64_Sym symbols[ELF_N_SYMBOLS]; /* none, a function, the variable */
	char names[64];
	Elf64_Rela relocations[ELF_N_RELOCATIONS]; /* of the function, of the variable */
	Elf64_Shdr sections[ELF_SECTIONS];
};

static inline Elf64_Shdr elf_section(uint32_t type, size_t offset, size_t size, size_t entry,
				     uint32_t link)
{
	return (Elf64_Shdr){ .sh_type = type,
			     .sh_offset = offset,
			     .sh_size = size,
			     .sh_entsize = entry,
			     .sh_link = link };
}

static inline void elf_image_init(struct elf_image *image)
{
	static const char names[] = "\0function\0" ELF_VARIABLE;

	*image = (struct elf_image){
		.header = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_DYN,
			.e_machine = ELF_MACHINE,
			.e_version = EV_CURRENT,
			.e_phoff = offsetof(struct elf_image, load),
			.e_shoff = offsetof(struct elf_image, sections),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = ELF_SECTIONS,
		},
		.load = { .p_type = PT_LOAD, .p_vaddr = ELF_BASE + 0x40, .p_memsz = 0x5000 },
		.tls = { .p_type = PT_TLS,
			 .p_vaddr = ELF_TLS_AT,
			 .p_memsz = ELF_TLS_SIZE,
			 .p_align = 16 },
		.symbols = {
			{},
			{ .st_name = 1,
			  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			  .st_shndx = 1 },
			{ .st_name = 10,
			  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_TLS),
			  .st_shndx = 1,
			  .st_value = ELF_VALUE,
			  .st_size = 8 },
		},
		.relocations = {
			{ .r_offset = 0x13000, .r_info = ELF64_R_INFO(1, ELF_RELOCATE_OTHER) },
			{ .r_offset = ELF_SLOT, .r_info = ELF64_R_INFO(2, ELF_RELOCATE_OFFSET) },
		},
		.sections = {
			{},
			elf_section(SHT_DYNSYM, offsetof(struct elf_image, symbols),
				    sizeof(image->symbols), sizeof(Elf64_Sym), ELF_NAMES),
			elf_section(SHT_STRTAB, offsetof(struct elf_image, names), sizeof(names), 0,
				    0),
			elf_section(SHT_RELA, offsetof(struct elf_image, relocations),
				    sizeof(image->relocations), sizeof(Elf64_Rela), ELF_SYMBOLS),
		},
	};
	memcpy(image->names, names, sizeof(names));
}

#endif
