/* SPDX-License-Identifier: Apache-2.0 */
#include "../export/spans.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/option.h"
#include "pipeline/outputs.h"

struct fixture {
	sd_event *loop;
	struct outputs outputs;
	struct resource *shop;
	char directory[64];
	unsigned int settled;
	char error[512];
};

static void on_settled(void *context)
{
	((struct fixture *)context)->settled++;
}

static int setup(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	snprintf(fixture.directory, sizeof(fixture.directory), "/tmp/weft-test-XXXXXX");
	assert_non_null(mkdtemp(fixture.directory));
	assert_true(sd_event_new(&fixture.loop) >= 0);
	fixture.outputs.loop = fixture.loop;
	fixture.outputs.settled = on_settled;
	fixture.outputs.context = &fixture;
	fixture.shop = test_resource("shop");
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	outputs_close(&fixture->outputs);
	sd_event_unref(fixture->loop);
	assert_int_equal(fixture->shop->references, 1);
	resource_unref(fixture->shop);
	for (const char *name = "abf"; *name; name++) {
		snprintf(path, sizeof(path), "%s/%c", fixture->directory, *name);
		unlink(path);
	}
	return rmdir(fixture->directory);
}

/* A target for each letter: a file of that name. */
static struct settings make(struct fixture *fixture, const char *names)
{
	struct settings settings;
	char target[128];

	settings_init(&settings);
	settings.config.batch_size = 4;
	settings.config.queue_size = 16;
	settings.config.batch_delay_ns = 10 * NS_PER_SEC;
	for (size_t i = 0; names[i]; i++) {
		snprintf(target, sizeof(target), "file:%s/%c", fixture->directory, names[i]);
		assert_int_equal(strings_add(&settings.config.targets, target), 0);
		assert_int_equal(exporter_prepare(target, &settings.target_fds[i]), 0);
	}
	return settings;
}

static int change(struct fixture *fixture, struct settings settings)
{
	bool first = !fixture->outputs.timer;
	int r = (first ? outputs_open : outputs_change)(&fixture->outputs, &settings,
							fixture->error, sizeof(fixture->error));

	settings_clear(&settings);
	return r;
}

static void export_spans(struct fixture *fixture, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct span *span = test_span(fixture->shop, (uint8_t)i);

		outputs_export(&fixture->outputs, span);
		span_free(span);
	}
}

static void assert_counts(struct fixture *fixture, uint64_t accepted, uint64_t exported,
			  uint64_t queued)
{
	struct export_counters counters;

	outputs_count(&fixture->outputs, &counters);
	assert_int_equal(counters.accepted, accepted);
	assert_int_equal(counters.exported, exported);
	assert_int_equal(counters.queued, queued);
	assert_int_equal(accepted, exported + queued + counters.dropped_queue_full +
					   counters.dropped_rejected +
					   counters.dropped_unreachable);
}

static off_t size_of(struct fixture *fixture, char name)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%c", fixture->directory, name);
	return stat(path, &status) < 0 ? -1 : status.st_size;
}

/* What waited for its batch goes to the file that it was meant for. */
static void test_file_to_file(void **state)
{
	struct fixture *fixture = *state;
	off_t size;

	assert_int_equal(change(fixture, make(fixture, "a")), 0);
	export_spans(fixture, 6);
	assert_counts(fixture, 6, 4, 2);
	size = size_of(fixture, 'a');
	assert_int_equal(change(fixture, make(fixture, "b")), 0);
	assert_false(outputs_changing(&fixture->outputs));
	assert_counts(fixture, 6, 6, 0);
	assert_true(size_of(fixture, 'a') > size);
	export_spans(fixture, 4);
	assert_counts(fixture, 10, 10, 0);
	assert_true(size_of(fixture, 'b') > 0);
	assert_int_equal(fixture->settled, 0);
}

/* The first of a list is the one that counts, before and after. */
static void test_first_counts(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(change(fixture, make(fixture, "ab")), 0);
	export_spans(fixture, 4);
	assert_int_equal(change(fixture, make(fixture, "b")), 0);
	export_spans(fixture, 4);
	assert_int_equal(change(fixture, make(fixture, "ba")), 0);
	export_spans(fixture, 4);
	assert_counts(fixture, 12, 12, 0);
}

/* Nothing is changed by settings that cannot be had, and what they hold is given up. */
static void test_refused(void **state)
{
	struct fixture *fixture = *state;
	struct settings bad;

	assert_int_equal(change(fixture, make(fixture, "a")), 0);
	export_spans(fixture, 2);
	bad = make(fixture, "b");
	assert_int_equal(strings_add(&bad.config.targets, "file:/nowhere"), 0);
	assert_int_equal(change(fixture, bad), -EBADF);
	assert_non_null(strstr(fixture->error, "file:/nowhere"));
	assert_counts(fixture, 2, 0, 2);
	outputs_flush(&fixture->outputs);
	assert_counts(fixture, 2, 2, 0);
	assert_true(outputs_idle(&fixture->outputs));
}

static void run(struct fixture *fixture, uint64_t longest_ns)
{
	uint64_t end = clock_monotonic_ns() + longest_ns;

	while (outputs_changing(&fixture->outputs) && clock_monotonic_ns() < end)
		sd_event_run(fixture->loop, 20000);
}

/* A pipe with room for `room` bytes, which nobody empties. Gives the end to close. */
static int make_fifo(struct fixture *fixture, size_t room)
{
	char path[128], byte = '\n';
	int fd;

	snprintf(path, sizeof(path), "%s/f", fixture->directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_SETPIPE_SZ, 4096), 4096);
	for (size_t i = room; i < 4096; i++)
		assert_int_equal(write(fd, &byte, 1), 1);
	return fd;
}

/* What it has not begun to write goes to the one that follows. */
static void test_hand_over(void **state)
{
	struct fixture *fixture = *state;
	int fd = make_fifo(fixture, 0);

	assert_int_equal(change(fixture, make(fixture, "f")), 0);
	export_spans(fixture, 12);
	assert_counts(fixture, 12, 0, 12);
	assert_int_equal(change(fixture, make(fixture, "b")), 0);
	assert_true(outputs_changing(&fixture->outputs));
	assert_int_equal(change(fixture, make(fixture, "a")), -EBUSY);
	export_spans(fixture, 4);
	run(fixture, 10 * NS_PER_SEC);
	assert_int_equal(fixture->settled, 1);
	assert_counts(fixture, 16, 16, 0);
	close(fd);
}

/* Half a line cannot be handed over: after its time it is given up, and counted. */
static void test_begun(void **state)
{
	struct fixture *fixture = *state;
	int fd = make_fifo(fixture, 4096);
	struct settings settings = make(fixture, "f");

	settings.config.batch_size = 16;
	assert_int_equal(change(fixture, settings), 0);
	export_spans(fixture, 16);
	assert_counts(fixture, 16, 0, 16);
	assert_int_equal(change(fixture, make(fixture, "b")), 0);
	export_spans(fixture, 4);
	run(fixture, 10 * NS_PER_SEC);
	assert_int_equal(fixture->settled, 1);
	assert_counts(fixture, 20, 4, 0);
	assert_int_equal(fixture->outputs.ended.dropped_unreachable, 16);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_to_file), TEST(test_first_counts), TEST(test_refused),
		TEST(test_hand_over),	 TEST(test_begun),
	};

	return cmocka_run_group_tests_name("pipeline/outputs", tests, NULL, NULL);
}
