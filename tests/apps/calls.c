/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 with a chosen system call on each side.
 *
 *   calls serve   IN OUT ADDRESS          answers requests until it is killed
 *   calls request IN OUT ADDRESS FIRST N  sends N numbered requests on one connection
 *
 * IN:  read readv recvfrom recvmsg peek splice uring-read uring-recv uring-recvmsg
 * OUT: write writev sendto sendmsg sendmmsg sendfile splice uring-write uring-send uring-sendmsg
 * ADDRESS: port of 127.0.0.1, or a path (unix socket).
 *
 * Requests are POST /call/<number> with a body of 100 + number bytes; answers have 200 + number
 * bytes. sendfile and splice send the body, write the head; splice receives the body, read the
 * head.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef WITHOUT_URING
#include <liburing.h>
static struct io_uring ring;
#endif

#define BUFFER_SIZE 65536
#define BODY_MAX    32768

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Three pieces of uneven size: a head is cut in its middle. */
static int cut(char *data, size_t len, struct iovec *ret_pieces)
{
	size_t first = len > 10 ? 10 : len;
	size_t second = (len - first) / 3;

	ret_pieces[0] = (struct iovec){ data, first };
	ret_pieces[1] = (struct iovec){ data + first, second };
	ret_pieces[2] = (struct iovec){ data + first + second, len - first - second };
	return 3;
}

static ssize_t out_write(int fd, char *data, size_t len)
{
	return write(fd, data, len);
}

static ssize_t out_writev(int fd, char *data, size_t len)
{
	struct iovec pieces[3];

	return writev(fd, pieces, cut(data, len, pieces));
}

static ssize_t out_sendto(int fd, char *data, size_t len)
{
	return sendto(fd, data, len, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t out_sendmsg(int fd, char *data, size_t len)
{
	struct iovec pieces[3];
	struct msghdr message = { .msg_iov = pieces };

	message.msg_iovlen = cut(data, len, pieces);
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static ssize_t out_sendmmsg(int fd, char *data, size_t len)
{
	struct iovec pieces[3];
	struct mmsghdr messages[3] = { 0 };
	ssize_t total = 0;
	int sent;

	cut(data, len, pieces);
	for (int i = 0; i < 3; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
	sent = sendmmsg(fd, messages, 3, MSG_NOSIGNAL);
	for (int i = 0; i < sent; i++)
		total += messages[i].msg_len;
	return sent < 0 ? -1 : total;
}

static int file_with(const char *data, size_t len)
{
	int fd = memfd_create("body", 0);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		die("memfd");
	return fd;
}

static ssize_t out_sendfile(int fd, char *data, size_t len)
{
	int file = file_with(data, len);
	off_t offset = 0;
	ssize_t n = sendfile(fd, file, &offset, len);

	close(file);
	return n;
}

static ssize_t out_splice(int fd, char *data, size_t len)
{
	int file = file_with(data, len), ends[2];
	loff_t offset = 0;
	ssize_t n;

	if (pipe(ends) < 0)
		die("pipe");
	n = splice(file, &offset, ends[1], NULL, len, 0);
	if (n > 0)
		n = splice(ends[0], NULL, fd, NULL, n, 0);
	close(file);
	close(ends[0]);
	close(ends[1]);
	return n;
}

static ssize_t in_read(int fd, char *data, size_t len)
{
	return read(fd, data, len);
}

static ssize_t in_readv(int fd, char *data, size_t len)
{
	struct iovec pieces[3];

	return readv(fd, pieces, cut(data, len, pieces));
}

static ssize_t in_recvfrom(int fd, char *data, size_t len)
{
	return recvfrom(fd, data, len, 0, NULL, NULL);
}

static ssize_t in_recvmsg(int fd, char *data, size_t len)
{
	struct iovec pieces[3];
	struct msghdr message = { .msg_iov = pieces };

	message.msg_iovlen = cut(data, len, pieces);
	return recvmsg(fd, &message, 0);
}

static ssize_t in_peek(int fd, char *data, size_t len)
{
	ssize_t n = recv(fd, data, len, MSG_PEEK);

	return n > 0 ? recv(fd, data, n, 0) : n;
}

static ssize_t in_splice(int fd, char *data, size_t len)
{
	int ends[2];
	ssize_t n;

	if (pipe(ends) < 0)
		die("pipe");
	n = splice(fd, NULL, ends[1], NULL, len > 4096 ? 4096 : len, 0);
	if (n > 0)
		n = read(ends[0], data, n);
	close(ends[0]);
	close(ends[1]);
	return n;
}

#ifndef WITHOUT_URING
static ssize_t uring_result(void)
{
	struct io_uring_cqe *cqe = NULL;
	int r = io_uring_submit_and_wait(&ring, 1);

	if (r < 0 || io_uring_wait_cqe(&ring, &cqe) < 0 || !cqe)
		die("io_uring");
	r = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	errno = r < 0 ? -r : 0;
	return r < 0 ? -1 : r;
}

static ssize_t out_uring_write(int fd, char *data, size_t len)
{
	io_uring_prep_write(io_uring_get_sqe(&ring), fd, data, len, 0);
	return uring_result();
}

static ssize_t out_uring_send(int fd, char *data, size_t len)
{
	io_uring_prep_send(io_uring_get_sqe(&ring), fd, data, len, MSG_NOSIGNAL);
	return uring_result();
}

static ssize_t out_uring_sendmsg(int fd, char *data, size_t len)
{
	struct iovec pieces[3];
	struct msghdr message = { .msg_iov = pieces };

	message.msg_iovlen = cut(data, len, pieces);
	io_uring_prep_sendmsg(io_uring_get_sqe(&ring), fd, &message, MSG_NOSIGNAL);
	return uring_result();
}

static ssize_t in_uring_read(int fd, char *data, size_t len)
{
	io_uring_prep_read(io_uring_get_sqe(&ring), fd, data, len, 0);
	return uring_result();
}

static ssize_t in_uring_recv(int fd, char *data, size_t len)
{
	io_uring_prep_recv(io_uring_get_sqe(&ring), fd, data, len, 0);
	return uring_result();
}

static ssize_t in_uring_recvmsg(int fd, char *data, size_t len)
{
	struct iovec pieces[3];
	struct msghdr message = { .msg_iov = pieces };

	message.msg_iovlen = cut(data, len, pieces);
	io_uring_prep_recvmsg(io_uring_get_sqe(&ring), fd, &message, 0);
	return uring_result();
}
#endif

struct call {
	const char *name;
	ssize_t (*move)(int fd, char *data, size_t len);
	bool body_only; /* the head goes by read and write */
};

static const struct call ins[] = {
	{ "read", in_read, false },
	{ "readv", in_readv, false },
	{ "recvfrom", in_recvfrom, false },
	{ "recvmsg", in_recvmsg, false },
	{ "peek", in_peek, false },
	{ "splice", in_splice, true },
#ifndef WITHOUT_URING
	{ "uring-read", in_uring_read, false },
	{ "uring-recv", in_uring_recv, false },
	{ "uring-recvmsg", in_uring_recvmsg, false },
#endif
	{ NULL, NULL, false },
};

static const struct call outs[] = {
	{ "write", out_write, false },
	{ "writev", out_writev, false },
	{ "sendto", out_sendto, false },
	{ "sendmsg", out_sendmsg, false },
	{ "sendmmsg", out_sendmmsg, false },
	{ "sendfile", out_sendfile, true },
	{ "splice", out_splice, true },
#ifndef WITHOUT_URING
	{ "uring-write", out_uring_write, false },
	{ "uring-send", out_uring_send, false },
	{ "uring-sendmsg", out_uring_sendmsg, false },
#endif
	{ NULL, NULL, false },
};

static const struct call *call_find(const struct call *table, const char *name)
{
	for (; table->name; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	fprintf(stderr, "calls: unknown call %s\n", name);
	exit(2);
}

struct peer {
	int fd;
	const struct call *in;
	const struct call *out;
	size_t used;
	char data[BUFFER_SIZE];
};

static void send_all(int fd, const struct call *call, char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = call->move(fd, data, len);

		if (n <= 0)
			die(call->name);
		data += n;
		len -= n;
	}
}

/* Head and body in one go, unless the call moves bodies only. */
static void message_send(struct peer *peer, char *data, size_t head, size_t body)
{
	if (peer->out->body_only) {
		send_all(peer->fd, &outs[0], data, head);
		send_all(peer->fd, peer->out, data + head, body);
	} else {
		send_all(peer->fd, peer->out, data, head + body);
	}
}

/* Reads the head of a message; its length, 0 at the end of the connection. */
static size_t head_receive(struct peer *peer)
{
	/* One byte a call where the body is for another call: none of it is read early. */
	bool careful = peer->in->body_only;
	const struct call *in = careful ? &ins[0] : peer->in;
	char *end;

	for (;;) {
		peer->data[peer->used] = '\0';
		end = strstr(peer->data, "\r\n\r\n");
		if (end)
			return end + 4 - peer->data;
		size_t room = careful ? 1 : sizeof(peer->data) - 1 - peer->used;
		ssize_t n = in->move(peer->fd, peer->data + peer->used, room);
		if (n <= 0)
			return 0;
		peer->used += n;
	}
}

/* Reads a whole message. Its first line is left in `ret_line`. False at the end. */
static bool message_receive(struct peer *peer, char *ret_line, size_t size)
{
	size_t head = head_receive(peer), body;
	char *field;

	if (head == 0)
		return false;
	snprintf(ret_line, size, "%.*s", (int)strcspn(peer->data, "\r\n"), peer->data);
	field = strstr(peer->data, "Content-Length: ");
	body = field ? strtoul(field + 16, NULL, 10) : 0;
	while (peer->used < head + body) {
		ssize_t n =
			peer->in->move(peer->fd, peer->data + peer->used, head + body - peer->used);
		if (n <= 0)
			die(peer->in->name);
		peer->used += n;
	}
	peer->used = 0;
	return true;
}

static void message_answer(struct peer *peer, const char *line)
{
	static char data[BUFFER_SIZE];
	unsigned int number = 0;
	size_t head, body;

	if (sscanf(line, "%*s /call/%u", &number) != 1)
		die("request line");
	body = 200 + number % BODY_MAX;
	head = snprintf(data, sizeof(data), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
	memset(data + head, 'a', body);
	message_send(peer, data, head, body);
}

static void message_ask(struct peer *peer, unsigned int number)
{
	static char data[BUFFER_SIZE];
	size_t head, body = 100 + number % BODY_MAX;

	head = snprintf(data, sizeof(data),
			"POST /call/%u HTTP/1.1\r\nHost: calls\r\nContent-Length: %zu\r\n\r\n",
			number, body);
	memset(data + head, 'q', body);
	message_send(peer, data, head, body);
}

/* A stream socket and the address that `text` names: a path or a port. */
static int address_parse(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ret_address;
	struct sockaddr_in *in = (struct sockaddr_in *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (text[0] == '/') {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", text);
		*ret_len = sizeof(*un);
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons(atoi(text));
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*ret_len = sizeof(*in);
	}
	return socket(ret_address->ss_family, SOCK_STREAM, 0);
}

static void serve(struct peer *peer, const char *text)
{
	struct sockaddr_storage address;
	char line[256];
	socklen_t len;
	int listener = address_parse(text, &address, &len), one = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (void *)&address, len) < 0 || listen(listener, 64) < 0)
		die("listen");
	for (;;) {
		peer->fd = accept(listener, NULL, NULL);
		if (peer->fd < 0)
			die("accept");
		setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		peer->used = 0;
		while (message_receive(peer, line, sizeof(line)))
			message_answer(peer, line);
		close(peer->fd);
	}
}

static void request(struct peer *peer, const char *text, unsigned int first, unsigned int count)
{
	struct sockaddr_storage address;
	char line[256];
	socklen_t len;
	int one = 1;

	peer->fd = address_parse(text, &address, &len);
	if (connect(peer->fd, (void *)&address, len) < 0)
		die("connect");
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (unsigned int i = first; i < first + count; i++) {
		message_ask(peer, i);
		if (!message_receive(peer, line, sizeof(line)))
			die("no answer");
	}
	close(peer->fd);
}

int main(int argc, char **argv)
{
	static struct peer peer;

	if (argc < 5) {
		fprintf(stderr, "usage: calls serve|request IN OUT ADDRESS [FIRST COUNT]\n");
		return 2;
	}
#ifndef WITHOUT_URING
	if (strstr(argv[2], "uring") || strstr(argv[3], "uring")) {
		int r = io_uring_queue_init(8, &ring, 0);

		if (r < 0) {
			errno = -r;
			fprintf(stderr, "calls: io_uring: %s\n", strerror(errno));
			return 77;
		}
	}
#endif
	peer.in = call_find(ins, argv[2]);
	peer.out = call_find(outs, argv[3]);
	if (strcmp(argv[1], "serve") == 0)
		serve(&peer, argv[4]);
	else
		request(&peer, argv[4], argc > 5 ? atoi(argv[5]) : 0, argc > 6 ? atoi(argv[6]) : 1);
	return 0;
}
