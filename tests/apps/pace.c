/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keep-alive requests at a fixed rate, or one after the other.
 *
 *   pace PORT[+N]|SOCKET PATH|WORD RATE SECONDS CONNECTIONS
 *
 * To PORT of this host; with +N to N ports from PORT on, in turns; or to a unix socket. Sends GET
 * requests for PATH, whose answers must have Content-Length; or, if it does not begin with a slash,
 * the WORD on a line, which is to come back.
 * One thread; each connection has at most one request under way, and the one that has waited
 * longest is next. Requests are due at even distances. Those that are due while every connection is
 * busy are sent as soon as one is free, and are told as `late`; latency runs from when a request
 * was due, so that a server that stalls cannot hide the requests that it kept from being sent. RATE
 * 0: a request is due as soon as a connection is free. Prints one JSON object.
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
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 20000
#define SATURATED_MAX	300000 /* requests a second that are remembered at most */
#define NS_PER_S	1000000000ull
#define DRAIN_NS	(2 * NS_PER_S)
#define DRAIN_TURN_NS	(NS_PER_S / 100)

struct connection {
	int fd;
	bool busy;
	uint64_t due_ns;
	size_t left; /* bytes of the answer still to come, once its head was seen */
	size_t used;
	char head[1024];
};

struct pace {
	int epoll;
	unsigned int n;
	struct connection *waiting[CONNECTIONS_MAX]; /* a ring */
	unsigned int first_waiting, n_waiting;
	struct connection connections[CONNECTIONS_MAX];
	char request[512];
	size_t request_len;
	bool echo;			  /* the answer is what was sent */
	uint64_t begin_ns, last_ns, rate; /* requests a second */
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

static int unix_connected(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (void *)&address, sizeof(address)) < 0)
		die("connect");
	return fd;
}

static int tcp_connected(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (connect(fd, (void *)&address, sizeof(address)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void connection_wait(struct pace *pace, struct connection *connection)
{
	pace->waiting[(pace->first_waiting + pace->n_waiting++) % CONNECTIONS_MAX] = connection;
}

static void connections_open(struct pace *pace, const char *to)
{
	const char *plus = strchr(to, '+');
	int port = strtol(to, NULL, 10), n_ports = plus ? strtol(plus + 1, NULL, 10) : 1;

	for (unsigned int i = 0; i < pace->n; i++) {
		struct connection *connection = &pace->connections[i];
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

		connection->fd = to[0] == '/' ? unix_connected(to)
					      : tcp_connected(port + i % n_ports);
		if (epoll_ctl(pace->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
			die("epoll_ctl");
		connection_wait(pace, connection);
	}
}

/* When the nth request is to be sent; 0: at once. */
static uint64_t due_ns(const struct pace *pace, uint64_t n)
{
	return pace->rate ? pace->begin_ns + n * NS_PER_S / pace->rate : 0;
}

static void request_send(struct pace *pace)
{
	struct connection *connection = pace->waiting[pace->first_waiting];

	pace->first_waiting = (pace->first_waiting + 1) % CONNECTIONS_MAX;
	pace->n_waiting--;
	connection->used = connection->left = 0;
	connection->busy = true;
	connection->due_ns = pace->rate ? due_ns(pace, pace->sent) : now_ns();
	if (write(connection->fd, pace->request, pace->request_len) != (ssize_t)pace->request_len)
		die("write");
	pace->sent++;
}

static void answer_done(struct pace *pace, struct connection *connection)
{
	uint64_t latency;

	pace->last_ns = now_ns();
	latency = pace->last_ns - connection->due_ns;
	connection->busy = false;
	connection_wait(pace, connection);
	pace->latencies_ns[pace->done++] = latency < UINT32_MAX ? latency : UINT32_MAX;
}

/* What is left of the answer after the bytes in head[]; false: its head is not complete. */
static bool answer_measure(const struct pace *pace, struct connection *connection)
{
	char *end, *length;

	if (pace->echo)
		return connection->used >= pace->request_len;
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
		if (!answer_measure(pace, connection))
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
	while (pace->sent < pace->latencies_max && pace->n_waiting > 0 &&
	       due_ns(pace, pace->sent) <= now)
		request_send(pace);
	if (pace->rate && due_ns(pace, pace->sent + pace->rate / 100) < now)
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

static void report(struct pace *pace)
{
	double seconds = (double)(pace->last_ns - pace->begin_ns) / NS_PER_S;

	qsort(pace->latencies_ns, pace->done, sizeof(pace->latencies_ns[0]), by_value);
	printf("{\"sent\": %llu, \"done\": %llu, \"late_ticks\": %llu, \"rate\": %.0f, "
	       "\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
	       (unsigned long long)pace->sent, (unsigned long long)pace->done,
	       (unsigned long long)pace->late, pace->done ? pace->done / seconds : 0,
	       quantile_us(pace, 500), quantile_us(pace, 990), quantile_us(pace, 1000));
}

/* The timer's slack would be most of what is measured. */
static void prepare(struct pace *pace, const char *what, double seconds)
{
	uint64_t rate = pace->rate ? pace->rate : SATURATED_MAX;

	prctl(PR_SET_TIMERSLACK, 1);
	pace->echo = what[0] != '/';
	pace->request_len =
		snprintf(pace->request, sizeof(pace->request),
			 pace->echo ? "%s\r\n" : "GET %s HTTP/1.1\r\nHost: pace\r\n\r\n", what);
	pace->latencies_max = (size_t)((double)rate * seconds) + 1;
	pace->latencies_ns = calloc(pace->latencies_max, sizeof(pace->latencies_ns[0]));
	pace->epoll = epoll_create1(0);
	if (!pace->latencies_ns || pace->epoll < 0)
		die("preparing");
}

int main(int argc, char **argv)
{
	static struct pace pace;
	double seconds;
	long n;

	if (argc != 6) {
		fprintf(stderr, "usage: pace PORT[+N]|SOCKET PATH|WORD RATE SECONDS CONNECTIONS\n");
		return 2;
	}
	pace.rate = strtoull(argv[3], NULL, 10);
	seconds = strtod(argv[4], NULL);
	n = strtol(argv[5], NULL, 10);
	pace.n = n < CONNECTIONS_MAX ? n : CONNECTIONS_MAX;
	prepare(&pace, argv[2], seconds);
	connections_open(&pace, argv[1]);
	pace_run(&pace, seconds);
	report(&pace);
	free(pace.latencies_ns);
	return pace.done == pace.sent ? 0 : 1;
}
