/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/scan.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "discover/procfs.h"

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* 0: no process' directory. */
static pid_t pid_of(const char *name)
{
	char *end;
	long pid;

	if (name[0] < '1' || name[0] > '9')
		return 0;
	errno = 0;
	pid = strtol(name, &end, 10);
	return *end || errno || pid > INT_MAX ? 0 : (pid_t)pid;
}

static bool is_user_process(const char *proc, pid_t pid)
{
	_cleanup_close_ int dir = -1;
	struct procfs_stat stat;

	return procfs_open(proc, pid, &dir) == 0 && procfs_read_stat(dir, &stat) == 0 &&
	       !stat.kernel_thread;
}

int scan_processes(const char *proc, int (*found)(void *context, pid_t pid), void *context)
{
	_cleanup_(close_directory) DIR *directory = opendir(proc);
	struct dirent *entry;

	if (!directory)
		return -errno;
	while (errno = 0, (entry = readdir(directory))) {
		pid_t pid = pid_of(entry->d_name);
		int r;

		if (pid == 0 || !is_user_process(proc, pid))
			continue;
		r = found(context, pid);
		if (r != 0)
			return r;
	}
	return -errno;
}
