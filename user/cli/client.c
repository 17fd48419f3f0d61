/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/cleanup.h"

#define ANSWER_MAX     (64u << 20)
#define ANSWER_SECONDS 10

static int explain(int code, const char *path, char *text, size_t size)
{
	switch (code) {
	case -ENOENT:
		snprintf(text, size,
			 "weft is not running (no socket at %s): start it with 'weft run'", path);
		break;
	case -ECONNREFUSED:
		snprintf(text, size,
			 "weft is not running (nobody listens at %s): start it with 'weft run'",
			 path);
		break;
	case -EACCES:
	case -EPERM:
		snprintf(text, size, "only root may ask the running weft (%s): try it with sudo",
			 path);
		break;
	default:
		snprintf(text, size, "cannot ask weft at %s: %s", path, strerror(-code));
	}
	return code;
}

static int connect_to(const char *path, int *ret_fd)
{
	const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A daemon that hangs must not hang its clients. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int client_ask(const char *path, const char *request, int *ret_fd, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	char line[64];
	int n = snprintf(line, sizeof(line), "%s\n", request);
	int r = connect_to(path, &fd);

	if (r < 0)
		return explain(r, path, text, size);
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return explain(-errno, path, text, size);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int client_read_all(int fd, char **ret_data, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (room - size < 2) {
			size_t more = room ? room * 2 : 16384;
			char *grown = more <= ANSWER_MAX ? realloc(data, more) : NULL;

			if (!grown)
				return more > ANSWER_MAX ? -EFBIG : -ENOMEM;
			data = grown;
			room = more;
		}
		n = recv(fd, data + size, room - size - 1, 0);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		size += n > 0 ? (size_t)n : 0;
	}
	data[size] = '\0';
	*ret_data = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}
