/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading end of a BPF ring buffer (BPF_MAP_TYPE_RINGBUF), for one reader.
 *
 * libbpf maps the whole data area, twice in a row so that no record is cut in two: 16 MiB of
 * resident memory for a ring of 8 MiB. Here a window of the ring is mapped, and moved on when it
 * has been read; the kernel shows the area twice in a row to the window as well.
 */
#ifndef WEFT_BASE_RING_H
#define WEFT_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	int fd;
	size_t size; /* of the data area */
	size_t page;
	size_t window_size;
	unsigned long *consumer;       /* shared with the kernel: read up to here */
	const unsigned long *producer; /* shared with the kernel: written up to here */
	unsigned char *window;
	bool is_shown;	     /* the window shows something */
	unsigned long start; /* position that the window begins with */
	unsigned long at;    /* position of the next record */
	uint64_t unreadable; /* records that did not fit into the window: passed over */
};

/* Takes one record, 8-byte aligned, which is gone after the call. */
typedef void (*ring_record_fn)(void *context, const void *data, size_t size);

/*
 * Maps the ring of the map `fd`, which stays the caller's and open. `size`: the map's max_entries,
 * a power of two of at least a page; `window_size`: likewise, and larger than any record by a page.
 * No privileges are needed from then on. -errno of mmap(2); ring_close() is due all the same.
 */
int ring_open(struct ring *ring, int fd, size_t size, size_t window_size);

/*
 * Hands over the records that are there, oldest first, and gives their number. What comes meanwhile
 * is left for another time, unless it is much. -errno of mmap(2): the rest stays in the ring.
 */
int ring_read(struct ring *ring, ring_record_fn take, void *context);

/* Accepts a zeroed struct, and one whose ring_open() has failed. */
void ring_close(struct ring *ring);

#endif
