/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree like /proc in a temporary directory, with processes of a test's own making.
 */
#ifndef WEFT_TESTS_FAKE_PROC_H
#define WEFT_TESTS_FAKE_PROC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "discover/process.h"

#define FAKE_START_TICKS 4711

struct fake {
	char dir[64];
};

/* A string literal with its inner NUL bytes. */
#define TEXT(literal) (literal), sizeof(literal) - 1

__attribute__((unused)) static void fake_init(struct fake *fake)
{
	strcpy(fake->dir, "/tmp/weft-proc-XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
}

__attribute__((unused)) static int fake_remove(const char *path, const struct stat *status,
					       int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

__attribute__((unused)) static void fake_clear(struct fake *fake)
{
	nftw(fake->dir, fake_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* "DIR/path", its directories made. */
__attribute__((unused)) static const char *fake_path(const struct fake *fake, const char *path)
{
	static char full[512];

	snprintf(full, sizeof(full), "%s/%s", fake->dir, path);
	for (char *slash = full + strlen(fake->dir) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	return full;
}

__attribute__((unused)) static void fake_write(const struct fake *fake, const char *path,
					       const void *data, size_t len)
{
	FILE *file = fopen(fake_path(fake, path), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

__attribute__((unused)) static void fake_link(const struct fake *fake, const char *path,
					      const char *target)
{
	const char *full = fake_path(fake, path);

	unlink(full);
	assert_int_equal(symlink(target, full), 0);
}

/* Process 42, child of 7, with this executable; it works in /srv/shop of a root of its own. */
__attribute__((unused)) static void fake_process(const struct fake *fake, const char *executable)
{
	static const char stat[] = "42 (a (b) c) S 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 "
				   "4711 123 456 18446744073709551615 1 1\n";
	char root[128];

	snprintf(root, sizeof(root), "%s/rootfs", fake->dir);
	mkdir(root, 0755);
	fake_write(fake, "42/stat", TEXT(stat));
	fake_link(fake, "42/exe", executable);
	fake_link(fake, "42/root", root);
	fake_link(fake, "42/cwd", "/srv/shop");
}

__attribute__((unused)) static struct process_info fake_describe(const struct fake *fake)
{
	struct process_options options = { .proc = fake->dir };
	struct process_info info = { 0 };

	assert_int_equal(process_describe(&options, 42, &info), 0);
	return info;
}

/* Value of a resource attribute, NULL: none. */
__attribute__((unused)) static const char *info_attribute(const struct process_info *info,
							  const char *key)
{
	for (size_t i = 0; i < info->n_pairs; i++)
		if (strcmp(info->pairs[2 * i], key) == 0)
			return info->pairs[2 * i + 1];
	return NULL;
}

#endif
