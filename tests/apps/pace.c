/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keep-alive GET requests at a fixed rate.
 *
 *   pace PORT PATH RATE SECONDS CONNECTIONS
 *
 * One thread; each connection has at most one request under way. Answers must have Content-Length.
 * Requests that are due while every connection is busy are sent as soon as one is free, and are
 * told as `late`. Prints one JSON object.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512
#define DRAIN_NS	2000000000ull

struct connection {
	int fd;
	bool busy;
	uint64_t sent_ns;
	size_t left; /* bytes of the answer still to come, once its head was seen */
	size_t used;
	char head[4096];
};

struct pace {
	int epoll;
	unsigned int n, free_count;
	struct connection *free_list[CONNECTIONS_MAX];
	struct connection connections[CONNECTIONS_MAX];
	char request[512];
	size_t request_len;
	uint64_t sent, done, late, latency_sum_ns, latency_max_ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void connection_open(struct pace *pace, struct connection *connection, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
	int one = 1;

	connection->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(connection->fd, (void *)&address, sizeof(address)) < 0)
		die("connect");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(pace->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		die("epoll_ctl");
	pace->free_list[pace->free_count++] = connection;
}

static void request_send(struct pace *pace)
{
	struct connection *connection = pace->free_list[--pace->free_count];

	connection->used = connection->left = 0;
	connection->busy = true;
	connection->sent_ns = now_ns();
	if (write(connection->fd, pace->request, pace->request_len) != (ssize_t)pace->request_len)
		die("write");
	pace->sent++;
}

static void answer_done(struct pace *pace, struct connection *connection)
{
	uint64_t latency = now_ns() - connection->sent_ns;

	connection->busy = false;
	pace->free_list[pace->free_count++] = connection;
	pace->done++;
	pace->latency_sum_ns += latency;
	if (latency > pace->latency_max_ns)
		pace->latency_max_ns = latency;
}

/* What is left of the answer after the bytes in head[]; false: its head is not complete. */
static bool answer_measure(struct connection *connection)
{
	char *end, *length;

	connection->head[connection->used] = '\0';
	end = strstr(connection->head, "\r\n\r\n");
	if (!end)
		return false;
	length = strcasestr(connection->head, "content-length:");
	if (!length)
		die("answer without Content-Length");
	connection->left =
		strtoul(length + 15, NULL, 10) - (connection->used - (end + 4 - connection->head));
	return true;
}

static void answer_read(struct pace *pace, struct connection *connection)
{
	static char body[65536];
	bool in_head = connection->left == 0;
	char *to = in_head ? connection->head + connection->used : body;
	size_t room = in_head ? sizeof(connection->head) - 1 - connection->used : sizeof(body);
	ssize_t n = read(connection->fd, to, room);

	if (n <= 0 || !connection->busy)
		die("the server closed a connection");
	if (in_head) {
		connection->used += n;
		if (!answer_measure(connection))
			return;
	} else {
		connection->left -= n;
	}
	if (connection->left == 0)
		answer_done(pace, connection);
}

static void answers_wait(struct pace *pace, int timeout_ms)
{
	struct epoll_event events[64];
	int n = epoll_wait(pace->epoll, events, 64, timeout_ms);

	for (int i = 0; i < n; i++)
		answer_read(pace, events[i].data.ptr);
}

static void pace_run(struct pace *pace, uint64_t rate, uint64_t seconds)
{
	uint64_t begin = now_ns(), end = begin + seconds * 1000000000ull, now;

	while ((now = now_ns()) < end) {
		uint64_t due = (now - begin) * rate / 1000000000ull;

		while (pace->sent < due && pace->free_count > 0)
			request_send(pace);
		if (pace->sent + rate / 100 < due)
			pace->late++;
		answers_wait(pace, 1);
	}
	end = now_ns() + DRAIN_NS;
	while (pace->done < pace->sent && now_ns() < end)
		answers_wait(pace, 10);
}

int main(int argc, char **argv)
{
	static struct pace pace;
	double seconds;

	if (argc != 6) {
		fprintf(stderr, "usage: pace PORT PATH RATE SECONDS CONNECTIONS\n");
		return 2;
	}
	pace.n = atoi(argv[5]) < CONNECTIONS_MAX ? atoi(argv[5]) : CONNECTIONS_MAX;
	pace.epoll = epoll_create1(0);
	pace.request_len = snprintf(pace.request, sizeof(pace.request),
				    "GET %s HTTP/1.1\r\nHost: pace\r\n\r\n", argv[2]);
	for (unsigned int i = 0; i < pace.n; i++)
		connection_open(&pace, &pace.connections[i], atoi(argv[1]));
	seconds = atof(argv[4]);
	pace_run(&pace, strtoull(argv[3], NULL, 10), seconds);
	printf("{\"sent\": %llu, \"done\": %llu, \"late_ticks\": %llu, \"rate\": %.0f, "
	       "\"mean_us\": %.1f, \"max_us\": %.1f}\n",
	       (unsigned long long)pace.sent, (unsigned long long)pace.done,
	       (unsigned long long)pace.late, pace.done / seconds,
	       pace.done ? pace.latency_sum_ns / 1e3 / pace.done : 0, pace.latency_max_ns / 1e3);
	return pace.done == pace.sent ? 0 : 1;
}
