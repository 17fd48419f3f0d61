/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of the host as they come and go: the kernel side tells of them, they are looked at,
 * entered into the kernel's table and described to the pipeline. What found no room on one of these
 * ways is made up for.
 */
#ifndef WEFT_WATCHER_PROCESS_WATCH_H
#define WEFT_WATCHER_PROCESS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "attach/loader.h"
#include "base/channel.h"
#include "base/ring.h"
#include "config/config.h"
#include "discover/process.h"
#include "watcher/libraries.h"

struct process_watch {
	const struct config *config;
	struct loader *loader;
	struct process_options describe;
	struct libraries *libraries; /* NULL: none are looked for */
	sd_event *loop;		     /* NULL: it has not begun */
	int channel;		     /* to the pipeline */
	struct ring ring;
	uint64_t lost; /* records that found no room in the ring, as last counted */
	bool untold;   /* a description found no room in the channel */
	struct channel_message message;
};

/* Processes are described as the configuration says by now. describe.proc is the caller's. */
void process_watch_describe(struct process_watch *watch);

/* Maps the kernel side's ring. The caller has set config, loader and describe. -errno. */
int process_watch_open(struct process_watch *watch);

/* Looks at every process that there is. */
void process_watch_scan(struct process_watch *watch);

/* Takes in what the kernel side has told. */
void process_watch_read(struct process_watch *watch);

/* Describes again all that a pipeline must know, which it has not been told. */
void process_watch_retell(struct process_watch *watch);

/*
 * Once in a while: looks again at what was missed. `lost` is the kernel side's counter; `room`: the
 * channel takes messages again.
 */
void process_watch_catch_up(struct process_watch *watch, uint64_t lost, bool room);

void process_watch_close(struct process_watch *watch);

#endif
