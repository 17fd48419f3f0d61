/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes are traced, and how their threads relate to requests: the kernel's process table.
 */
#ifndef WEFT_WATCHER_SELECTION_H
#define WEFT_WATCHER_SELECTION_H

#include <stdbool.h>
#include <sys/types.h>

#include "attach/loader.h"
#include "config/config.h"
#include "discover/process.h"

/* True: without a choice of pids or executables every process is traced. */
bool selection_is_all(const struct config *config);

/*
 * Is the process, with this executable, one of the chosen? A glob without a slash is matched
 * against the executable's name, one with a slash against its path.
 */
bool selection_matches(const struct config *config, pid_t pid, const char *executable);

/*
 * Puts a process into the kernel's table, as far as the table must know of it: chosen ones, and
 * event loops. `noted` says that it has been announced, and need not be any more. 1: it stands
 * there; 0: it need not. -ENOENT: noted, and it has ended. -errno.
 */
int selection_apply(const struct config *config, struct loader *loader,
		    const struct process_info *info, bool noted);

/* Is the process traced, as the kernel's table says by now? */
bool selection_has(const struct config *config, const struct loader *loader, pid_t pid);

/*
 * Does the process run the program that this one does? What `weft doctor` tries on connections of
 * its own would be done to them a second time.
 */
bool selection_is_weft(pid_t pid);

/* Never traces this process: weft's own. -errno. */
int selection_exclude(struct loader *loader, pid_t pid);

/* The same for a process at whose end no socket is enrolled any more. -errno. */
int selection_enrols(struct loader *loader, pid_t pid);

#endif
