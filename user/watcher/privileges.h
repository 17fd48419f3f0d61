/* SPDX-License-Identifier: Apache-2.0 */
/* The watcher's capabilities: what it must have to start, and what it keeps. */
#ifndef WEFT_WATCHER_PRIVILEGES_H
#define WEFT_WATCHER_PRIVILEGES_H

#include <stddef.h>

/*
 * Writes the names of the capabilities that are needed and missing, separated by ", ". 0: none is
 * missing; -EPERM.
 */
int privileges_check(char *ret_missing, size_t size);

/*
 * Keeps the capabilities of the watcher's work effective, and those that starting another pipeline
 * takes permitted only (changing user, ending a process of another user). -errno.
 */
int privileges_reduce(void);

/* Keeps CAP_BPF alone, and may not gain any: in the child that becomes the guard. -errno. */
int privileges_only_bpf(void);

/* Makes the permitted capabilities effective: in the child that becomes the pipeline. -errno. */
int privileges_raise(void);

#endif
