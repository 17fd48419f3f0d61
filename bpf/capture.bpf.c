// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Reading of a call's bytes out of the program's memory, and writing of records. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

#define FILL_MASK     (PIECE_MAX - 1)
#define FILL_SEGMENTS 16 /* at a time */

/* Goes to the segment that the next struct iovec describes. */
static __always_inline int next_segment(struct segment *seg)
{
	struct iovec iov = {};

	if (!seg->n_iov || bpf_probe_read_user(&iov, sizeof(iov), (void *)seg->iov))
		return -1;
	seg->iov += sizeof(iov);
	seg->n_iov--;
	seg->start += seg->len;
	seg->base = (__u64)iov.iov_base;
	seg->len = iov.iov_len;
	return 0;
}

enum fill {
	FILL_DONE,
	FILL_GO_ON,
	FILL_FAILED,
};

/*
 * Copies from the current segment, or from the next one when it is at its end: enum fill. A
 * subprogram, so that its loop is cheap.
 */
SUBPROGRAM int fill_segment(struct walk *walk, __u32 skip, __u32 want)
{
	__u64 offset, size;
	__u32 got, to;
	long failed;

	if (!walk || walk->got >= want)
		return FILL_DONE;
	got = walk->got;
	offset = walk->at + got - walk->ahead.start;
	if (offset >= walk->ahead.len) {
		if (next_segment(&walk->ahead))
			return FILL_DONE;
		offset = walk->at + got - walk->ahead.start;
		if (offset >= walk->ahead.len)
			return FILL_GO_ON;
	}
	/* what is read may be more than is dealt with: the next fill starts here or behind */
	if (!got)
		walk->seg = walk->ahead;
	size = walk->ahead.len - offset;
	if (size > want - got)
		size = want - got;
	size &= FILL_MASK;
	to = (skip + got) & FILL_MASK;
	if (walk->in_kernel)
		failed = bpf_probe_read_kernel(walk->piece.data + to, size,
					       (void *)(walk->ahead.base + offset));
	else
		failed = bpf_probe_read_user(walk->piece.data + to, size,
					     (void *)(walk->ahead.base + offset));
	if (failed)
		return FILL_FAILED;
	walk->got += size;
	return FILL_GO_ON;
}

/* Some segments: for the verifier two short loops are shorter than a long one. */
SUBPROGRAM int fill_segments(struct walk *walk, __u32 skip, __u32 want)
{
	int result = FILL_DONE;

	if (!walk)
		return FILL_DONE;
	for (__u64 i = 0; i < FILL_SEGMENTS; i++) {
		result = fill_segment(walk, skip, want);
		if (result != FILL_GO_ON)
			break;
	}
	return result;
}

SUBPROGRAM int capture_fill(struct walk *walk, __u32 skip, __u32 want)
{
	if (!walk || walk->no_buffer)
		return -14; /* EFAULT */
	walk->got = 0;
	walk->ahead = walk->seg;
	for (__u64 i = 0; i <= WALK_SEGMENTS_MAX / FILL_SEGMENTS; i++) {
		int result = fill_segments(walk, skip, want);

		/* bytes that come before those that cannot be read are good */
		if (result == FILL_FAILED && !walk->got)
			return -14;
		if (result != FILL_GO_ON)
			break;
	}
	return walk->got;
}

/* Wake the reader when it sleeps; else it comes by itself, every 20 ms. */
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

SUBPROGRAM int capture_emit(struct walk *walk, __u32 fixed, __u32 len)
{
	struct event_header *header;
	__u32 start = HEAD_ROOM - fixed;
	__u64 size = fixed + len;

	verify_here(size);
	if (!walk || walk->silent || start > HEAD_ROOM - sizeof(*header) ||
	    size > HEAD_ROOM + PIECE_MAX)
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
