/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/go_build.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discover/go_image.h"

#define SEGMENT_SCAN_MAX (64 * 1024) /* as far as Go's own reader looks */

/* The header is 32 bytes, aligned to 16: magic, pointer size, flags, two pointers (or padding). */
#define MAGIC		 "\xff Go buildinf:"
#define MAGIC_LEN	 14
#define HEADER_LEN	 32
#define FLAGS_AT	 15
#define FLAG_INLINE	 2 /* the strings follow, each behind its length: Go 1.18 and later */
#define HEADER_ALIGNMENT 16

/* The length is a varint, but a version is shorter than what its first byte can say. */
static void read_version(const uint8_t *info, size_t len, char *version)
{
	size_t length;

	version[0] = '\0';
	if (!(info[FLAGS_AT] & FLAG_INLINE) || len <= HEADER_LEN)
		return;
	length = info[HEADER_LEN];
	if (length > GO_VERSION_MAX || HEADER_LEN + 1 + length > len)
		return;
	memcpy(version, info + HEADER_LEN + 1, length);
	version[length] = '\0';
}

static int read_section(const struct go_image *image, const Elf64_Shdr *section, char *version)
{
	uint8_t info[HEADER_LEN + 1 + GO_VERSION_MAX];
	size_t len = section->sh_size < sizeof(info) ? section->sh_size : sizeof(info);
	int r;

	if (len < HEADER_LEN)
		return -ENOENT;
	r = go_image_read(image, info, len, section->sh_offset);
	if (r < 0)
		return r;
	if (memcmp(info, MAGIC, MAGIC_LEN) != 0)
		return -ENOENT;
	read_version(info, len, version);
	return 0;
}

static int scan_segment(const struct go_image *image, const Elf64_Phdr *segment, char *version)
{
	size_t len = segment->p_filesz < SEGMENT_SCAN_MAX ? segment->p_filesz : SEGMENT_SCAN_MAX;
	_cleanup_free_ uint8_t *data = malloc(len ? len : 1);
	int r;

	if (!data)
		return -ENOMEM;
	r = go_image_read(image, data, len, segment->p_offset);
	if (r < 0)
		return r;
	for (size_t at = 0; at + HEADER_LEN <= len; at += HEADER_ALIGNMENT)
		if (memcmp(data + at, MAGIC, MAGIC_LEN) == 0) {
			read_version(data + at, len - at, version);
			return 0;
		}
	return -ENOENT;
}

/* Without section headers: the linker puts the information first in the data segment. */
static int scan_data(const struct go_image *image, char *version)
{
	for (size_t i = 0; i < image->n_segments; i++) {
		const Elf64_Phdr *segment = &image->segments[i];

		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W))
			return scan_segment(image, segment, version);
	}
	return -ENOENT;
}

static int read_image(const struct go_image *image, char *version)
{
	const Elf64_Shdr *section = go_image_section(image, ".go.buildinfo");

	if (section)
		return read_section(image, section, version);
	/* Sections that are there and do not name it are the linker's word: no need to scan. */
	return image->n_sections > 0 ? -ENOENT : scan_data(image, version);
}

int go_build_read(int fd, char ret_version[GO_VERSION_MAX + 1])
{
	_cleanup_(go_image_close) struct go_image image = { 0 };
	char version[GO_VERSION_MAX + 1];
	int r = go_image_open(fd, EM_NONE, &image);

	if (r == 0)
		r = read_image(&image, version);
	if (r < 0)
		return r;
	memcpy(ret_version, version, sizeof(version));
	return 0;
}
