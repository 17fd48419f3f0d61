/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BASE_CLOCK_H
#define WEFT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US  1000ull
#define NS_PER_MS  1000000ull
#define NS_PER_SEC 1000000000ull

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* How far CLOCK_MONOTONIC of this process' time namespace is ahead of the kernel's own. */
extern int64_t clock_namespace_ns;

/* Finds it out; 0 where there are no such namespaces. To be called before times are compared. */
void clock_init(void);

/* Reads what /proc/self/timens_offsets says of CLOCK_MONOTONIC. -EBADMSG: nothing. */
int clock_parse_offsets(const char *text, int64_t *ret_ns);

/* The clock of the kernel's records (bpf_ktime_get_ns). */
static inline uint64_t clock_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC) - (uint64_t)clock_namespace_ns;
}

/* What to add to a CLOCK_MONOTONIC time to get Unix time, as of now (it moves with clock steps). */
static inline int64_t clock_unix_offset_ns(void)
{
	uint64_t before = clock_monotonic_ns();
	uint64_t unix_now = clock_ns(CLOCK_REALTIME);
	uint64_t after = clock_monotonic_ns();

	return (int64_t)(unix_now - (before + (after - before) / 2));
}

#endif
