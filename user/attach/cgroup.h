/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup v2 hierarchy: programs on sockets are attached to its root. */
#ifndef WEFT_ATTACH_CGROUP_H
#define WEFT_ATTACH_CGROUP_H

/*
 * A descriptor of its root directory, which is the caller's. On hosts with hierarchies of both
 * kinds it is mounted beside the others. -ENOTDIR: it is not mounted; other errors of open(2).
 */
int cgroup_root_open(void);

#endif
