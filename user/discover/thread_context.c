/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/thread_context.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/maps.h"
#include "discover/procfs.h"
#include "discover/text.h"
#include "discover/tls_symbol.h"

#define VARIABLE "otel_thread_ctx_v1"
/* Files that are looked into, and bytes of their tables; processes map some dozens with code. */
#define FILES_MAX   512
#define TABLES_MAX  (128u << 20)
#define MODULES_MAX (1u << 16)
/* Static blocks lie on one side of the thread pointer, and near it; what does not is an address. */
#define OFFSET_MAX (1 << 24)
#if defined(__x86_64__)
#define OFFSET_IS_STATIC(offset) ((offset) > -OFFSET_MAX && (offset) < 0)
#elif defined(__aarch64__)
#define OFFSET_IS_STATIC(offset) ((offset) > 0 && (offset) < OFFSET_MAX)
#endif

/* The layouts of a record that are understood: "Process Context: Thread-Local Reference Data". */
static const char *const schemas[] = { "tlsdesc_v1_dev", "tls_v1", NULL };

/* A file that a process has mapped. */
struct mapped_file {
	struct mapping first; /* its lowest mapping */
	bool has_code;
};

/* The next file of the process: its mappings follow each other. False at the end. */
static bool file_next(struct view *maps, struct mapped_file *ret_file)
{
	struct mapped_file file = { 0 };
	struct view rest = *maps;
	struct mapping mapping;

	while (maps_next(&rest, &mapping)) {
		if (file.first.path.len == 0 && mapping.path.len > 0 && mapping.path.data[0] == '/')
			file.first = mapping;
		else if (file.first.path.len > 0 && !view_equal(mapping.path, file.first.path))
			break;
		if (file.first.path.len > 0)
			file.has_code |= text_index(mapping.permissions, 'x') >= 0;
		*maps = rest;
	}
	*ret_file = file;
	return file.first.path.len > 0;
}

static bool is_executable(int dir, int fd)
{
	struct stat file, executable;

	return fstat(fd, &file) == 0 && fstatat(dir, "exe", &executable, 0) == 0 &&
	       file.st_dev == executable.st_dev && file.st_ino == executable.st_ino;
}

static int open_file(int dir, const struct mapped_file *file, int *ret_fd)
{
	char name[64];
	int r = mapping_file(&file->first, name, sizeof(name));

	/* the file that is mapped, whatever lies at its path by now */
	return r < 0 ? r : procfs_open_regular(dir, name, ret_fd);
}

static int read_words(int dir, uint64_t address, uint64_t *words, size_t n)
{
	_cleanup_close_ int memory =
		openat(dir, "mem", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t got;

	if (memory < 0)
		return -errno;
	if (address > INT64_MAX)
		return -EFAULT;
	got = pread(memory, words, n * sizeof(*words), (off_t)address);
	if (got < 0)
		return -errno;
	return (size_t)got == n * sizeof(*words) ? 0 : -EFAULT;
}

static int place_static(uint64_t offset, struct tls_place *ret_place)
{
	int64_t signed_offset = (int64_t)offset;

	if (!OFFSET_IS_STATIC(signed_offset))
		return -EBADMSG;
	*ret_place = (struct tls_place){ .offset = signed_offset };
	return 0;
}

/* Another C library keeps the modules of a thread elsewhere. */
static bool has_glibc(struct view maps)
{
	struct mapping mapping;

	while (maps_next(&maps, &mapping))
		if (view_starts_with(text_basename(mapping.path), VIEW("ld-musl-")))
			return false;
	return true;
}

static int place_dynamic(struct view maps, const uint64_t index[2], struct tls_place *ret_place)
{
	if (!has_glibc(maps))
		return -ENOENT;
	if (index[0] == 0 || index[0] > MODULES_MAX || index[1] > INT32_MAX)
		return -EBADMSG;
	*ret_place =
		(struct tls_place){ .module = (uint32_t)index[0], .offset = (int64_t)index[1] };
	return 0;
}

/*
 * The argument is an offset where the block is static, else the address of an index; 0 until the
 * descriptor is used for the first time.
 */
static int place_described(int dir, struct view maps, uint64_t argument,
			   struct tls_place *ret_place)
{
	uint64_t index[2] = { 0 };
	int r = place_static(argument, ret_place);

	if (r == 0 || argument == 0)
		return r;
	r = read_words(dir, argument, index, 2);
	return r < 0 ? r : place_dynamic(maps, index, ret_place);
}

/* Reads what the dynamic linker has written for a library that lies at `start`. */
static int place_of_library(int dir, struct view maps, const struct tls_symbol *symbol,
			    uint64_t start, struct tls_place *ret_place)
{
	uint64_t words[2] = { 0 };
	int r;

	if (symbol->access == TLS_NO_SLOT)
		return -ENOENT;
	r = read_words(dir, start - symbol->base + symbol->slot, words,
		       symbol->access == TLS_OFFSET ? 1 : 2);
	if (r < 0)
		return r;
	switch (symbol->access) {
	case TLS_OFFSET:
		return place_static(words[0], ret_place);
	case TLS_DESCRIPTOR:
		return place_described(dir, maps, words[1], ret_place);
	default:
		return place_dynamic(maps, words, ret_place);
	}
}

static int place_in_file(int dir, struct view maps, const struct mapped_file *file, size_t *budget,
			 struct tls_place *ret_place)
{
	_cleanup_close_ int fd = -1;
	struct tls_symbol symbol = { 0 };
	uint64_t start = 0;
	int r = open_file(dir, file, &fd);

	if (r == 0)
		r = tls_symbol_find(fd, VARIABLE, budget, &symbol);
	if (r == 0)
		r = mapping_start(&file->first, &start);
	if (r < 0)
		return r;
	if (is_executable(dir, fd))
		return place_static((uint64_t)symbol.offset, ret_place);
	return place_of_library(dir, maps, &symbol, start, ret_place);
}

int thread_context_find(int dir, struct view maps, const struct process_context *context,
			struct tls_place *ret_place)
{
	const char *schema = attributes_get(&context->more, VIEW("threadlocal.schema_version"));
	struct view rest = maps;
	struct mapped_file file;
	size_t n = 0, budget = TABLES_MAX;

	if (!schema || !text_in(view_of(schema), schemas))
		return -ENOENT;
	while (n < FILES_MAX && file_next(&rest, &file)) {
		if (!file.has_code)
			continue;
		n++;
		if (place_in_file(dir, maps, &file, &budget, ret_place) == 0)
			return 0;
	}
	return -ENOENT;
}
