/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/go_build.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define HEADERS_MAX	 512 /* of each kind; executables have some dozens */
#define NAMES_MAX	 (64 * 1024)
#define SEGMENT_SCAN_MAX (64 * 1024) /* as far as Go's own reader looks */

/* The header is 32 bytes, aligned to 16: magic, pointer size, flags, two pointers (or padding). */
#define MAGIC		 "\xff Go buildinf:"
#define MAGIC_LEN	 14
#define HEADER_LEN	 32
#define FLAGS_AT	 15
#define FLAG_INLINE	 2 /* the strings follow, each behind its length: Go 1.18 and later */
#define HEADER_ALIGNMENT 16

static int read_at(int fd, void *buffer, size_t len, uint64_t offset)
{
	ssize_t n;

	/* the kernel calls that invalid, as if it were our mistake */
	if (offset > INT64_MAX - len)
		return -EBADMSG;
	n = pread(fd, buffer, len, (off_t)offset);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EBADMSG;
}

static int read_header(int fd, Elf64_Ehdr *ret_header)
{
	int r = read_at(fd, ret_header, sizeof(*ret_header), 0);

	if (r < 0)
		return r;
	if (memcmp(ret_header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    ret_header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    ret_header->e_ident[EI_DATA] !=
		    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
		return -EBADMSG;
	return 0;
}

/* A heap copy of `n` headers of `size` bytes each. */
static int read_table(int fd, uint64_t offset, size_t n, size_t size, void **ret_table)
{
	_cleanup_free_ void *table = NULL;
	int r;

	if (n == 0 || n > HEADERS_MAX)
		return -ENOENT;
	table = malloc(n * size);
	if (!table)
		return -ENOMEM;
	r = read_at(fd, table, n * size, offset);
	if (r < 0)
		return r;
	*ret_table = TAKE_PTR(table);
	return 0;
}

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

static int read_info(int fd, uint64_t offset, uint64_t size, char *version)
{
	uint8_t info[HEADER_LEN + 1 + GO_VERSION_MAX];
	size_t len = size < sizeof(info) ? size : sizeof(info);
	int r;

	if (len < HEADER_LEN)
		return -ENOENT;
	r = read_at(fd, info, len, offset);
	if (r < 0)
		return r;
	if (memcmp(info, MAGIC, MAGIC_LEN) != 0)
		return -ENOENT;
	read_version(info, len, version);
	return 0;
}

static int read_names(int fd, const Elf64_Ehdr *header, const Elf64_Shdr *sections,
		      char **ret_names, size_t *ret_len)
{
	_cleanup_free_ char *names = NULL;
	size_t len;
	int r;

	if (header->e_shstrndx >= header->e_shnum)
		return -ENOENT;
	len = sections[header->e_shstrndx].sh_size;
	if (len == 0 || len > NAMES_MAX)
		return -ENOENT;
	names = malloc(len);
	if (!names)
		return -ENOMEM;
	r = read_at(fd, names, len, sections[header->e_shstrndx].sh_offset);
	if (r < 0)
		return r;
	names[len - 1] = '\0';
	*ret_names = TAKE_PTR(names);
	*ret_len = len;
	return 0;
}

static int find_in_sections(int fd, const Elf64_Ehdr *header, char *version)
{
	_cleanup_free_ Elf64_Shdr *sections = NULL;
	_cleanup_free_ char *names = NULL;
	size_t names_len;
	int r;

	if (header->e_shentsize != sizeof(Elf64_Shdr))
		return -ENOENT;
	r = read_table(fd, header->e_shoff, header->e_shnum, sizeof(Elf64_Shdr),
		       (void **)&sections);
	if (r < 0)
		return r;
	r = read_names(fd, header, sections, &names, &names_len);
	if (r < 0)
		return r;
	for (size_t i = 0; i < header->e_shnum; i++)
		if (sections[i].sh_name < names_len &&
		    strcmp(names + sections[i].sh_name, ".go.buildinfo") == 0)
			return read_info(fd, sections[i].sh_offset, sections[i].sh_size, version);
	return -ENOENT;
}

static int scan_segment(int fd, const Elf64_Phdr *segment, char *version)
{
	size_t len = segment->p_filesz < SEGMENT_SCAN_MAX ? segment->p_filesz : SEGMENT_SCAN_MAX;
	_cleanup_free_ uint8_t *data = malloc(len ? len : 1);
	int r;

	if (!data)
		return -ENOMEM;
	r = read_at(fd, data, len, segment->p_offset);
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
static int find_in_segments(int fd, const Elf64_Ehdr *header, char *version)
{
	_cleanup_free_ Elf64_Phdr *segments = NULL;
	int r;

	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return -ENOENT;
	r = read_table(fd, header->e_phoff, header->e_phnum, sizeof(Elf64_Phdr),
		       (void **)&segments);
	if (r < 0)
		return r;
	for (size_t i = 0; i < header->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_W))
			return scan_segment(fd, &segments[i], version);
	return -ENOENT;
}

int go_build_read(int fd, char ret_version[GO_VERSION_MAX + 1])
{
	char version[GO_VERSION_MAX + 1];
	Elf64_Ehdr header;
	int r = read_header(fd, &header);

	if (r < 0)
		return r;
	r = find_in_sections(fd, &header, version);
	/* Sections that are there and do not name it are the linker's word: no need to scan. */
	if (r < 0 && header.e_shnum == 0)
		r = find_in_segments(fd, &header, version);
	if (r < 0)
		return r;
	memcpy(ret_version, version, sizeof(version));
	return 0;
}
