/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of every exchange: captured = exported + dropped by reason + still open. The counters
 * lie in memory that watcher and pipeline share, so they outlive a pipeline that crashes; what it
 * had open then is counted as lost with it.
 */
#ifndef WEFT_STATS_TOTALS_H
#define WEFT_STATS_TOTALS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/stats.h"

enum drop_reason {
#define DROP(constant, name, what) DROP_##constant,
#include "stats/drops.def"
#undef DROP
	DROP_MAX,
};

struct totals {
	uint64_t captured; /* requests that the kernel side saw begin, including those lost on the
			      way */
	uint64_t exported; /* spans that reached their target, or the first of several */
	uint64_t dropped[DROP_MAX];
	uint64_t kernel[STAT_MAX]; /* as last read */
	uint64_t missed;	   /* runs of programs that the kernel left out */
	uint64_t restarts;	   /* of the pipeline */
	uint64_t bad_records;	   /* records that failed their check */
	uint64_t unmatched_records;
};

/* Constant name of a reason, as it stands in `weft ps --json` and in the line at the end. */
const char *drop_reason_name(enum drop_reason reason);

/* Sum over all reasons. */
uint64_t totals_dropped(const struct totals *totals);

/* Exchanges that are neither exported nor dropped yet. */
uint64_t totals_open(const struct totals *totals);

/*
 * One line for people: "captured 10 = exported 8 + dropped 1 (ring_full 1) + open 1". Cut to fit.
 * Gives `text`.
 */
const char *totals_line(const struct totals *totals, char *text, size_t size);

/*
 * What the kernel side could not follow, as "unframed 2, compat_abi 1"; empty when there is
 * nothing. Gives `text`.
 */
const char *totals_losses(const struct totals *totals, char *text, size_t size);

/* {"captured", "exported", "open", "dropped": {reason: n}, "kernel": {...}, ...}. NULL: no memory.
 */
json_t *totals_json(const struct totals *totals);

#endif
