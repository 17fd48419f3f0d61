/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live spans on standard output, one readable line each, at once.
 *
 * Whoever reads may stop reading: the event loop must not wait for them. O_NONBLOCK cannot be set,
 * because the open file is shared with the shell and its other programs; so a line is written only
 * when poll() says that there is room, and on terminals and pipes to an open file of our own, which
 * can be non-blocking (a terminal that has room for half a line would block all the same). What
 * does not fit is dropped and counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/line.h"
#include "export/ops.h"

_Static_assert(LINE_MAX_LEN <= PIPE_BUF, "a pipe takes a line whole");

struct stdout_exporter {
	struct exporter exporter;
	sd_event_source *writable; /* NULL: a regular file, which is always writable */
	int fd;
	bool colour;
	size_t len; /* of what is left of a line that was written in part */
	char rest[LINE_MAX_LEN];
	char error[128];
};

int stdout_prepare(int fd)
{
	char path[32];
	struct stat stat;
	int own = -1;

	if (fstat(fd, &stat) < 0)
		return -errno;
	/*
	 * A regular file must not be opened again: it would be written from its start. Terminals
	 * and pipes often belong to another user than the one that the pipeline runs as: then a
	 * copy has to do, unless this runs before the privileges go.
	 */
	if (S_ISCHR(stat.st_mode) || S_ISFIFO(stat.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (own < 0)
		own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return own < 0 ? -errno : own;
}

static bool output_ready(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	/* Also when it was hung up: then write() names the error. */
	return poll(&poll_fd, 1, 0) > 0;
}

static ssize_t output_write(int fd, const char *text, size_t len)
{
	if (!output_ready(fd)) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, text, len);
}

static void watch(struct stdout_exporter *out, bool on)
{
	if (out->writable)
		sd_event_source_set_enabled(out->writable, on ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void output_failed(struct stdout_exporter *out, int error)
{
	snprintf(out->error, sizeof(out->error),
		 "standard output: %s: spans are not shown; nothing else is affected",
		 strerror(error));
	out->exporter.last_error = out->error;
	out->exporter.counters.failed_requests++;
}

/* Writes what is left of a line. True: nothing is left. */
static bool rest_written(struct stdout_exporter *out)
{
	struct export_counters *counters = &out->exporter.counters;
	ssize_t n;

	if (out->len == 0)
		return true;
	n = output_write(out->fd, out->rest, out->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		output_failed(out, errno);
		counters->dropped_unreachable++;
		out->len = 0;
	} else {
		out->len -= (size_t)n;
		memmove(out->rest, out->rest + n, out->len);
		if (out->len > 0)
			return false;
		counters->exported++;
	}
	counters->queued--;
	watch(out, false);
	return true;
}

static int stdout_writable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	rest_written(userdata);
	return 0;
}

static void stdout_export(struct exporter *exporter, const struct span *span)
{
	struct stdout_exporter *out = (struct stdout_exporter *)exporter;
	char text[LINE_MAX_LEN];
	struct line line;
	size_t len;
	ssize_t n;

	exporter->counters.accepted++;
	if (!rest_written(out)) {
		exporter->counters.dropped_queue_full++;
		return;
	}
	line_of_span(span, &line);
	len = line_format(&line, out->colour, text);
	n = output_write(out->fd, text, len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		exporter->counters.dropped_queue_full++;
	} else if (n < 0) {
		output_failed(out, errno);
		exporter->counters.dropped_unreachable++;
	} else if ((size_t)n == len) {
		exporter->counters.exported++;
	} else {
		out->len = len - (size_t)n;
		memcpy(out->rest, text + n, out->len);
		exporter->counters.queued++;
		watch(out, true);
	}
}

static void stdout_flush(struct exporter *exporter)
{
	rest_written((struct stdout_exporter *)exporter);
}

static bool stdout_idle(const struct exporter *exporter)
{
	return exporter->counters.queued == 0;
}

static void stdout_close(struct exporter *exporter)
{
	struct stdout_exporter *out = (struct stdout_exporter *)exporter;

	sd_event_source_disable_unref(out->writable);
	cleanup_close(&out->fd);
	free(out);
}

/* `fd` is from stdout_prepare(); -1: there was no occasion to call it. */
static int stdout_open(const char *target, int fd, const struct export_options *options,
		       sd_event *loop, struct exporter **ret_exporter)
{
	_cleanup_free_ struct stdout_exporter *out = calloc(1, sizeof(*out));
	_cleanup_close_ int own = fd >= 0 ? -1 : stdout_prepare(STDOUT_FILENO);
	int r;

	(void)target;
	(void)options;
	if (!out)
		return -ENOMEM;
	out->exporter.ops = &stdout_ops;
	out->fd = fd >= 0 ? fd : own;
	if (out->fd < 0)
		return out->fd;
	out->colour = line_colour(out->fd);
	tzset();
	/* -EPERM: a regular file cannot be waited for. */
	r = sd_event_add_io(loop, &out->writable, out->fd, POLLOUT, stdout_writable, out);
	if (r >= 0)
		r = sd_event_source_set_enabled(out->writable, SD_EVENT_OFF);
	if (r < 0 && r != -EPERM) {
		sd_event_source_disable_unref(out->writable);
		return r;
	}
	(void)TAKE_FD(own);
	*ret_exporter = &TAKE_PTR(out)->exporter;
	return 0;
}

const struct exporter_ops stdout_ops = {
	.name = "stdout",
	.open = stdout_open,
	.export = stdout_export,
	.flush = stdout_flush,
	.idle = stdout_idle,
	.close = stdout_close,
};
