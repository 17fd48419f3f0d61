/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is laid out as the kernel shows a ring buffer, and a writer in place of the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ring.h"

#define PAGES	    16
#define WINDOW	    4 /* pages */
#define RECORDS_MAX 4096

struct fixture {
	struct ring ring;
	int fd;
	size_t page;
	size_t size;
	unsigned long *consumer;
	unsigned long *producer;
	uint8_t *data;
	uint32_t next; /* number of the next record that is written */
	uint32_t n;    /* records that were taken */
	uint32_t taken[RECORDS_MAX];
	size_t sizes[RECORDS_MAX];
};

static int setup(void **state)
{
	static struct fixture fixture;
	uint8_t *map;

	memset(&fixture, 0, sizeof(fixture));
	fixture.page = (size_t)sysconf(_SC_PAGESIZE);
	fixture.size = PAGES * fixture.page;
	fixture.fd = memfd_create("ring", MFD_CLOEXEC);
	assert_true(fixture.fd >= 0);
	assert_int_equal(ftruncate(fixture.fd, (off_t)((2 + 2 * PAGES) * fixture.page)), 0);
	map = mmap(NULL, (2 + 2 * PAGES) * fixture.page, PROT_READ | PROT_WRITE, MAP_SHARED,
		   fixture.fd, 0);
	assert_true(map != MAP_FAILED);
	fixture.consumer = (unsigned long *)(void *)map;
	fixture.producer = (unsigned long *)(void *)(map + fixture.page);
	fixture.data = map + 2 * fixture.page;
	assert_int_equal(ring_open(&fixture.ring, fixture.fd, fixture.size, WINDOW * fixture.page),
			 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	ring_close(&fixture->ring);
	munmap(fixture->consumer, (2 + 2 * PAGES) * fixture->page);
	close(fixture->fd);
	return 0;
}

/* The kernel's two views of the data are the same pages; those of a file are not. */
static void write_both(struct fixture *fixture, unsigned long position, const void *bytes,
		       size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t at = (position + i) & (fixture->size - 1);

		fixture->data[at] = fixture->data[fixture->size + at] = ((const uint8_t *)bytes)[i];
	}
}

static size_t room_left(const struct fixture *fixture)
{
	return fixture->size - (*fixture->producer - *fixture->consumer);
}

/* A record of `size` bytes that begins with its number. */
static void put(struct fixture *fixture, size_t size, uint32_t flags)
{
	uint32_t header[2] = { (uint32_t)size | flags, 0 };
	size_t whole = (BPF_RINGBUF_HDR_SZ + size + 7) & ~7ul;

	assert_true(whole <= room_left(fixture));
	write_both(fixture, *fixture->producer + BPF_RINGBUF_HDR_SZ, &fixture->next,
		   sizeof(fixture->next));
	write_both(fixture, *fixture->producer, header, sizeof(header));
	fixture->next++;
	*fixture->producer += whole;
}

static void take(void *context, const void *data, size_t size)
{
	struct fixture *fixture = context;

	assert_true(fixture->n < RECORDS_MAX);
	assert_int_equal((uintptr_t)data % 8, 0);
	memcpy(&fixture->taken[fixture->n], data, sizeof(fixture->taken[0]));
	fixture->sizes[fixture->n++] = size;
}

static int read_ring(struct fixture *fixture)
{
	return ring_read(&fixture->ring, take, fixture);
}

static void test_nothing(void **state)
{
	assert_int_equal(read_ring(*state), 0);
}

static size_t size_of(uint32_t number)
{
	return 4 + number * 37 % 2300;
}

/* Many times around the ring, with records that lie across its end and across the window's. */
static void test_all_of_them_in_order(void **state)
{
	struct fixture *fixture = *state;

	while (fixture->next < RECORDS_MAX) {
		uint32_t before = fixture->n, n = 0;

		for (; fixture->next < RECORDS_MAX && room_left(fixture) > 4096; n++)
			put(fixture, size_of(fixture->next), 0);
		assert_int_equal(read_ring(fixture), n);
		assert_int_equal(fixture->n, before + n);
		assert_int_equal(*fixture->consumer, *fixture->producer);
	}
	for (uint32_t i = 0; i < fixture->n; i++) {
		assert_int_equal(fixture->taken[i], i);
		assert_int_equal(fixture->sizes[i], size_of(i));
	}
	assert_true(*fixture->consumer > 10 * fixture->size);
	assert_int_equal(fixture->ring.unreadable, 0);
}

static void test_one_that_is_being_written(void **state)
{
	struct fixture *fixture = *state;
	unsigned long busy;
	uint32_t done = 8;

	put(fixture, 8, 0);
	busy = *fixture->producer;
	put(fixture, 8, BPF_RINGBUF_BUSY_BIT);
	put(fixture, 8, 0);
	assert_int_equal(read_ring(fixture), 1);
	assert_int_equal(*fixture->consumer, busy);
	assert_int_equal(read_ring(fixture), 0);
	write_both(fixture, busy, &done, sizeof(done));
	assert_int_equal(read_ring(fixture), 2);
	assert_int_equal(fixture->taken[2], 2);
}

static void test_one_that_was_thrown_away(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, 100, BPF_RINGBUF_DISCARD_BIT);
	put(fixture, 8, 0);
	assert_int_equal(read_ring(fixture), 2);
	assert_int_equal(fixture->n, 1);
	assert_int_equal(fixture->taken[0], 1);
	assert_int_equal(*fixture->consumer, *fixture->producer);
}

static void test_one_larger_than_the_window(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, 8, 0);
	put(fixture, WINDOW * fixture->page, 0);
	put(fixture, 8, 0);
	read_ring(fixture);
	assert_int_equal(fixture->n, 2);
	assert_int_equal(fixture->taken[1], 2);
	assert_int_equal(fixture->ring.unreadable, 1);
	assert_int_equal(*fixture->consumer, *fixture->producer);
}

/* Another reader goes on where the one before has stopped. */
static void test_open_again(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 100; i++)
		put(fixture, 100, 0);
	assert_int_equal(read_ring(fixture), 100);
	put(fixture, 100, 0);
	ring_close(&fixture->ring);
	assert_int_equal(ring_open(&fixture->ring, fixture->fd, fixture->size, 2 * fixture->size),
			 0);
	assert_int_equal(read_ring(fixture), 1);
	assert_int_equal(fixture->taken[100], 100);
}

static void test_no_ring(void **state)
{
	struct ring ring;

	(void)state;
	assert_int_equal(ring_open(&ring, -1, 4096, 4096), -EBADF);
	ring_close(&ring);
	ring_close(&ring);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_all_of_them_in_order),
		TEST(test_one_that_is_being_written),
		TEST(test_one_that_was_thrown_away),
		TEST(test_one_larger_than_the_window),
		TEST(test_open_again),
		cmocka_unit_test(test_no_ring),
	};

	return cmocka_run_group_tests_name("base/ring", tests, NULL, NULL);
}
