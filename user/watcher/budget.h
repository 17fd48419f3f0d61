/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weft may take of a processor that is busy: `cpu_budget`. Where one has time to spare,
 * nothing is held back. Where it has not, and weft takes more of it than its share, new exchanges
 * are followed there in a part of the time only, and let pass for the rest: counted, not seen.
 */
#ifndef WEFT_WATCHER_BUDGET_H
#define WEFT_WATCHER_BUDGET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/loader.h"

/* How much of a window one processor was idle, and worked for weft: ns. */
struct budget_window {
	uint64_t length;
	uint64_t idle;
	uint64_t weft;
};

/*
 * Of the next windows of FOLLOW_WINDOW_NS, those ns in which exchanges may begin to be followed, 0:
 * all. `follow_ns`: the same, as it was in the window; `percent`: of the processor's time, 0: no
 * limit.
 */
uint64_t budget_follow(uint64_t follow_ns, const struct budget_window *window,
		       unsigned int percent);

/*
 * Idle time of each processor out of the text of /proc/stat, in ns; those that it does not name
 * stay as they were. Gives how many it names.
 */
size_t budget_read_idle(const char *text, uint64_t *idle, size_t n);

struct budget;

/* So often budget_look() is to be called: each window has as much of every part of it. */
#define BUDGET_INTERVAL_US (FOLLOW_WINDOW_NS / 1000)

/* The loader stays the caller's. -errno. */
int budget_new(struct loader *loader, struct budget **ret_budget);

/*
 * A window has passed. `pipeline`: its process, 0 if there is none at the moment. NULL is accepted,
 * and nothing is done.
 */
void budget_look(struct budget *budget, pid_t pipeline, unsigned int percent);

/* NULL is accepted. Returns NULL. */
struct budget *budget_free(struct budget *budget);

#endif
