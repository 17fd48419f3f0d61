/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which wefts may run beside each other: those that differ in their name and trace different
 * network namespaces. Two that trace the same sockets would write context twice and export
 * everything twice.
 *
 * One file holds all locks, as ranges of bytes that need not exist: a byte for each network
 * namespace, at its inode number, all of them for a weft that is not limited; and a byte for each
 * name, far behind. The kernel finds overlaps, knows who holds them, and lets go of them when that
 * process is gone, however it ends: nothing is ever stale. The locks are of fcntl(2)'s first kind,
 * which belong to the process alone; those of flock(2) would live on in the pipeline, which
 * outlives a killed watcher by a moment. An abstract socket would do as well but for its scope: it
 * is seen in one network namespace only, and programs in the kernel know no such bounds.
 */
#ifndef WEFT_WATCHER_LOCK_H
#define WEFT_WATCHER_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Who is in the way. */
struct lock_holder {
	pid_t pid;	 /* 0: a process of another pid namespace */
	bool same_name;	 /* it has the name, whatever it traces */
	bool whole_host; /* it has another name and traces all network namespaces */
};

/*
 * Takes both locks for this process, until it ends or closes the descriptor, and any other one of
 * that file. `directory` is made if it is missing, open to its owner only; netns: inode number, 0:
 * all. -EBUSY with *ret_holder filled, -errno of the file. No lock is held then.
 */
int lock_take(const char *directory, const char *name, uint32_t netns, int *ret_fd,
	      struct lock_holder *ret_holder);

/* Who is in the way of `name` and `netns`, and what to do about it, in `text`. */
const char *lock_explain(const struct lock_holder *holder, const char *name, uint32_t netns,
			 char *text, size_t size);

#endif
