/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound ownership, after systemd's and bpfilter's: a variable marked with one of the
 * _cleanup_* attributes releases what it owns when it leaves its scope; TAKE_PTR and TAKE_FD hand
 * ownership on and leave an empty variable behind.
 */
#ifndef WEFT_BASE_CLEANUP_H
#define WEFT_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

#define TAKE_PTR(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) *taken_from = &(pointer);                                      \
		__typeof__(pointer) taken = *taken_from;                                           \
		*taken_from = NULL;                                                                \
		taken;                                                                             \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *taken_from = &(fd);                                                           \
		int taken = *taken_from;                                                           \
		*taken_from = -1;                                                                  \
		taken;                                                                             \
	})

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define _cleanup_free_	 _cleanup_(cleanup_free)
#define _cleanup_close_	 _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

#endif
