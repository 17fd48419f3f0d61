/* SPDX-License-Identifier: Apache-2.0 */
#include "config/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PID_DIGITS_MAX 10

static bool is_pid(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= PID_DIGITS_MAX && text[digits] == '\0';
}

static int fault(char *why, size_t size, const char *what, const char *reason)
{
	snprintf(why, size, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
	return -EINVAL;
}

/* Nothing but a file of nsfs is opened or asked for its type: either may mean anything elsewhere.
 */
static int inode_of(const char *path, uint32_t *ret_inode, char *why, size_t size)
{
	_cleanup_close_ int fd = -1;
	struct stat status;
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return fault(why, size, "cannot be opened", strerror(errno));
	if (fs.f_type != NSFS_MAGIC)
		return fault(why, size, "is not a network namespace", NULL);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return fault(why, size, "cannot be opened", strerror(errno));
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return fault(why, size, "is not a network namespace", NULL);
	*ret_inode = (uint32_t)status.st_ino;
	return 0;
}

int netns_inode(const char *text, uint32_t *ret_inode, char *why, size_t size)
{
	char path[64];

	if (text[0] == '/')
		return inode_of(text, ret_inode, why, size);
	if (strcmp(text, "self") != 0 && !is_pid(text))
		return fault(why, size, "is neither a path nor a process id nor self", NULL);
	snprintf(path, sizeof(path), "/proc/%s/ns/net", text);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return fault(why, size, "is no process of this host", NULL);
	return inode_of(path, ret_inode, why, size);
}
