/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open executable, as those read it who look for what the Go linker left in it: headers, and
 * bytes through a window. It is read and not mapped, as it may be cut short at any time.
 */
#ifndef WEFT_DISCOVER_GO_IMAGE_H
#define WEFT_DISCOVER_GO_IMAGE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

struct go_image {
	int fd; /* the caller's */
	uint16_t type;
	uint16_t machine;
	Elf64_Phdr *segments;
	size_t n_segments;
	Elf64_Shdr *sections;
	size_t n_sections;
	char *names;
	size_t names_len;
};

/*
 * Reads the headers, if there are any of a kind. -EBADMSG: no 64-bit ELF file of that machine
 * (EM_..., EM_NONE: of any), or malformed; -E2BIG: more headers than real files have.
 */
int go_image_open(int fd, uint16_t machine, struct go_image *ret_image);
/* For _cleanup_, too. All zero is accepted. */
void go_image_close(struct go_image *image);

/* The section of that name that has bytes in the file, or NULL. */
const Elf64_Shdr *go_image_section(const struct go_image *image, const char *name);

/* Where in the file the bytes are that a segment with these flags (PF_...) maps at the address. */
int go_image_offset(const struct go_image *image, uint64_t address, uint64_t len, uint32_t flags,
		    uint64_t *ret_offset);

/* All of it; -EBADMSG: it lies behind the file's end. */
int go_image_read(const struct go_image *image, void *buffer, size_t len, uint64_t offset);

#define GO_WINDOW (128u << 10)

/* What was last read of the file. Moving on through it reads each byte about once. */
struct go_window {
	int fd;
	uint64_t end; /* nothing is read from here on */
	uint64_t at;
	size_t len;
	uint8_t *bytes;
};

int go_window_open(const struct go_image *image, uint64_t end, struct go_window *ret_window);
void go_window_close(struct go_window *window);

/*
 * `len` bytes of the file, and those behind them that are there, too, without another read.
 * They hold until the next call. -EBADMSG: not so many before the window's or the file's end.
 */
int go_window_get(struct go_window *window, uint64_t offset, size_t len, const uint8_t **ret_bytes,
		  size_t *ret_len);

#endif
