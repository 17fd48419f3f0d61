/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/go_build.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "fake_proc.h"

#define INFO_AT	    0x200
#define NAMES_AT    0x100
#define SECTIONS_AT 0x400

/* An executable with nothing but build information, named by a section or found in a segment. */
struct image {
	uint8_t bytes[0x800];
};

static void image_init(struct image *image, bool sections)
{
	static const char names[] = "\0.text\0.go.buildinfo\0.shstrtab";
	Elf64_Ehdr header = { .e_ident = ELFMAG,
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 1,
			      .e_phoff = sizeof(Elf64_Ehdr),
			      .e_shentsize = sizeof(Elf64_Shdr) };
	Elf64_Phdr segment = { .p_type = PT_LOAD,
			       .p_flags = PF_R | PF_W,
			       .p_offset = INFO_AT - 64,
			       .p_filesz = 0x200 };
	Elf64_Shdr info = {
		.sh_name = 7, .sh_type = SHT_PROGBITS, .sh_offset = INFO_AT, .sh_size = 0x80
	};
	Elf64_Shdr strings = { .sh_name = 21,
			       .sh_type = SHT_STRTAB,
			       .sh_offset = NAMES_AT,
			       .sh_size = sizeof(names) };

	memset(image, 0, sizeof(*image));
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	if (sections) {
		header.e_shoff = SECTIONS_AT;
		header.e_shnum = 3;
		header.e_shstrndx = 2;
	}
	memcpy(image->bytes, &header, sizeof(header));
	memcpy(image->bytes + sizeof(header), &segment, sizeof(segment));
	memcpy(image->bytes + NAMES_AT, names, sizeof(names));
	memcpy(image->bytes + SECTIONS_AT + sizeof(info), &info, sizeof(info));
	memcpy(image->bytes + SECTIONS_AT + 2 * sizeof(info), &strings, sizeof(strings));
	memcpy(image->bytes + INFO_AT, "\xff Go buildinf:\x08\x02", 16);
	memcpy(image->bytes + INFO_AT + 32, "\x08go1.22.1", 9);
}

static int read_image(const struct image *image, size_t len, char *version)
{
	int fd = memfd_create("image", 0), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image->bytes, len), len);
	r = go_build_read(fd, version);
	close(fd);
	return r;
}

static void test_found(void **state)
{
	char version[GO_VERSION_MAX + 1] = "";
	struct image image;

	(void)state;
	for (int sections = 0; sections < 2; sections++) {
		image_init(&image, sections);
		assert_int_equal(read_image(&image, sizeof(image), version), 0);
		assert_string_equal(version, "go1.22.1");
		/* pointers, as before Go 1.18: Go, but who knows which */
		image.bytes[INFO_AT + 15] = 0;
		assert_int_equal(read_image(&image, sizeof(image), version), 0);
		assert_string_equal(version, "");
	}
}

static void test_other(void **state)
{
	char version[GO_VERSION_MAX + 1];
	struct image image;

	(void)state;
	image_init(&image, true);
	image.bytes[INFO_AT] = 0;
	assert_int_equal(read_image(&image, sizeof(image), version), -ENOENT);
	image_init(&image, false);
	image.bytes[INFO_AT] = 0;
	assert_int_equal(read_image(&image, sizeof(image), version), -ENOENT);
	assert_int_equal(read_image(&image, 10, version), -EBADMSG);
	/* sections that do not name it: what lies in a segment is something else */
	image_init(&image, true);
	image.bytes[NAMES_AT + 8] = 'x';
	assert_int_equal(read_image(&image, sizeof(image), version), -ENOENT);
	image.bytes[offsetof(Elf64_Ehdr, e_phnum) + 1] = 0xff;
	assert_int_equal(read_image(&image, sizeof(image), version), -E2BIG);
	image.bytes[0] = '#';
	assert_int_equal(read_image(&image, sizeof(image), version), -EBADMSG);
}

/* Any byte of the headers may be anything: an answer, and no read beyond what there is. */
static void test_hostile(void **state)
{
	char version[GO_VERSION_MAX + 1];
	struct image image;

	(void)state;
	for (size_t at = 0; at < SECTIONS_AT + 3 * sizeof(Elf64_Shdr); at++) {
		image_init(&image, at % 2);
		image.bytes[at] = 0xff;
		read_image(&image, sizeof(image), version);
	}
	image_init(&image, true);
	image.bytes[INFO_AT + 32] = 0xff;
	assert_int_equal(read_image(&image, sizeof(image), version), 0);
	assert_string_equal(version, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("discover/go_build", tests, NULL, NULL);
}
