/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

int cgroup_root_open(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char text[4096];
	struct mntent entry;
	int fd = -ENOTDIR;

	if (!mounts)
		return -errno;
	while (fd < 0 && getmntent_r(mounts, &entry, text, sizeof(text))) {
		if (strcmp(entry.mnt_type, "cgroup2") != 0)
			continue;
		fd = open(entry.mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	endmntent(mounts);
	return fd;
}
