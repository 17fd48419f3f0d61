/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_DISCOVER_SCAN_H
#define WEFT_DISCOVER_SCAN_H

#include <sys/types.h>

/*
 * Calls `found` once for each process below `proc` ("/proc"), kernel threads left out. Processes
 * that start meanwhile may be missed, ones that end may still be named. Stops when `found` returns
 * a value other than 0 and returns that; 0 at the end; -errno when the directory cannot be read.
 */
int scan_processes(const char *proc, int (*found)(void *context, pid_t pid), void *context);

#endif
