/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel side for the self-test that is no kernel's: this program's own send, recv and others
 * stand in front of libc's and do to connections that the test opens what programs in the kernel
 * would do, with one fault, if a test wants one.
 */
#ifndef WEFT_UNIT_ATTACH_FAKE_KERNEL_H
#define WEFT_UNIT_ATTACH_FAKE_KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attach/selftest.h"

#define FAKE_LINE "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03\r\n"
#define FAKE_FIELD                                                                                 \
	"\x10\x0btraceparent\x37"                                                                  \
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"
#define FAKE_SOCKETS 256
/* The frames with which a message ends, where exchanges interleave. */
#define FAKE_HEAD     "\0\0\x0e\1\5"
#define FAKE_HEAD_LEN 23

enum fault {
	FAULT_NONE,
	FAULT_UNREAD,	    /* FIONREAD says 0 as long as a socket is enrolled */
	FAULT_UNREAD_EVER,  /* and after it has left */
	FAULT_PEEK,	    /* MSG_PEEK shows nothing as long as a socket is enrolled */
	FAULT_STALL,	    /* enrolled sockets receive nothing */
	FAULT_NOT_ENROLLED, /* another program owns sockets */
	FAULT_NO_HEADER,    /* requests get none */
	FAULT_FIRST_ONLY,   /* enrolled sockets' second request gets none */
	FAULT_TWO_HEADERS,  /* requests get two of them */
	FAULT_BYTE,	    /* a byte of large messages is changed while enrolled */
	FAULT_BYTE_EVER,    /* and after leaving */
	FAULT_STAYS,	    /* FAULT_UNREAD, and sockets do not leave */
	FAULT_HEARS,	    /* FAULT_UNREAD, and sockets that are spoken to do not leave */
	FAULT_SET,	    /* the kernel side cannot be told */
	FAULT_SOCKETS,	    /* no descriptors are left, after a while */
	FAULT_NO_LOOPBACK,  /* there is no address 127.0.0.1 */
	FAULT_NO_IPV6,	    /* sockets of IPv6 cannot be had */
	FAULT_NO_OPTION,    /* the option does not come */
};

/* A socket that was opened under test. */
struct fake_socket {
	uint64_t cookie;
	bool left;
	unsigned int requests;
};

static struct {
	enum fault fault;
	enum wire_mode mode;
	bool tested;
	unsigned int n_opened; /* sockets of every kind */
	size_t n_sockets;
	struct fake_socket sockets[FAKE_SOCKETS];
} fake;

static uint64_t fake_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

static struct fake_socket *fake_find(uint64_t cookie)
{
	for (size_t i = 0; cookie && i < fake.n_sockets; i++)
		if (fake.sockets[i].cookie == cookie)
			return &fake.sockets[i];
	return NULL;
}

/* The socket behind the descriptor, NULL: it is none of those under test. */
static struct fake_socket *fake_socket(int fd)
{
	struct fake_socket *socket = fake_find(fake_cookie(fd));
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	/* who leaves early does so before anything is heard */
	if (socket && fake.mode == WIRE_EARLY_LEAVE && fake.fault != FAULT_STAYS &&
	    fake.fault != FAULT_HEARS && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    info.tcpi_bytes_received)
		socket->left = true;
	return socket;
}

static int fake_set(void *context, enum wire_mode mode, bool tested)
{
	(void)context;
	fake.mode = mode;
	fake.tested = tested;
	return fake.fault == FAULT_SET ? -EPERM : 0;
}

static bool fake_enrolled(void *context, uint64_t cookie)
{
	const struct fake_socket *socket = fake_find(cookie);

	(void)context;
	return socket && !socket->left && fake.fault != FAULT_NOT_ENROLLED;
}

static int fake_remove(void *context, uint64_t cookie)
{
	struct fake_socket *socket = fake_find(cookie);

	(void)context;
	if (!socket)
		return -ENOENT;
	socket->left = true;
	return 0;
}

static bool fake_option_came(void *context, uint64_t cookie)
{
	(void)context;
	(void)cookie;
	return fake.fault != FAULT_NO_OPTION;
}

static const struct selftest_kernel fake_kernel = {
	.set = fake_set,
	.enrolled = fake_enrolled,
	.remove = fake_remove,
	.option_came = fake_option_came,
};

/* --- in front of libc --- */

int socket(int family, int type, int protocol)
{
	if ((fake.fault == FAULT_SOCKETS && ++fake.n_opened > 9) ||
	    (fake.fault == FAULT_NO_IPV6 && family == AF_INET6)) {
		errno = family == AF_INET6 ? EAFNOSUPPORT : EMFILE;
		return -1;
	}
	return (int)syscall(SYS_socket, family, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
	if (fake.fault == FAULT_NO_LOOPBACK) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	return (int)syscall(SYS_bind, fd, address, len);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	if (fake.tested && fake.mode != WIRE_OFF && fake.n_sockets < FAKE_SOCKETS)
		fake.sockets[fake.n_sockets++] = (struct fake_socket){ fake_cookie(fd), false, 0 };
	return (int)syscall(SYS_connect, fd, address, len);
}

/* A whole head, with lines behind its first one. Gives what was sent of it and `more`. */
static ssize_t fake_insert(int fd, const char *head, size_t len, const struct iovec *more, int n)
{
	size_t line = (size_t)((char *)memchr(head, '\n', len) - head) + 1;
	struct iovec parts[4] = { { (void *)head, line } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t sent;

	parts[1] = (struct iovec){ (void *)(FAKE_LINE FAKE_LINE), sizeof(FAKE_LINE) - 1 };
	if (fake.fault == FAULT_TWO_HEADERS)
		parts[1].iov_len *= 2;
	parts[message.msg_iovlen++] = (struct iovec){ (void *)(head + line), len - line };
	if (n)
		parts[message.msg_iovlen++] = *more;
	sent = syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
	return sent < 0 ? sent : sent - (ssize_t)parts[1].iov_len;
}

static bool fake_is_framed(const char *data, size_t len)
{
	return len >= FAKE_HEAD_LEN &&
	       memcmp(data + len - FAKE_HEAD_LEN, FAKE_HEAD, sizeof(FAKE_HEAD) - 1) == 0;
}

/* The same for heads in frames, with which the message ends. */
static ssize_t fake_insert_fields(int fd, const char *data, size_t len)
{
	size_t field = (sizeof(FAKE_FIELD) - 1) * (fake.fault == FAULT_TWO_HEADERS ? 2 : 1);
	size_t at = len, n;
	char text[1024];
	ssize_t sent;

	while (fake_is_framed(data, at))
		at -= FAKE_HEAD_LEN;
	memcpy(text, data, at);
	for (n = at; at < len; at += FAKE_HEAD_LEN) {
		memcpy(text + n, data + at, FAKE_HEAD_LEN);
		text[n + 2] = (char)((size_t)text[n + 2] + field);
		memcpy(text + n + FAKE_HEAD_LEN, FAKE_FIELD FAKE_FIELD, field);
		n += FAKE_HEAD_LEN + field;
	}
	sent = syscall(SYS_sendto, fd, text, n, MSG_NOSIGNAL, NULL, 0);
	return sent < 0 ? sent : (ssize_t)len;
}

/* Is this a message that is given a header? It may have left a socket. */
static bool fake_gives_header(struct fake_socket *socket, const char *data, size_t len)
{
	bool request =
		(len > 24 && (memcmp(data, "GET ", 4) == 0 || memcmp(data, "POST", 4) == 0) &&
		 memmem(data, len, "\r\n\r\n", 4)) ||
		fake_is_framed(data, len);
	bool enrolled = socket && !socket->left;

	if (enrolled && fake.mode == WIRE_EARLY_LEAVE && fake.fault != FAULT_STAYS)
		socket->left = true;
	if (!enrolled || !request || fake.fault == FAULT_NO_HEADER)
		return false;
	return socket->requests++ == 0 || fake.fault != FAULT_FIRST_ONLY;
}

/* `head`: it may be given a header, which those from files and pipes are not. */
static ssize_t fake_send(int fd, const char *data, size_t len, const struct iovec *more, bool head)
{
	struct fake_socket *socket = fake_socket(fd);
	struct iovec parts[2] = { { (void *)data, len } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = more ? 2 : 1 };
	bool enrolled = socket && !socket->left;
	static char copy[1 << 17];

	if (fake_gives_header(socket, data, len) && head)
		return fake_is_framed(data, len) ? fake_insert_fields(fd, data, len)
						 : fake_insert(fd, data, len, more, !!more);
	if (len > 60000 && len <= sizeof(copy) &&
	    ((fake.fault == FAULT_BYTE && enrolled) || (fake.fault == FAULT_BYTE_EVER && socket))) {
		memcpy(copy, data, len);
		copy[len / 2]++;
		parts[0].iov_base = copy;
	}
	if (more)
		parts[1] = *more;
	return syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	if (flags & MSG_OOB)
		return syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
	return fake_send(fd, data, len, NULL, true);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
	if (n != 2 || !fake_socket(fd))
		return syscall(SYS_writev, fd, parts, n);
	return fake_send(fd, parts[0].iov_base, parts[0].iov_len, &parts[1], true);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t count)
{
	static char copy[1 << 17];
	ssize_t n = pread(in, copy, count < sizeof(copy) ? count : sizeof(copy), *offset);

	if (n > 0)
		n = fake_send(out, copy, (size_t)n, NULL, false);
	if (n > 0)
		*offset += n;
	return n;
}

ssize_t splice(int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned int flags)
{
	char copy[1024];
	ssize_t n;

	if (!fake_socket(out) || len > sizeof(copy))
		return syscall(SYS_splice, in, in_at, out, out_at, len, flags);
	n = read(in, copy, len);
	return n > 0 ? fake_send(out, copy, (size_t)n, NULL, false) : n;
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
	const struct fake_socket *socket = fake_socket(fd);
	bool enrolled = socket && !socket->left;

	if (enrolled &&
	    (fake.fault == FAULT_STALL || (fake.fault == FAULT_PEEK && flags & MSG_PEEK))) {
		errno = EAGAIN;
		return -1;
	}
	return syscall(SYS_recvfrom, fd, data, len, flags, NULL, NULL);
}

int ioctl(int fd, unsigned long request, ...)
{
	const struct fake_socket *socket = fake_socket(fd);
	bool lies = socket && fake.fault == FAULT_UNREAD_EVER;
	va_list arguments;
	int *value;
	int r;

	va_start(arguments, request);
	value = va_arg(arguments, int *);
	va_end(arguments);
	r = (int)syscall(SYS_ioctl, fd, request, value);
	if (socket && !socket->left)
		lies = lies || fake.fault == FAULT_UNREAD || fake.fault == FAULT_STAYS ||
		       fake.fault == FAULT_HEARS;
	if (lies && request == FIONREAD)
		*value = 0;
	return r;
}

#endif
