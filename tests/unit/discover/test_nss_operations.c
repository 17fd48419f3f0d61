/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/elf_file.h"
#include "discover/nss_operations.h"

#define CODE	   0x10000 /* addresses, none of them a place in the file */
#define CONSTANTS  0x20000
#define RECV	   (CODE + 0x100)
#define SEND	   (CODE + 0x140)
#define READ	   (CODE + 0x180)
#define WRITE	   (CODE + 0x1c0)
#define OPERATIONS 12
#define OTHERS	   4 /* words before the table */

#if defined(__x86_64__)
#define RELATIVE R_X86_64_RELATIVE
#elif defined(__aarch64__)
#define RELATIVE R_AARCH64_RELATIVE
#endif

enum section {
	NONE,
	CONSTANTS_SECTION,
	RELOCATIONS,
	NAMES,
	SECTIONS,
};

/* A library with nothing in it but the table and its code. */
struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	Elf64_Shdr sections[SECTIONS];
	char names[32];
	Elf64_Rela relocations[OPERATIONS + OTHERS];
	uint64_t constants[2 * OPERATIONS + OTHERS];
	uint8_t code[0x200];
};

static Elf64_Shdr section(uint32_t name, uint32_t type, size_t offset, size_t size, size_t entry)
{
	return (Elf64_Shdr){ .sh_name = name,
			     .sh_type = type,
			     .sh_offset = offset,
			     .sh_size = size,
			     .sh_entsize = entry };
}

/* A function that goes on to another one with a fourth argument, 0. */
static void jump(struct image *image, uint64_t from, uint64_t to)
{
	uint8_t *code = image->code + (from - CODE);

#if defined(__x86_64__)
	static const uint8_t begin[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xc9, 0xe9 };
	int32_t far = (int32_t)(to - from) - (int32_t)sizeof(begin) - 4;

	memcpy(code, begin, sizeof(begin));
	memcpy(code + sizeof(begin), &far, sizeof(far));
#elif defined(__aarch64__)
	uint32_t instructions[] = { 0x52800003,
				    0x14000000 | (((uint32_t)(to - from) / 4 - 1) & 0x3ffffff) };

	memcpy(code, instructions, sizeof(instructions));
#endif
}

static void table_init(uint64_t *words)
{
	for (size_t i = 0; i < OPERATIONS; i++)
		words[i] = CODE + 16 * i;
	words[1] = 0;
	words[6] = RECV;
	words[7] = SEND;
	words[8] = READ;
	words[9] = WRITE;
}

static void image_init(struct image *image)
{
	*image = (struct image){
		.header = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_DYN,
			.e_machine = ELF_MACHINE,
			.e_version = EV_CURRENT,
			.e_phoff = offsetof(struct image, segment),
			.e_shoff = offsetof(struct image, sections),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1,
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = SECTIONS,
			.e_shstrndx = NAMES,
		},
		.segment = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_offset = offsetof(struct image, code),
			.p_vaddr = CODE,
			.p_filesz = sizeof(image->code),
			.p_memsz = sizeof(image->code),
		},
		.names = "\0.data.rel.ro\0.x",
	};
	image->sections[CONSTANTS_SECTION] = section(
		1, SHT_PROGBITS, offsetof(struct image, constants), sizeof(image->constants), 0);
	image->sections[CONSTANTS_SECTION].sh_addr = CONSTANTS;
	image->sections[RELOCATIONS] = section(14, SHT_RELA, offsetof(struct image, relocations),
					       sizeof(image->relocations), sizeof(Elf64_Rela));
	image->sections[NAMES] =
		section(14, SHT_STRTAB, offsetof(struct image, names), sizeof(image->names), 0);
	table_init(image->constants + OTHERS);
	jump(image, READ, RECV);
	jump(image, WRITE, SEND);
}

static int find(const struct image *image, struct nss_operations *ret_operations)
{
	_cleanup_close_ int fd = memfd_create("nss", MFD_CLOEXEC);
	_cleanup_(elf_close) Elf *elf = NULL;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, sizeof(*image)), sizeof(*image));
	assert_int_equal(elf_open(fd, &elf), 0);
	return nss_operations_find(elf, fd, ret_operations);
}

static void assert_found(const struct image *image)
{
	struct nss_operations found = { 0 };

	assert_int_equal(find(image, &found), 0);
	assert_int_equal(found.recv, RECV);
	assert_int_equal(found.send, SEND);
}

static void assert_not_found(const struct image *image)
{
	struct nss_operations found = { 0 };

	assert_int_equal(find(image, &found), -ENOENT);
	assert_int_equal(found.recv, 0);
}

/* The words are in the file, as with packed relocations (RELR). */
static void test_in_place(void **state)
{
	struct image image;

	(void)state;
	image_init(&image);
	assert_found(&image);
}

static void test_relocated(void **state)
{
	struct image image;

	(void)state;
	image_init(&image);
	for (size_t i = 0; i < OPERATIONS; i++) {
		uint64_t *word = &image.constants[OTHERS + i];

		image.relocations[i] = (Elf64_Rela){
			.r_offset = CONSTANTS + 8 * (OTHERS + i),
			.r_info = ELF64_R_INFO(0, *word ? RELATIVE : 0),
			.r_addend = (Elf64_Sxword)*word,
		};
		*word = 0;
	}
	/* not the section's */
	image.relocations[OPERATIONS].r_offset = CONSTANTS - 8;
	image.relocations[OPERATIONS].r_info = RELATIVE;
	image.relocations[OPERATIONS + 1].r_offset = UINT64_MAX;
	image.relocations[OPERATIONS + 1].r_info = RELATIVE;
	assert_found(&image);
}

/* What is not certain is not taken. */
static void test_doubtful(void **state)
{
	struct image image;

	(void)state;
	for (size_t i = 0; i < OPERATIONS; i++) {
		image_init(&image);
		image.constants[OTHERS + i] = i == 1 ? CODE : 0;
		assert_not_found(&image);
	}
	image_init(&image);
	jump(&image, READ, RECV + 4);
	assert_not_found(&image);
	image_init(&image);
	jump(&image, WRITE, RECV);
	assert_not_found(&image);
	image_init(&image);
	image.constants[OTHERS + 8] = CODE + sizeof(image.code) - 8; /* it reaches over the end */
	assert_not_found(&image);
	image_init(&image);
	table_init(image.constants + OTHERS + OPERATIONS); /* two */
	assert_not_found(&image);
	image_init(&image);
	image.names[2] = 'D';
	assert_not_found(&image);
}

static void test_bounds(void **state)
{
	struct nss_operations found;
	struct image image;

	(void)state;
	image_init(&image);
	image.sections[CONSTANTS_SECTION].sh_size = 1ull << 40;
	assert_int_equal(find(&image, &found), -E2BIG);
	image_init(&image);
	image.sections[RELOCATIONS].sh_size = 1ull << 40;
	assert_int_equal(find(&image, &found), -E2BIG);
	image_init(&image);
	image.sections[RELOCATIONS].sh_entsize = 8;
	assert_int_equal(find(&image, &found), -EBADMSG);
	image_init(&image);
	image.sections[CONSTANTS_SECTION].sh_offset = sizeof(image);
	assert_int_equal(find(&image, &found), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_relocated),
		cmocka_unit_test(test_doubtful),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
