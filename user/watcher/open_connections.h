/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that were open before weft started, in all network namespaces. */
#ifndef WEFT_WATCHER_OPEN_CONNECTIONS_H
#define WEFT_WATCHER_OPEN_CONNECTIONS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Lets a child process ask for the callbacks that they need to carry context, so that nobody waits
 * for it: a host may have many connections, and namespaces. Before privileges are given up:
 * entering a namespace takes CAP_SYS_ADMIN; without it only this process' own one is reached.
 * `program`: loader_open_sockets_fd(); `netns`: inode number of the only namespace that is traced,
 * 0: all. -errno: there is no child.
 */
int open_connections_start(int program, uint32_t netns, pid_t *ret_child);

#endif
