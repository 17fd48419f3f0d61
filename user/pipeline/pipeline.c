/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/channel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/ring.h"
#include "base/version.h"
#include "bpf/abi/config.h"
#include "control/control.h"
#include "pipeline/flow.h"
#include "pipeline/outputs.h"
#include "pipeline/sandbox.h"
#include "protocols/protocol.h"

/* The ring is looked at this often while records come: a wake-up for each would cost more than
 * they. */
#define POLL_INTERVAL_US 20000
#define POLL_ACCURACY_US 2000
/*
 * Where many come it is done less often: what the pipeline works with has to be fetched into the
 * processor's caches each time. The ring is far from full then, or else it is not waited so long.
 */
#define POLL_INTERVAL_BUSY_US 50000
#define BUSY_RECORDS	      100
#define RING_SHARE_MAX	      16 /* of the ring, that may come in such a time */
/* So much of the ring is mapped at a time: about a thousand records. */
#define RING_WINDOW (256u << 10)
/* At the end exporters get this long to send what they hold. */
#define DRAIN_TIME_US 700000
/* Times that the watcher tells of counters, once a second, before free memory is given back. */
#define GIVE_BACK_EVERY 30

struct pipeline {
	const struct pipeline_setup *setup;
	struct totals *totals;
	struct totals base; /* as they stood when this process began */
	sd_event *loop;
	sd_event_source *ring_source;
	sd_event_source *poll_timer;
	sd_event_source *drain_timer;
	struct ring ring;
	struct weft_control *page;
	struct control *control;
	struct outputs outputs;
	struct settings settings;
	struct settings next; /* that wait until the change before is complete */
	bool has_next;
	int64_t unix_offset_ns;
	json_t *hooks;
	bool draining;
	unsigned int drain_turns; /* looks at whether the exporters are done */
	unsigned int counters_told;
	struct flow flow;
};

/* --- spans on their way out --- */

static void span_out(void *context, struct span *span)
{
	struct pipeline *pipeline = context;

	span->start_ns += (uint64_t)pipeline->unix_offset_ns;
	span->end_ns += (uint64_t)pipeline->unix_offset_ns;
	outputs_export(&pipeline->outputs, span);
	control_publish(pipeline->control, span);
}

/* --- records on their way in --- */

static void record_in(void *context, const void *data, size_t size)
{
	struct pipeline *pipeline = context;

	flow_record(&pipeline->flow, data, size);
}

/* The counters of all rooms, put together to the one account that totals.h promises. */
static void totals_update(struct pipeline *pipeline)
{
	const struct totals *base = &pipeline->base;
	struct totals *totals = pipeline->totals;
	uint64_t *dropped = totals->dropped;
	struct export_counters out;

	flow_account(&pipeline->flow, base, totals);
	totals->bad_records += pipeline->ring.unreadable;
	outputs_count(&pipeline->outputs, &out);
	totals->exported = base->exported + out.exported;
	dropped[DROP_QUEUE_FULL] = base->dropped[DROP_QUEUE_FULL] + out.dropped_queue_full;
	dropped[DROP_REJECTED] = base->dropped[DROP_REJECTED] + out.dropped_rejected;
	dropped[DROP_UNREACHABLE] = base->dropped[DROP_UNREACHABLE] + out.dropped_unreachable;
	dropped[DROP_NO_MEMORY] += out.dropped_no_memory;
}

/* Takes in all that is there. Gives the number of records. */
static int records_in(struct pipeline *pipeline)
{
	int n = ring_read(&pipeline->ring, record_in, pipeline);

	return n < 0 ? 0 : n;
}

/* When to look again, after `n` records have come that took `bytes` in the ring. */
static uint64_t poll_interval_us(const struct pipeline *pipeline, int n, unsigned long bytes)
{
	bool busy = n >= BUSY_RECORDS && bytes <= pipeline->ring.size / RING_SHARE_MAX;

	return busy ? POLL_INTERVAL_BUSY_US : POLL_INTERVAL_US;
}

/* Headers that point to spans are only made while somebody makes the spans. */
static void say_alive(struct pipeline *pipeline)
{
	__atomic_store_n(&pipeline->page->alive_ns, clock_monotonic_ns(), __ATOMIC_RELAXED);
}

/*
 * One look at the ring. While records come the timer goes on; when none came the reader asks to be
 * woken, looks once more for what came in between, and sleeps.
 */
static void ring_turn(struct pipeline *pipeline)
{
	unsigned long before = pipeline->ring.at;
	bool sleep = false;
	int n;

	pipeline->unix_offset_ns = clock_unix_offset_ns();
	say_alive(pipeline);
	n = records_in(pipeline);
	if (n == 0) {
		__atomic_store_n(&pipeline->page->reader_idle, 1, __ATOMIC_SEQ_CST);
		sleep = records_in(pipeline) == 0;
		if (!sleep)
			__atomic_store_n(&pipeline->page->reader_idle, 0, __ATOMIC_SEQ_CST);
		correlator_tick(pipeline->flow.correlator, clock_monotonic_ns());
	} else {
		correlator_tick(pipeline->flow.correlator, pipeline->flow.record_ns);
	}
	totals_update(pipeline);
	sd_event_source_set_enabled(pipeline->ring_source, sleep ? SD_EVENT_ON : SD_EVENT_OFF);
	if (!sleep || correlator_waiting(pipeline->flow.correlator)) {
		sd_event_source_set_time_relative(pipeline->poll_timer,
						  poll_interval_us(pipeline, n,
								   pipeline->ring.at - before));
		sd_event_source_set_enabled(pipeline->poll_timer, SD_EVENT_ONESHOT);
	}
}

/* The first record after a rest: wait for company, and for the watcher to say whose it is. */
static int on_ring(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct pipeline *pipeline = context;

	(void)fd;
	(void)revents;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	sd_event_source_set_time_relative(pipeline->poll_timer, POLL_INTERVAL_US);
	return sd_event_source_set_enabled(pipeline->poll_timer, SD_EVENT_ONESHOT);
}

static int on_poll(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	ring_turn(context);
	return 0;
}

/* --- the end --- */

static int on_drain(sd_event_source *source, uint64_t usec, void *context)
{
	struct pipeline *pipeline = context;

	(void)usec;
	if (outputs_idle(&pipeline->outputs) ||
	    ++pipeline->drain_turns > DRAIN_TIME_US / POLL_INTERVAL_US)
		return sd_event_exit(pipeline->loop, 0);
	sd_event_source_set_time_relative(source, POLL_INTERVAL_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/*
 * Finishes what is open, then lets the exporters send. Probes may be on for a while: records that
 * come from now on are nobody's, as those are that come after the end.
 */
static int drain(struct pipeline *pipeline)
{
	if (pipeline->draining)
		return 0;
	pipeline->draining = true;
	sd_event_source_set_enabled(pipeline->ring_source, SD_EVENT_OFF);
	sd_event_source_set_enabled(pipeline->poll_timer, SD_EVENT_OFF);
	records_in(pipeline);
	correlator_drain(pipeline->flow.correlator);
	outputs_flush(&pipeline->outputs);
	return sd_event_add_time_relative(pipeline->loop, &pipeline->drain_timer, CLOCK_MONOTONIC,
					  0, POLL_ACCURACY_US, on_drain, pipeline);
}

/* --- the watcher's messages --- */

static void kernel_counters(struct pipeline *pipeline, const struct channel_message *message)
{
	say_alive(pipeline);
	/* what a crowd of processes has taken is not kept for the next one */
	if (++pipeline->counters_told % GIVE_BACK_EVERY == 0)
		heap_give_back();
	if (message->size != sizeof(pipeline->totals->kernel) + sizeof(uint64_t))
		return;
	memcpy(pipeline->totals->kernel, message->payload, sizeof(pipeline->totals->kernel));
	memcpy(&pipeline->totals->missed, message->payload + sizeof(pipeline->totals->kernel),
	       sizeof(uint64_t));
}

static void hooks_told(struct pipeline *pipeline, const struct channel_message *message)
{
	size_t cursor = 0;
	const char *surface, *hook;

	json_decref(pipeline->hooks);
	pipeline->hooks = json_object();
	while ((surface = channel_message_next(message, &cursor)) &&
	       (hook = channel_message_next(message, &cursor)))
		json_object_set_new(pipeline->hooks, surface, json_string(hook));
}

/* --- other settings --- */

static void reloaded(struct pipeline *pipeline, const char *error)
{
	static struct channel_message answer;

	channel_message_init(&answer, CHANNEL_RELOADED, 0);
	if (error)
		channel_message_add(&answer, error);
	channel_send(pipeline->setup->channel_fd, &answer);
}

/* All that can fail comes first. */
static void settings_take(struct pipeline *pipeline, struct settings *settings)
{
	char error[512];
	int r = outputs_change(&pipeline->outputs, settings, error, sizeof(error));

	if (r == 0) {
		settings_change(&pipeline->settings, settings);
		credentials_clear(&pipeline->settings.credentials);
		flow_configure(&pipeline->flow, &pipeline->settings.config);
		log_set_level((enum log_level)pipeline->settings.config.log_level);
	}
	settings_clear(settings);
	reloaded(pipeline, r < 0 ? error : NULL);
}

static void on_settled(void *context)
{
	struct pipeline *pipeline = context;

	if (!pipeline->has_next || pipeline->draining)
		return;
	pipeline->has_next = false;
	settings_take(pipeline, &pipeline->next);
}

static int settings_told(struct pipeline *pipeline, const int *fds, size_t n)
{
	struct settings settings;
	char error[256];
	int r = settings_receive(&settings, fds, n);

	if (r < 0) {
		snprintf(error, sizeof(error), "cannot take the settings: %s", strerror(-r));
		reloaded(pipeline, error);
	} else if (!outputs_changing(&pipeline->outputs) && !pipeline->draining) {
		settings_take(pipeline, &settings);
	} else if (!pipeline->has_next) {
		pipeline->next = settings;
		pipeline->has_next = true;
	} else {
		/* the watcher waits for an answer before it sends others */
		settings_clear(&settings);
	}
	return 0;
}

/* Descriptors come with settings only. */
static int on_message(struct pipeline *pipeline, const struct channel_message *message,
		      const int *fds, size_t n_fds)
{
	switch (message->header.type) {
	case CHANNEL_PROCESS:
	case CHANNEL_PROCESS_GONE:
		processes_told(pipeline->flow.processes, message);
		return 0;
	case CHANNEL_KERNEL_COUNTERS:
		kernel_counters(pipeline, message);
		return 0;
	case CHANNEL_HOOKS:
		hooks_told(pipeline, message);
		return 0;
	case CHANNEL_STOP:
		return drain(pipeline);
	case CHANNEL_RELOAD:
		return settings_told(pipeline, fds, n_fds);
	default:
		return 0;
	}
}

static int on_channel(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	static struct channel_message message;
	struct pipeline *pipeline = context;
	int fds[CHANNEL_FDS_MAX];
	size_t n_fds;
	int r;

	(void)revents;
	while ((r = channel_receive_fds(fd, &message, fds, &n_fds)) == 0)
		on_message(pipeline, &message, fds, n_fds);
	if (r == -EAGAIN || r == -EBADMSG)
		return 0;
	/* the watcher is gone: nobody feeds the ring any more */
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return drain(pipeline);
}

/* A path is bytes, and JSON takes only UTF-8: it may be missing. */
static json_t *configuration_json(const struct pipeline *pipeline)
{
	const struct settings *settings = &pipeline->settings;
	const char *file = settings->config.file, *needs_restart = settings->needs_restart;
	json_t *object = json_pack("{s:I}", "reloads", (json_int_t)settings->reloads);

	json_object_set_new(object, "file", file ? json_string(file) : json_null());
	json_object_set_new(object, "needs_restart",
			    needs_restart[0] ? json_string(needs_restart) : json_null());
	return object;
}

/* What counts, and by the protocols' names what is remembered for them. */
static json_t *counters_json(const struct pipeline *pipeline)
{
	json_t *counters = totals_json(pipeline->totals);

	for (int id = PROTOCOL_FIRST; id < PROTOCOL_ID_MAX; id++) {
		const struct protocol *protocol = protocol_by_id(id);
		struct protocol_counter told[PROTOCOL_COUNTERS_MAX];
		json_t *object;
		size_t n;

		if (!protocol->unpack_counters)
			continue;
		n = protocol->unpack_counters(pipeline->flow.unpacked[id], told);
		object = json_object();
		for (size_t i = 0; i < n; i++)
			json_object_set_new(object, told[i].name,
					    json_integer((json_int_t)told[i].value));
		json_object_set_new(counters, protocol->name, object);
	}
	return counters;
}

static json_t *on_ps(void *context)
{
	struct pipeline *pipeline = context;
	double uptime = (double)(clock_monotonic_ns() - pipeline->setup->started_ns) / 1e9;

	totals_update(pipeline);
	return json_pack("{s:s, s:f, s:o, s:O, s:O?, s:o, s:o}", "version", WEFT_VERSION,
			 "uptime_s", uptime, "configuration", configuration_json(pipeline), "hooks",
			 pipeline->hooks, "propagation", pipeline->setup->propagation, "processes",
			 processes_json(pipeline->flow.processes), "counters",
			 counters_json(pipeline));
}

/* --- start --- */

static int start_exporters(struct pipeline *pipeline)
{
	char error[512];
	int r;

	pipeline->outputs = (struct outputs){
		.loop = pipeline->loop,
		.settled = on_settled,
		.context = pipeline,
	};
	r = outputs_open(&pipeline->outputs, &pipeline->settings, error, sizeof(error));
	credentials_clear(&pipeline->settings.credentials);
	return r < 0 ? log_error_r(r, "%s", error) : 0;
}

/* The ring and the shared page are mapped while bpf(2) is still allowed. */
static int map_kernel_side(struct pipeline *pipeline)
{
	long page = sysconf(_SC_PAGESIZE);

	int r = ring_open(&pipeline->ring, pipeline->setup->events_fd,
			  pipeline->settings.config.ring_size, RING_WINDOW);

	if (r < 0)
		return r;
	pipeline->page = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED,
			      pipeline->setup->control_fd, 0);
	if (pipeline->page == MAP_FAILED)
		return -errno;
	say_alive(pipeline);
	return 0;
}

static int start_loop(struct pipeline *pipeline)
{
	const struct control_callbacks callbacks = { .ps = on_ps, .context = pipeline };
	int r = sd_event_add_io(pipeline->loop, &pipeline->ring_source, pipeline->setup->events_fd,
				EPOLLIN, on_ring, pipeline);

	if (r >= 0)
		r = sd_event_add_time_relative(pipeline->loop, &pipeline->poll_timer,
					       CLOCK_MONOTONIC, POLL_INTERVAL_US, POLL_ACCURACY_US,
					       on_poll, pipeline);
	if (r >= 0)
		r = sd_event_add_io(pipeline->loop, NULL, pipeline->setup->channel_fd, EPOLLIN,
				    on_channel, pipeline);
	if (r >= 0)
		r = control_start(pipeline->loop, pipeline->setup->socket_fd, &callbacks,
				  &pipeline->control);
	return r < 0 ? r : 0;
}

/* Signals are for the watcher, which then says CHANNEL_STOP; a terminal sends them to both. */
static void ignore_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ };
	sigset_t none;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int keep_descriptors(const struct pipeline_setup *setup)
{
	int fds[4 + PIPELINE_TARGETS_MAX] = { setup->events_fd, setup->control_fd,
					      setup->channel_fd, setup->socket_fd };

	for (size_t i = 0; i < PIPELINE_TARGETS_MAX; i++)
		fds[4 + i] = setup->settings->target_fds[i];
	return sandbox_keep_descriptors(fds, sizeof(fds) / sizeof(fds[0]));
}

static int start(struct pipeline *pipeline)
{
	static struct channel_message ready;
	int r;

	ignore_signals();
	pipeline->hooks = json_object();
	r = keep_descriptors(pipeline->setup);
	if (r < 0)
		return log_error_r(r, "cannot close the watcher's descriptors: %s", strerror(-r));
	r = map_kernel_side(pipeline);
	if (r < 0)
		return log_error_r(r, "cannot map the ring buffer: %s", strerror(-r));
	r = sandbox_drop_privileges(pipeline->settings.config.uid, pipeline->settings.config.gid);
	if (r < 0)
		return log_error_r(r, "cannot give up privileges: %s", strerror(-r));
	r = sandbox_filter_calls();
	if (r < 0)
		return log_error_r(r, "cannot restrict system calls: %s", strerror(-r));
	r = sd_event_new(&pipeline->loop);
	if (r >= 0)
		r = flow_init(&pipeline->flow, &pipeline->settings.config);
	if (r >= 0)
		r = start_exporters(pipeline);
	if (r >= 0)
		r = start_loop(pipeline);
	if (r < 0)
		return log_error_r(r, "cannot start the pipeline: %s", strerror(-r));
	channel_message_init(&ready, CHANNEL_READY, (uint32_t)getpid());
	return channel_send(pipeline->setup->channel_fd, &ready);
}

/* What is still open or queued ends here, and is counted. */
static void stop(struct pipeline *pipeline)
{
	struct totals *totals = pipeline->totals;
	struct export_counters out;
	char line[1024];

	totals_update(pipeline);
	outputs_count(&pipeline->outputs, &out);
	totals->dropped[DROP_UNREACHABLE] += out.queued;
	totals->dropped[DROP_UNFINISHED] += totals_open(totals);
	log_info("stopped: %s", totals_line(totals, line, sizeof(line)));
	if (totals_losses(totals, line, sizeof(line))[0])
		log_info("not followed by the kernel side: %s", line);
	outputs_close(&pipeline->outputs);
}

int pipeline_run(const struct pipeline_setup *setup)
{
	_cleanup_free_ struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
	int r;

	if (!pipeline)
		return 1;
	pipeline->setup = setup;
	pipeline->settings = *setup->settings;
	pipeline->totals = setup->totals;
	pipeline->base = *setup->totals;
	pipeline->flow.span = span_out;
	pipeline->flow.context = pipeline;
	r = start(pipeline);
	if (r < 0)
		return 1;
	r = sd_event_loop(pipeline->loop);
	stop(pipeline);
	control_stop(pipeline->control);
	flow_clear(&pipeline->flow);
	ring_close(&pipeline->ring);
	json_decref(pipeline->hooks);
	return r < 0 ? 1 : 0;
}
