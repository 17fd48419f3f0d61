/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process without capabilities: it owns the ring buffer and every byte from the wire, builds
 * spans and exports them. It is forked by the watcher, again when it crashes.
 */
#ifndef WEFT_PIPELINE_PIPELINE_H
#define WEFT_PIPELINE_PIPELINE_H

#include <jansson.h>

#include "config/config.h"
#include "pipeline/settings.h"
#include "stats/totals.h"

/* What the watcher hands over; descriptors are inherited and become the pipeline's. */
struct pipeline_setup {
	struct settings *settings; /* as they are by now; what the child does not need, it clears */
	int events_fd;		   /* map: ring buffer */
	int control_fd;		   /* map: struct weft_control */
	int channel_fd;		   /* to the watcher */
	int socket_fd;		   /* listening control socket */
	struct totals *totals;	   /* shared memory that outlives this process */
	uint64_t started_ns;	   /* CLOCK_MONOTONIC, when weft started */
	json_t *propagation;	   /* what the self-test has settled, for weft ps */
};

/* Runs until the watcher says stop, or is gone. Gives the exit status. */
int pipeline_run(const struct pipeline_setup *setup);

#endif
