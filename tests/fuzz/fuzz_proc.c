/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process as /proc shows it, all files of a hostile process' making: 0xff ends a file, 0x01
 * stands for NUL in the first four. They are, in this order: cmdline, environ, cgroup, maps, stat,
 * the executable's path, the memory, /srv/shop/package.json, /etc/os-release, and what is mapped at
 * 1000-2000. Whatever they hold: the process has a name, and all that is told of it is UTF-8.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/utf8.h"
#include "discover/process.h"

#define SEPARATOR    '\xff'
#define TEXTS	     4
#define EXECUTABLE   5
#define MEMORY	     6
#define MEMORY_START 0x1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const files[] = {
	"42/cmdline",
	"42/environ",
	"42/cgroup",
	"42/maps",
	"42/stat",
	"42/exe",
	"42/mem",
	"root/srv/shop/package.json",
	"root/etc/os-release",
	"42/map_files/1000-2000",
};

static const char *const directories[] = { "42",       "42/map_files",	"root",
					   "root/srv", "root/srv/shop", "root/etc" };

static char place[64];

static void require(bool right)
{
	if (!right)
		abort();
}

static const char *path(const char *name)
{
	static char full[128];

	snprintf(full, sizeof(full), "%s/%s", place, name);
	return full;
}

static void clear(void)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(path(files[i]));
	unlink(path("42/root"));
	unlink(path("42/cwd"));
	for (size_t i = sizeof(directories) / sizeof(directories[0]); i-- > 0;)
		rmdir(path(directories[i]));
	rmdir(place);
}

/* In memory where that is: it is written anew for each input. */
static void make_place(void)
{
	char root[128];

	snprintf(place, sizeof(place), "%s/weft-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	require(mkdtemp(place) != NULL);
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		require(mkdir(path(directories[i]), 0755) == 0);
	snprintf(root, sizeof(root), "%s", path("root"));
	require(symlink(root, path("42/root")) == 0);
	require(symlink("/srv/shop", path("42/cwd")) == 0);
	atexit(clear);
}

static void write_file(const char *name, struct view bytes, bool text, off_t offset)
{
	int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char *copy = malloc(bytes.len + 1);

	require(fd >= 0 && copy);
	for (size_t i = 0; i < bytes.len; i++)
		copy[i] = text && bytes.data[i] == '\x01' ? '\0' : bytes.data[i];
	require(pwrite(fd, copy, bytes.len, offset) == (ssize_t)bytes.len);
	free(copy);
	close(fd);
}

static void write_link(struct view target)
{
	char text[256];

	snprintf(text, sizeof(text), "%.*s", (int)target.len, target.data);
	unlink(path("42/exe"));
	/* one without a target cannot be */
	if (text[0])
		require(symlink(text, path("42/exe")) == 0);
}

static void write_all(struct cursor *input)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct view part;

		if (cursor_take_until(input, SEPARATOR, &part) < 0) {
			part = cursor_rest(input);
			input->at = input->end;
		}
		if (i == EXECUTABLE)
			write_link(part);
		else
			write_file(files[i], part, i < TEXTS, i == MEMORY ? MEMORY_START : 0);
	}
}

static void describe(void)
{
	struct process_options options = { .proc = place, .command_args = true };
	struct process_info info = { 0 };

	if (process_describe(&options, 42, &info) == 0) {
		require(info.service_name && info.service_name[0] && info.service_source);
		for (size_t i = 0; i < 2 * info.n_pairs; i++)
			require(utf8_is_valid(view_of(info.pairs[i])));
		process_info_clear(&info);
	}
	if (process_identify(&options, 42, &info) == 0)
		process_info_clear(&info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor input = cursor_of((struct view){ (const char *)data, size });

	if (!place[0])
		make_place();
	write_all(&input);
	describe();
	return 0;
}
