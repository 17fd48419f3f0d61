/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans on their way out: grouped into batches of a size or an age, queued within bounds while the
 * backend is away, and counted at each step.
 *
 * A batch holds its spans encoded. An exporter may keep nothing of a span, so a copy must be made
 * anyway; the encoded form is smaller than the span, lies in one run of bytes that is used again
 * instead of in an allocation for each, and is made once however often a request is repeated. What
 * is left to do for a request is to copy these bytes behind each other. The exporter's codec says
 * what the encoding is.
 */
#ifndef WEFT_EXPORT_BATCH_H
#define WEFT_EXPORT_BATCH_H

#include <systemd/sd-event.h>

#include "export/bytes.h"
#include "export/exporter.h"

/*
 * A batch is closed before it grows beyond this, whatever its number of spans. Collectors refuse
 * requests above 20 MiB by default; OTLP caps them at 64 MiB before compression.
 */
#define BATCH_BYTES_MAX (8u << 20)
/* All batches together: a queue of the largest possible spans would be far more than anyone means.
 */
#define QUEUE_BYTES_MAX (64u << 20)

/* Both append to `out`; what is left out for want of memory shows in out->failed. */
struct batch_codec {
	void (*resource)(const struct resource *resource, struct bytes *out);
	void (*span)(const struct span *span, struct bytes *out);
};

#define BATCH_END UINT32_MAX

struct batch_item {
	uint32_t offset; /* in the batch's data */
	uint32_t len;
	uint32_t next; /* index of the group's next item, BATCH_END at the last */
};

/* The spans of one resource. */
struct batch_group {
	struct resource *resource; /* referenced: its address tells the groups apart. May be NULL */
	uint32_t offset;	   /* the encoded resource */
	uint32_t len;
	uint32_t first;
	uint32_t last;
	uint32_t n_items;
};

struct batch {
	struct batch *next;
	uint64_t opened_ns; /* CLOCK_MONOTONIC of the first span */
	struct bytes data;
	struct batch_item *items;
	size_t n_items;
	size_t items_cap;
	struct batch_group *groups;
	size_t n_groups;
	size_t groups_cap;
};

static inline struct view batch_text(const struct batch *batch, uint32_t offset, uint32_t len)
{
	return (struct view){ .data = (const char *)batch->data.data + offset, .len = len };
}

struct batch_queue {
	const struct batch_codec *codec;
	struct export_counters *counters;
	/* Called when a batch has become ready to be taken. */
	void (*ready)(void *owner);
	void *owner;
	size_t batch_size;
	size_t queue_size;
	uint64_t delay_ns;
	size_t bytes;	     /* in all batches that are not spare */
	struct batch *open;  /* being filled; NULL: none */
	struct batch *first; /* closed, oldest first */
	struct batch *last;
	struct batch *spare; /* empty ones to use again */
	unsigned int n_spare;
	sd_event_source *timer;
};

/* Zero in batch_size or queue_size: the batch processor's defaults, 512 and 2048. -errno of
 * sd-event. */
int batch_queue_init(struct batch_queue *queue, const struct export_options *options,
		     sd_event *loop);

/*
 * Counts the span as accepted, then as queued or as dropped by its reason. A full queue drops the
 * new span, as the SDKs' batch processor does: what waits is nearer to being sent.
 */
void batch_queue_add(struct batch_queue *queue, const struct span *span);

/* Closes the open batch now. Does not call ready(). */
void batch_queue_seal(struct batch_queue *queue);

/* The oldest closed batch, now the caller's until it is put back or settled; NULL: there is none.
 */
struct batch *batch_queue_take(struct batch_queue *queue);

/* For another try: it is the next to be taken. */
void batch_queue_put_back(struct batch_queue *queue, struct batch *batch);

/*
 * The same for a batch that is too large to be sent, of two spans at least: its halves are the next
 * to be taken. -ENOMEM: the batch is still the caller's.
 */
int batch_queue_split(struct batch_queue *queue, struct batch *batch);

/*
 * What is queued goes to another queue of the same codec, behind what it holds, as if it had been
 * added there, as long as that one is not full; the rest stays. Does not call ready().
 */
void batch_queue_move(struct batch_queue *from, struct batch_queue *to);

/*
 * The end of a taken batch: its first `exported` spans (at most all) count as exported, the others
 * on `dropped`, one of the queue's counters.
 */
void batch_queue_settle(struct batch_queue *queue, struct batch *batch, size_t exported,
			uint64_t *dropped);

/* Settles whatever is queued as dropped_unreachable and frees all. A half-built queue is accepted.
 */
void batch_queue_clear(struct batch_queue *queue);

#endif
