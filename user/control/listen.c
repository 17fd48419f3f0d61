/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/cleanup.h"
#include "control/control.h"

#define BACKLOG	      16
#define LOCK_ATTEMPTS 50

static int address_of(const char *path, struct sockaddr_un *ret_address)
{
	size_t len = strlen(path);

	if (len >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	memcpy(ret_address->sun_path, path, len);
	return 0;
}

static int new_socket(void)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* bind(2) gives the file the mode of the socket: it is never open to others. */
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int bind_socket(int fd, const struct sockaddr_un *address)
{
	return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

/* 0: the path holds a socket that nobody serves any more. */
static int check_stale(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = -1;
	struct stat status;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = new_socket();
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
}

/*
 * Two daemons that start at once must not replace each other's socket. The lock on the directory
 * is held for a moment. Somebody else's lock only delays: any user may lock /run.
 */
static int lock_directory(const char *path)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < LOCK_ATTEMPTS && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		nanosleep(&pause, NULL);
	return TAKE_FD(fd);
}

int control_listen(const char *path, int *ret_fd)
{
	_cleanup_close_ int lock = -1, fd = -1;
	struct sockaddr_un address;
	int r = address_of(path, &address);

	if (r < 0)
		return r;
	lock = lock_directory(path);
	if (lock < 0)
		return lock;
	fd = new_socket();
	if (fd < 0)
		return fd;
	r = bind_socket(fd, &address);
	if (r == -EADDRINUSE) {
		r = check_stale(&address);
		if (r == 0 && unlink(path) < 0 && errno != ENOENT)
			r = -errno;
		if (r == 0)
			r = bind_socket(fd, &address);
	}
	if (r < 0)
		return r;
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
