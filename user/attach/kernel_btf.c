/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

/* Kinds that <linux/btf.h> of Linux 5.15 does not have. */
enum {
	KIND_DECL_TAG = 17, /* Linux 5.16 */
	KIND_TYPE_TAG = 18, /* Linux 5.17 */
	KIND_ENUM64 = 19,   /* Linux 6.0 */
};

/* What follows a type's struct btf_type, in bytes. */
struct kind {
	uint8_t fixed;
	uint8_t each;	 /* of its vlen members */
	uint8_t instead; /* a kind of the same length that older ones know, 0: it is one itself */
};

static const struct kind kinds[] = {
	[BTF_KIND_INT] = { .fixed = sizeof(uint32_t) },
	[BTF_KIND_ARRAY] = { .fixed = sizeof(struct btf_array) },
	[BTF_KIND_STRUCT] = { .each = sizeof(struct btf_member) },
	[BTF_KIND_UNION] = { .each = sizeof(struct btf_member) },
	[BTF_KIND_ENUM] = { .each = sizeof(struct btf_enum) },
	[BTF_KIND_FUNC_PROTO] = { .each = sizeof(struct btf_param) },
	[BTF_KIND_VAR] = { .fixed = sizeof(struct btf_var) },
	[BTF_KIND_DATASEC] = { .each = sizeof(struct btf_var_secinfo) },
	[KIND_DECL_TAG] = { .fixed = sizeof(uint32_t), .instead = BTF_KIND_INT },
	[KIND_TYPE_TAG] = { .instead = BTF_KIND_CONST },
	[KIND_ENUM64] = { .each = 3 * sizeof(uint32_t), .instead = BTF_KIND_UNION },
};

_Static_assert(sizeof(struct btf_member) == 3 * sizeof(uint32_t), "a union stands in for enum64");

/* Gives the type another kind, with contents that say nothing. */
static void replace(struct btf_type *type, uint8_t kind)
{
	struct btf_member *member = (struct btf_member *)(type + 1);

	switch (kind) {
	case BTF_KIND_INT: /* of one byte, without a name */
		type->name_off = 0;
		type->size = 1;
		*(uint32_t *)(type + 1) = 8;
		break;
	case BTF_KIND_CONST: /* a qualifier like a tag, but it has no name */
		type->name_off = 0;
		break;
	case BTF_KIND_UNION: /* members have the values' names, and no type */
		for (size_t i = 0; i < btf_vlen(type); i++)
			member[i].type = member[i].offset = 0;
		break;
	}
	type->info = (uint32_t)kind << 24 | btf_vlen(type);
}

/* Deals with the first type of the rest. Its length, or -EBADMSG. */
static int simplify_type(char *rest, size_t left)
{
	struct btf_type *type = (struct btf_type *)rest;
	const struct kind *kind;
	size_t length;

	if (left < sizeof(*type) || btf_kind(type) >= sizeof(kinds) / sizeof(kinds[0]))
		return -EBADMSG;
	kind = &kinds[btf_kind(type)];
	length = sizeof(*type) + kind->fixed + (size_t)kind->each * btf_vlen(type);
	if (length > left)
		return -EBADMSG;
	if (kind->instead)
		replace(type, kind->instead);
	return (int)length;
}

int kernel_btf_simplify(void *data, size_t size)
{
	const struct btf_header *header = data;
	size_t start, end;
	int length;

	/* types that lay in the header would change it below */
	if (size < sizeof(*header) || header->magic != BTF_MAGIC ||
	    header->hdr_len < sizeof(*header))
		return -EBADMSG;
	start = (size_t)header->hdr_len + header->type_off;
	if (start % sizeof(uint32_t) || start > size || header->type_len > size - start)
		return -EBADMSG;
	for (end = start + header->type_len; start < end; start += (size_t)length) {
		length = simplify_type((char *)data + start, end - start);
		if (length < 0)
			return length;
	}
	return 0;
}

/* Reads the file as it is. -errno. */
static int read_all(const char *path, char **ret_data, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	struct stat status;
	size_t size, at = 0;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	size = (size_t)status.st_size;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	while (at < size) {
		ssize_t n = read(fd, data + at, size - at);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	*ret_data = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

static struct btf *load(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	int r;

	if (btf)
		return btf;
	r = read_all(KERNEL_BTF, &data, &size);
	if (r == 0)
		r = kernel_btf_simplify(data, size);
	if (r < 0) {
		errno = -r;
		return NULL;
	}
	return btf__new(data, (uint32_t)size);
}

/* One for weft and libbpf: to read and index five megabytes takes tens of milliseconds. */
static struct btf *loaded;
static unsigned int users;

struct btf *kernel_btf_load(void)
{
	if (!loaded)
		loaded = load();
	if (loaded)
		users++;
	return loaded;
}

void kernel_btf_free(struct btf *btf)
{
	if (btf && btf == loaded) {
		if (--users)
			return;
		loaded = NULL;
	}
	btf__free(btf);
}

/* libbpf itself calls these in place of its own functions: see the Makefile. */
struct btf *__wrap_btf__load_vmlinux_btf(void);
void __wrap_btf__free(struct btf *btf);

struct btf *__wrap_btf__load_vmlinux_btf(void)
{
	return kernel_btf_load();
}

void __wrap_btf__free(struct btf *btf)
{
	kernel_btf_free(btf);
}
