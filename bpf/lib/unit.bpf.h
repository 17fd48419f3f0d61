/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* State of a thread. Kept by thread id, for not every kind of program may ask for task storage. */
#ifndef WEFT_LIB_UNIT_BPF_H
#define WEFT_LIB_UNIT_BPF_H

#include "maps.bpf.h"

/* NULL: the thread has none. */
static __always_inline struct unit *unit_of(__u32 tid)
{
	return bpf_map_lookup_elem(&units, &tid);
}

/* Made if there is none. NULL: there is no room, which is counted. */
static __always_inline struct unit *unit_make(__u32 tid)
{
	/* not on the stack: of its 512 bytes, eight calls deep, none is to spare */
	static const struct unit fresh;
	struct unit *unit = bpf_map_lookup_elem(&units, &tid);

	if (unit)
		return unit;
	bpf_map_update_elem(&units, &tid, &fresh, BPF_NOEXIST);
	unit = bpf_map_lookup_elem(&units, &tid);
	if (!unit)
		stat_add(STAT_NO_STATE);
	return unit;
}

#endif
