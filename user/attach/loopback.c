/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define BACKLOG 8
/* Others may connect to the listener, too. */
#define STRANGERS_MAX 16

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_init(union address *address, int family)
{
	memset(address, 0, sizeof(*address));
	address->any.sa_family = (sa_family_t)family;
	if (family == AF_INET6) {
		address->v6.sin6_addr = in6addr_loopback;
		return sizeof(address->v6);
	}
	address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(address->v4);
}

static int new_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int loopback_listen(int family, int *ret_listener)
{
	_cleanup_close_ int fd = new_socket(family);
	union address address;
	socklen_t len = address_init(&address, family);

	if (fd < 0)
		return fd;
	if (bind(fd, &address.any, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_listener = TAKE_FD(fd);
	return 0;
}

int pair_look(int fd, short wanted)
{
	struct pollfd one = { .fd = fd, .events = wanted };

	return poll(&one, 1, 0) < 0 ? -errno : one.revents;
}

int pair_wait(const struct pair *pair, int fd, short wanted)
{
	struct pollfd one = { .fd = fd, .events = wanted };
	uint64_t now = clock_monotonic_ns();
	int r;

	/* first, for a socket may be told to be ready for ever, and not be it */
	if (now >= pair->deadline_ns)
		return -ETIME;
	r = poll(&one, 1, (int)((pair->deadline_ns - now) / NS_PER_MS) + 1);
	if (r < 0)
		return -errno;
	return r ? one.revents : -ETIME;
}

static bool same_address(const union address *one, const union address *other)
{
	if (one->any.sa_family != other->any.sa_family)
		return false;
	if (one->any.sa_family == AF_INET6)
		return one->v6.sin6_port == other->v6.sin6_port &&
		       memcmp(&one->v6.sin6_addr, &other->v6.sin6_addr,
			      sizeof(one->v6.sin6_addr)) == 0;
	return one->v4.sin_port == other->v4.sin_port &&
	       one->v4.sin_addr.s_addr == other->v4.sin_addr.s_addr;
}

/* Takes the connection that comes from the pair's client. */
static int accept_client(struct pair *pair, int listener)
{
	union address wanted = { 0 }, from = { 0 };
	socklen_t len = sizeof(wanted);

	if (getsockname(pair->client, &wanted.any, &len) < 0)
		return -errno;
	for (int i = 0; i < STRANGERS_MAX; i++) {
		int fd, r = pair_wait(pair, listener, POLLIN);

		if (r < 0)
			return r;
		len = sizeof(from);
		fd = accept4(listener, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno != EAGAIN)
			return -errno;
		if (fd >= 0 && same_address(&from, &wanted)) {
			pair->server = fd;
			return 0;
		}
		if (fd >= 0)
			close(fd);
	}
	return -ETIME;
}

static int connect_client(struct pair *pair, int listener)
{
	union address address = { 0 };
	socklen_t len = sizeof(address);
	int error = 0, r;

	if (getsockname(listener, &address.any, &len) < 0)
		return -errno;
	pair->client = new_socket(address.any.sa_family);
	if (pair->client < 0)
		return pair->client;
	if (connect(pair->client, &address.any, len) < 0 && errno != EINPROGRESS)
		return -errno;
	r = pair_wait(pair, pair->client, POLLOUT);
	if (r < 0)
		return r;
	len = sizeof(error);
	if (getsockopt(pair->client, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

/* What is written goes out at once; and what is closed is forgotten at once (RST, no TIME_WAIT). */
static int set_options(int fd)
{
	const struct linger linger = { .l_onoff = 1 };
	const int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		return -errno;
	return 0;
}

int pair_open(struct pair *pair, int listener, uint64_t deadline_ns)
{
	int r;

	*pair = (struct pair){ .client = -1, .server = -1, .deadline_ns = deadline_ns };
	r = connect_client(pair, listener);
	if (r == 0)
		r = accept_client(pair, listener);
	if (r == 0)
		r = set_options(pair->client);
	if (r == 0)
		r = set_options(pair->server);
	if (r < 0)
		pair_close(pair);
	return r;
}

void pair_close(struct pair *pair)
{
	if (pair->client >= 0)
		close(pair->client);
	if (pair->server >= 0)
		close(pair->server);
	pair->client = -1;
	pair->server = -1;
}

/*
 * TCP's own count: neither readiness nor a count of what is unread is to be trusted here. -errno.
 */
static int arrived(int fd, uint64_t *ret_bytes)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	*ret_bytes = info.tcpi_bytes_received;
	return 0;
}

int pair_arrive(const struct pair *pair, int fd)
{
	uint64_t due = fd == pair->client ? pair->client_due : pair->server_due;

	for (;;) {
		uint64_t bytes = 0;
		int r = arrived(fd, &bytes);

		if (r < 0)
			return r;
		if (bytes >= due)
			return 0;
		if (clock_monotonic_ns() >= pair->deadline_ns)
			return -ETIME;
		poll(NULL, 0, 1);
	}
}

void pair_sent(struct pair *pair, int fd, size_t n)
{
	*(fd == pair->client ? &pair->server_due : &pair->client_due) += n;
}

int pair_send(struct pair *pair, int fd, const void *data, size_t len, int flags)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, (const char *)data + at, len - at, flags | MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			at += (size_t)n;
			pair_sent(pair, fd, (size_t)n);
			continue;
		}
		if (errno != EAGAIN)
			return -errno;
		r = pair_wait(pair, fd, POLLOUT);
		if (r < 0)
			return r;
	}
	return 0;
}

int pair_receive(const struct pair *pair, int fd, void *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = recv(fd, (char *)data + at, len - at, 0);
		int r;

		if (n == 0)
			return -ENODATA;
		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		if (errno != EAGAIN)
			return -errno;
		r = pair_wait(pair, fd, POLLIN);
		if (r < 0)
			return r;
	}
	return 0;
}

int pair_receive_end(const struct pair *pair, int fd)
{
	char byte;
	int r = pair_receive(pair, fd, &byte, 1);

	if (r == 0)
		return -EMSGSIZE;
	return r == -ENODATA ? 0 : r;
}
