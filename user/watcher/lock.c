/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LOCK_FILE "lock"
/* Places of names and of namespaces in the file never meet. */
#define NETNS_END  (1ull << 32)
#define NAME_START (1ull << 62)
/* A holder that goes between our two questions lets us try again. */
#define ATTEMPTS 8

/* FNV-1a. Two names meet in one place of 2^62 by no accident that anybody will see. */
static off_t name_place(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
	return (off_t)(NAME_START | hash >> 2);
}

static int open_file(const char *directory, int *ret_fd)
{
	char path[128];
	int fd;

	if (snprintf(path, sizeof(path), "%s/" LOCK_FILE, directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* -EBUSY with *ret_other, the lock that is in the way. */
static int take_range(int fd, off_t start, off_t len, struct flock *ret_other)
{
	const struct flock wanted = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};

	for (int i = 0; i < ATTEMPTS; i++) {
		if (fcntl(fd, F_SETLK, &wanted) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		*ret_other = wanted;
		if (fcntl(fd, F_GETLK, ret_other) < 0)
			return -errno;
		if (ret_other->l_type != F_UNLCK)
			return -EBUSY;
	}
	return -EAGAIN;
}

int lock_take(const char *directory, const char *name, uint32_t netns, int *ret_fd,
	      struct lock_holder *ret_holder)
{
	_cleanup_close_ int fd = -1;
	struct flock other = { 0 };
	bool same_name;
	int r = open_file(directory, &fd);

	if (r < 0)
		return r;
	r = take_range(fd, name_place(name), 1, &other);
	same_name = r == -EBUSY;
	if (r == 0)
		r = take_range(fd, netns, netns ? 1 : (off_t)NETNS_END, &other);
	if (r == -EBUSY)
		*ret_holder = (struct lock_holder){
			.pid = other.l_pid > 0 ? other.l_pid : 0,
			.same_name = same_name,
			.whole_host = !same_name && other.l_len != 1,
		};
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

const char *lock_explain(const struct lock_holder *holder, const char *name, uint32_t netns,
			 char *text, size_t size)
{
	const char *rest = " in the same network namespace: give this one another --netns";
	char pid[32] = "in another pid namespace";

	if (holder->pid)
		snprintf(pid, sizeof(pid), "pid %d", holder->pid);
	if (holder->same_name)
		rest = ": two at once need an --instance and a --netns each";
	else if (holder->whole_host)
		rest = " for all network namespaces: two at once need a --netns each";
	else if (!netns)
		rest = " in one network namespace: limit this one to another with --netns";
	snprintf(text, size, "weft is running already (%s%s%s%s)%s", pid,
		 holder->same_name ? ", instance '" : "", holder->same_name ? name : "",
		 holder->same_name ? "'" : "", rest);
	return text;
}
