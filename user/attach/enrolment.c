/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/enrolment.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bpf/abi/config.h"

/* More than ever are in the map (maps.bpf.h), should they come and go meanwhile. */
#define REMOVALS_MAX (1 << 17)
/* Where the kernel does not say when all programs have ended that have begun: longer than any runs.
 */
#define GRACE_NS (50 * NS_PER_MS)

/* Returns when every program that has read the old mode has ended. */
static void wait_for_programs(void)
{
	const struct timespec grace = { .tv_nsec = (long)GRACE_NS };

	/* waits for an RCU grace period; hosts with nohz_full= refuse it */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &grace, NULL);
}

int enrolment_resume(const struct enrolment *enrolment)
{
	int fd = enrolment->fds[ENROLMENT_CONFIG];
	struct wire_config config;
	uint32_t slot = 0;

	if (bpf_map_lookup_elem(fd, &slot, &config) < 0)
		return -errno;
	if (config.mode != WIRE_ENDING)
		return 0;
	config.mode = WIRE_EARLY_LEAVE;
	return bpf_map_update_elem(fd, &slot, &config, BPF_ANY) < 0 ? -errno : 0;
}

void enrolment_end(const struct enrolment *enrolment)
{
	const struct wire_config config = { .mode = WIRE_ENDING };
	int socks = enrolment->fds[ENROLMENT_SOCKS];
	uint64_t cookie, next, *before = NULL;
	uint32_t slot = 0;

	bpf_map_update_elem(enrolment->fds[ENROLMENT_CONFIG], &slot, &config, BPF_ANY);
	wait_for_programs();
	/* a key that is gone makes the map begin anew: what has not been removed comes again */
	for (int i = 0; i < REMOVALS_MAX && bpf_map_get_next_key(socks, before, &next) == 0; i++) {
		if (before)
			bpf_map_delete_elem(socks, before);
		cookie = next;
		before = &cookie;
	}
	if (before)
		bpf_map_delete_elem(socks, before);
}
