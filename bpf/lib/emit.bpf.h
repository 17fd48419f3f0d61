/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Writing of records for the pipeline. */
#ifndef WEFT_LIB_EMIT_BPF_H
#define WEFT_LIB_EMIT_BPF_H

#include "maps.bpf.h"

/* Wake the reader when it sleeps; else it comes by itself, after 50 ms at most. */
static __always_inline __u64 wake_flags(void)
{
	__u32 key = 0;
	struct weft_control *page = bpf_map_lookup_elem(&control, &key);

	if (page && page->reader_idle) {
		page->reader_idle = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	return BPF_RB_NO_WAKEUP;
}

/* Writes a record: `fixed` bytes that end at the piece, and the piece's first `len` bytes. */
static __always_inline int record_emit(struct walk *walk, __u32 fixed, __u32 len)
{
	struct event_header *header;
	__u32 start = HEAD_ROOM - fixed;
	__u64 size = fixed + len;

	verify_here(size);
	if (walk->silent || start > HEAD_ROOM - sizeof(*header) || size > HEAD_ROOM + PIECE_MAX)
		return 0;
	header = (struct event_header *)(walk->room + start);
	header->size = size;
	header->pid = walk->pid;
	if (bpf_ringbuf_output(&events, header, size, wake_flags())) {
		stat_add(STAT_RING_FULL);
		return -1;
	}
	return 0;
}

#endif
