/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans to a file as OTLP JSON, one ExportTraceServiceRequest a line (OpenTelemetry protocol file
 * exporter specification).
 *
 * A batch is one line. When the disk takes only a part of it, the rest goes before anything else,
 * so a line is never cut by another; when the disk takes nothing of it, the batch is dropped and
 * counted: a full disk stays full for longer than a queue lasts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/batch.h"
#include "export/ops.h"
#include "export/otlp_json.h"

/* Until the rest of a line is tried again, or a FIFO that is full. */
#define RETRY_US 250000

struct file_exporter {
	struct exporter exporter;
	struct batch_queue queue;
	struct batch *batch; /* whose line is being written; NULL: none */
	struct bytes line;
	size_t written;
	bool torn; /* the file ends in half a line of somebody else's */
	sd_event_source *retry;
	int fd;
	char *path;
	char error[512];
};

static const char *advice(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return "make room on its file system";
	case EFBIG:
		return "raise the limit on file sizes, or move the file away and restart";
	default:
		return "check the file system that it is on";
	}
}

static void file_failed(struct file_exporter *file, int error)
{
	snprintf(file->error, sizeof(file->error), "writing spans to '%.256s': %s; %s", file->path,
		 strerror(error), advice(error));
	file->exporter.last_error = file->error;
	file->exporter.counters.failed_requests++;
}

/* The batch in hand has come to its end. */
static void file_settle(struct file_exporter *file, size_t exported, uint64_t *dropped)
{
	batch_queue_settle(&file->queue, TAKE_PTR(file->batch), exported, dropped);
	file->written = 0;
}

static void file_retry_later(struct file_exporter *file)
{
	sd_event_source_set_time_relative(file->retry, RETRY_US);
	sd_event_source_set_enabled(file->retry, SD_EVENT_ONESHOT);
}

/* Of the line in hand what the disk takes: write(2). */
static ssize_t file_write(struct file_exporter *file)
{
	if (file->torn) {
		if (write(file->fd, "\n", 1) != 1)
			return -1;
		file->torn = false;
	}
	return write(file->fd, file->line.data + file->written, file->line.len - file->written);
}

/* Writes the line in hand as far as it goes. True: it is settled. False: its rest has to wait. */
static bool file_write_line(struct file_exporter *file)
{
	struct export_counters *counters = &file->exporter.counters;

	while (file->written < file->line.len) {
		ssize_t n = file_write(file);

		if (n >= 0) {
			file->written += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			file_failed(file, errno);
		if (errno == EAGAIN || file->written > 0) {
			file_retry_later(file);
			return false;
		}
		file_settle(file, 0, &counters->dropped_rejected);
		return true;
	}
	file_settle(file, SIZE_MAX, &counters->exported);
	return true;
}

/*
 * The batch in hand as it lies in memory, without a line made of it. False: that needs to be made,
 * for the disk has taken only some of it, or nothing.
 */
static bool file_write_at_once(struct file_exporter *file)
{
	struct otlp_json_parts parts;
	ssize_t n;

	if (file->torn || otlp_json_gather(file->batch, &parts) < 0)
		return false;
	n = writev(file->fd, parts.list, (int)parts.n);
	if (n == (ssize_t)parts.size) {
		file_settle(file, SIZE_MAX, &file->exporter.counters.exported);
		return true;
	}
	file->written = n > 0 ? (size_t)n : 0;
	return false;
}

/* Next batch in hand, its line made. False: there is none. */
static bool file_next_line(struct file_exporter *file)
{
	while ((file->batch = batch_queue_take(&file->queue))) {
		if (file_write_at_once(file))
			continue;
		if (otlp_json_line(file->batch, &file->line) == 0)
			return true;
		file->torn |= file->written > 0;
		file_settle(file, 0, &file->exporter.counters.dropped_no_memory);
	}
	return false;
}

static void file_pump(void *userdata)
{
	struct file_exporter *file = userdata;

	while (file->batch || file_next_line(file))
		if (!file_write_line(file))
			return;
}

static int file_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	file_pump(userdata);
	return 0;
}

/* Spans that come while a line waits only queue up: the timer decides when it is tried again. */
static void file_ready(void *owner)
{
	struct file_exporter *file = owner;

	if (!file->batch)
		file_pump(file);
}

static void file_export(struct exporter *exporter, const struct span *span)
{
	batch_queue_add(&((struct file_exporter *)exporter)->queue, span);
}

static void file_flush(struct exporter *exporter)
{
	struct file_exporter *file = (struct file_exporter *)exporter;

	batch_queue_seal(&file->queue);
	file_pump(file);
}

static bool file_idle(const struct exporter *exporter)
{
	return exporter->counters.queued == 0;
}

/* Of a line that is written in part the rest stays: nobody else can write it. */
static void file_hand_over(struct exporter *from, struct exporter *to, bool all)
{
	struct file_exporter *old = (struct file_exporter *)from;

	(void)all;
	if (old->batch && old->written == 0)
		batch_queue_put_back(&old->queue, TAKE_PTR(old->batch));
	batch_queue_move(&old->queue, &((struct file_exporter *)to)->queue);
	file_ready(to);
}

static void file_close(struct exporter *exporter)
{
	struct file_exporter *file = (struct file_exporter *)exporter;

	if (file->batch)
		file_settle(file, 0, &exporter->counters.dropped_unreachable);
	batch_queue_clear(&file->queue);
	sd_event_source_disable_unref(file->retry);
	bytes_free(&file->line);
	cleanup_close(&file->fd);
	free(file->path);
	free(file);
}

/*
 * A weft that was killed may have left half a line: what follows must not be torn with it. The disk
 * may be full now, so the line's end is written when there is something to write.
 */
static bool is_torn(int fd)
{
	struct stat status;
	char last = '\n';

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
	       pread(fd, &last, 1, status.st_size - 1) == 1 && last != '\n';
}

static int file_open(const char *target, int fd, const struct export_options *options,
		     sd_event *loop, struct exporter **ret_exporter)
{
	struct file_exporter *file;
	int r;

	if (fd < 0)
		return -EBADF;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->exporter.ops = &file_ops;
	file->fd = -1; /* the caller's until nothing can fail */
	file->queue = (struct batch_queue){
		.codec = &otlp_json_codec,
		.counters = &file->exporter.counters,
		.ready = file_ready,
		.owner = file,
	};
	file->path = strdup(target + strlen(FILE_SCHEME));
	file->torn = is_torn(fd);
	r = file->path ? 0 : -ENOMEM;
	if (r >= 0)
		r = batch_queue_init(&file->queue, options, loop);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &file->retry, CLOCK_MONOTONIC, 0, 0,
					       file_retry, file);
	if (r >= 0)
		r = sd_event_source_set_enabled(file->retry, SD_EVENT_OFF);
	if (r < 0) {
		file_close(&file->exporter);
		return r;
	}
	file->fd = fd;
	*ret_exporter = &file->exporter;
	return 0;
}

const struct exporter_ops file_ops = {
	.name = "file",
	.open = file_open,
	.export = file_export,
	.flush = file_flush,
	.idle = file_idle,
	.hand_over = file_hand_over,
	.close = file_close,
};
