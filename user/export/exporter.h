/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exporters: where finished spans go. Each is one descriptor; export/exporter.c holds the table and
 * picks one by the scheme of a target ("stdout", "file:PATH", "http://host:4318"). All run in the
 * pipeline's one thread on its event loop (sd-event) and never block it.
 */
#ifndef WEFT_EXPORT_EXPORTER_H
#define WEFT_EXPORT_EXPORTER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "export/credentials.h"
#include "span/span.h"

/* How weft names itself to backends (User-Agent), up to its version. */
#define EXPORT_USER_AGENT "weft/"

/* Spans are never lost silently: accepted = exported + dropped_* + queued, at any time. */
struct export_counters {
	uint64_t accepted;
	uint64_t exported;
	uint64_t queued; /* now in memory: not yet sent, or waiting for a retry */
	uint64_t dropped_queue_full;
	uint64_t dropped_rejected;    /* the backend refused them (4xx, partial success) */
	uint64_t dropped_unreachable; /* retries ended, or the time to drain did */
	uint64_t dropped_no_memory;
	uint64_t failed_requests; /* for people: each failed attempt */
};

/* OTLP settings (OpenTelemetry protocol exporter specification), and the batch processor's. */
struct export_options {
	const char *const *headers;	       /* name, value, name, value ... */
	size_t n_headers;		       /* pairs */
	uint64_t timeout_ns;		       /* OTEL_EXPORTER_OTLP_TIMEOUT: 10 s */
	bool gzip;			       /* OTEL_EXPORTER_OTLP_COMPRESSION */
	const struct credentials *credentials; /* NULL: the system's authorities, no client's */
	size_t batch_size;		       /* OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 512 spans */
	uint64_t batch_delay_ns;	       /* OTEL_BSP_SCHEDULE_DELAY: 5 s */
	size_t queue_size; /* OTEL_BSP_MAX_QUEUE_SIZE: spans kept while the backend is away */
};

struct exporter;

struct exporter_ops {
	const char *name; /* "otlp_http", "file", "stdout" */
	/*
	 * `target` as given; `fd` an open file for targets that need one (opened by
	 * exporter_prepare), else -1. An exporter that was opened owns it. Strings, headers and
	 * credentials in `options` are copied. -EINVAL: an option that cannot be sent, such as a
	 * header with a newline; -ENOTSUP: this host's libraries cannot take a credential.
	 */
	int (*open)(const char *target, int fd, const struct export_options *options,
		    sd_event *loop, struct exporter **ret_exporter);
	/* Reads the span, keeps nothing of it. Full queues are counted by the exporter itself. */
	void (*export)(struct exporter *exporter, const struct span *span);
	/* Sends what is batched now, without waiting for the delay. */
	void (*flush)(struct exporter *exporter);
	/* True when nothing is queued. */
	bool (*idle)(const struct exporter *exporter);
	/*
	 * What `from`, an exporter of the same ops, has not begun to send is sent by `to`, and
	 * counted there; `all`: what it has begun, too, which may then arrive twice. NULL: none of
	 * it can be.
	 */
	void (*hand_over)(struct exporter *from, struct exporter *to, bool all);
	/* What is still queued is counted as dropped_unreachable. Frees the exporter. */
	void (*close)(struct exporter *exporter);
};

/* Every exporter's first member. */
struct exporter {
	const struct exporter_ops *ops;
	struct export_counters counters;
	const char *last_error; /* constant or owned by the exporter; NULL: none so far */
};

/* NULL and a message that names what is wrong and what is accepted: not a target. */
const struct exporter_ops *exporter_find(const char *target, char *error, size_t error_size);

/*
 * In the watcher, before privileges go: opens the file of a file: target (appending, 0600), or
 * standard output for stdout, so that writing to it does not block; for other targets *ret_fd = -1.
 * -errno of open(2).
 */
int exporter_prepare(const char *target, int *ret_fd);

/*
 * Closes the exporter and gives its final counters, whose queued is 0: what still waited is among
 * dropped_unreachable. NULL exporter (nothing happens) and NULL ret_counters are accepted.
 */
void exporter_close(struct exporter *exporter, struct export_counters *ret_counters);

#endif
