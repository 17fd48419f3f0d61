/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/budget.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/*
 * The walk over a call's bytes is timed, not what is around it, and what it pushes out of the
 * processor's caches slows down others: nginx on x86_64 has 4.4 us of walks a request, and
 * takes 8.3 longer for it.
 */
#define WALK_FACTOR 2
/* A processor that is less idle than that is busy. */
#define BUSY_IDLE_PERCENT 25
/* A little is always followed, and may grow again from there. */
#define FOLLOW_MIN_NS (FOLLOW_WINDOW_NS / 64)
#define TELL_NS	      (60 * NS_PER_SEC)
#define STAT_LINE_MAX 256 /* of /proc/stat, for one processor */

struct budget {
	struct loader *loader;
	size_t processors; /* that are possible */
	uint64_t *numbers; /* room for all that follow: one for each of them */
	uint64_t *idle;
	uint64_t *last_idle;
	uint64_t *programs;
	uint64_t *last_programs;
	uint64_t *follow;
	uint64_t last_ns;
	uint64_t last_pipeline;
	uint64_t told_ns; /* when it was last said that requests pass, 0: never */
	bool due;	  /* the kernel side has not been told of what `follow` says */
	int stat;	  /* /proc/stat */
	char *text;
	size_t text_size;
};

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

uint64_t budget_follow(uint64_t follow_ns, const struct budget_window *window, unsigned int percent)
{
	uint64_t allowed = window->length / 100 * percent;
	uint64_t follow = follow_ns ? follow_ns : FOLLOW_WINDOW_NS;
	bool busy = window->idle < window->length / 100 * BUSY_IDLE_PERCENT;

	if (!percent)
		return 0;
	if (!window->length)
		return follow_ns;
	if (busy && window->weft > allowed)
		follow = (uint64_t)((double)follow * (double)allowed / (double)window->weft);
	else if (!busy || window->weft < allowed - allowed / 8)
		follow += follow / 4;
	if (follow < FOLLOW_MIN_NS)
		follow = FOLLOW_MIN_NS;
	return follow < FOLLOW_WINDOW_NS ? follow : 0;
}

size_t budget_read_idle(const char *text, uint64_t *idle, size_t n)
{
	uint64_t tick_ns = NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	size_t found = 0;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		unsigned long long spare, waiting;
		unsigned int cpu;

		line += *line == '\n';
		/* user, nice, system, idle, iowait: proc_stat(5) */
		if (sscanf(line, "cpu%u %*u %*u %*u %llu %llu", &cpu, &spare, &waiting) != 3 ||
		    cpu >= n)
			continue;
		idle[cpu] = (spare + waiting) * tick_ns;
		found++;
	}
	return found;
}

static uint64_t process_ns(pid_t pid)
{
	struct timespec time;
	clockid_t clock;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time))
		return 0;
	return (uint64_t)time.tv_sec * NS_PER_SEC + (uint64_t)time.tv_nsec;
}

/* Of a process that may have become another one, which has begun at nothing. */
static uint64_t process_grown(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

/* What they stand at now; before, that is what they stood at. */
static void read_idle(struct budget *budget)
{
	ssize_t n = pread(budget->stat, budget->text, budget->text_size - 1, 0);

	memcpy(budget->last_idle, budget->idle, budget->processors * sizeof(*budget->idle));
	budget->text[n > 0 ? n : 0] = '\0';
	budget_read_idle(budget->text, budget->idle, budget->processors);
}

/* Once a minute, if at all: limits come and go. */
static void tell(struct budget *budget, unsigned int percent)
{
	uint64_t least = 0;

	if (budget->told_ns && budget->last_ns - budget->told_ns < TELL_NS)
		return;
	for (size_t cpu = 0; cpu < budget->processors; cpu++) {
		if (budget->follow[cpu] && (!least || budget->follow[cpu] < least))
			least = budget->follow[cpu];
	}
	if (!least)
		return;
	budget->told_ns = budget->last_ns;
	log_info("a processor is busy, and weft takes no more than %u%% of it (--cpu-budget): %u%% "
		 "of new requests are followed there; 'weft ps' counts those that pass, as "
		 "cpu_budget",
		 percent, (unsigned int)(least * 100 / FOLLOW_WINDOW_NS));
}

/* `pipeline`: its time in the window. It runs now here, now there: each has a part of it. */
static void decide(struct budget *budget, uint64_t length, uint64_t pipeline, unsigned int percent)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t part = pipeline / (online > 0 ? (uint64_t)online : 1);

	for (size_t cpu = 0; cpu < budget->processors; cpu++) {
		struct budget_window window = {
			.length = length,
			.idle = grown(budget->idle[cpu], budget->last_idle[cpu]),
			.weft = WALK_FACTOR *
					grown(budget->programs[cpu], budget->last_programs[cpu]) +
				part,
		};
		uint64_t follow = budget_follow(budget->follow[cpu], &window, percent);

		budget->due |= follow != budget->follow[cpu];
		budget->follow[cpu] = follow;
	}
	if (!budget->due ||
	    loader_follow_set(budget->loader, budget->follow, budget->processors) < 0)
		return;
	budget->due = false;
	tell(budget, percent);
}

void budget_look(struct budget *budget, pid_t pipeline, unsigned int percent)
{
	uint64_t now, length, pipeline_now, pipeline_ns;

	if (!budget)
		return;
	now = clock_monotonic_ns();
	length = now - budget->last_ns;
	pipeline_now = process_ns(pipeline);
	pipeline_ns = process_grown(pipeline_now, budget->last_pipeline);
	memcpy(budget->last_programs, budget->programs,
	       budget->processors * sizeof(*budget->programs));
	if (loader_walk_ns(budget->loader, budget->programs, budget->processors) < 0)
		return;
	read_idle(budget);
	if (budget->last_ns)
		decide(budget, length, pipeline_ns, percent);
	budget->last_ns = now;
	budget->last_pipeline = pipeline_now;
}

static int budget_init(struct budget *budget)
{
	budget->text_size = (budget->processors + 1) * STAT_LINE_MAX;
	budget->text = malloc(budget->text_size);
	budget->numbers = calloc(5 * budget->processors, sizeof(*budget->numbers));
	if (!budget->text || !budget->numbers)
		return -ENOMEM;
	budget->idle = budget->numbers;
	budget->last_idle = budget->idle + budget->processors;
	budget->programs = budget->last_idle + budget->processors;
	budget->last_programs = budget->programs + budget->processors;
	budget->follow = budget->last_programs + budget->processors;
	budget->stat = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	return budget->stat < 0 ? -errno : 0;
}

int budget_new(struct loader *loader, struct budget **ret_budget)
{
	struct budget *budget = calloc(1, sizeof(*budget));
	int processors = loader_processors(), r;

	if (!budget)
		return -ENOMEM;
	budget->stat = -1;
	budget->loader = loader;
	budget->processors = processors > 0 ? (size_t)processors : 1;
	r = budget_init(budget);
	if (r < 0)
		budget = budget_free(budget);
	*ret_budget = budget;
	return r;
}

struct budget *budget_free(struct budget *budget)
{
	if (!budget)
		return NULL;
	if (budget->stat >= 0)
		close(budget->stat);
	free(budget->numbers);
	free(budget->text);
	free(budget);
	return NULL;
}
