/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files have probes in them: those that a traced process maps, once for all processes that
 * map them, until the last one of these is gone. Files are told apart by device and inode.
 */
#ifndef WEFT_WATCHER_LIBRARIES_H
#define WEFT_WATCHER_LIBRARIES_H

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "attach/loader.h"

struct libraries;

/*
 * `state`: of the loader's surfaces, as they are attached; without a hook for libraries all that
 * follows does nothing. `stepped`: also where the processor steps over a probe. `proc`: "/proc".
 * They stay the caller's. -ENOMEM.
 */
int libraries_new(const struct loader *loader, const struct surface_state *state, bool stepped,
		  const char *proc, struct libraries **ret_libraries);

/* The system's own libraries: processes that live shortly are gone before they are looked at. */
void libraries_of_system(struct libraries *libraries);

/* All of these accept NULL, and do nothing then. */

/*
 * A program was executed. It will have mapped its libraries in a moment: it is looked at several
 * times, by timers of the loop.
 */
void libraries_expect(struct libraries *libraries, sd_event *loop, pid_t pid);

/*
 * Looks at what the process has mapped by now. `speaks`: it has spoken TLS, so a library may be
 * within the program itself, or within any other file that it maps: each of these is looked
 * through once.
 */
void libraries_look(struct libraries *libraries, pid_t pid, bool speaks);

/* Takes the probes out of what nobody maps any more. To be called every second or so. */
void libraries_tidy(struct libraries *libraries);

/* Takes all probes out and frees; NULL is accepted. Returns NULL. */
struct libraries *libraries_free(struct libraries *libraries);

#endif
