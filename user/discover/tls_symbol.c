/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/tls_symbol.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "discover/elf_file.h"

/* The largest files that there are (browsers, machine-learning frameworks) keep well within. */
#define SEGMENTS_MAX  128
#define SECTIONS_MAX  1024
#define TLS_MAX	      (1u << 30) /* bytes of a module's block; larger ones have no offset here */
#define PAGE_SIZE_MIN 4096

#if defined(__x86_64__)
#define RELOCATION_OFFSET R_X86_64_TPOFF64
#define RELOCATION_DESC	  R_X86_64_TLSDESC
#define RELOCATION_MODULE R_X86_64_DTPMOD64
#elif defined(__aarch64__)
#define RELOCATION_OFFSET R_AARCH64_TLS_TPREL
#define RELOCATION_DESC	  R_AARCH64_TLSDESC
#define RELOCATION_MODULE R_AARCH64_TLS_DTPMOD
#endif

#define WORD 8

struct tls_file {
	Elf *elf;
	size_t *budget;
	GElf_Phdr tls;	  /* the segment that the blocks of threads are copied from */
	uint64_t base;	  /* address of the first loaded page */
	size_t symbols;	  /* index of the section .dynsym */
	GElf_Sym symbol;  /* the one that was found */
	size_t symbol_at; /* its index */
};

/* Most files have no variables of threads, and are done with here. */
static int read_segments(struct tls_file *file)
{
	bool loaded = false, has_tls = false;
	GElf_Phdr segment;
	size_t n;

	if (elf_getphdrnum(file->elf, &n) != 0)
		return -EBADMSG;
	if (n > SEGMENTS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(file->elf, (int)i, &segment))
			return -EBADMSG;
		if (segment.p_type == PT_LOAD && !loaded) {
			file->base = segment.p_vaddr & ~(uint64_t)(PAGE_SIZE_MIN - 1);
			loaded = true;
		} else if (segment.p_type == PT_TLS) {
			file->tls = segment;
			has_tls = true;
		}
	}
	return loaded && has_tls ? 0 : -ENOENT;
}

/* Before libelf reads a section into memory. */
static int take_budget(struct tls_file *file, const GElf_Shdr *header)
{
	if (header->sh_size > *file->budget)
		return -E2BIG;
	*file->budget -= header->sh_size;
	return 0;
}

/* A section's table of `size` bytes an entry. */
static int read_table(struct tls_file *file, Elf_Scn *section, size_t size, Elf_Data **ret_table)
{
	GElf_Shdr header;

	if (!gelf_getshdr(section, &header) || header.sh_entsize != size)
		return -EBADMSG;
	if (take_budget(file, &header) < 0)
		return -E2BIG;
	*ret_table = elf_getdata(section, NULL);
	return *ret_table ? 0 : -EBADMSG;
}

static int find_symbol(struct tls_file *file, Elf_Scn *section, const GElf_Shdr *header,
		       const char *name)
{
	Elf_Scn *names = elf_getscn(file->elf, header->sh_link);
	GElf_Shdr names_header;
	Elf_Data *table;
	const char *found;
	int r;

	if (!names || !gelf_getshdr(names, &names_header))
		return -EBADMSG;
	r = take_budget(file, &names_header);
	if (r == 0)
		r = read_table(file, section, sizeof(Elf64_Sym), &table);
	if (r < 0)
		return r;
	for (size_t i = 0; i < table->d_size / sizeof(Elf64_Sym); i++) {
		if (!gelf_getsym(table, (int)i, &file->symbol))
			return -EBADMSG;
		if (GELF_ST_TYPE(file->symbol.st_info) != STT_TLS ||
		    file->symbol.st_shndx == SHN_UNDEF)
			continue;
		found = elf_strptr(file->elf, header->sh_link, file->symbol.st_name);
		if (found && strcmp(found, name) == 0) {
			file->symbols = elf_ndxscn(section);
			file->symbol_at = i;
			return 0;
		}
	}
	return -ENOENT;
}

/* Does the relocation fill a slot for the variable? A library may name it by its place alone. */
static enum tls_access relocation_access(const struct tls_file *file, const GElf_Rela *relocation)
{
	uint64_t symbol = GELF_R_SYM(relocation->r_info);
	bool by_name = symbol == file->symbol_at && relocation->r_addend == 0;
	bool by_place = symbol == 0 && (uint64_t)relocation->r_addend == file->symbol.st_value;

	switch (GELF_R_TYPE(relocation->r_info)) {
	case RELOCATION_OFFSET:
		return by_name || by_place ? TLS_OFFSET : TLS_NO_SLOT;
	case RELOCATION_DESC:
		return by_name || by_place ? TLS_DESCRIPTOR : TLS_NO_SLOT;
	case RELOCATION_MODULE:
		return by_name ? TLS_INDEX : TLS_NO_SLOT;
	default:
		return TLS_NO_SLOT;
	}
}

static int find_slot(struct tls_file *file, Elf_Scn *section, struct tls_symbol *symbol)
{
	GElf_Rela relocation;
	Elf_Data *table;
	int r = read_table(file, section, sizeof(Elf64_Rela), &table);

	if (r < 0)
		return r;
	for (size_t i = 0; i < table->d_size / sizeof(Elf64_Rela); i++) {
		if (!gelf_getrela(table, (int)i, &relocation))
			return -EBADMSG;
		symbol->access = relocation_access(file, &relocation);
		symbol->slot = relocation.r_offset;
		if (symbol->access != TLS_NO_SLOT)
			return 0;
	}
	return -ENOENT;
}

/* Calls for each section of the type until one does not give -ENOENT. */
static int each_section(struct tls_file *file, uint32_t type,
			int (*visit)(struct tls_file *file, Elf_Scn *section,
				     const GElf_Shdr *header, void *context),
			void *context)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	int r = -ENOENT;

	for (size_t n = 0; r == -ENOENT && (section = elf_nextscn(file->elf, section)); n++) {
		if (n == SECTIONS_MAX)
			return -E2BIG;
		if (!gelf_getshdr(section, &header))
			return -EBADMSG;
		if (header.sh_type == type)
			r = visit(file, section, &header, context);
	}
	return r;
}

static int visit_symbols(struct tls_file *file, Elf_Scn *section, const GElf_Shdr *header,
			 void *context)
{
	return find_symbol(file, section, header, context);
}

static int visit_relocations(struct tls_file *file, Elf_Scn *section, const GElf_Shdr *header,
			     void *context)
{
	return header->sh_link == file->symbols ? find_slot(file, section, context) : -ENOENT;
}

/*
 * The executable's block lies next to the thread pointer: below it on x86-64, its end aligned as
 * the segment asks ("variant II"); above it on Arm, behind two words ("variant I").
 */
static int64_t executable_offset(const struct tls_file *file)
{
	const GElf_Phdr *tls = &file->tls;
	uint64_t align = tls->p_align ? tls->p_align : 1;

#if defined(__x86_64__)
	uint64_t end = tls->p_memsz + ((0 - tls->p_vaddr - tls->p_memsz) & (align - 1));

	return (int64_t)(file->symbol.st_value - end);
#elif defined(__aarch64__)
	uint64_t start = 2 * WORD + ((tls->p_vaddr - 2 * WORD) & (align - 1));

	return (int64_t)(file->symbol.st_value + start);
#endif
}

static bool is_sane(const struct tls_file *file)
{
	const GElf_Phdr *tls = &file->tls;

	return tls->p_memsz <= TLS_MAX && tls->p_align <= TLS_MAX &&
	       (tls->p_align & (tls->p_align - 1)) == 0 && tls->p_memsz >= WORD &&
	       file->symbol.st_value <= tls->p_memsz - WORD;
}

int tls_symbol_find(int fd, const char *name, size_t *budget, struct tls_symbol *ret_symbol)
{
	_cleanup_(elf_close) Elf *elf = NULL;
	struct tls_symbol symbol = { .access = TLS_NO_SLOT };
	struct tls_file file = { .budget = budget };
	int r;

	r = elf_open(fd, &elf);
	if (r < 0)
		return r;
	file.elf = elf;
	r = read_segments(&file);
	if (r == 0)
		r = each_section(&file, SHT_DYNSYM, visit_symbols, (void *)name);
	if (r < 0)
		return r;
	if (!is_sane(&file))
		return -EBADMSG;
	r = each_section(&file, SHT_RELA, visit_relocations, &symbol);
	if (r < 0 && r != -ENOENT)
		return r;
	symbol.base = file.base;
	symbol.offset = executable_offset(&file);
	*ret_symbol = symbol;
	return 0;
}
