/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pipeline gives up before it reads a byte from the wire: its user, its capabilities, and
 * every system call that it does not need.
 */
#ifndef WEFT_PIPELINE_SANDBOX_H
#define WEFT_PIPELINE_SANDBOX_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Closes all descriptors but these `n` (negative ones are passed over; sorted afterwards) and the
 * three standard ones. Whoever was forked from the watcher holds its programs, links and lock.
 * -errno of close_range(2).
 */
int sandbox_keep_descriptors(int *fds, size_t n);

/*
 * Becomes uid and gid with no other groups, no capabilities in any set, no_new_privs, and not
 * dumpable. Needs CAP_SETUID, CAP_SETGID and CAP_SETPCAP. -errno: nothing may go on.
 */
int sandbox_drop_privileges(uid_t uid, gid_t gid);

/*
 * Lets through the system calls of the pipeline's work: files and sockets that it has, outgoing
 * connections, memory, time, threads of its own (name resolution). Everything else fails with
 * EPERM: execve, ptrace, bpf, mount, module loading, namespaces, typing into a terminal (TIOCSTI),
 * reading other processes' memory and the rest. -errno.
 */
int sandbox_filter_calls(void);

#endif
