/* SPDX-License-Identifier: Apache-2.0 */
#include "base/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Room for a burst: at the start the watcher describes every process of the host at once. */
#define CHANNEL_BUFFER (4 << 20)

int channel_pair(int ret_ends[2])
{
	int size = CHANNEL_BUFFER;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		ret_ends[i] = ends[i];
	}
	return 0;
}

void channel_message_init(struct channel_message *message, enum channel_type type, uint32_t pid)
{
	message->header = (struct channel_header){ .type = type, .pid = pid };
	message->size = 0;
}

int channel_message_add_bytes(struct channel_message *message, const void *bytes, size_t size)
{
	if (size > sizeof(message->payload) - message->size)
		return -ENOSPC;
	if (size)
		memcpy(message->payload + message->size, bytes, size);
	message->size += size;
	return 0;
}

int channel_message_add(struct channel_message *message, const char *string)
{
	return channel_message_add_bytes(message, string, strlen(string) + 1);
}

const char *channel_message_next(const struct channel_message *message, size_t *cursor)
{
	const char *string = message->payload + *cursor;
	const char *end;

	if (*cursor >= message->size)
		return NULL;
	end = memchr(string, 0, message->size - *cursor);
	if (!end)
		return NULL;
	*cursor = (size_t)(end - message->payload) + 1;
	return string;
}

/* Room for the descriptors of one message, aligned as the kernel reads it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
};

int channel_send_fds(int fd, const struct channel_message *message, const int *fds, size_t n)
{
	struct iovec parts[] = {
		{ .iov_base = (void *)&message->header, .iov_len = sizeof(message->header) },
		{ .iov_base = (void *)message->payload, .iov_len = message->size },
	};
	struct msghdr packet = { .msg_iov = parts, .msg_iovlen = 2 };
	union control control = { 0 };

	if (n > CHANNEL_FDS_MAX)
		return -E2BIG;
	if (n > 0) {
		control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS,
						   .cmsg_len = CMSG_LEN(n * sizeof(int)) };
		memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
		packet.msg_control = control.bytes;
		packet.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	if (sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

int channel_send(int fd, const struct channel_message *message)
{
	return channel_send_fds(fd, message, NULL, 0);
}

/* What has come with the packet. */
static size_t take_fds(struct msghdr *packet, int ret_fds[CHANNEL_FDS_MAX])
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(packet);
	size_t n;

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (n > CHANNEL_FDS_MAX)
		return 0;
	memcpy(ret_fds, CMSG_DATA(header), n * sizeof(int));
	return n;
}

int channel_receive_fds(int fd, struct channel_message *ret_message, int ret_fds[CHANNEL_FDS_MAX],
			size_t *ret_n)
{
	struct channel_header header;
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = ret_message->payload, .iov_len = sizeof(ret_message->payload) },
	};
	struct msghdr packet = { .msg_iov = parts, .msg_iovlen = 2 };
	union control control = { 0 };
	ssize_t n;

	/* without room for them the kernel keeps descriptors back */
	if (ret_fds) {
		packet.msg_control = control.bytes;
		packet.msg_controllen = sizeof(control.bytes);
		*ret_n = 0;
	}
	n = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	if (ret_fds)
		*ret_n = take_fds(&packet, ret_fds);
	if ((size_t)n < sizeof(header) || packet.msg_flags & MSG_TRUNC || header.type == 0 ||
	    header.type >= CHANNEL_TYPE_MAX)
		return -EBADMSG;
	ret_message->header = header;
	ret_message->size = (size_t)n - sizeof(header);
	return 0;
}

int channel_receive(int fd, struct channel_message *ret_message)
{
	return channel_receive_fds(fd, ret_message, NULL, NULL);
}
