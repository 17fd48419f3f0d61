/* SPDX-License-Identifier: Apache-2.0 */
#include "export/batch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "span/resource.h"

#define BATCH_SIZE_DEFAULT 512
#define QUEUE_SIZE_DEFAULT 2048
/* Enough for one that is sent while the next is filled; more would only keep a peak's memory. */
#define SPARE_MAX 2

static struct batch *batch_free(struct batch *batch)
{
	if (!batch)
		return NULL;
	for (size_t i = 0; i < batch->n_groups; i++)
		resource_unref(batch->groups[i].resource);
	bytes_free(&batch->data);
	free(batch->items);
	free(batch->groups);
	free(batch);
	return NULL;
}

static void batch_empty(struct batch *batch)
{
	for (size_t i = 0; i < batch->n_groups; i++)
		resource_unref(batch->groups[i].resource);
	bytes_empty(&batch->data);
	batch->n_groups = 0;
	batch->n_items = 0;
}

/* The batch's group for the resource; with none yet, the one that is made. NULL: no memory. */
static struct batch_group *batch_group(struct batch *batch, const struct batch_codec *codec,
				       struct resource *resource)
{
	size_t offset = batch->data.len;
	struct batch_group *group;

	/* From the end: a busy process is likely the one that was added last. */
	for (size_t i = batch->n_groups; i > 0; i--)
		if (batch->groups[i - 1].resource == resource)
			return &batch->groups[i - 1];

	if (array_grow((void **)&batch->groups, &batch->groups_cap, batch->n_groups,
		       sizeof(*batch->groups)) < 0)
		return NULL;
	if (resource)
		codec->resource(resource, &batch->data);
	if (batch->data.failed)
		return NULL;
	group = &batch->groups[batch->n_groups++];
	*group = (struct batch_group){
		.resource = resource ? resource_ref(resource) : NULL,
		.offset = (uint32_t)offset,
		.len = (uint32_t)(batch->data.len - offset),
		.first = BATCH_END,
		.last = BATCH_END,
	};
	return group;
}

/* Makes an item of what was encoded from `offset` on. All or nothing: -ENOMEM. */
static int batch_link(struct batch *batch, const struct batch_codec *codec,
		      struct resource *resource, size_t offset)
{
	uint32_t len = (uint32_t)(batch->data.len - offset);
	struct batch_group *group = NULL;
	struct batch_item *item;

	if (!batch->data.failed && array_grow((void **)&batch->items, &batch->items_cap,
					      batch->n_items, sizeof(*batch->items)) == 0)
		group = batch_group(batch, codec, resource);
	if (!group) {
		batch->data.len = offset;
		batch->data.failed = false;
		return -ENOMEM;
	}
	item = &batch->items[batch->n_items];
	*item = (struct batch_item){ .offset = (uint32_t)offset, .len = len, .next = BATCH_END };
	if (group->last == BATCH_END)
		group->first = (uint32_t)batch->n_items;
	else
		batch->items[group->last].next = (uint32_t)batch->n_items;
	group->last = (uint32_t)batch->n_items++;
	group->n_items++;
	return 0;
}

static int batch_add(struct batch *batch, const struct batch_codec *codec, const struct span *span)
{
	size_t offset = batch->data.len;

	codec->span(span, &batch->data);
	return batch_link(batch, codec, span->resource, offset);
}

/* Copies the items from number `first` on, `n` of them, in the order in which they are sent. */
static int batch_copy(struct batch *batch, const struct batch_codec *codec,
		      const struct batch *from, size_t first, size_t n)
{
	size_t number = 0;

	for (size_t i = 0; i < from->n_groups; i++) {
		const struct batch_item *item;

		for (uint32_t at = from->groups[i].first; at != BATCH_END; at = item->next) {
			size_t offset = batch->data.len;
			int r;

			item = &from->items[at];
			if (number++ < first || number > first + n)
				continue;
			bytes_append_view(&batch->data, batch_text(from, item->offset, item->len));
			r = batch_link(batch, codec, from->groups[i].resource, offset);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static struct batch *queue_spare(struct batch_queue *queue)
{
	struct batch *batch = queue->spare;

	if (!batch)
		return calloc(1, sizeof(*batch));
	queue->spare = batch->next;
	queue->n_spare--;
	batch->next = NULL;
	return batch;
}

/* A batch that is empty or has been settled. */
static void queue_retire(struct batch_queue *queue, struct batch *batch)
{
	queue->bytes -= batch->data.len;
	if (queue->n_spare >= SPARE_MAX) {
		batch_free(batch);
		return;
	}
	batch_empty(batch);
	batch->next = queue->spare;
	queue->spare = batch;
	queue->n_spare++;
}

static int queue_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct batch_queue *queue = userdata;

	(void)source;
	(void)usec;
	batch_queue_seal(queue);
	if (queue->first)
		queue->ready(queue->owner);
	return 0;
}

int batch_queue_init(struct batch_queue *queue, const struct export_options *options,
		     sd_event *loop)
{
	uint64_t accuracy_us = options->batch_delay_ns / NS_PER_US / 10;
	int r;

	queue->batch_size = options->batch_size ? options->batch_size : BATCH_SIZE_DEFAULT;
	queue->queue_size = options->queue_size ? options->queue_size : QUEUE_SIZE_DEFAULT;
	/* A batch that cannot fill would always wait for its delay. */
	if (queue->batch_size > queue->queue_size)
		queue->batch_size = queue->queue_size;
	queue->delay_ns = options->batch_delay_ns;
	/* Accuracy 0 means sd-event's default, which is 250 ms. */
	r = sd_event_add_time_relative(loop, &queue->timer, CLOCK_MONOTONIC, 0, accuracy_us + 1,
				       queue_timer, queue);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(queue->timer, SD_EVENT_OFF);
}

/* Adds to the open batch, opening one where needed. Counts nothing. */
static int queue_place(struct batch_queue *queue, const struct span *span)
{
	size_t before;
	int r;

	if (!queue->open) {
		queue->open = queue_spare(queue);
		if (!queue->open)
			return -ENOMEM;
		queue->open->opened_ns = clock_monotonic_ns();
		sd_event_source_set_time_relative(queue->timer, queue->delay_ns / NS_PER_US);
		sd_event_source_set_enabled(queue->timer, SD_EVENT_ONESHOT);
	}
	before = queue->open->data.len;
	r = batch_add(queue->open, queue->codec, span);
	queue->bytes += queue->open->data.len - before;
	return r;
}

static bool queue_full(const struct batch_queue *queue)
{
	return queue->counters->queued >= queue->queue_size || queue->bytes >= QUEUE_BYTES_MAX;
}

void batch_queue_add(struct batch_queue *queue, const struct span *span)
{
	struct export_counters *counters = queue->counters;

	counters->accepted++;
	if (queue_full(queue)) {
		counters->dropped_queue_full++;
		return;
	}
	if (queue_place(queue, span) < 0) {
		counters->dropped_no_memory++;
		return;
	}
	counters->queued++;
	if (queue->open->n_items < queue->batch_size && queue->open->data.len < BATCH_BYTES_MAX)
		return;
	batch_queue_seal(queue);
	queue->ready(queue->owner);
}

static void queue_append(struct batch_queue *queue, struct batch *batch)
{
	if (queue->last)
		queue->last->next = batch;
	else
		queue->first = batch;
	queue->last = batch;
}

void batch_queue_seal(struct batch_queue *queue)
{
	struct batch *batch = TAKE_PTR(queue->open);

	if (queue->timer)
		sd_event_source_set_enabled(queue->timer, SD_EVENT_OFF);
	if (!batch)
		return;
	if (batch->n_items == 0)
		queue_retire(queue, batch);
	else
		queue_append(queue, batch);
}

struct batch *batch_queue_take(struct batch_queue *queue)
{
	struct batch *batch = queue->first;

	if (!batch)
		return NULL;
	queue->first = TAKE_PTR(batch->next);
	if (!queue->first)
		queue->last = NULL;
	return batch;
}

void batch_queue_put_back(struct batch_queue *queue, struct batch *batch)
{
	batch->next = queue->first;
	queue->first = batch;
	if (!queue->last)
		queue->last = batch;
}

int batch_queue_split(struct batch_queue *queue, struct batch *batch)
{
	struct batch *halves[2] = { queue_spare(queue), queue_spare(queue) };
	size_t n = batch->n_items, middle = (n + 1) / 2;
	int r = halves[0] && halves[1] ? 0 : -ENOMEM;

	if (r == 0)
		r = batch_copy(halves[0], queue->codec, batch, 0, middle);
	if (r == 0)
		r = batch_copy(halves[1], queue->codec, batch, middle, n - middle);
	if (r < 0) {
		batch_free(halves[0]);
		batch_free(halves[1]);
		return r;
	}
	for (size_t i = 2; i-- > 0;) {
		halves[i]->opened_ns = batch->opened_ns;
		queue->bytes += halves[i]->data.len;
		batch_queue_put_back(queue, halves[i]);
	}
	queue_retire(queue, batch);
	return 0;
}

void batch_queue_move(struct batch_queue *from, struct batch_queue *to)
{
	batch_queue_seal(from);
	while (!queue_full(to)) {
		struct batch *batch = batch_queue_take(from);

		if (!batch)
			return;
		from->bytes -= batch->data.len;
		from->counters->accepted -= batch->n_items;
		from->counters->queued -= batch->n_items;
		to->bytes += batch->data.len;
		to->counters->accepted += batch->n_items;
		to->counters->queued += batch->n_items;
		queue_append(to, batch);
	}
}

void batch_queue_settle(struct batch_queue *queue, struct batch *batch, size_t exported,
			uint64_t *dropped)
{
	size_t n = batch->n_items;

	if (exported > n)
		exported = n;
	queue->counters->queued -= n;
	queue->counters->exported += exported;
	*dropped += n - exported;
	queue_retire(queue, batch);
}

void batch_queue_clear(struct batch_queue *queue)
{
	struct batch *batch;

	batch_queue_seal(queue);
	while ((batch = batch_queue_take(queue)))
		batch_queue_settle(queue, batch, 0, &queue->counters->dropped_unreachable);
	while ((batch = queue->spare)) {
		queue->spare = batch->next;
		batch_free(batch);
	}
	queue->n_spare = 0;
	queue->timer = sd_event_source_disable_unref(queue->timer);
}
