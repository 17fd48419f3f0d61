/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/watcher.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "attach/loader.h"
#include "attach/propagation.h"
#include "base/channel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/control.h"
#include "pipeline/pipeline.h"
#include "watcher/budget.h"
#include "watcher/guard.h"
#include "watcher/kernel_side.h"
#include "watcher/lock.h"
#include "watcher/open_connections.h"
#include "watcher/privileges.h"
#include "watcher/process_watch.h"
#include "watcher/reload.h"
#include "watcher/selection.h"
#include "watcher/targets.h"

#define COUNTERS_INTERVAL_US 1000000
/* The pipeline's own time to drain, and some for a machine that is busy: in all less than a second.
 */
#define STOP_TIME_US 900000
/* So long the end waits for the probes to be off; then that goes on by itself. */
#define DETACH_TIME_US 600000
/* A pipeline that crashes is started again, unless it does so all the time. */
#define RESTARTS_MAX	   5
#define RESTARTS_WINDOW_NS (60 * NS_PER_SEC)

struct watcher {
	const struct config *config; /* of the settings */
	struct settings settings;
	struct reload reload;
	struct process_watch processes;
	struct loader *loader;
	struct surface_state surfaces[SURFACE_MAX];
	struct selftest propagation;
	sd_event *loop;
	sd_event_source *child_source;
	sd_event_source *channel_source;
	sd_event_source *stop_timer;
	sd_event_source *detach_timer;
	sd_event_source *detach_source;
	struct pipeline_setup setup;
	struct totals *totals;
	struct guard guard;
	struct budget *budget;
	enum hangup hangup;
	int lock;
	int channel; /* our end */
	pid_t pipeline;
	pid_t detacher; /* the child that detaches; 0: none that the end waits for */
	bool ready;
	bool stopping;
	unsigned int restarts; /* within the window */
	uint64_t window_ns;
	int status;
	struct channel_message message;
};

/* --- what the pipeline is told --- */

static void tell_counters(struct watcher *watcher)
{
	struct kernel_counters counters;
	int r;

	if (loader_counters(watcher->loader, &counters) < 0)
		return;
	channel_message_init(&watcher->message, CHANNEL_KERNEL_COUNTERS, 0);
	channel_message_add_bytes(&watcher->message, counters.stats, sizeof(counters.stats));
	channel_message_add_bytes(&watcher->message, &counters.missed, sizeof(counters.missed));
	r = channel_send(watcher->channel, &watcher->message);
	process_watch_catch_up(&watcher->processes, counters.stats[STAT_PROCESS_LOST], r == 0);
}

static void tell_hooks(struct watcher *watcher)
{
	channel_message_init(&watcher->message, CHANNEL_HOOKS, 0);
	for (size_t i = 0; i < SURFACE_MAX; i++) {
		int chosen = watcher->surfaces[i].chosen;

		channel_message_add(&watcher->message, surfaces[i].name);
		channel_message_add(&watcher->message,
				    chosen < 0 ? "off" : surfaces[i].hooks[chosen].name);
	}
	channel_send(watcher->channel, &watcher->message);
}

/* --- processes --- */

static int on_process_ring(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct watcher *watcher = context;

	(void)source;
	(void)fd;
	(void)revents;
	process_watch_read(&watcher->processes);
	return 0;
}

/* --- the pipeline's life --- */

static int pipeline_start(struct watcher *watcher);

static void watcher_end(struct watcher *watcher, int status)
{
	watcher->status = status;
	sd_event_exit(watcher->loop, 0);
}

/* An orderly end waits for all children. */
static void watcher_end_if_done(struct watcher *watcher)
{
	if (!watcher->pipeline && !watcher->detacher && !watcher->guard.pid)
		watcher_end(watcher, watcher->status);
}

static void on_guard_end(void *context)
{
	watcher_end_if_done(context);
}

/* What the crashed process had taken in and not given out is lost with it. */
static void count_crash(struct watcher *watcher)
{
	struct totals *totals = watcher->totals;

	totals->dropped[DROP_PIPELINE_CRASH] += totals_open(totals);
	totals->restarts++;
	if (clock_monotonic_ns() - watcher->window_ns > RESTARTS_WINDOW_NS) {
		watcher->window_ns = clock_monotonic_ns();
		watcher->restarts = 0;
	}
	watcher->restarts++;
}

/*
 * The account that the pipeline did not live to give. Of what it has not read the kernel side knows
 * the number.
 */
static void tell_account(struct watcher *watcher)
{
	struct totals *totals = watcher->totals;
	struct kernel_counters counters;
	uint64_t passed, begun;
	char line[1024];

	if (loader_counters(watcher->loader, &counters) == 0) {
		passed = counters.stats[STAT_REQUESTS_PASSED];
		begun = counters.stats[STAT_REQUESTS] + passed;
		if (begun > totals->captured) {
			totals->captured = begun;
			totals->dropped[DROP_CPU_BUDGET] = passed;
		}
	}
	totals->dropped[DROP_PIPELINE_CRASH] += totals_open(totals);
	log_info("stopped: %s", totals_line(totals, line, sizeof(line)));
}

static void describe_end(const siginfo_t *info, char *text, size_t size)
{
	if (info->si_code == CLD_EXITED)
		snprintf(text, size, "it ended with status %d", info->si_status);
	else
		snprintf(text, size, "it was ended by signal %d (%s)", info->si_status,
			 strsignal(info->si_status));
}

static int on_pipeline_end(sd_event_source *source, const siginfo_t *info, void *context)
{
	struct watcher *watcher = context;
	char end[96];

	(void)source;
	watcher->pipeline = 0;
	reload_pipeline_gone(&watcher->reload);
	if (watcher->stopping || !watcher->ready) {
		if (info->si_code != CLD_EXITED || info->si_status != 0) {
			watcher->status = 1;
			tell_account(watcher);
		}
		watcher_end_if_done(watcher);
		return 0;
	}
	describe_end(info, end, sizeof(end));
	count_crash(watcher);
	if (watcher->restarts > RESTARTS_MAX) {
		log_error("the pipeline failed %d times within a minute (%s): giving up",
			  RESTARTS_MAX + 1, end);
		tell_account(watcher);
		watcher_end(watcher, 1);
		return 0;
	}
	log_warning(
		"the pipeline failed (%s) and is started again; spans that it held are counted as "
		"pipeline_crash",
		end);
	if (pipeline_start(watcher) < 0)
		watcher_end(watcher, 1);
	return 0;
}

/* The child: keeps what it was handed, and becomes the pipeline. */
static void become_pipeline(struct watcher *watcher, int channel)
{
	int status;

	if (privileges_raise() < 0)
		_exit(1);
	prctl(PR_SET_NAME, "weft-pipeline");
	close(watcher->channel);
	close(watcher->lock); /* which stays the parent's */
	watcher->setup.channel_fd = channel;
	status = pipeline_run(&watcher->setup);
	fflush(NULL);
	_exit(status);
}

static int on_channel(sd_event_source *source, int fd, uint32_t revents, void *context);

static int pipeline_start(struct watcher *watcher)
{
	int ends[2];
	int r = channel_pair(ends);

	if (r < 0)
		return log_error_r(r, "cannot make a socket pair: %s", strerror(-r));
	if (watcher->channel >= 0) {
		watcher->channel_source = sd_event_source_disable_unref(watcher->channel_source);
		close(watcher->channel);
	}
	watcher->channel = watcher->processes.channel = ends[0];
	watcher->pipeline = fork();
	if (watcher->pipeline < 0)
		return log_error_r(-errno, "cannot start the pipeline: fork: %s", strerror(errno));
	if (watcher->pipeline == 0)
		become_pipeline(watcher, ends[1]);
	close(ends[1]);
	selection_exclude(watcher->loader, watcher->pipeline);
	watcher->child_source = sd_event_source_unref(watcher->child_source);
	r = sd_event_add_child(watcher->loop, &watcher->child_source, watcher->pipeline, WEXITED,
			       on_pipeline_end, watcher);
	if (r >= 0)
		r = sd_event_add_io(watcher->loop, &watcher->channel_source, watcher->channel,
				    EPOLLIN, on_channel, watcher);
	return r;
}

static int on_open_connections(sd_event_source *source, const siginfo_t *info, void *context)
{
	(void)source;
	(void)info;
	(void)context;
	return 0;
}

/* What was open already need not carry context: weft goes on without. */
static void reach_open_connections(struct watcher *watcher)
{
	int program = loader_open_sockets_fd(watcher->loader);
	pid_t child;

	if (watcher->surfaces[SURFACE_OPEN].chosen < 0 || program < 0 ||
	    open_connections_start(program, watcher->config->netns, &child) < 0)
		return;
	sd_event_add_child(watcher->loop, NULL, child, WEXITED, on_open_connections, NULL);
}

static int pipeline_ready(struct watcher *watcher)
{
	int r = 0;

	if (watcher->stopping)
		return 0;
	if (!watcher->ready) {
		r = kernel_side_begin(watcher->loader, &watcher->propagation);
		if (r == 0)
			reach_open_connections(watcher);
		if (r == 0)
			r = privileges_reduce();
		if (r < 0) {
			log_error("cannot begin: %s", strerror(-r));
			watcher_end(watcher, 1);
			return r;
		}
		log_info("ready after %llu ms: tracing %s; 'weft ps' lists what it sees",
			 (unsigned long long)((clock_monotonic_ns() - watcher->setup.started_ns) /
					      NS_PER_MS),
			 selection_is_all(watcher->config) ? "every process"
							   : "the chosen processes");
		sd_notify(0, "READY=1");
	} else {
		process_watch_retell(&watcher->processes);
	}
	watcher->ready = true;
	tell_hooks(watcher);
	tell_counters(watcher);
	reload_pipeline_ready(&watcher->reload, watcher->channel);
	return r;
}

/* The configuration is another one. */
static void on_changed(void *context, bool described)
{
	struct watcher *watcher = context;

	process_watch_describe(&watcher->processes);
	if (described)
		process_watch_retell(&watcher->processes);
}

static void on_message(struct watcher *watcher, const struct channel_message *message)
{
	size_t cursor = 0;

	if (message->header.type == CHANNEL_READY)
		pipeline_ready(watcher);
	else if (message->header.type == CHANNEL_RELOADED && !watcher->stopping)
		reload_answered(&watcher->reload, channel_message_next(message, &cursor));
}

static int on_channel(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct watcher *watcher = context;
	int r;

	(void)revents;
	while ((r = channel_receive(fd, &watcher->message)) == 0)
		on_message(watcher, &watcher->message);
	if (r != -EAGAIN && r != -EBADMSG)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

/* --- the end --- */

static int on_stop_late(sd_event_source *source, uint64_t usec, void *context)
{
	struct watcher *watcher = context;

	(void)source;
	(void)usec;
	log_warning("the pipeline did not end in time and is killed");
	privileges_raise();
	if (watcher->pipeline > 0)
		kill(watcher->pipeline, SIGKILL);
	tell_account(watcher);
	watcher_end(watcher, 1);
	return 0;
}

static int on_detached(sd_event_source *source, const siginfo_t *info, void *context)
{
	struct watcher *watcher = context;

	(void)source;
	(void)info;
	watcher->detacher = 0;
	watcher_end_if_done(watcher);
	return 0;
}

static int on_detach_late(sd_event_source *source, uint64_t usec, void *context)
{
	struct watcher *watcher = context;

	(void)source;
	(void)usec;
	watcher->guard.pid = 0;
	return on_detached(NULL, NULL, watcher);
}

/* While the pipeline drains. */
static int detach(struct watcher *watcher)
{
	int r;

	guard_end(&watcher->guard);
	r = loader_detach_apart(watcher->loader, &watcher->detacher);
	/* the child has these, too, and takes its time */
	watcher->processes.libraries = libraries_free(watcher->processes.libraries);
	if (r < 0) {
		loader_detach(watcher->loader);
	} else {
		r = sd_event_add_child(watcher->loop, &watcher->detach_source, watcher->detacher,
				       WEXITED, on_detached, watcher);
		if (r < 0)
			return r;
	}
	return sd_event_add_time_relative(watcher->loop, &watcher->detach_timer, CLOCK_MONOTONIC,
					  DETACH_TIME_US, 1000, on_detach_late, watcher);
}

static int stop(struct watcher *watcher)
{
	int r;

	if (watcher->stopping)
		return 0;
	watcher->stopping = true;
	sd_notify(0, "STOPPING=1");
	process_watch_read(&watcher->processes);
	tell_counters(watcher);
	channel_message_init(&watcher->message, CHANNEL_STOP, 0);
	channel_send(watcher->channel, &watcher->message);
	r = sd_event_add_time_relative(watcher->loop, &watcher->stop_timer, CLOCK_MONOTONIC,
				       STOP_TIME_US, 1000, on_stop_late, watcher);
	return r < 0 ? r : detach(watcher);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	(void)source;
	(void)info;
	return stop(context);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct watcher *watcher = context;

	(void)source;
	(void)info;
	if (!watcher->stopping)
		reload_want(&watcher->reload);
	return 0;
}

static int on_duration(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	return stop(context);
}

static int on_counters(sd_event_source *source, uint64_t usec, void *context)
{
	struct watcher *watcher = context;

	(void)usec;
	tell_counters(watcher);
	libraries_tidy(watcher->processes.libraries);
	sd_event_source_set_time_relative(source, COUNTERS_INTERVAL_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_budget(sd_event_source *source, uint64_t usec, void *context)
{
	struct watcher *watcher = context;

	(void)usec;
	budget_look(watcher->budget, watcher->pipeline, (unsigned int)watcher->config->cpu_budget);
	sd_event_source_set_time_relative(source, BUDGET_INTERVAL_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* --- start --- */

/* Before anything that another weft could notice. */
static int take_lock(struct watcher *watcher)
{
	const struct config *config = watcher->config;
	struct lock_holder holder;
	char text[256];
	int r = lock_take(CONFIG_RUNTIME_DIRECTORY, config->instance, config->netns, &watcher->lock,
			  &holder);

	if (r == -EBUSY)
		return log_error_r(r, "%s",
				   lock_explain(&holder, config->instance, config->netns, text,
						sizeof(text)));
	if (r < 0)
		return log_error_r(r, "cannot take the lock of instance '%s' in %s: %s",
				   config->instance, CONFIG_RUNTIME_DIRECTORY, strerror(-r));
	return 0;
}

/* What needs privileges, or must fail before anything is started. */
static int open_targets(struct watcher *watcher)
{
	char error[CONFIG_TEXT_MAX];
	int r = targets_open(&watcher->settings, error, sizeof(error));

	return r < 0 ? log_error_r(r, "%s", error) : 0;
}

static int open_socket(struct watcher *watcher)
{
	const char *path = watcher->config->socket;
	int r = control_listen(path, &watcher->setup.socket_fd);

	if (r == -EADDRINUSE)
		return log_error_r(
			r,
			"weft is running already (it answers at %s); stop it, or give this one "
			"another --socket",
			path);
	if (r < 0)
		return log_error_r(r, "cannot listen on the control socket %s: %s", path,
				   strerror(-r));
	return 0;
}

static int share_totals(struct watcher *watcher)
{
	watcher->totals = mmap(NULL, sizeof(*watcher->totals), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (watcher->totals == MAP_FAILED)
		return -errno;
	watcher->setup.totals = watcher->totals;
	return 0;
}

/* Until the loop takes them they wait; a reload may be asked for before all has started. */
static void block_signals(const int *signals, size_t n)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int start_loop(struct watcher *watcher)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGCHLD };
	int r = sd_event_new(&watcher->loop);

	block_signals(signals, sizeof(signals) / sizeof(signals[0]));
	signal(SIGPIPE, SIG_IGN);
	if (r >= 0)
		r = sd_event_add_signal(watcher->loop, NULL, SIGINT, on_signal, watcher);
	if (r >= 0)
		r = sd_event_add_signal(watcher->loop, NULL, SIGTERM, on_signal, watcher);
	if (r >= 0 && watcher->hangup != HANGUP_IGNORED)
		r = sd_event_add_signal(watcher->loop, NULL, SIGHUP,
					watcher->hangup == HANGUP_ENDS ? on_signal : on_hangup,
					watcher);
	if (r >= 0)
		r = sd_event_add_io(watcher->loop, NULL, loader_process_events_fd(watcher->loader),
				    EPOLLIN, on_process_ring, watcher);
	if (r >= 0)
		r = sd_event_add_time_relative(watcher->loop, NULL, CLOCK_MONOTONIC,
					       COUNTERS_INTERVAL_US, 0, on_counters, watcher);
	if (r >= 0)
		r = sd_event_add_time_relative(watcher->loop, NULL, CLOCK_MONOTONIC,
					       BUDGET_INTERVAL_US, 1000, on_budget, watcher);
	if (r >= 0 && watcher->config->duration_ns)
		r = sd_event_add_time_relative(watcher->loop, NULL, CLOCK_MONOTONIC,
					       watcher->config->duration_ns / NS_PER_US, 1000,
					       on_duration, watcher);
	return r;
}

/* Before the first socket is enrolled, where the kernel asks for it. */
static int arm_guard(struct watcher *watcher)
{
	int r = guard_watch(&watcher->guard, watcher->loop, on_guard_end, watcher);

	if (r < 0)
		return r;
	if (watcher->propagation.mode == WIRE_EARLY_LEAVE)
		return guard_arm(&watcher->guard, watcher->loader);
	guard_end(&watcher->guard);
	return 0;
}

static int start(struct watcher *watcher)
{
	struct tls_choice tls;
	int r = guard_start(&watcher->guard);

	if (r < 0)
		return log_error_r(r, "cannot start the guard: %s", strerror(-r));
	tls_choose(watcher->config, &tls);
	r = kernel_side_prepare(watcher->config, &tls, watcher->surfaces, &watcher->propagation,
				&watcher->loader);
	if (r < 0)
		return r;
	watcher->setup.propagation = propagation_json(&watcher->propagation);
	watcher->setup.events_fd = loader_events_fd(watcher->loader);
	watcher->setup.control_fd = loader_control_fd(watcher->loader);
	watcher->processes.loader = watcher->loader;
	r = process_watch_open(&watcher->processes);
	if (r < 0)
		return log_error_r(r, "cannot map a ring buffer: %s", strerror(-r));
	r = libraries_new(watcher->loader, watcher->surfaces, tls.stepped,
			  watcher->processes.describe.proc, &watcher->processes.libraries);
	if (r < 0)
		return log_error_r(r, "cannot start: %s", strerror(-r));
	if (selection_is_all(watcher->config))
		libraries_of_system(watcher->processes.libraries);
	process_watch_scan(&watcher->processes);
	r = share_totals(watcher);
	if (r >= 0)
		r = budget_new(watcher->loader, &watcher->budget);
	if (r >= 0)
		r = start_loop(watcher);
	watcher->processes.loop = watcher->loop;
	if (r >= 0)
		r = arm_guard(watcher);
	if (r < 0)
		return log_error_r(r, "cannot start: %s", strerror(-r));
	return pipeline_start(watcher);
}

static int check_privileges(void)
{
	char missing[256] = "";

	if (privileges_check(missing, sizeof(missing)) == 0)
		return 0;
	return log_error_r(-EPERM,
			   "missing capabilities: %s; run weft as root (sudo weft run) or give it "
			   "these",
			   missing);
}

static void watcher_clear(struct watcher *watcher)
{
	guard_clear(&watcher->guard);
	watcher->budget = budget_free(watcher->budget);
	libraries_free(watcher->processes.libraries);
	loader_free(watcher->loader);
	process_watch_close(&watcher->processes);
	json_decref(watcher->setup.propagation);
	sd_event_unref(watcher->loop);
	if (watcher->setup.socket_fd >= 0)
		unlink(watcher->config->socket);
	reload_clear(&watcher->reload);
	settings_clear(&watcher->settings);
}

/* All that holds no resources yet, but for the configuration. */
static void watcher_init(struct watcher *watcher, struct config *config)
{
	settings_init(&watcher->settings);
	watcher->settings.config = *config;
	memset(config, 0, sizeof(*config));
	watcher->config = watcher->processes.config = &watcher->settings.config;
	watcher->channel = watcher->processes.channel = -1;
	watcher->lock = -1;
	watcher->guard = (struct guard)GUARD_NONE;
	watcher->processes.describe.proc = "/proc";
	process_watch_describe(&watcher->processes);
	watcher->setup = (struct pipeline_setup){
		.settings = &watcher->settings,
		.socket_fd = -1,
		.started_ns = clock_monotonic_ns(),
	};
	watcher->reload.settings = &watcher->settings;
	watcher->reload.changed = on_changed;
	watcher->reload.context = watcher;
	reload_init(&watcher->reload);
	watcher->hangup = hangup_is(watcher->config);
	if (watcher->hangup != HANGUP_IGNORED)
		block_signals((const int[]){ SIGHUP }, 1);
}

/* 0, or the status to exit with: said why. */
static int begin(struct watcher *watcher)
{
	if (check_privileges() < 0)
		return 1;
	if (take_lock(watcher) < 0 || open_targets(watcher) < 0 || open_socket(watcher) < 0)
		return 2;
	return start(watcher) < 0 ? 1 : 0;
}

int watcher_run(struct config *config, int n_arguments, char *const *arguments)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	int status;

	if (!watcher)
		return log_error_r(1, "out of memory");
	watcher->reload.n_arguments = n_arguments;
	watcher->reload.arguments = arguments;
	watcher_init(watcher, config);
	log_set_level((enum log_level)watcher->config->log_level);
	status = begin(watcher);
	if (status == 0)
		status = sd_event_loop(watcher->loop) < 0 ? 1 : watcher->status;
	watcher_clear(watcher);
	free(watcher);
	return status;
}
