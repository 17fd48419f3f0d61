/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/go_image.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define HEADERS_MAX 512 /* of each kind; executables have some dozens */
#define NAMES_MAX   (64u << 10)
#define OFFSET_MAX  (1ull << 48)

static int read_at(int fd, void *buffer, size_t len, uint64_t offset, size_t *ret_len)
{
	ssize_t n;

	/* the kernel calls that invalid, as if it were our mistake */
	if (offset > (uint64_t)INT64_MAX - len)
		return -EBADMSG;
	n = pread(fd, buffer, len, (off_t)offset);
	if (n < 0)
		return -errno;
	*ret_len = (size_t)n;
	return 0;
}

static int read_all(int fd, void *buffer, size_t len, uint64_t offset)
{
	size_t n = 0;
	int r = read_at(fd, buffer, len, offset, &n);

	if (r < 0)
		return r;
	return n == len ? 0 : -EBADMSG;
}

static int read_header(int fd, uint16_t machine, Elf64_Ehdr *ret_header)
{
	Elf64_Ehdr header;
	int r = read_all(fd, &header, sizeof(header), 0);

	if (r < 0)
		return r;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (machine != EM_NONE && header.e_machine != machine) ||
	    header.e_phentsize != sizeof(Elf64_Phdr))
		return -EBADMSG;
	/* stripped of them, whatever the rest says */
	if (header.e_shoff == 0)
		header.e_shnum = 0;
	if (header.e_shnum > 0 &&
	    (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum))
		return -EBADMSG;
	if (header.e_shnum > HEADERS_MAX || header.e_phnum > HEADERS_MAX)
		return -E2BIG;
	*ret_header = header;
	return 0;
}

/* A heap copy of `len` bytes; NULL of none. */
static int read_copy(int fd, size_t len, uint64_t offset, void **ret_copy)
{
	_cleanup_free_ void *copy = NULL;
	int r;

	if (len == 0)
		return 0;
	copy = malloc(len);
	if (!copy)
		return -ENOMEM;
	r = read_all(fd, copy, len, offset);
	if (r < 0)
		return r;
	*ret_copy = TAKE_PTR(copy);
	return 0;
}

static int read_names(struct go_image *image, size_t section)
{
	const Elf64_Shdr *header = &image->sections[section];
	int r;

	if (header->sh_type != SHT_STRTAB || header->sh_size == 0)
		return -EBADMSG;
	if (header->sh_size > NAMES_MAX)
		return -E2BIG;
	r = read_copy(image->fd, header->sh_size, header->sh_offset, (void **)&image->names);
	if (r < 0)
		return r;
	image->names_len = header->sh_size;
	image->names[image->names_len - 1] = '\0';
	return 0;
}

/* So that offsets can be reckoned with. */
static bool are_sane(const struct go_image *image)
{
	for (size_t i = 0; i < image->n_sections; i++)
		if (image->sections[i].sh_offset > OFFSET_MAX ||
		    image->sections[i].sh_size > OFFSET_MAX)
			return false;
	return true;
}

int go_image_open(int fd, uint16_t machine, struct go_image *ret_image)
{
	_cleanup_(go_image_close) struct go_image image = { .fd = fd };
	Elf64_Ehdr header;
	int r = read_header(fd, machine, &header);

	if (r < 0)
		return r;
	image.type = header.e_type;
	image.machine = header.e_machine;
	r = read_copy(fd, header.e_phnum * sizeof(Elf64_Phdr), header.e_phoff,
		      (void **)&image.segments);
	if (r == 0)
		r = read_copy(fd, header.e_shnum * sizeof(Elf64_Shdr), header.e_shoff,
			      (void **)&image.sections);
	if (r < 0)
		return r;
	image.n_segments = header.e_phnum;
	image.n_sections = header.e_shnum;
	if (!are_sane(&image))
		return -EBADMSG;
	if (image.n_sections > 0) {
		r = read_names(&image, header.e_shstrndx);
		if (r < 0)
			return r;
	}
	*ret_image = image;
	image = (struct go_image){ 0 };
	return 0;
}

void go_image_close(struct go_image *image)
{
	free(image->segments);
	free(image->sections);
	free(image->names);
}

const Elf64_Shdr *go_image_section(const struct go_image *image, const char *name)
{
	for (size_t i = 0; i < image->n_sections; i++) {
		const Elf64_Shdr *section = &image->sections[i];

		if (section->sh_type == SHT_PROGBITS && section->sh_name < image->names_len &&
		    strcmp(image->names + section->sh_name, name) == 0)
			return section;
	}
	return NULL;
}

int go_image_offset(const struct go_image *image, uint64_t address, uint64_t len, uint32_t flags,
		    uint64_t *ret_offset)
{
	for (size_t i = 0; i < image->n_segments; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		uint64_t inside = address - segment->p_vaddr;

		if (segment->p_type != PT_LOAD || (segment->p_flags & flags) != flags ||
		    address < segment->p_vaddr || inside > segment->p_filesz ||
		    len > segment->p_filesz - inside || segment->p_offset > UINT64_MAX - inside)
			continue;
		*ret_offset = segment->p_offset + inside;
		return 0;
	}
	return -EBADMSG;
}

int go_image_read(const struct go_image *image, void *buffer, size_t len, uint64_t offset)
{
	return read_all(image->fd, buffer, len, offset);
}

int go_window_open(const struct go_image *image, uint64_t end, struct go_window *ret_window)
{
	uint8_t *bytes = malloc(GO_WINDOW);

	if (!bytes)
		return -ENOMEM;
	*ret_window = (struct go_window){ .fd = image->fd, .end = end, .bytes = bytes };
	return 0;
}

void go_window_close(struct go_window *window)
{
	free(window->bytes);
}

static int move_to(struct go_window *window, uint64_t offset)
{
	uint64_t rest = window->end - offset;
	size_t n = 0;
	int r = read_at(window->fd, window->bytes, rest < GO_WINDOW ? rest : GO_WINDOW, offset, &n);

	if (r < 0)
		return r;
	window->at = offset;
	window->len = n;
	return 0;
}

int go_window_get(struct go_window *window, uint64_t offset, size_t len, const uint8_t **ret_bytes,
		  size_t *ret_len)
{
	uint64_t inside = offset - window->at;
	int r;

	if (offset < window->at || inside > window->len || len > window->len - inside) {
		if (offset >= window->end || len > window->end - offset)
			return -EBADMSG;
		r = move_to(window, offset);
		if (r < 0)
			return r;
		if (window->len < len)
			return -EBADMSG;
		inside = 0;
	}
	*ret_bytes = window->bytes + inside;
	*ret_len = window->len - inside;
	return 0;
}
