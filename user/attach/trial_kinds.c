/* SPDX-License-Identifier: Apache-2.0 */
/* The table of checks, and those of them that move little. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include "attach/trial.h"
#include "base/cleanup.h"

#define OTHER_BYTES 20000

static int check_headers(struct trial *trial)
{
	int r = trial_exchange(trial);

	if (r == 0)
		r = trial_exchange(trial);
	return r < 0 ? r : trial_part(trial);
}

/* Receives, in two calls, what there is: the answer, or as many bytes of the pattern. */
static int take_counted(struct trial *trial, int (*take)(struct trial *trial, size_t at, size_t n))
{
	int r;

	trial_note_unread(trial, "unread bytes");
	r = take(trial, 0, 50);
	if (r < 0)
		return r;
	trial_note_unread(trial, "unread bytes when some are read");
	r = take(trial, 50, ANSWER_BYTES - 50);
	trial_note_unread(trial, "unread bytes when all are read");
	return r;
}

static int take_greeting(struct trial *trial, size_t at, size_t n)
{
	return trial_take(trial, trial->pair.client, at, n);
}

static int check_unread(struct trial *trial)
{
	int r = trial_ask(trial);

	trial_note_unread(trial, "unread bytes before an answer");
	if (r == 0)
		r = trial_answer(trial);
	if (r == 0)
		r = take_counted(trial, trial_take_answer);
	return r < 0 ? r : trial_part(trial);
}

/* Protocols where the server speaks first. */
static int check_greeting(struct trial *trial)
{
	int r = trial_send(trial, trial->pair.server, ANSWER_BYTES);

	if (r == 0)
		r = take_counted(trial, take_greeting);
	return r < 0 ? r : check_unread(trial);
}

static int check_peek(struct trial *trial)
{
	const struct bench *bench = trial->bench;
	int r = trial_ask(trial);
	ssize_t n;

	if (r == 0)
		r = trial_answer(trial);
	if (r < 0)
		return r;
	n = recv(trial->pair.client, bench->room, PATTERN_RUN, MSG_PEEK);
	trial_note(trial, "bytes that MSG_PEEK shows", n < 0 ? -errno : n);
	if (n > 0 && memcmp(bench->room, bench->answer, (size_t)n) != 0)
		return trial_fail_errno(trial, -EBADMSG, "MSG_PEEK");
	r = trial_take_answer(trial, 0, ANSWER_BYTES);
	n = recv(trial->pair.client, bench->room, PATTERN_RUN, MSG_PEEK);
	trial_note(trial, "bytes that MSG_PEEK shows when all is read", n < 0 ? -errno : n);
	return r < 0 ? r : trial_part(trial);
}

static void note_poll(struct trial *trial, const char *what)
{
	trial_note(trial, what,
		   pair_look(trial->pair.client, POLLIN | POLLOUT | POLLPRI | POLLRDHUP));
}

static void note_epoll(struct trial *trial, const char *what, int epoll)
{
	struct epoll_event event = {};
	int n = epoll_wait(epoll, &event, 1, 0);

	trial_note(trial, what, n < 0 ? -errno : n ? (long long)event.events : 0);
}

/* An epoll instance that watches the client for bytes. -errno. */
static int epoll_on(struct trial *trial, uint32_t flags)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | flags };
	_cleanup_close_ int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, trial->pair.client, &event) < 0)
		return trial_fail_broken(trial, -errno, "epoll");
	return TAKE_FD(fd);
}

static int check_poll(struct trial *trial)
{
	_cleanup_close_ int level = epoll_on(trial, 0), edge = epoll_on(trial, EPOLLET);
	int r = level < 0 ? level : edge < 0 ? edge : trial_ask(trial);

	if (r < 0)
		return r;
	note_poll(trial, "poll before an answer");
	note_epoll(trial, "epoll before an answer", level);
	note_epoll(trial, "edge before an answer", edge);
	r = trial_answer(trial);
	if (r < 0)
		return r;
	note_poll(trial, "poll with an answer unread");
	note_epoll(trial, "epoll with an answer unread", level);
	note_epoll(trial, "edge when an answer has come", edge);
	note_epoll(trial, "edge when it was told", edge);
	r = trial_take_answer(trial, 0, ANSWER_BYTES);
	note_poll(trial, "poll when all is read");
	note_epoll(trial, "epoll when all is read", level);
	return r < 0 ? r : trial_part(trial);
}

/* The client has said all; what the server says after that still comes. */
static int check_client_done(struct trial *trial)
{
	const struct pair *pair = &trial->pair;
	int r = trial_ask(trial);

	if (r < 0)
		return r;
	shutdown(pair->client, SHUT_WR);
	r = pair_receive_end(pair, pair->server);
	if (r < 0)
		return trial_fail_errno(trial, r, "the end of what the client has sent");
	note_poll(trial, "poll when the client has said all");
	r = trial_answer(trial);
	if (r == 0)
		r = trial_take_answer(trial, 0, ANSWER_BYTES);
	return r < 0 ? r : trial_part(trial);
}

/* The server has said all, and hears what the client says after that. */
static int check_server_done(struct trial *trial)
{
	const struct pair *pair = &trial->pair;
	int r = trial_ask(trial);

	if (r == 0)
		r = trial_answer(trial);
	if (r < 0)
		return r;
	shutdown(pair->server, SHUT_WR);
	r = pair_wait(pair, pair->client, POLLRDHUP);
	if (r < 0)
		return trial_fail_errno(trial, r, "POLLRDHUP");
	note_poll(trial, "poll when the server has said all");
	r = trial_take_answer(trial, 0, ANSWER_BYTES);
	if (r < 0)
		return r;
	note_poll(trial, "poll when it is read");
	trial_note_unread(trial, "unread bytes at the end");
	trial_note(trial, "bytes behind the end",
		   recv(pair->client, trial->bench->room, PATTERN_RUN, 0) < 0 ? -errno : 0);
	r = trial_send(trial, pair->client, ANSWER_BYTES);
	if (r == 0)
		r = trial_take(trial, pair->server, 0, ANSWER_BYTES);
	return r < 0 ? r : trial_part(trial);
}

/* What one call receives, as a number: up to seven bytes, and how many they are. */
static void note_call(struct trial *trial, const char *what, int fd, int flags)
{
	unsigned char bytes[7];
	ssize_t n = recv(fd, bytes, sizeof(bytes), flags);
	long long value = n;

	for (ssize_t i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	trial_note(trial, what, n < 0 ? -errno : value);
}

static void note_mark(struct trial *trial, const char *what, int fd)
{
	int at = 0;

	trial_note(trial, what, ioctl(fd, SIOCATMARK, &at) < 0 ? -errno : at);
}

/* An urgent byte among others, received in line with them or not. */
static int urgent_byte(struct trial *trial, int from, int to, int in_line)
{
	struct pair *pair = &trial->pair;
	int r;

	if (setsockopt(to, SOL_SOCKET, SO_OOBINLINE, &in_line, sizeof(in_line)) < 0)
		return trial_fail_broken(trial, -errno, "SO_OOBINLINE");
	r = pair_send(pair, from, "abc", 3, 0);
	if (r == 0)
		r = pair_send(pair, from, "!", 1, MSG_OOB);
	if (r == 0)
		r = pair_send(pair, from, "def", 3, 0);
	if (r == 0)
		r = pair_arrive(pair, to);
	if (r < 0)
		return trial_fail_errno(trial, r, "an urgent byte");
	trial_note(trial, "poll with an urgent byte", pair_look(to, POLLIN | POLLPRI));
	note_mark(trial, "mark before the urgent byte", to);
	note_call(trial, "what is read before the mark", to, 0);
	note_mark(trial, "mark at the urgent byte", to);
	note_call(trial, "the urgent byte", to, MSG_OOB);
	note_call(trial, "what is read at the mark", to, 0);
	note_call(trial, "what is read behind the mark", to, 0);
	trial_note(trial, "poll when all is read", pair_look(to, POLLIN | POLLPRI));
	return 0;
}

static int check_urgent(struct trial *trial)
{
	const struct pair *pair = &trial->pair;
	int r = trial_ask(trial);

	for (int in_line = 0; r == 0 && in_line < 2; in_line++) {
		r = urgent_byte(trial, pair->server, pair->client, in_line);
		if (r == 0)
			r = urgent_byte(trial, pair->client, pair->server, in_line);
	}
	return r < 0 ? r : trial_part(trial);
}

/* Bytes that are no request, first thing on a connection. */
static int check_other(struct trial *trial)
{
	const struct pair *pair = &trial->pair;
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++) {
		r = trial_send(trial, pair->client, OTHER_BYTES);
		if (r == 0)
			r = trial_take(trial, pair->server, 0, OTHER_BYTES);
		if (r == 0)
			r = trial_answer(trial);
		if (r == 0)
			r = take_counted(trial, trial_take_answer);
	}
	return r < 0 ? r : trial_part(trial);
}

static int check_pieces(struct trial *trial)
{
	int r = trial_exchange(trial);

	if (r == 0)
		r = trial_exchange_in_pieces(trial);
	return r < 0 ? r : trial_part(trial);
}

/* Everything by which one family's sockets differ from the other's in what was broken before. */
static int check_family(struct trial *trial)
{
	int r = trial_exchange(trial);

	return r < 0 ? r : check_unread(trial);
}

#define EVERY(n) ((1u << (n)) - 1)

const struct trial_kind trial_kinds[] = {
	{ "a header in requests",
	  check_headers,
	  0,
	  { [WIRE_FULL] = EVERY(2), [WIRE_EARLY_LEAVE] = 1 } },
	{ "FIONREAD", check_unread, 0, { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
	{ "a header in frames",
	  check_frames,
	  0,
	  { [WIRE_FULL] = EVERY(3), [WIRE_EARLY_LEAVE] = EVERY(2) } },
	{ "the server speaks first",
	  check_greeting,
	  0,
	  { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 0 } },
	{ "MSG_PEEK", check_peek, 0, { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
	{ "poll, epoll", check_poll, 0, { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
	{ "the client has said all",
	  check_client_done,
	  0,
	  { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
	{ "the server has said all",
	  check_server_done,
	  0,
	  { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
	{ "urgent data", check_urgent, 0, { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
	{ "bytes that are no request", check_other, 0, {} },
	{ "a head in two messages", check_pieces, 0, { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
	{ "IPv6", check_family, TRIAL_F_IPV6, { [WIRE_FULL] = EVERY(2), [WIRE_EARLY_LEAVE] = 1 } },
	/* heads out of files and pipes are left alone */
	{ "sendfile, splice", check_splice, 0, {} },
	{ "4 MiB both ways",
	  check_bulk,
	  TRIAL_F_HEAVY | TRIAL_F_ALONE,
	  { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
	{ "leaving while data flows",
	  check_leaving,
	  TRIAL_F_HEAVY | TRIAL_F_ALONE,
	  { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
	{ "TCP option",
	  check_option,
	  TRIAL_F_HEAVY | TRIAL_F_ALONE | TRIAL_F_OPTION,
	  { [WIRE_FULL] = 1, [WIRE_EARLY_LEAVE] = 1 } },
};

const size_t n_trial_kinds = sizeof(trial_kinds) / sizeof(trial_kinds[0]);
