/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that does one thing: when the watcher ends, however it does, it brings the end of
 * enrolment about (attach/enrolment.h). Programs that look at messages are attached as long as it
 * lives. It is started before anything is loaded, so it is small; it holds CAP_BPF, three
 * descriptors and a socket to the watcher, and may make a handful of system calls.
 */
#ifndef WEFT_WATCHER_GUARD_H
#define WEFT_WATCHER_GUARD_H

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "attach/loader.h"

struct guard {
	pid_t pid;  /* 0: there is none */
	int socket; /* to it; the end of this one is its sign. -1: none */
	bool armed;
	bool ending;
	unsigned int restarts;
	struct loader *loader;
	struct enrolment enrolment; /* the loader's descriptors, if armed */
	sd_event *loop;
	sd_event_source *source;
	void (*on_end)(void *context);
	void *context;
};

/* No process, no descriptor. */
#define GUARD_NONE                                                                                 \
	{                                                                                          \
		.socket = -1                                                                       \
	}

/* Starts the process. Before threads, and before privileges are given up. -errno. */
int guard_start(struct guard *guard);

/*
 * Hands it what it has to guard. The loader stays the caller's, and is used if the process has to
 * be started again. -ENOENT: no message is looked at; -errno.
 */
int guard_arm(struct guard *guard, struct loader *loader);

/*
 * From now on it is started again if it is ended by others, and `on_end` is called once it has
 * ended after guard_end(). Where it cannot be started, enrolment ends. SIGCHLD is blocked. -errno.
 */
int guard_watch(struct guard *guard, sd_event *loop, void (*on_end)(void *context), void *context);

/* Its work is due. Without a process that could do it, it is done when this returns. */
void guard_end(struct guard *guard);

/* Gives up what is held here; a process that lives takes it as guard_end(). */
void guard_clear(struct guard *guard);

#endif
