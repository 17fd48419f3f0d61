/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/tls_symbol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf_image.h"

#define BUDGET (1u << 20)

static int find_in(const void *bytes, size_t size, size_t budget, struct tls_symbol *ret_symbol)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	r = tls_symbol_find(fd, ELF_VARIABLE, &budget, ret_symbol);
	close(fd);
	return r;
}

static int find(const struct elf_image *image, struct tls_symbol *ret_symbol)
{
	return find_in(image, sizeof(*image), BUDGET, ret_symbol);
}

static void test_executable(void **state)
{
	struct elf_image image;
	struct tls_symbol symbol;

	(void)state;
	elf_image_init(&image);
	assert_int_equal(find(&image, &symbol), 0);
	assert_int_equal(symbol.base, ELF_BASE);
	assert_int_equal(symbol.offset, ELF_OFFSET);
	/* the only one in its block: next to the thread pointer */
	image.tls =
		(Elf64_Phdr){ .p_type = PT_TLS, .p_vaddr = 0x14000, .p_memsz = 8, .p_align = 8 };
	image.symbols[2].st_value = 0;
	assert_int_equal(find(&image, &symbol), 0);
	assert_int_equal(symbol.offset, ELF_OFFSET < 0 ? -8 : 16);
	image.tls.p_align = 0;
	assert_int_equal(find(&image, &symbol), 0);
	assert_int_equal(symbol.offset, ELF_OFFSET < 0 ? -8 : 16);
}

static void test_accesses(void **state)
{
	static const struct {
		uint64_t symbol;
		uint32_t type;
		int64_t addend;
		enum tls_access expected;
	} samples[] = {
		{ 2, ELF_RELOCATE_OFFSET, 0, TLS_OFFSET },
		{ 2, ELF_RELOCATE_DESC, 0, TLS_DESCRIPTOR },
		{ 2, ELF_RELOCATE_MODULE, 0, TLS_INDEX },
		/* by its place, when the linker has bound it */
		{ 0, ELF_RELOCATE_OFFSET, ELF_VALUE, TLS_OFFSET },
		{ 0, ELF_RELOCATE_DESC, ELF_VALUE, TLS_DESCRIPTOR },
		/* another variable of the module, or of none that is known */
		{ 0, ELF_RELOCATE_OFFSET, ELF_VALUE + 8, TLS_NO_SLOT },
		{ 0, ELF_RELOCATE_MODULE, 0, TLS_NO_SLOT },
		{ 2, ELF_RELOCATE_OFFSET, 8, TLS_NO_SLOT },
		{ 1, ELF_RELOCATE_OFFSET, 0, TLS_NO_SLOT },
		{ 2, ELF_RELOCATE_OTHER, 0, TLS_NO_SLOT },
	};
	struct elf_image image;
	struct tls_symbol symbol;

	(void)state;
	elf_image_init(&image);
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		image.relocations[1].r_info = ELF64_R_INFO(samples[i].symbol, samples[i].type);
		image.relocations[1].r_addend = samples[i].addend;
		assert_int_equal(find(&image, &symbol), 0);
		assert_int_equal(symbol.access, samples[i].expected);
		if (symbol.access != TLS_NO_SLOT)
			assert_int_equal(symbol.slot, ELF_SLOT);
	}
	/* relocations of another table of symbols */
	image.relocations[1] = (Elf64_Rela){ ELF_SLOT, ELF64_R_INFO(2, ELF_RELOCATE_OFFSET), 0 };
	image.sections[ELF_RELOCATIONS].sh_link = ELF_NAMES;
	assert_int_equal(find(&image, &symbol), 0);
	assert_int_equal(symbol.access, TLS_NO_SLOT);
}

static void test_none(void **state)
{
	struct elf_image image;
	struct tls_symbol symbol;

	(void)state;
	elf_image_init(&image);
	image.names[12]++;
	assert_int_equal(find(&image, &symbol), -ENOENT);
	elf_image_init(&image);
	image.symbols[2].st_shndx = SHN_UNDEF;
	assert_int_equal(find(&image, &symbol), -ENOENT);
	elf_image_init(&image);
	image.symbols[2].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
	assert_int_equal(find(&image, &symbol), -ENOENT);
	elf_image_init(&image);
	image.tls.p_type = PT_NULL;
	assert_int_equal(find(&image, &symbol), -ENOENT);
	elf_image_init(&image);
	image.sections[ELF_SYMBOLS].sh_type = SHT_SYMTAB;
	assert_int_equal(find(&image, &symbol), -ENOENT);
	elf_image_init(&image);
	image.header.e_shnum = 0;
	image.header.e_shoff = 0;
	assert_int_equal(find(&image, &symbol), -ENOENT);
}

/* What no linker writes. */
static void test_malformed(void **state)
{
	struct elf_image image;
	struct tls_symbol symbol;

	(void)state;
	elf_image_init(&image);
	image.header.e_machine = ELF_OTHER_MACHINE;
	assert_int_equal(find(&image, &symbol), -EBADMSG);
	elf_image_init(&image);
	image.header.e_ident[EI_DATA] = ELFDATA2MSB;
	assert_int_equal(find(&image, &symbol), -EBADMSG);
	elf_image_init(&image);
	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(find(&image, &symbol), -EBADMSG);
	elf_image_init(&image);
	image.symbols[2].st_value = ELF_TLS_SIZE - 7;
	assert_int_equal(find(&image, &symbol), -EBADMSG);
	elf_image_init(&image);
	image.symbols[2].st_value = UINT64_MAX;
	assert_int_equal(find(&image, &symbol), -EBADMSG);
	elf_image_init(&image);
	image.tls.p_memsz = UINT64_MAX;
	assert_int_equal(find(&image, &symbol), -EBADMSG);
	elf_image_init(&image);
	image.tls.p_align = 24;
	assert_int_equal(find(&image, &symbol), -EBADMSG);
	elf_image_init(&image);
	image.sections[ELF_SYMBOLS].sh_entsize = 8;
	assert_int_equal(find(&image, &symbol), -EBADMSG);
	elf_image_init(&image);
	image.sections[ELF_SYMBOLS].sh_link = 99;
	assert_int_equal(find(&image, &symbol), -EBADMSG);
	assert_int_equal(find_in("#!/bin/sh\n", 10, BUDGET, &symbol), -EBADMSG);
	assert_int_equal(find_in("", 0, BUDGET, &symbol), -EBADMSG);
}

/* Sizes are looked at before memory is had for them. */
static void test_too_large(void **state)
{
	struct elf_image image;
	struct tls_symbol symbol;

	(void)state;
	for (enum elf_section i = ELF_SYMBOLS; i < ELF_SECTIONS; i++) {
		elf_image_init(&image);
		image.sections[i].sh_size = 1ull << 40;
		assert_int_equal(find(&image, &symbol), -E2BIG);
	}
	elf_image_init(&image);
	assert_int_equal(find_in(&image, sizeof(image), 32, &symbol), -E2BIG);
	image.header.e_phnum = 1000;
	assert_true(find(&image, &symbol) < 0);
}

/* However much of it there is. */
static void test_every_cut(void **state)
{
	struct elf_image image;
	struct tls_symbol symbol;

	(void)state;
	elf_image_init(&image);
	for (size_t len = 0; len < sizeof(image); len++)
		assert_true(find_in(&image, len, BUDGET, &symbol) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_executable), cmocka_unit_test(test_accesses),
		cmocka_unit_test(test_none),	   cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_too_large),  cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests_name("discover/tls_symbol", tests, NULL, NULL);
}
