/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/process_watch.h"

#include "base/cleanup.h"
#include "discover/scan.h"
#include "watcher/selection.h"

/* So much of the ring is mapped at a time. */
#define RING_WINDOW (16u << 10)

static const char *unit_name(const struct process_info *info)
{
	static const char *const names[] = {
		[UNIT_THREAD] = "thread",
		[UNIT_EVENT_LOOP] = "event loop",
		[UNIT_UNKNOWN] = "unknown",
	};

	if (info->has_thread_context)
		return "what its SDK says";
	return info->unit_kind < sizeof(names) / sizeof(names[0]) ? names[info->unit_kind]
								  : "unknown";
}

static void tell(struct process_watch *watch, const struct process_info *info)
{
	struct channel_message *message = &watch->message;
	bool whole;

	channel_message_init(message, CHANNEL_PROCESS, (uint32_t)info->pid);
	whole = channel_message_add(message, runtime_name(info->runtime)) == 0 &&
		channel_message_add(message, unit_name(info)) == 0 &&
		channel_message_add(message, info->service_source) == 0 &&
		channel_message_add(message, info->executable ? info->executable : "") == 0 &&
		channel_message_add(message, info->sdk ? info->sdk : "") == 0 &&
		channel_message_add(message, info->exporter ? info->exporter : "") == 0;
	for (size_t i = 0; whole && i < info->n_pairs; i++)
		whole = channel_message_add(message, info->pairs[2 * i]) == 0 &&
			channel_message_add(message, info->pairs[2 * i + 1]) == 0;
	if (channel_send(watch->channel, message) < 0)
		watch->untold = true;
}

/* Describes a process of which traced bytes were seen. */
static void process_seen(struct process_watch *watch, const struct process_event *event)
{
	_cleanup_(process_info_clear) struct process_info info = {};

	if (process_describe(&watch->describe, (pid_t)event->pid, &info) < 0 &&
	    process_describe_gone(&watch->describe, event, &info) < 0)
		return;
	selection_apply(watch->config, watch->loader, &info, true);
	tell(watch, &info);
}

/* Of a program that has just begun, or runs since before weft. */
static void look_for_libraries(struct process_watch *watch, pid_t pid)
{
	if (!selection_has(watch->config, watch->loader, pid))
		return;
	if (watch->loop)
		libraries_expect(watch->libraries, watch->loop, pid);
	else
		libraries_look(watch->libraries, pid, false);
}

/*
 * A program: looked at before its first request if its threads must not be taken for units, or if
 * it may be one of those to trace. All else waits until the program is seen to speak a protocol.
 */
static void process_found(struct process_watch *watch, pid_t pid)
{
	_cleanup_(process_info_clear) struct process_info info = {};
	bool entered = false;

	if (selection_is_weft(pid))
		entered = selection_exclude(watch->loader, pid) == 0;
	else if (process_identify(&watch->describe, pid, &info) == 0)
		entered = selection_apply(watch->config, watch->loader, &info, false) > 0;
	if (info.pid)
		look_for_libraries(watch, pid);
	/* after the kernel side has seen its end: the next process of its number is another one */
	if (entered && process_ended(&watch->describe, pid))
		loader_process_forget(watch->loader, (uint32_t)pid);
}

static void on_event(void *context, const void *data, size_t size)
{
	struct process_watch *watch = context;
	const struct process_event *event = data;

	if (size < sizeof(*event) || event->args_len > sizeof(event->args))
		return;
	switch (event->type) {
	case PROCESS_EXEC:
		process_found(watch, (pid_t)event->pid);
		break;
	case PROCESS_SEEN:
		process_seen(watch, event);
		break;
	case PROCESS_TLS:
		libraries_look(watch->libraries, (pid_t)event->pid, true);
		break;
	case PROCESS_EXIT:
		channel_message_init(&watch->message, CHANNEL_PROCESS_GONE, event->pid);
		channel_send(watch->channel, &watch->message);
		break;
	}
}

static int on_scanned(void *context, pid_t pid)
{
	process_found(context, pid);
	return 0;
}

/* Describes again a process that is marked as known. */
static int on_known(void *context, pid_t pid)
{
	struct process_watch *watch = context;
	struct process_config known;
	struct process_event event = { .pid = (uint32_t)pid };

	if (loader_process_get(watch->loader, (uint32_t)pid, &known) == 0 &&
	    known.flags & PROCESS_F_NOTED && known.flags & PROCESS_F_SELECTED)
		process_seen(watch, &event);
	return 0;
}

void process_watch_scan(struct process_watch *watch)
{
	scan_processes(watch->describe.proc, on_scanned, watch);
}

void process_watch_read(struct process_watch *watch)
{
	ring_read(&watch->ring, on_event, watch);
}

void process_watch_retell(struct process_watch *watch)
{
	watch->untold = false;
	scan_processes(watch->describe.proc, on_known, watch);
}

void process_watch_catch_up(struct process_watch *watch, uint64_t lost, bool room)
{
	if (lost != watch->lost)
		process_watch_scan(watch);
	watch->lost = lost;
	if (watch->untold && room)
		process_watch_retell(watch);
}

void process_watch_describe(struct process_watch *watch)
{
	const struct config *config = watch->config;

	watch->describe.command_args = config->command_args;
	watch->describe.resource = (const char *const *)config->resource.items;
	watch->describe.n_resource = config->resource.n;
}

int process_watch_open(struct process_watch *watch)
{
	return ring_open(&watch->ring, loader_process_events_fd(watch->loader),
			 loader_process_events_size(watch->loader), RING_WINDOW);
}

void process_watch_close(struct process_watch *watch)
{
	ring_close(&watch->ring);
}
