/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/maps: "START-END PERMISSIONS OFFSET DEVICE INODE PATH", proc(5). Paths and names in it
 * are chosen by the process.
 */
#ifndef WEFT_DISCOVER_MAPS_H
#define WEFT_DISCOVER_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

struct mapping {
	struct view range;
	struct view permissions; /* "r-xp" */
	struct view path;	 /* or a name in brackets; empty: none */
};

/* Takes the next line of `*rest`, which starts as the whole text. False at the end. */
bool maps_next(struct view *rest, struct mapping *ret_mapping);

/*
 * Name of the mapping in map_files, below the process' directory: it has no zeros in front, which
 * low addresses have in maps. -EBADMSG.
 */
int mapping_file(const struct mapping *mapping, char *name, size_t size);

/* Address of the mapping's first byte. -EBADMSG. */
int mapping_start(const struct mapping *mapping, uint64_t *ret_address);

#endif
