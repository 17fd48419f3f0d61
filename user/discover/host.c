/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/procfs.h"
#include "discover/text.h"

#define HOST_FILE_MAX 4096

/*
 * The host's own files are those of process 1, which is outside weft's container when weft sees the
 * host's /proc. Without the right to look there, this process' root is the best guess.
 */
static int open_host_root(const char *proc)
{
	char path[4096];
	int root;

	if ((size_t)snprintf(path, sizeof(path), "%s/1/root", proc) >= sizeof(path))
		return -1;
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 && (errno == EACCES || errno == EPERM))
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root;
}

/* The first line of a small file of the host, trimmed; the file owns it. */
static struct view host_line(const char *proc, const char *path, struct procfs_file *file)
{
	_cleanup_close_ int root = open_host_root(proc);
	struct view text, line = { 0 };

	if (root < 0 || procfs_read_below(root, path, HOST_FILE_MAX, file) < 0)
		return line;
	text = procfs_file_view(file);
	text_next(&text, '\n', &line);
	return text_trim(line);
}

static bool same_uts_namespace(const char *proc)
{
	char path[4096], own[64], first[64];
	ssize_t own_len = readlink("/proc/self/ns/uts", own, sizeof(own)), first_len;

	if ((size_t)snprintf(path, sizeof(path), "%s/1/ns/uts", proc) >= sizeof(path))
		return true;
	first_len = readlink(path, first, sizeof(first));
	if (first_len < 0 || own_len < 0)
		return true;
	return own_len == first_len && memcmp(own, first, (size_t)own_len) == 0;
}

/* The kernel tells each reader its own namespace's name, so elsewhere the file has to do. */
static struct view read_name(const char *proc, struct procfs_file *file)
{
	_cleanup_close_ int dir = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct view text, line = { 0 };

	if (!same_uts_namespace(proc))
		return host_line(proc, "/etc/hostname", file);
	if (dir < 0 || procfs_read(dir, "sys/kernel/hostname", HOST_NAME_SIZE, file) < 0)
		return line;
	text = procfs_file_view(file);
	text_next(&text, '\n', &line);
	return text_trim(line);
}

void host_name(const char *proc, char ret_name[HOST_NAME_SIZE])
{
	_cleanup_procfs_file_ struct procfs_file file = { 0 };

	text_clean_into(read_name(proc, &file), ret_name, HOST_NAME_SIZE - 1);
}

/* Values of the conventions' enum host.arch; others as the kernel calls them. */
static const char *architecture(const char *machine)
{
	static const struct {
		const char *machine, *name;
	} names[] = {
		{ "x86_64", "amd64" },
		{ "aarch64", "arm64" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(machine, names[i].machine) == 0)
			return names[i].name;
	return machine;
}

/* Keys of os-release(5). */
static const struct {
	struct view name;
	struct view attribute;
} release_keys[] = {
	{ VIEW_INIT("NAME"), VIEW_INIT("os.name") },
	{ VIEW_INIT("VERSION_ID"), VIEW_INIT("os.version") },
	{ VIEW_INIT("PRETTY_NAME"), VIEW_INIT("os.description") },
};

static struct view unquoted(struct view value)
{
	if (value.len >= 2 && (value.data[0] == '"' || value.data[0] == '\'') &&
	    value.data[value.len - 1] == value.data[0])
		return (struct view){ .data = value.data + 1, .len = value.len - 2 };
	return value;
}

static int add_release_line(struct view line, struct attributes *attributes)
{
	long equals = text_index(line, '=');
	struct view key = line;

	if (equals < 0)
		return 0;
	key.len = (size_t)equals;
	for (size_t i = 0; i < sizeof(release_keys) / sizeof(release_keys[0]); i++)
		if (view_equal(key, release_keys[i].name))
			return attributes_add(attributes, release_keys[i].attribute,
					      unquoted(view_from(line, (size_t)equals + 1)));
	return 0;
}

static int add_release(const char *proc, struct attributes *attributes)
{
	_cleanup_procfs_file_ struct procfs_file file = { 0 };
	_cleanup_close_ int root = open_host_root(proc);
	struct view text, line;
	int r = 0;

	if (root < 0 || procfs_read_below(root, "/etc/os-release", HOST_FILE_MAX, &file) < 0)
		return 0;
	text = procfs_file_view(&file);
	while (r == 0 && text_next(&text, '\n', &line))
		r = add_release_line(line, attributes);
	return r;
}

static int add_id(const char *proc, struct attributes *attributes)
{
	_cleanup_procfs_file_ struct procfs_file file = { 0 };
	struct view id = host_line(proc, "/etc/machine-id", &file);

	/* machine-id(5): 32 digits; "uninitialized" while the first boot goes on */
	return id.len == 32 ? attributes_add(attributes, VIEW("host.id"), id) : 0;
}

int host_attributes(const char *proc, struct attributes *attributes)
{
	char name[HOST_NAME_SIZE];
	struct utsname system;
	int r;

	host_name(proc, name);
	r = attributes_add_string(attributes, "host.name", name);
	if (r == 0)
		r = add_id(proc, attributes);
	if (r == 0 && uname(&system) == 0)
		r = attributes_add_string(attributes, "host.arch", architecture(system.machine));
	if (r == 0)
		r = attributes_add_string(attributes, "os.type", "linux");
	return r == 0 ? add_release(proc, attributes) : r;
}
