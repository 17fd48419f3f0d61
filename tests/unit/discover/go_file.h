/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An executable with just what Go's linker leaves of three functions, for tests to change. The
 * second one is crypto/tls.(*Conn).Read, with two returns and the end that has its stack grown.
 */
#ifndef WEFT_TESTS_GO_FILE_H
#define WEFT_TESTS_GO_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define GO_NAME "crypto/tls.(*Conn).Read"

#define GO_MAGIC_1_17 0xfffffffa
#define GO_MAGIC_1_18 0xfffffff0
#define GO_MAGIC_1_20 0xfffffff1

#define GO_BASE 0x400000 /* address of the file's first byte */

/* Where things are in the file. */
#define GO_CODE_AT     0x200 /* of three functions, which are alike */
#define GO_CODE_LEN    64
#define GO_READ_AT     (GO_CODE_AT + GO_CODE_LEN)
#define GO_TABLE_AT    0x400
#define GO_NAMES_AT    (GO_TABLE_AT + 0x48)
#define GO_UNITS_AT    (GO_TABLE_AT + 0x90)
#define GO_DELTAS_AT   (GO_TABLE_AT + 0xa0)
#define GO_LIST_AT     (GO_TABLE_AT + 0x160)
#define GO_ABOUT_AT    (GO_LIST_AT + 0x80) /* what is said of the three, 64 bytes each */
#define GO_ABOUT_LEN   64
#define GO_TABLE_END   (GO_ABOUT_AT + 3 * GO_ABOUT_LEN)
#define GO_MODULE_AT   0x700
#define GO_RELA_AT     0x800
#define GO_STRINGS_AT  0x900
#define GO_SECTIONS_AT 0xa00
#define GO_FILE_SIZE   0xc00

#define GO_MODULE_WORDS 24
#define GO_WORD_CODE	22

enum go_section {
	GO_NO_SECTION,
	GO_SECTION_TABLE,
	GO_SECTION_MODULE,
	GO_SECTION_RELA,
	GO_SECTION_STRINGS,
	GO_N_SECTIONS,
};

struct go_kind {
	uint16_t machine;
	uint32_t magic;
	bool relocated; /* pointers are left to the loader */
};

struct go_file {
	uint8_t bytes[GO_FILE_SIZE];
};

struct go_sample {
	uint8_t code[GO_CODE_LEN];
	uint8_t deltas[24];
	uint8_t returns[2]; /* offsets in the code */
	uint8_t quantum;
};

static const struct go_sample go_samples[] = {
	{
		.quantum = 1,
		.code = {
			0x49, 0x3b, 0x66, 0x10,	      /* cmp rsp, [r14+16] */
			0x76, 0x14,		      /* jbe 26 */
			0x55,			      /* push rbp */
			0x48, 0x83, 0xec, 0x10,	      /* sub rsp, 16 */
			0x74, 0x06,		      /* je 19 */
			0x48, 0x83, 0xc4, 0x10,	      /* 13: add rsp, 16 */
			0x5d,			      /* pop rbp */
			0xc3,			      /* 18: ret */
			0x48, 0x83, 0xc4, 0x10,	      /* add rsp, 16 */
			0x5d,			      /* pop rbp */
			0x90,			      /* 24: nop */
			0xc3,			      /* 25: ret */
			0x48, 0x89, 0x44, 0x24, 0x08, /* mov [rsp+8], rax */
			0xe8, 0xc3, 0xc3, 0xc3, 0xc3, /* call; those are no returns */
			0x48, 0x8b, 0x44, 0x24, 0x08, /* mov rax, [rsp+8] */
			0x0f, 0x1f, 0x00,	      /* 41: nop */
			0xeb, 0xd2,		      /* 44: jmp 0 */
			0xcc, 0xcc,
		},
		.deltas = { 0, 2, 7, 16, 4, 32, 6, 31, 1, 15, 1, 48, 4, 31, 1, 15, 22, 0 },
		.returns = { 18, 25 },
	},
	{
		.quantum = 4,
		.code = {
			0x90, 0x0b, 0x40, 0xf9, /* ldr x16, [x28, #16] */
			0xff, 0x63, 0x30, 0xeb, /* cmp sp, x16 */
			0xe9, 0x00, 0x00, 0x54, /* b.ls 36 */
			0xfe, 0x0f, 0x1e, 0xf8, /* str x30, [sp, #-32]! */
			0xfd, 0x83, 0x1f, 0xf8, /* stur x29, [sp, #-8] */
			0xfe, 0x07, 0x42, 0xf8, /* ldr x30, [sp], #32 */
			0xc0, 0x03, 0x5f, 0xd6, /* 24: ret */
			0xfe, 0x07, 0x42, 0xf8, /* ldr x30, [sp], #32 */
			0xc0, 0x03, 0x5f, 0xd6, /* 32: ret */
			0xe3, 0x03, 0x1e, 0xaa, /* mov x3, x30 */
			0x00, 0x01, 0x00, 0x94, /* bl */
			0xf5, 0xff, 0xff, 0x17, /* 44: b 0 */
		},
		.deltas = { 0, 2, 4, 64, 2, 63, 1, 64, 1, 63, 8, 0 },
		.returns = { 24, 32 },
	},
};

static inline const struct go_sample *go_sample_of(uint16_t machine)
{
	return &go_samples[machine == EM_AARCH64];
}

static inline void go_put(struct go_file *file, size_t at, uint64_t value, size_t len)
{
	memcpy(file->bytes + at, &value, len);
}

static inline void go_put_headers(struct go_file *file, const struct go_kind *kind)
{
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = kind->relocated ? ET_DYN : ET_EXEC,
		.e_machine = kind->machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_shoff = GO_SECTIONS_AT,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = GO_N_SECTIONS,
		.e_shstrndx = GO_SECTION_STRINGS,
	};
	const Elf64_Phdr load = { .p_type = PT_LOAD,
				  .p_flags = PF_R | PF_W | PF_X,
				  .p_vaddr = GO_BASE,
				  .p_filesz = GO_FILE_SIZE,
				  .p_memsz = GO_FILE_SIZE };

	memcpy(file->bytes, &header, sizeof(header));
	memcpy(file->bytes + sizeof(header), &load, sizeof(load));
}

static inline void go_put_section(struct go_file *file, enum go_section section,
				  const Elf64_Shdr *header)
{
	memcpy(file->bytes + GO_SECTIONS_AT + section * sizeof(*header), header, sizeof(*header));
}

static inline void go_put_sections(struct go_file *file)
{
	static const char names[] = "\0.gopclntab\0.go.module\0.rela.dyn\0.shstrtab";
	const Elf64_Shdr sections[] = {
		[GO_SECTION_TABLE] = { .sh_name = 1,
				       .sh_type = SHT_PROGBITS,
				       .sh_addr = GO_BASE + GO_TABLE_AT,
				       .sh_offset = GO_TABLE_AT,
				       .sh_size = GO_TABLE_END - GO_TABLE_AT },
		[GO_SECTION_MODULE] = { .sh_name = 12,
					.sh_type = SHT_PROGBITS,
					.sh_addr = GO_BASE + GO_MODULE_AT,
					.sh_offset = GO_MODULE_AT,
					.sh_size = GO_MODULE_WORDS * 8 },
		[GO_SECTION_RELA] = { .sh_name = 23,
				      .sh_type = SHT_RELA,
				      .sh_flags = SHF_ALLOC,
				      .sh_offset = GO_RELA_AT,
				      .sh_size = 0 },
		[GO_SECTION_STRINGS] = { .sh_name = 33,
					 .sh_type = SHT_STRTAB,
					 .sh_offset = GO_STRINGS_AT,
					 .sh_size = sizeof(names) },
	};

	memcpy(file->bytes + GO_STRINGS_AT, names, sizeof(names));
	memcpy(file->bytes + GO_SECTIONS_AT, sections, sizeof(sections));
}

/* What is said of the function, and its line in the list; of the fourth there is but the line. */
static inline void go_put_function(struct go_file *file, const struct go_kind *kind, size_t i)
{
	static const uint8_t names[] = { 0, 10, 34, 0 };
	bool old = kind->magic == GO_MAGIC_1_17;
	size_t word = old ? 8 : 4, about = GO_ABOUT_AT + i * GO_ABOUT_LEN;
	uint64_t address = i * GO_CODE_LEN + (old ? GO_BASE + GO_CODE_AT : 0);

	go_put(file, GO_LIST_AT + 2 * i * word, address, word);
	if (i == 3)
		return;
	go_put(file, GO_LIST_AT + (2 * i + 1) * word, about - GO_LIST_AT, word);
	go_put(file, about, address, word);
	go_put(file, about + word, names[i], 4);
	go_put(file, about + (old ? 20 : 16), 1, 4);
}

static inline void go_put_table(struct go_file *file, const struct go_kind *kind)
{
	static const char names[] = "main.main\0" GO_NAME "\0main.last";
	static const uint16_t tables[] = { GO_NAMES_AT, GO_UNITS_AT, GO_UNITS_AT, GO_DELTAS_AT,
					   GO_LIST_AT };
	const struct go_sample *sample = go_sample_of(kind->machine);
	size_t offsets = GO_TABLE_AT + (kind->magic == GO_MAGIC_1_17 ? 24 : 32);

	go_put(file, GO_TABLE_AT, kind->magic, 4);
	file->bytes[GO_TABLE_AT + 6] = sample->quantum;
	file->bytes[GO_TABLE_AT + 7] = 8;
	go_put(file, GO_TABLE_AT + 8, 3, 8);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		go_put(file, offsets + 8 * i, tables[i] - GO_TABLE_AT, 8);
	memcpy(file->bytes + GO_NAMES_AT, names, sizeof(names));
	memcpy(file->bytes + GO_DELTAS_AT, sample->deltas, sizeof(sample->deltas));
	for (size_t i = 0; i < 4; i++)
		go_put_function(file, kind, i);
	for (size_t i = 0; i < 3; i++)
		memcpy(file->bytes + GO_CODE_AT + i * GO_CODE_LEN, sample->code, GO_CODE_LEN);
}

static inline void go_put_module(struct go_file *file, const struct go_kind *kind)
{
	static const struct {
		uint8_t word;
		uint16_t at;
	} pointers[] = {
		{ 0, GO_TABLE_AT },	      { 1, GO_NAMES_AT },
		{ 13, GO_LIST_AT },	      { 16, GO_LIST_AT },
		{ 20, GO_CODE_AT },	      { 21, GO_CODE_AT + 3 * GO_CODE_LEN },
		{ GO_WORD_CODE, GO_CODE_AT }, { 23, GO_CODE_AT + 3 * GO_CODE_LEN },
	};
	size_t n = sizeof(pointers) / sizeof(pointers[0]);
	uint32_t type = kind->machine == EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;

	go_put(file, GO_MODULE_AT + 17 * 8, 4, 8);
	for (size_t i = 0; i < n; i++) {
		size_t at = GO_MODULE_AT + 8 * pointers[i].word;
		/* whatever order they are in */
		size_t rela = GO_RELA_AT + (n - 1 - i) * sizeof(Elf64_Rela);

		if (kind->relocated) {
			go_put(file, rela, GO_BASE + at, 8);
			go_put(file, rela + 8, ELF64_R_INFO(0, type), 8);
			go_put(file, rela + 16, GO_BASE + pointers[i].at, 8);
		} else {
			go_put(file, at, GO_BASE + pointers[i].at, 8);
		}
	}
	if (kind->relocated)
		go_put(file,
		       GO_SECTIONS_AT + GO_SECTION_RELA * sizeof(Elf64_Shdr) +
			       offsetof(Elf64_Shdr, sh_size),
		       n * sizeof(Elf64_Rela), 8);
}

static inline void go_file_init(struct go_file *file, const struct go_kind *kind)
{
	memset(file, 0, sizeof(*file));
	go_put_headers(file, kind);
	go_put_sections(file);
	go_put_table(file, kind);
	go_put_module(file, kind);
}

#endif
