// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Reading of a call's bytes out of the program's memory, and writing of records. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "lib/emit.bpf.h"

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

/*
 * Most calls have all their bytes, or all that are asked for, in one segment: then they are copied
 * at once. Gives what capture_fill() gives, or 0: they may be in several.
 */
static __always_inline int fill_at_once(struct walk *walk, __u32 skip, __u32 want)
{
	__u64 offset = walk->at - walk->seg.start;
	__u64 size = want & FILL_MASK;
	void *from;

	if (offset >= walk->seg.len) {
		if (next_segment(&walk->seg))
			return 0;
		offset = walk->at - walk->seg.start;
	}
	if (offset > walk->seg.len || walk->seg.len - offset < want || size != want)
		return 0;
	from = (void *)(walk->seg.base + offset);
	skip &= FILL_MASK;
	if (walk->in_kernel ? bpf_probe_read_kernel(walk->piece.data + skip, size, from)
			    : bpf_probe_read_user(walk->piece.data + skip, size, from))
		return 0;
	walk->got = want;
	return want;
}

SUBPROGRAM int capture_fill(struct walk *walk, __u32 skip, __u32 want)
{
	int got;

	if (!walk || walk->no_buffer)
		return -14; /* EFAULT */
	got = fill_at_once(walk, skip, want);
	if (got)
		return got;
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

SUBPROGRAM int capture_emit(struct walk *walk, __u32 fixed, __u32 len)
{
	return walk ? record_emit(walk, fixed, len) : 0;
}
