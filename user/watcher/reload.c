/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/change.h"
#include "watcher/targets.h"

/* A pipeline that ended before it answered may have been ended by others: the next one is asked. */
#define HANDED_MAX 2

/*
 * Daemons take SIGHUP for "read your configuration again" (nginx, Prometheus, rsyslogd, the
 * OpenTelemetry Collector), and a service has no terminal that could send it for another reason.
 * What somebody started in a terminal, to look at spans there, has nothing to read again and ends
 * with that terminal as other commands do: a tracer that nobody knows of must not stay behind. With
 * a file it is meant to run by itself, wherever it was started.
 */
enum hangup hangup_is(const struct config *config)
{
	struct sigaction action;
	_cleanup_close_ int terminal = -1;

	if (config->file)
		return HANGUP_RELOADS;
	terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (terminal < 0)
		return HANGUP_RELOADS;
	if (sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		return HANGUP_IGNORED;
	return HANGUP_ENDS;
}

void reload_init(struct reload *reload)
{
	reload->channel = -1;
	settings_init(&reload->next);
}

void reload_clear(struct reload *reload)
{
	settings_clear(&reload->next);
	settings_init(&reload->next);
}

/* --- one configuration --- */

/* sd_notify(3): a reload begins with the time and ends with READY. */
static void notify_begin(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reading the configuration again",
		   (unsigned long long)(clock_monotonic_ns() / NS_PER_US));
}

/* One line, whoever wrote it: each line of a notification is an order to the service manager. */
static void defuse(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* The end of what `next` was for; another signal may have come meanwhile. */
static void settle(struct reload *reload, char *error)
{
	if (error)
		defuse(error);
	settings_clear(&reload->next);
	settings_init(&reload->next);
	reload->pending = false;
	if (error)
		log_error("reload: %s; all stays as it was", error);
	if (reload->wanted)
		return;
	if (error)
		sd_notifyf(0, "READY=1\nSTATUS=Not reloaded: %s", error);
	else
		sd_notify(0, "READY=1\nSTATUS=Reloaded");
}

/* A pipe can be read once, and would be waited for. */
static int check_file(const char *path, char *error, size_t size)
{
	struct stat status;

	if (!path || stat(path, &status) < 0 || S_ISREG(status.st_mode))
		return 0; /* whoever reads it tells what is wrong */
	snprintf(error, size,
		 "--config: '%.256s' is no regular file and cannot be read again; restart weft "
		 "instead",
		 path);
	return -EINVAL;
}

static int load(struct reload *reload, char *error, size_t size)
{
	struct config_messages messages = { 0 };
	int r = check_file(reload->settings->config.file, error, size);

	if (r < 0)
		return r;
	r = config_load(&reload->next.config, CONFIG_RUN, reload->n_arguments, reload->arguments,
			environ, &messages);
	for (size_t i = 0; i < messages.n_warnings; i++)
		log_warning("%s", messages.warnings[i]);
	if (r < 0)
		snprintf(error, size, "%s", messages.error);
	config_messages_clear(&messages);
	if (r < 0)
		return r;
	reload->next.reloads = reload->settings->reloads + 1;
	config_fixed_changes(&reload->settings->config, &reload->next.config,
			     reload->next.needs_restart, sizeof(reload->next.needs_restart));
	return targets_open(&reload->next, error, size);
}

static int hand(struct reload *reload, char *error, size_t size)
{
	int r = settings_send(&reload->next, reload->channel, &reload->message);

	if (r == -EPIPE)
		r = 0; /* its end will be told, and another one begins */
	if (r < 0)
		snprintf(error, size, "cannot hand the configuration to the pipeline: %s",
			 strerror(-r));
	return r;
}

static void turn(struct reload *reload)
{
	char error[CONFIG_TEXT_MAX];
	int r = 0;

	while (reload->channel >= 0 && !reload->pending && reload->wanted) {
		reload->wanted = false;
		reload->handed = 1;
		r = load(reload, error, sizeof(error));
		if (r == 0)
			r = hand(reload, error, sizeof(error));
		if (r == 0)
			reload->pending = true;
		else
			settle(reload, error);
	}
}

void reload_want(struct reload *reload)
{
	if (!reload->wanted && !reload->pending)
		notify_begin();
	reload->wanted = true;
	turn(reload);
}

/* --- the pipeline --- */

void reload_pipeline_ready(struct reload *reload, int channel)
{
	char error[CONFIG_TEXT_MAX];

	reload->channel = channel;
	if (reload->pending && hand(reload, error, sizeof(error)) < 0)
		settle(reload, error);
	turn(reload);
}

void reload_pipeline_gone(struct reload *reload)
{
	reload->channel = -1;
	if (reload->pending && ++reload->handed > HANDED_MAX)
		settle(reload, (char[]){ "the pipeline ended twice before it had taken it" });
}

static bool describes_otherwise(const struct config *a, const struct config *b)
{
	return a->command_args != b->command_args || !strings_equal(&a->resource, &b->resource);
}

/* Cannot fail: the pipeline has it already. */
static void commit(struct reload *reload)
{
	struct settings *settings = reload->settings;
	bool described = describes_otherwise(&settings->config, &reload->next.config);

	settings_change(settings, &reload->next);
	log_set_level((enum log_level)settings->config.log_level);
	log_info("reloaded: %s",
		 settings->config.file ? settings->config.file : "environment and command line");
	if (settings->needs_restart[0])
		log_warning("needs a restart: %s; until then it stays as it was",
			    settings->needs_restart);
	reload->changed(reload->context, described);
}

void reload_answered(struct reload *reload, const char *error)
{
	char line[CONFIG_TEXT_MAX];

	if (!reload->pending)
		return;
	if (error)
		snprintf(line, sizeof(line), "the pipeline refuses: %s", error);
	else
		commit(reload);
	settle(reload, error ? line : NULL);
	turn(reload);
}
