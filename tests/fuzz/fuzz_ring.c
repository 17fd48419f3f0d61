/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring buffer's pages, in a file instead of a map: the first two bytes say how far writers are,
 * the rest are the data. Records come in order and lie within the data; the reader comes to an end.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ring.h"

#define PAGES  4
#define WINDOW 2 /* pages */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
	size_t page;
	size_t bytes;
	unsigned int sum;
};

static void require(bool right)
{
	if (!right)
		abort();
}

static void take(void *context, const void *data, size_t size)
{
	struct reading *reading = context;
	const uint8_t *bytes = data;

	require(size <= WINDOW * reading->page && (uintptr_t)data % 8 == 0);
	/* all of it can be read */
	for (size_t i = 0; i < size; i++)
		reading->sum += bytes[i];
	reading->bytes += size + 8;
}

/* The data area follows twice, as the kernel shows it. */
static int make_file(const uint8_t *data, size_t size, size_t page, unsigned long producer)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	off_t data_at = 2 * (off_t)page, area = PAGES * (off_t)page;

	require(fd >= 0 && ftruncate(fd, data_at + 2 * area) == 0);
	require(pwrite(fd, &producer, sizeof(producer), (off_t)page) == sizeof(producer));
	if (size > (size_t)area)
		size = (size_t)area;
	require(pwrite(fd, data, size, data_at) == (ssize_t)size);
	require(pwrite(fd, data, size, data_at + area) == (ssize_t)size);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading reading = { .page = (size_t)sysconf(_SC_PAGESIZE) };
	struct ring ring = { 0 };
	unsigned long producer;
	int fd;

	if (size < 2)
		return 0;
	/* writers are never further ahead than the ring is large, and write whole words */
	producer = (data[0] | (unsigned long)data[1] << 8) % (PAGES * reading.page + 1) & ~7ul;
	fd = make_file(data + 2, size - 2, reading.page, producer);
	require(ring_open(&ring, fd, PAGES * reading.page, WINDOW * reading.page) == 0);
	require(ring_read(&ring, take, &reading) >= 0);
	ring_close(&ring);
	close(fd);
	return 0;
}
