/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that move much, or move it by other calls than send and recv. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "attach/trial.h"
#include "attach/trial_messages.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define SPLICE_BYTES 100000
#define BULK_BYTES   (4u << 20)
#define OPTION_BYTES (256u << 10)
#define TURN_SENDS   4 /* before the other direction has its turn */

#define UPLOAD_LEN (sizeof(MESSAGE_UPLOAD_HEAD) - 1)

/* --- by sendfile and splice --- */

/* A file in memory with these bytes. -errno. */
static int file_with(struct trial *trial, const void *data, size_t len)
{
	_cleanup_close_ int fd = memfd_create("weft-self-test", MFD_CLOEXEC);

	if (fd < 0)
		return trial_fail_broken(trial, -errno, "a file in memory");
	if (pwrite(fd, data, len, 0) != (ssize_t)len)
		return trial_fail_broken(trial, -ENOSPC, "a file in memory");
	return TAKE_FD(fd);
}

/* Is the file what it was? Nothing may write into its pages. */
static int file_unchanged(struct trial *trial, int fd, const void *data, size_t len)
{
	size_t got = 0;

	while (got < len) {
		size_t n = len - got < PATTERN_RUN ? len - got : PATTERN_RUN;

		if (pread(fd, trial->bench->room, n, (off_t)got) != (ssize_t)n ||
		    memcmp(trial->bench->room, (const char *)data + got, n) != 0)
			return trial_fail(trial, -EBADMSG, "a file has changed that was sent");
		got += n;
	}
	return 0;
}

/* What a call like sendfile(2) has made of a whole request. */
static int sent_whole(struct trial *trial, ssize_t n, const char *what)
{
	if (n != (ssize_t)trial_request_len)
		return trial_fail_errno(trial, n < 0 ? -errno : -EIO, what);
	pair_sent(&trial->pair, trial->pair.client, trial_request_len);
	return trial_hear_first(trial, trial_request, trial_request_len);
}

/* A request that comes out of a file. */
static int ask_by_sendfile(struct trial *trial)
{
	_cleanup_close_ int file = file_with(trial, trial_request, trial_request_len);
	off_t at = 0;
	int r;

	if (file < 0)
		return file;
	r = sent_whole(trial, sendfile(trial->pair.client, file, &at, trial_request_len),
		       "sendfile of a request");
	return r < 0 ? r : file_unchanged(trial, file, trial_request, trial_request_len);
}

/* A request that comes out of a pipe. */
static int ask_by_splice(struct trial *trial, const int *pipes)
{
	if (write(pipes[1], trial_request, trial_request_len) != (ssize_t)trial_request_len)
		return trial_fail_broken(trial, -EIO, "writing to a pipe");
	return sent_whole(trial,
			  splice(pipes[0], NULL, trial->pair.client, NULL, trial_request_len,
				 SPLICE_F_NONBLOCK),
			  "splice of a request");
}

/* The answer, which is there, goes into a pipe. */
static int take_by_splice(struct trial *trial, const int *pipes)
{
	size_t got = 0;

	while (got < ANSWER_BYTES) {
		ssize_t n = splice(trial->pair.client, NULL, pipes[1], NULL, ANSWER_BYTES - got,
				   SPLICE_F_NONBLOCK);

		if (n <= 0)
			return trial_fail(trial, -EIO, "splice of an answer: %s",
					  n ? strerror(errno) : "nothing is there");
		got += (size_t)n;
	}
	if (read(pipes[0], trial->bench->room, ANSWER_BYTES) != ANSWER_BYTES ||
	    memcmp(trial->bench->room, trial->bench->answer, ANSWER_BYTES) != 0)
		return trial_fail_errno(trial, -EBADMSG, "splice of an answer");
	return 0;
}

/* More than a page of a file. */
static int upload_file(struct trial *trial)
{
	const char *pattern = trial->bench->pattern;
	_cleanup_close_ int file = file_with(trial, pattern, SPLICE_BYTES);
	const struct pair *pair = &trial->pair;
	size_t got = 0;
	off_t at = 0;

	if (file < 0)
		return file;
	while (got < SPLICE_BYTES) {
		ssize_t n = sendfile(pair->client, file, &at, SPLICE_BYTES - (size_t)at);
		int r = n < 0 && errno != EAGAIN ? -errno : pair_wait(pair, pair->server, POLLIN);

		if (r < 0)
			return trial_fail_errno(trial, r, "sendfile");
		n = recv(pair->server, trial->bench->room, PATTERN_RUN, 0);
		if (n <= 0 || memcmp(trial->bench->room, pattern + got, (size_t)n) != 0)
			return trial_fail_errno(trial, -EBADMSG, "sendfile");
		got += (size_t)n;
	}
	return file_unchanged(trial, file, pattern, SPLICE_BYTES);
}

static int splice_both_ways(struct trial *trial, const int *pipes)
{
	int r = ask_by_sendfile(trial);

	if (r == 0)
		r = trial_answer(trial);
	if (r == 0)
		r = take_by_splice(trial, pipes);
	if (r == 0)
		r = ask_by_splice(trial, pipes);
	if (r == 0)
		r = trial_answer(trial);
	if (r == 0)
		r = trial_take_answer(trial, 0, ANSWER_BYTES);
	if (r == 0)
		r = upload_file(trial);
	return r < 0 ? r : trial_part(trial);
}

int check_splice(struct trial *trial)
{
	int pipes[2], r;

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
		return trial_fail_broken(trial, -errno, "a pipe");
	r = splice_both_ways(trial, pipes);
	close(pipes[0]);
	close(pipes[1]);
	return r;
}

/* --- much, both ways at a time --- */
/* A stream of the pattern, over and over. */
struct flow {
	int from, to;
	size_t total, sent, got;
};

/* Sends what the socket takes, a few times. Gives the bytes, -errno. */
static int flow_send(const struct trial *trial, struct flow *flow)
{
	size_t before = flow->sent;

	for (int i = 0; i < TURN_SENDS && flow->sent < flow->total; i++) {
		size_t left = flow->total - flow->sent;
		ssize_t n = send(flow->from, trial->bench->pattern + flow->sent % PATTERN_PERIOD,
				 left < PATTERN_RUN ? left : PATTERN_RUN, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			break;
		flow->sent += (size_t)n;
	}
	return (int)(flow->sent - before);
}

/* Receives what is there. Gives the bytes, -errno. */
static int flow_take(const struct trial *trial, struct flow *flow)
{
	const struct bench *bench = trial->bench;
	size_t before = flow->got;

	while (flow->got < flow->total) {
		size_t left = flow->total - flow->got;
		ssize_t n = recv(flow->to, bench->room, left < PATTERN_RUN ? left : PATTERN_RUN, 0);

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			break;
		if (memcmp(bench->room, bench->pattern + flow->got % PATTERN_PERIOD, (size_t)n) !=
		    0)
			return -EBADMSG;
		flow->got += (size_t)n;
	}
	return (int)(flow->got - before);
}

/* Sends and receives once in both directions. Gives the bytes that were moved, -errno. */
static int flows_turn(const struct trial *trial, struct flow flows[2])
{
	int moved = 0;

	for (int i = 0; i < 2; i++) {
		int sent = flow_send(trial, &flows[i]);
		int got = sent < 0 ? 0 : flow_take(trial, &flows[i]);

		if (sent < 0 || got < 0)
			return sent < 0 ? sent : got;
		moved += sent + got;
	}
	return moved;
}

/* Until one of the flows can go on. -ETIME. */
static int flows_wait(const struct trial *trial, const struct flow flows[2])
{
	struct pollfd ends[4];
	uint64_t now = clock_monotonic_ns();

	for (int i = 0; i < 2; i++) {
		const struct flow *flow = &flows[i];

		ends[2 * i] = (struct pollfd){ .fd = flow->sent < flow->total ? flow->from : -1,
					       .events = POLLOUT };
		ends[2 * i + 1] = (struct pollfd){ .fd = flow->got < flow->total ? flow->to : -1,
						   .events = POLLIN };
	}
	if (now >= trial->pair.deadline_ns)
		return -ETIME;
	poll(ends, 4, (int)((trial->pair.deadline_ns - now) / NS_PER_MS) + 1);
	return 0;
}

/* Both at a time, until the first one has received `until` bytes of its own, or both are done. */
static int flows_run(struct trial *trial, struct flow flows[2], size_t until)
{
	while (flows[0].got < until || (until == flows[0].total && flows[1].got < flows[1].total)) {
		int r = flows_turn(trial, flows);

		if (r == 0)
			r = flows_wait(trial, flows);
		if (r < 0)
			return trial_fail_errno(trial, r, "bytes both ways");
	}
	return 0;
}

static void flows_init(const struct trial *trial, struct flow flows[2], size_t total)
{
	const struct pair *pair = &trial->pair;

	flows[0] = (struct flow){ .from = pair->client, .to = pair->server, .total = total };
	flows[1] = (struct flow){ .from = pair->server, .to = pair->client, .total = total };
}

static int flow_both_ways(struct trial *trial, size_t total)
{
	struct flow flows[2];

	flows_init(trial, flows, total);
	return flows_run(trial, flows, total);
}

int check_bulk(struct trial *trial)
{
	int r = trial_exchange(trial);

	if (r == 0)
		r = flow_both_ways(trial, BULK_BYTES);
	return r < 0 ? r : trial_part(trial);
}

/* A head and the beginning of its body in one message. Gives the body's bytes, -errno. */
static int send_upload(struct trial *trial)
{
	const struct iovec parts[] = {
		{ .iov_base = (void *)MESSAGE_UPLOAD_HEAD, .iov_len = UPLOAD_LEN },
		{ .iov_base = trial->bench->pattern, .iov_len = PATTERN_RUN },
	};
	ssize_t n = writev(trial->pair.client, parts, 2);
	int r;

	if (n < (ssize_t)UPLOAD_LEN)
		return trial_fail_errno(trial, n < 0 ? -errno : -EIO,
					"sending a request with its body");
	r = trial_hear_first(trial, MESSAGE_UPLOAD_HEAD, UPLOAD_LEN);
	return r < 0 ? r : (int)(n - (ssize_t)UPLOAD_LEN);
}

/*
 * The socket leaves while its own request is under way, or, if it is to stay, is taken out in the
 * middle of it, as it happens when weft ends.
 */
int check_leaving(struct trial *trial)
{
	const struct selftest_kernel *kernel = &trial->bench->options->kernel;
	struct flow flows[2];
	int r = send_upload(trial);

	if (r < 0)
		return r;
	flows_init(trial, flows, MESSAGE_UPLOAD_BODY);
	flows[0].sent = (size_t)r;
	r = flows_run(trial, flows, MESSAGE_UPLOAD_BODY / 2);
	if (r == 0 && trial->mode == WIRE_FULL && kernel->remove(kernel->context, trial->cookie))
		return trial_fail(trial, -EBUSY, "the socket cannot be made to leave");
	if (r == 0)
		r = flows_run(trial, flows, MESSAGE_UPLOAD_BODY);
	if (r == 0 && kernel->enrolled(kernel->context, trial->cookie))
		return trial_fail(trial, -EBUSY, "the socket has not left");
	return r < 0 ? r : trial_part(trial);
}

/*
 * A request that gets no header, for its head is not all in one message, brings its context in the
 * option; and no byte of the connection suffers from it.
 */
int check_option(struct trial *trial)
{
	const struct selftest_kernel *kernel = &trial->bench->options->kernel;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	int r = trial_exchange(trial);

	if (r == 0)
		r = trial_exchange_in_pieces(trial);
	if (r < 0)
		return r;
	if (getsockopt(trial->pair.server, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
		return trial_fail_broken(trial, -errno, "SO_COOKIE");
	if (!kernel->option_came(kernel->context, cookie))
		return trial_fail(trial, -ENOMSG, "no option came with a request");
	r = flow_both_ways(trial, OPTION_BYTES);
	return r < 0 ? r : trial_part(trial);
}
