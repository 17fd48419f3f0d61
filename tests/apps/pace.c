/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keep-alive GET requests at a fixed rate.
 *
 *   pace PORT PATH RATE SECONDS CONNECTIONS
 *
 * One thread; each connection has at most one request under way. Answers must have Content-Length.
 * Requests are due at even distances. Those that are due while every connection is busy are sent as
 * soon as one is free, and are told as `late`; latency runs from when a request was due, so that a
 * server that stalls cannot hide the requests that it kept from being sent. Prints one JSON object.
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512
#define NS_PER_S	1000000000ull
#define DRAIN_NS	(2 * NS_PER_S)
#define DRAIN_TURN_NS	(NS_PER_S / 100)

struct connection {
	int fd;
	bool busy;
	uint64_t due_ns;
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
	uint64_t begin_ns, rate; /* requests a second */
	uint64_t sent, done, late;
	size_t latencies_max;
	uint32_t *latencies_ns; /* of the requests that are done */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
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

/* When the nth request is to be sent. */
static uint64_t due_ns(const struct pace *pace, uint64_t n)
{
	return pace->begin_ns + n * NS_PER_S / pace->rate;
}

static void request_send(struct pace *pace)
{
	struct connection *connection = pace->free_list[--pace->free_count];

	connection->used = connection->left = 0;
	connection->busy = true;
	connection->due_ns = due_ns(pace, pace->sent);
	if (write(connection->fd, pace->request, pace->request_len) != (ssize_t)pace->request_len)
		die("write");
	pace->sent++;
}

static void answer_done(struct pace *pace, struct connection *connection)
{
	uint64_t latency = now_ns() - connection->due_ns;

	connection->busy = false;
	pace->free_list[pace->free_count++] = connection;
	pace->latencies_ns[pace->done++] = latency < UINT32_MAX ? latency : UINT32_MAX;
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

static void answers_wait(struct pace *pace, uint64_t wait_ns)
{
	struct timespec timeout = { wait_ns / NS_PER_S, wait_ns % NS_PER_S };
	struct epoll_event events[64];
	int n = epoll_pwait2(pace->epoll, events, 64, &timeout, NULL);

	for (int i = 0; i < n; i++)
		answer_read(pace, events[i].data.ptr);
}

static void due_send(struct pace *pace, uint64_t now)
{
	while (pace->sent < pace->latencies_max && pace->free_count > 0 &&
	       due_ns(pace, pace->sent) <= now)
		request_send(pace);
	if (due_ns(pace, pace->sent + pace->rate / 100) < now)
		pace->late++;
}

static void pace_run(struct pace *pace, double seconds)
{
	uint64_t end, next, now;

	pace->begin_ns = now_ns();
	end = pace->begin_ns + (uint64_t)(seconds * NS_PER_S);
	while ((now = now_ns()) < end) {
		due_send(pace, now);
		next = due_ns(pace, pace->sent);
		answers_wait(pace, next > now ? next - now : DRAIN_TURN_NS);
	}
	end = now_ns() + DRAIN_NS;
	while (pace->done < pace->sent && now_ns() < end)
		answers_wait(pace, DRAIN_TURN_NS);
}

static int by_value(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return (one > other) - (one < other);
}

/* Microseconds within which so many in a thousand of the requests were answered. */
static double quantile_us(const struct pace *pace, unsigned int thousandths)
{
	return pace->done ? pace->latencies_ns[(pace->done - 1) * thousandths / 1000] / 1e3 : 0;
}

static void report(struct pace *pace, double seconds)
{
	qsort(pace->latencies_ns, pace->done, sizeof(pace->latencies_ns[0]), by_value);
	printf("{\"sent\": %llu, \"done\": %llu, \"late_ticks\": %llu, \"rate\": %.0f, "
	       "\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
	       (unsigned long long)pace->sent, (unsigned long long)pace->done,
	       (unsigned long long)pace->late, pace->done / seconds, quantile_us(pace, 500),
	       quantile_us(pace, 990), quantile_us(pace, 1000));
}

/* The timer's slack would be most of what is measured. */
static void prepare(struct pace *pace, double seconds)
{
	prctl(PR_SET_TIMERSLACK, 1);
	pace->latencies_max = (size_t)((double)pace->rate * seconds) + 1;
	pace->latencies_ns = calloc(pace->latencies_max, sizeof(pace->latencies_ns[0]));
	if (!pace->latencies_ns)
		die("calloc");
}

int main(int argc, char **argv)
{
	static struct pace pace;
	double seconds;

	if (argc != 6 || strtoull(argv[3], NULL, 10) == 0) {
		fprintf(stderr, "usage: pace PORT PATH RATE SECONDS CONNECTIONS\n");
		return 2;
	}
	pace.rate = strtoull(argv[3], NULL, 10);
	seconds = atof(argv[4]);
	prepare(&pace, seconds);
	pace.n = atoi(argv[5]) < CONNECTIONS_MAX ? atoi(argv[5]) : CONNECTIONS_MAX;
	pace.epoll = epoll_create1(0);
	pace.request_len = snprintf(pace.request, sizeof(pace.request),
				    "GET %s HTTP/1.1\r\nHost: pace\r\n\r\n", argv[2]);
	for (unsigned int i = 0; i < pace.n; i++)
		connection_open(&pace, &pace.connections[i], atoi(argv[1]));
	pace_run(&pace, seconds);
	report(&pace, seconds);
	free(pace.latencies_ns);
	return pace.done == pace.sent ? 0 : 1;
}
