/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Counters of the kernel side: one per-CPU array, indexed by enum stat_id. */
#ifndef WEFT_ABI_STATS_H
#define WEFT_ABI_STATS_H

#include "types.h"

enum stat_id {
#define STAT(constant, name, what) STAT_##constant,
#define LOSS(constant, name, what) STAT_##constant,
#include "stats.def"
#undef STAT
#undef LOSS
	STAT_MAX,
};

#endif
