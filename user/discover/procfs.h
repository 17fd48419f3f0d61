/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded readers of one process' directory in /proc. All go through a descriptor of that
 * directory: when the process ends and its pid is used again, they fail instead of mixing the two.
 */
#ifndef WEFT_DISCOVER_PROCFS_H
#define WEFT_DISCOVER_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/view.h"

/* Bytes of each file that are read; what lies behind is left out. */
#define PROCFS_STAT_MAX	   1024
#define PROCFS_COMMAND_MAX (32 * 1024) /* a Java class path alone can be longer than 4 KiB */
#define PROCFS_ENVIRON_MAX (64 * 1024)
#define PROCFS_CGROUP_MAX  (8 * 1024)
#define PROCFS_MAPS_MAX	   (1024 * 1024)

struct procfs_stat {
	char comm[64];
	pid_t parent_pid;
	uint64_t start_ticks;
	bool kernel_thread;
	bool ending; /* its last thread is on its way out, or gone */
};

/* A heap copy of a file, with a NUL byte behind its end. */
struct procfs_file {
	char *data;
	size_t len;
	bool cut; /* the file goes on behind what was read */
};

/* Opens the directory of `pid` below `proc`. -ESRCH: there is no such process; -errno of open. */
int procfs_open(const char *proc, pid_t pid, int *ret_dir);

/*
 * Reads at most `max` bytes of the file `name` in the directory. A symbolic link is refused
 * (-ELOOP). -ENOMEM, -errno of open and read. The caller clears `*ret_file`.
 */
int procfs_read(int dir, const char *name, size_t max, struct procfs_file *ret_file);

/*
 * Target of a link ("exe", "cwd", "root"), without the " (deleted)" that the kernel puts behind the
 * path of what was removed or replaced, as by a package upgrade. The caller frees it. -errno.
 */
int procfs_readlink(int dir, const char *name, char **ret_target);

/*
 * Opens the regular file that a link ("map_files/...") leads to, wherever it lies; what is no
 * regular file is refused before it is opened (-EINVAL). -errno.
 */
int procfs_open_regular(int dir, const char *name, int *ret_fd);

/* Reads "stat". -EBADMSG: not understood. */
int procfs_read_stat(int dir, struct procfs_stat *ret_stat);

/*
 * Reads a regular file in the file system that the process sees. `path` and every link on the way
 * are resolved inside the process' root, so a hostile process cannot lead the reader out of it;
 * what is no regular file is refused before it is opened (-EINVAL), devices and FIFOs included.
 */
int procfs_read_in_root(int dir, const char *path, size_t max, struct procfs_file *ret_file);

/* Target of the symbolic link `path` in the process' root. -EINVAL: no link. */
int procfs_readlink_in_root(int dir, const char *path, char **ret_target);

/* procfs_read_in_root() with the directory `root` as the root. */
int procfs_read_below(int root, const char *path, size_t max, struct procfs_file *ret_file);

static inline struct view procfs_file_view(const struct procfs_file *file)
{
	return (struct view){ .data = file->data, .len = file->len };
}

void procfs_file_clear(struct procfs_file *file);

#define _cleanup_procfs_file_ _cleanup_(procfs_file_clear)

#endif
