/* SPDX-License-Identifier: Apache-2.0 */
/* Which network namespace does a person mean? */
#ifndef WEFT_CONFIG_NETNS_H
#define WEFT_CONFIG_NETNS_H

#include <stddef.h>
#include <stdint.h>

#define NETNS_ACCEPTED "a file like /run/netns/NAME, a process id, self"

/*
 * The inode number of a network namespace, by which the kernel side knows it. It is not held: the
 * number may be another namespace's when this one is gone. -EINVAL: there is none, and why[size]
 * tells the reason in words that follow the text.
 */
int netns_inode(const char *text, uint32_t *ret_inode, char *why, size_t size);

#endif
