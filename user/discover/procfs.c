/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/text.h"

#define FIRST_READ	   4096
#define FLAG_ENDING	   0x00000004u /* PF_EXITING of include/linux/sched.h */
#define FLAG_KERNEL_THREAD 0x00200000u /* PF_KTHREAD of include/linux/sched.h */

int procfs_open(const char *proc, pid_t pid, int *ret_dir)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/%d", proc, (int)pid);
	int dir;

	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret_dir = dir;
	return 0;
}

void procfs_file_clear(struct procfs_file *file)
{
	free(file->data);
	*file = (struct procfs_file){ 0 };
}

/* Makes room for more; keeps one byte free for the NUL. */
static int grow(char **data, size_t *room, size_t max)
{
	size_t wanted = *room ? *room * 2 : FIRST_READ;
	char *larger;

	if (wanted > max + 1)
		wanted = max + 1;
	larger = realloc(*data, wanted);
	if (!larger)
		return -ENOMEM;
	*data = larger;
	*room = wanted;
	return 0;
}

static int read_all(int fd, size_t max, struct procfs_file *ret_file)
{
	_cleanup_free_ char *data = NULL;
	size_t room = 0, len = 0;

	for (;;) {
		ssize_t n;

		if ((!data || (len + 1 >= room && len < max)) && grow(&data, &room, max) < 0)
			return -ENOMEM;
		if (len == max)
			break;
		n = read(fd, data + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	data[len] = '\0';
	ret_file->data = TAKE_PTR(data);
	ret_file->len = len;
	ret_file->cut = len == max;
	return 0;
}

int procfs_read(int dir, const char *name, size_t max, struct procfs_file *ret_file)
{
	_cleanup_close_ int fd =
		openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return read_all(fd, max, ret_file);
}

static int read_link(int dir, const char *name, struct view suffix, char **ret_target)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(dir, name, target, sizeof(target));
	struct view view = { .data = target, .len = (size_t)length };
	char *copy;

	if (length < 0)
		return -errno;
	if (length == (ssize_t)sizeof(target))
		return -ENAMETOOLONG;
	if (text_ends_with(view, suffix))
		view.len -= suffix.len;
	copy = strndup(target, view.len);
	if (!copy)
		return -ENOMEM;
	*ret_target = copy;
	return 0;
}

int procfs_readlink(int dir, const char *name, char **ret_target)
{
	return read_link(dir, name, VIEW(" (deleted)"), ret_target);
}

static void copy_comm(struct view comm, struct procfs_stat *stat)
{
	size_t length = comm.len < sizeof(stat->comm) ? comm.len : sizeof(stat->comm) - 1;

	memcpy(stat->comm, comm.data, length);
	stat->comm[length] = '\0';
}

/* "PID (COMM) STATE PPID ...": the name may hold anything, ")" and spaces too. */
int procfs_read_stat(int dir, struct procfs_stat *ret_stat)
{
	_cleanup_procfs_file_ struct procfs_file file = { 0 };
	struct procfs_stat stat = { 0 };
	unsigned long long start;
	unsigned int flags;
	int parent, threads, r = procfs_read(dir, "stat", PROCFS_STAT_MAX, &file);
	long open_paren, close_paren;

	if (r < 0)
		return r;
	open_paren = text_index(procfs_file_view(&file), '(');
	close_paren = text_last_index(procfs_file_view(&file), ')');
	if (open_paren < 0 || close_paren < open_paren)
		return -EBADMSG;
	/* Fields 3, 4, 5-8, 9 (flags), 10-19, 20 (threads), 21, 22 (start time): proc(5). */
	r = sscanf(file.data + close_paren + 1,
		   " %*c %d %*d %*d %*d %*d %u"
		   " %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu",
		   &parent, &flags, &threads, &start);
	if (r != 4)
		return -EBADMSG;
	stat.parent_pid = parent;
	stat.kernel_thread = flags & FLAG_KERNEL_THREAD;
	stat.ending = flags & FLAG_ENDING && threads <= 1;
	stat.start_ticks = start;
	copy_comm((struct view){ .data = file.data + open_paren + 1,
				 .len = (size_t)(close_paren - open_paren - 1) },
		  &stat);
	*ret_stat = stat;
	return 0;
}

/* A descriptor without access to the content (O_PATH), resolved inside `root`. */
static int locate(int root, const char *path, int flags, int *ret_fd)
{
	struct open_how how = {
		.flags = (unsigned int)(O_PATH | O_CLOEXEC | flags),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd < 0)
		return -errno;
	*ret_fd = (int)fd;
	return 0;
}

/* Opening a device can do something, so the kind of file is looked at first. */
static int open_regular(int located, int *ret_fd)
{
	char path[64];
	struct stat status;
	int fd;

	if (fstat(located, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", located);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int procfs_open_regular(int dir, const char *name, int *ret_fd)
{
	_cleanup_close_ int located = openat(dir, name, O_PATH | O_CLOEXEC);

	return located < 0 ? -errno : open_regular(located, ret_fd);
}

int procfs_read_below(int root, const char *path, size_t max, struct procfs_file *ret_file)
{
	_cleanup_close_ int located = -1, fd = -1;
	int r = locate(root, path, 0, &located);

	if (r < 0)
		return r;
	r = open_regular(located, &fd);
	if (r < 0)
		return r;
	return read_all(fd, max, ret_file);
}

static int open_root(int dir, int *ret_root)
{
	int root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	*ret_root = root;
	return 0;
}

int procfs_read_in_root(int dir, const char *path, size_t max, struct procfs_file *ret_file)
{
	_cleanup_close_ int root = -1;
	int r = open_root(dir, &root);

	if (r < 0)
		return r;
	return procfs_read_below(root, path, max, ret_file);
}

int procfs_readlink_in_root(int dir, const char *path, char **ret_target)
{
	_cleanup_close_ int root = -1, link = -1;
	struct stat status;
	int r = open_root(dir, &root);

	if (r < 0)
		return r;
	r = locate(root, path, O_NOFOLLOW, &link);
	if (r < 0)
		return r;
	if (fstat(link, &status) < 0)
		return -errno;
	if (!S_ISLNK(status.st_mode))
		return -EINVAL;
	return read_link(link, "", VIEW(""), ret_target);
}
