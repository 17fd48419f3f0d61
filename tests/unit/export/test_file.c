/* SPDX-License-Identifier: Apache-2.0 */
#include "spans.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/ops.h"

struct fixture {
	sd_event *loop;
	struct exporter *exporter;
	struct resource *shop;
	char target[64];
};

static int setup(void **state)
{
	static struct fixture fixture;
	int fd;

	memset(&fixture, 0, sizeof(fixture));
	snprintf(fixture.target, sizeof(fixture.target), "file:/tmp/weft-test-XXXXXX");
	fd = mkstemp(fixture.target + 5);
	assert_true(fd >= 0);
	close(fd);
	assert_true(sd_event_new(&fixture.loop) >= 0);
	fixture.shop = test_resource("shop");
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	exporter_close(fixture->exporter, NULL);
	assert_int_equal(fixture->shop->references, 1);
	resource_unref(fixture->shop);
	sd_event_unref(fixture->loop);
	unlink(fixture->target + 5);
	return 0;
}

static void start(struct fixture *fixture, const char *target, size_t batch_size)
{
	const struct export_options options = {
		.batch_size = batch_size,
		.queue_size = 8,
		.batch_delay_ns = 20 * NS_PER_MS,
	};
	int fd;

	assert_int_equal(exporter_prepare(target, &fd), 0);
	assert_int_equal(file_ops.open(target, fd, &options, fixture->loop, &fixture->exporter), 0);
}

static void export_spans(struct fixture *fixture, unsigned int n)
{
	const struct export_counters *counters = &fixture->exporter->counters;

	for (unsigned int i = 0; i < n; i++) {
		struct span *span = test_span(fixture->shop, (uint8_t)i);

		fixture->exporter->ops->export(fixture->exporter, span);
		span_free(span);
		assert_int_equal(counters->accepted, counters->exported + counters->queued +
							     counters->dropped_queue_full +
							     counters->dropped_rejected);
	}
}

static void run(struct fixture *fixture, uint64_t longest_ns)
{
	uint64_t start_ns = clock_monotonic_ns();

	while (!fixture->exporter->ops->idle(fixture->exporter) &&
	       clock_monotonic_ns() - start_ns < longest_ns)
		sd_event_run(fixture->loop, 5000);
}

/* Each line of the file must be a request; the spans in them. */
static size_t spans_in_file(const struct fixture *fixture, size_t *ret_lines)
{
	FILE *file = fopen(fixture->target + 5, "r");
	char *line = NULL;
	size_t size = 0;
	size_t n = 0;
	ssize_t len;

	assert_non_null(file);
	*ret_lines = 0;
	while ((len = getline(&line, &size, file)) > 0) {
		json_t *json = json_loadb(line, (size_t)len, 0, NULL);
		json_t *group = json_array_get(json_object_get(json, "resourceSpans"), 0);
		json_t *scope = json_array_get(json_object_get(group, "scopeSpans"), 0);

		if (!json || line[len - 1] != '\n')
			fail_msg("not a whole line: %s", line);
		n += json_array_size(json_object_get(scope, "spans"));
		(*ret_lines)++;
		json_decref(json);
	}
	free(line);
	fclose(file);
	return n;
}

static void batches_become_lines(void **state)
{
	struct fixture *fixture = *state;
	size_t lines;

	start(fixture, fixture->target, 3);
	export_spans(fixture, 7);
	/* A whole batch does not wait. */
	assert_int_equal(spans_in_file(fixture, &lines), 6);
	assert_int_equal(lines, 2);
	assert_int_equal(fixture->exporter->counters.exported, 6);
	run(fixture, 5 * NS_PER_SEC);
	assert_int_equal(spans_in_file(fixture, &lines), 7);
	assert_int_equal(fixture->exporter->counters.exported, 7);
	assert_int_equal(fixture->exporter->counters.queued, 0);
	/* What was there is kept. */
	exporter_close(fixture->exporter, NULL);
	start(fixture, fixture->target, 3);
	export_spans(fixture, 1);
	fixture->exporter->ops->flush(fixture->exporter);
	assert_true(fixture->exporter->ops->idle(fixture->exporter));
	assert_int_equal(spans_in_file(fixture, &lines), 8);
}

static void a_full_disk_is_counted(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, "file:/dev/full", 2);
	export_spans(fixture, 5);
	assert_int_equal(fixture->exporter->counters.dropped_rejected, 4);
	assert_int_equal(fixture->exporter->counters.failed_requests, 2);
	assert_int_equal(fixture->exporter->counters.queued, 1);
	assert_non_null(strstr(fixture->exporter->last_error, "'/dev/full': No space left"));
	assert_non_null(strstr(fixture->exporter->last_error, "make room"));
}

/* A limit on file sizes cuts the second line in two, as a disk that becomes full would. */
static void the_rest_of_a_line_comes_first(void **state)
{
	struct fixture *fixture = *state;
	struct rlimit old;
	struct rlimit limit;
	struct stat stat1;
	size_t lines;

	start(fixture, fixture->target, 2);
	export_spans(fixture, 2);
	assert_int_equal(stat(fixture->target + 5, &stat1), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)stat1.st_size * 3 / 2;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	export_spans(fixture, 12);
	run(fixture, 400 * NS_PER_MS);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(fixture->exporter->counters.exported, 2);
	assert_int_equal(fixture->exporter->counters.queued, 8);
	assert_int_equal(fixture->exporter->counters.dropped_queue_full, 4);
	assert_true(fixture->exporter->counters.failed_requests >= 2);
	run(fixture, 5 * NS_PER_SEC);
	assert_int_equal(fixture->exporter->counters.exported, 10);
	assert_int_equal(spans_in_file(fixture, &lines), 10);
	assert_int_equal(lines, 5);
}

/* Nobody reads: nothing blocks, and what was not written is counted at the end. */
static void a_full_fifo_blocks_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct export_counters final;
	int reader;

	unlink(fixture->target + 5);
	assert_int_equal(mkfifo(fixture->target + 5, 0600), 0);
	reader = open(fixture->target + 5, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	start(fixture, fixture->target, 4);
	export_spans(fixture, 1000);
	assert_true(fixture->exporter->counters.exported > 0);
	assert_int_equal(fixture->exporter->counters.queued, 8);
	assert_int_equal(fixture->exporter->counters.failed_requests, 0);
	exporter_close(fixture->exporter, &final);
	fixture->exporter = NULL;
	assert_int_equal(final.dropped_unreachable, 8);
	assert_int_equal(final.accepted,
			 final.exported + final.dropped_unreachable + final.dropped_queue_full);
	close(reader);
}

static void a_file_must_be_open(void **state)
{
	const struct export_options options = { .batch_size = 1 };
	struct fixture *fixture = *state;

	assert_int_equal(file_ops.open(fixture->target, -1, &options, fixture->loop,
				       &fixture->exporter),
			 -EBADF);
	assert_null(fixture->exporter);
}

static int group_setup(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(batches_become_lines),
		TEST(a_full_disk_is_counted),
		TEST(the_rest_of_a_line_comes_first),
		TEST(a_full_fifo_blocks_nothing),
		TEST(a_file_must_be_open),
	};

	return cmocka_run_group_tests_name("export/file", tests, group_setup, NULL);
}
