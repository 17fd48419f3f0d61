/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side's programs and maps: chooses hooks, loads and attaches them, and hands out what
 * the watcher needs. All of it needs the watcher's capabilities.
 */
#ifndef WEFT_ATTACH_LOADER_H
#define WEFT_ATTACH_LOADER_H

#include <stdint.h>
#include <sys/types.h>

#include "attach/choice.h"
#include "attach/enrolment.h"
#include "attach/hooks.h"
#include "bpf/abi/config.h"
#include "bpf/abi/stats.h"

struct loader;

struct loader_options {
	struct weft_knobs knobs;
	uint32_t ring_size;		 /* bytes, a power of two */
	uint32_t hooks_off[SURFACE_MAX]; /* bit n: the surface's hook n is not tried */
};

struct kernel_counters {
	uint64_t stats[STAT_MAX];
	uint64_t missed; /* program runs that the kernel left out (recursion) */
};

/*
 * Chooses hooks and loads them; nothing runs yet. On failure *ret_state tells why for every
 * surface. -ENOENT: the kernel has no BTF; -EPERM: not allowed; -EOPNOTSUPP: a required surface has
 * no hook that works here; -ENOMEM; other errors of bpf(2).
 */
int loader_new(const struct loader_options *options, struct surface_state ret_state[SURFACE_MAX],
	       struct loader **ret_loader);

/*
 * Attaches what was loaded. A hook that cannot be attached is noted in `state`. As loader_new().
 * Nothing is traced before loader_wire_set() says that nobody is tested any more.
 */
int loader_attach(struct loader *loader, struct surface_state state[SURFACE_MAX]);

/* Detaches what was attached of one surface. */
void loader_detach_surface(struct loader *loader, enum surface_id surface);

/* Detaches everything; maps stay. The kernel takes its time, see below. */
void loader_detach(struct loader *loader);

/*
 * Lets a child process do that, and gives its id; maps stay. Where hooks are on functions, the
 * kernel waits with each one until no task can be within it: in all 0.5 to 1.5 s were measured on
 * Linux 6.1 and 6.12, one after another whether links are destroyed in turn, by threads, or by the
 * end of the process. Calls go on undisturbed meanwhile. The child ends when all is done, also
 * after the caller has gone. -errno: there is no child, and hooks may be attached still.
 */
int loader_detach_apart(struct loader *loader, pid_t *ret_child);

/* Descriptors of maps; the loader keeps them. */
int loader_events_fd(const struct loader *loader);
int loader_process_events_fd(const struct loader *loader);
size_t loader_process_events_size(const struct loader *loader); /* bytes */
int loader_control_fd(const struct loader *loader);
int loader_wire_socks_fd(const struct loader *loader); /* enrolled sockets, by cookie */
/* The iterator over TCP sockets, for open_sockets_reach(). -ENOENT: the surface is off. */
int loader_open_sockets_fd(const struct loader *loader);

/* What the end of enrolment takes. -ENOENT: no message is looked at. */
int loader_enrolment(const struct loader *loader, struct enrolment *ret_enrolment);
int loader_options_fd(const struct loader *loader); /* by struct option_key */

/* Descriptor of a program that is loaded. -ENOENT: it is not. */
int loader_program_fd(const struct loader *loader, const char *name);

/* Sets, reads and removes an entry of the process table. -errno. */
int loader_process_set(struct loader *loader, uint32_t pid, struct process_config config);
/* The same, if there is one. -ENOENT: there is not. */
int loader_process_renew(struct loader *loader, uint32_t pid, struct process_config config);
int loader_process_forget(struct loader *loader, uint32_t pid);
int loader_process_get(const struct loader *loader, uint32_t pid,
		       struct process_config *ret_config);

/*
 * What is done to requests that go out, and whether tracing has begun: until this is called nothing
 * is, and it has not (TEST_PID_NONE). -errno.
 */
int loader_wire_set(struct loader *loader, struct wire_config config);

/* Sums the counters over all CPUs, since the start or the last restart. -errno. */
int loader_counters(const struct loader *loader, struct kernel_counters *ret_counters);

/* Processors that this host may have; what is kept for each of them has so many places. -errno. */
int loader_processors(void);

/* What each processor has spent in programs since they were loaded: STAT_WALK_NS. -errno. */
int loader_walk_ns(const struct loader *loader, uint64_t *ret_ns, size_t n);

/* Sets for each when exchanges may begin to be followed: the map `follow`. -errno. */
int loader_follow_set(struct loader *loader, const uint64_t *follow_ns, size_t n);

/*
 * The process' TLS is in a runtime that moves tasks from thread to thread: struct tls_direct.
 * -errno.
 */
int loader_tls_direct(const struct loader *loader, uint32_t pid);

/* What was counted until now is not counted. -errno. */
int loader_counters_restart(struct loader *loader);

/* Detaches and frees; NULL is accepted. Returns NULL. */
struct loader *loader_free(struct loader *loader);

#endif
