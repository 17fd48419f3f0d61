/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest server there is: one thread, epoll.
 *
 *   answer PORT|SOCKET echo|http
 *
 * echo: small messages come back as they were, as from a Redis that is asked PING. http: each read
 * is taken for one request without a body, and gets the same short answer.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

static const char http_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "answer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int listening(const char *at)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	struct sockaddr_in port = { .sin_family = AF_INET,
				    .sin_port = htons(strtol(at, NULL, 10)),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bool local = at[0] == '/';
	int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM, 0), one = 1;

	snprintf(path.sun_path, sizeof(path.sun_path), "%s", at);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, local ? (void *)&path : (void *)&port, local ? sizeof(path) : sizeof(port)) <
		    0 ||
	    listen(fd, BACKLOG) < 0)
		die(at);
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void newcomer(int epoll, int listener)
{
	int fd = accept(listener, NULL, NULL), one = 1;

	if (fd < 0)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(epoll, fd);
}

static void answer(int fd, bool http)
{
	char message[4096];
	ssize_t n = read(fd, message, sizeof(message));

	if (n <= 0) {
		close(fd);
		return;
	}
	if (http)
		n = send(fd, http_answer, sizeof(http_answer) - 1, MSG_NOSIGNAL);
	else
		n = send(fd, message, n, MSG_NOSIGNAL);
	if (n < 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct epoll_event events[64];
	int listener, epoll, n;

	if (argc != 3) {
		fprintf(stderr, "usage: answer PORT|SOCKET echo|http\n");
		return 2;
	}
	listener = listening(argv[1]);
	epoll = epoll_create1(0);
	watch(epoll, listener);
	while ((n = epoll_wait(epoll, events, 64, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				newcomer(epoll, listener);
			else
				answer(events[i].data.fd, strcmp(argv[2], "http") == 0);
		}
	}
	die("epoll_wait");
}
