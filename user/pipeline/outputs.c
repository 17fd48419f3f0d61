/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/outputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define TURN_US	      50000
#define TURN_ACCURACY 10000
/* So long an exporter of before has for what it has begun to send. */
#define TURNS_MAX (3000000 / TURN_US)

/* --- one list --- */

static void add_counters(struct export_counters *sum, const struct export_counters *counters)
{
	sum->accepted += counters->accepted;
	sum->exported += counters->exported;
	sum->queued += counters->queued;
	sum->dropped_queue_full += counters->dropped_queue_full;
	sum->dropped_rejected += counters->dropped_rejected;
	sum->dropped_unreachable += counters->dropped_unreachable;
	sum->dropped_no_memory += counters->dropped_no_memory;
	sum->failed_requests += counters->failed_requests;
}

static bool is_idle(const struct output *output)
{
	return !output->exporter || output->exporter->ops->idle(output->exporter);
}

static bool list_idle(const struct output_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!is_idle(&list->items[i]))
			return false;
	return true;
}

static void list_flush(struct output_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].exporter)
			list->items[i].exporter->ops->flush(list->items[i].exporter);
}

static void output_close(struct output *output, struct export_counters *ret_counters)
{
	exporter_close(output->exporter, ret_counters);
	free(output->target);
	*output = (struct output){ 0 };
}

static void list_close(struct output_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		output_close(&list->items[i], NULL);
	list->n = 0;
}

static struct export_options options_of(const struct settings *settings)
{
	const struct config *config = &settings->config;

	return (struct export_options){
		.headers = (const char *const *)config->otlp_headers.items,
		.n_headers = config->otlp_headers.n / 2,
		.timeout_ns = config->otlp_timeout_ns,
		.gzip = config->otlp_compression == CONFIG_COMPRESSION_GZIP,
		.credentials = &settings->credentials,
		.batch_size = config->batch_size,
		.batch_delay_ns = config->batch_delay_ns,
		.queue_size = config->queue_size,
	};
}

static const char *reason_of(int code)
{
	if (code == -ENOTSUP)
		return "the libcurl of this host takes no keys and authorities from memory; it "
		       "needs 7.77 or later, with OpenSSL";
	if (code == -ELIBACC)
		return "libcurl.so.4 is not installed; install the package libcurl4";
	return strerror(-code);
}

static int output_open(struct output *output, const char *target, int *fd,
		       const struct export_options *options, sd_event *loop)
{
	char error[256];
	const struct exporter_ops *ops = exporter_find(target, error, sizeof(error));
	int r = ops ? 0 : -EINVAL;

	if (r == 0 && !(output->target = strdup(target)))
		r = -ENOMEM;
	if (r == 0)
		r = ops->open(target, *fd, options, loop, &output->exporter);
	if (r == 0)
		*fd = -1;
	return r;
}

static int list_open(struct output_list *ret_list, struct settings *settings, sd_event *loop,
		     char *error, size_t size)
{
	const struct export_options options = options_of(settings);
	const struct strings *targets = &settings->config.targets;
	struct output_list list = { 0 };

	for (size_t i = 0; i < targets->n && i < PIPELINE_TARGETS_MAX; i++) {
		int r = output_open(&list.items[list.n++], targets->items[i],
				    &settings->target_fds[i], &options, loop);

		if (r < 0) {
			snprintf(error, size, "cannot export to %.256s: %s", targets->items[i],
				 reason_of(r));
			list_close(&list);
			return r;
		}
	}
	*ret_list = list;
	return 0;
}

/* --- those of before --- */

/* What it could not send, nobody will. */
static void tell_rest(const struct output *output)
{
	const struct exporter *exporter = output->exporter;

	if (exporter->counters.queued)
		log_warning("%s: %llu spans that it held are dropped, since it is no target any "
			    "more and has not taken them; %s",
			    output->target, (unsigned long long)exporter->counters.queued,
			    exporter->last_error ? exporter->last_error : "they had no answer yet");
}

static void close_before(struct outputs *outputs, size_t i)
{
	struct export_counters counters;

	if (!outputs->before.items[i].exporter)
		return;
	tell_rest(&outputs->before.items[i]);
	output_close(&outputs->before.items[i], &counters);
	if (i == 0)
		add_counters(&outputs->ended, &counters);
}

/* The exporter that has taken its place goes on with what it holds, if it is of the same kind. */
static void hand_over(struct outputs *outputs, size_t i, bool all)
{
	struct exporter *old = outputs->before.items[i].exporter;
	struct exporter *new = i < outputs->now.n ? outputs->now.items[i].exporter : NULL;

	if (old && new && old->ops == new->ops && old->ops->hand_over)
		old->ops->hand_over(old, new, all);
}

static void before_turn(struct outputs *outputs)
{
	bool last = ++outputs->turns > TURNS_MAX;

	for (size_t i = 0; i < outputs->before.n; i++) {
		/* the first look is at those that sent all of it at once */
		if (outputs->turns > 1)
			hand_over(outputs, i, last);
		if (last || is_idle(&outputs->before.items[i]))
			close_before(outputs, i);
	}
	if (list_idle(&outputs->before))
		outputs->before.n = 0;
}

static int on_turn(sd_event_source *source, uint64_t usec, void *context)
{
	struct outputs *outputs = context;

	(void)usec;
	before_turn(outputs);
	if (!outputs_changing(outputs)) {
		outputs->settled(outputs->context);
		return 0;
	}
	sd_event_source_set_time_relative(source, TURN_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* --- all of them --- */

int outputs_open(struct outputs *outputs, struct settings *settings, char *error, size_t size)
{
	int r = sd_event_add_time_relative(outputs->loop, &outputs->timer, CLOCK_MONOTONIC, 0,
					   TURN_ACCURACY, on_turn, outputs);

	if (r >= 0)
		r = sd_event_source_set_enabled(outputs->timer, SD_EVENT_OFF);
	if (r < 0) {
		snprintf(error, size, "no timer: %s", strerror(-r));
		return r;
	}
	return list_open(&outputs->now, settings, outputs->loop, error, size);
}

int outputs_change(struct outputs *outputs, struct settings *settings, char *error, size_t size)
{
	struct output_list list;
	int r;

	if (outputs_changing(outputs)) {
		snprintf(error, size, "the change before is not complete");
		return -EBUSY;
	}
	r = list_open(&list, settings, outputs->loop, error, size);
	if (r < 0)
		return r;
	outputs->before = outputs->now;
	outputs->now = list;
	outputs->turns = 0;
	list_flush(&outputs->before);
	before_turn(outputs);
	if (outputs_changing(outputs)) {
		sd_event_source_set_time_relative(outputs->timer, TURN_US);
		sd_event_source_set_enabled(outputs->timer, SD_EVENT_ONESHOT);
	}
	return 0;
}

bool outputs_changing(const struct outputs *outputs)
{
	return outputs->before.n > 0;
}

void outputs_export(struct outputs *outputs, const struct span *span)
{
	for (size_t i = 0; i < outputs->now.n; i++) {
		struct exporter *exporter = outputs->now.items[i].exporter;

		exporter->ops->export(exporter, span);
	}
}

void outputs_flush(struct outputs *outputs)
{
	list_flush(&outputs->before);
	list_flush(&outputs->now);
}

bool outputs_idle(const struct outputs *outputs)
{
	return list_idle(&outputs->before) && list_idle(&outputs->now);
}

void outputs_count(const struct outputs *outputs, struct export_counters *ret_counters)
{
	*ret_counters = outputs->ended;
	if (outputs->before.n > 0 && outputs->before.items[0].exporter)
		add_counters(ret_counters, &outputs->before.items[0].exporter->counters);
	if (outputs->now.n > 0)
		add_counters(ret_counters, &outputs->now.items[0].exporter->counters);
}

/*
 * One that has something to send yet may wait for a name server, which nothing cuts short; it ends
 * with the process.
 */
static void list_end(struct output_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct output *output = &list->items[i];

		if (output->exporter && output->exporter->last_error)
			log_warning("%s: %s", output->target, output->exporter->last_error);
		if (is_idle(output))
			output_close(output, NULL);
	}
}

void outputs_close(struct outputs *outputs)
{
	list_end(&outputs->before);
	list_end(&outputs->now);
	outputs->timer = sd_event_source_disable_unref(outputs->timer);
}
