/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Pages of the map as mmap(2) sees them (Linux, kernel/bpf/ringbuf.c): the reader's position, the
 * writers' position, the data, and the data once more.
 */
#define CONSUMER_PAGE 0
#define PRODUCER_PAGE 1
#define DATA_PAGE     2

/*
 * The kernel is told of what was read once for so many bytes: its writers look at that position for
 * each record, and a line of memory that both sides use all the time costs both of them.
 */
#define TELL_BYTES 16384

/* Of the next record, that is fetched ahead: the fixed part of the largest, and a short head. */
#define FETCH_BYTES 320
#define CACHE_LINE  64

static void *map_page(const struct ring *ring, int page, int protection)
{
	void *address =
		mmap(NULL, ring->page, protection, MAP_SHARED, ring->fd, page * (off_t)ring->page);

	return address == MAP_FAILED ? NULL : address;
}

/* Lets the window show the data from the page of `position` on. */
static int window_move(struct ring *ring, unsigned long position)
{
	unsigned long start = position & ~(ring->page - 1);
	off_t offset = DATA_PAGE * (off_t)ring->page + (off_t)(start & (ring->size - 1));
	int fixed = ring->window ? MAP_FIXED : 0;
	void *address;

	ring->is_shown = false;
	address = mmap(ring->window, ring->window_size, PROT_READ, MAP_SHARED | fixed, ring->fd,
		       offset);
	if (address == MAP_FAILED)
		return -errno;
	ring->window = address;
	ring->start = start;
	ring->is_shown = true;
	return 0;
}

static bool window_shows(const struct ring *ring, unsigned long position, size_t size)
{
	return ring->is_shown && position - ring->start <= ring->window_size &&
	       size <= ring->window_size - (position - ring->start);
}

/* Moves the window where need be. -EMSGSIZE: it is too small. -errno of mmap(2). */
static int window_show(struct ring *ring, unsigned long position, size_t size)
{
	int r;

	if (window_shows(ring, position, size))
		return 0;
	r = window_move(ring, position);
	if (r < 0)
		return r;
	return window_shows(ring, position, size) ? 0 : -EMSGSIZE;
}

static const unsigned char *window_at(const struct ring *ring, unsigned long position)
{
	return ring->window + (position - ring->start);
}

/* The next record was written on another processor: it is fetched while this one is worked on. */
static void fetch_next(const struct ring *ring, size_t size)
{
	unsigned long next = ring->at + ((BPF_RINGBUF_HDR_SZ + size + 7) & ~7ul);

	if (!window_shows(ring, next, FETCH_BYTES))
		return;
	for (size_t i = 0; i < FETCH_BYTES; i += CACHE_LINE)
		__builtin_prefetch(window_at(ring, next) + i);
}

static void tell(struct ring *ring)
{
	__atomic_store_n(ring->consumer, ring->at, __ATOMIC_RELEASE);
}

/* One record. 1: taken; 0: it is not complete yet. -errno. */
static int read_record(struct ring *ring, ring_record_fn take, void *context)
{
	size_t size;
	uint32_t length;
	int r = window_show(ring, ring->at, BPF_RINGBUF_HDR_SZ);

	if (r < 0)
		return r;
	length = __atomic_load_n((const uint32_t *)(const void *)window_at(ring, ring->at),
				 __ATOMIC_ACQUIRE);
	if (length & BPF_RINGBUF_BUSY_BIT)
		return 0;
	size = length & ~BPF_RINGBUF_DISCARD_BIT;
	r = window_show(ring, ring->at, BPF_RINGBUF_HDR_SZ + size);
	if (r < 0 && r != -EMSGSIZE)
		return r;
	if (r == -EMSGSIZE)
		ring->unreadable++;
	fetch_next(ring, size);
	if (r == 0 && !(length & BPF_RINGBUF_DISCARD_BIT))
		take(context, window_at(ring, ring->at) + BPF_RINGBUF_HDR_SZ, size);
	ring->at += (BPF_RINGBUF_HDR_SZ + size + 7) & ~7ul;
	return 1;
}

/* The records that are there now. */
static int read_all(struct ring *ring, ring_record_fn take, void *context)
{
	unsigned long end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	unsigned long told = ring->at;
	int n = 0, r = 1;

	/* a length that is wrong leads past the end, not around */
	while (ring->at < end) {
		r = read_record(ring, take, context);
		if (r <= 0)
			break;
		n++;
		if (ring->at - told >= TELL_BYTES) {
			tell(ring);
			told = ring->at;
		}
	}
	tell(ring);
	return r < 0 && n == 0 ? r : n;
}

int ring_read(struct ring *ring, ring_record_fn take, void *context)
{
	int n, sum = 0;

	do {
		n = read_all(ring, take, context);
		sum += n > 0 ? n : 0;
	} while (n > 0 &&
		 __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - ring->at > ring->size / 8);
	return n < 0 && sum == 0 ? n : sum;
}

int ring_open(struct ring *ring, int fd, size_t size, size_t window_size)
{
	*ring = (struct ring){ .fd = fd, .size = size, .page = (size_t)sysconf(_SC_PAGESIZE) };
	ring->window_size = window_size < size ? window_size : size;
	ring->consumer = map_page(ring, CONSUMER_PAGE, PROT_READ | PROT_WRITE);
	if (!ring->consumer)
		return -errno;
	ring->producer = map_page(ring, PRODUCER_PAGE, PROT_READ);
	if (!ring->producer)
		return -errno;
	ring->at = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	return window_move(ring, ring->at);
}

void ring_close(struct ring *ring)
{
	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	if (ring->producer)
		munmap((void *)ring->producer, ring->page);
	if (ring->window)
		munmap(ring->window, ring->window_size);
	*ring = (struct ring){};
}
