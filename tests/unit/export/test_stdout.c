/* SPDX-License-Identifier: Apache-2.0 */
#include "spans.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "export/line.h"
#include "export/ops.h"

struct fixture {
	sd_event *loop;
	struct exporter *exporter;
	struct resource *shop;
	int ends[2]; /* what the test reads, what the exporter writes */
	char line[LINE_MAX_LEN];
	size_t line_len;
};

static int setup(void **state)
{
	static struct fixture fixture;
	struct span *span;
	struct line line;

	memset(&fixture, 0, sizeof(fixture));
	fixture.ends[0] = fixture.ends[1] = -1;
	assert_true(sd_event_new(&fixture.loop) >= 0);
	fixture.shop = test_resource("shop");
	span = test_span(fixture.shop, 1);
	line_of_span(span, &line);
	fixture.line_len = line_format(&line, false, fixture.line);
	span_free(span);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	exporter_close(fixture->exporter, NULL);
	for (int i = 0; i < 2; i++)
		if (fixture->ends[i] >= 0)
			close(fixture->ends[i]);
	resource_unref(fixture->shop);
	sd_event_unref(fixture->loop);
	return 0;
}

static void start_with(struct fixture *fixture, int fd)
{
	const struct export_options options = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(stdout_ops.open("stdout", fd, &options, fixture->loop, &fixture->exporter),
			 0);
}

static void start(struct fixture *fixture)
{
	start_with(fixture, stdout_prepare(fixture->ends[1]));
}

static void export_span(struct fixture *fixture)
{
	const struct export_counters *counters = &fixture->exporter->counters;
	struct span *span = test_span(fixture->shop, 1);

	fixture->exporter->ops->export(fixture->exporter, span);
	span_free(span);
	assert_int_equal(counters->accepted, counters->exported + counters->queued +
						     counters->dropped_queue_full +
						     counters->dropped_unreachable);
}

static void export_until_dropped(struct fixture *fixture)
{
	for (int i = 0; i < 20000 && fixture->exporter->counters.dropped_queue_full < 3; i++)
		export_span(fixture);
	assert_int_equal(fixture->exporter->counters.dropped_queue_full, 3);
}

/* Reads what there is; the lines, each of which must be the span's. */
static size_t read_lines(struct fixture *fixture, char *text, size_t size, size_t *used)
{
	ssize_t n;
	size_t lines = 0;
	size_t at = 0;

	while ((n = read(fixture->ends[0], text + *used, size - *used)) > 0) {
		*used += (size_t)n;
		/* What was written in part goes on when there is room. */
		sd_event_run(fixture->loop, 0);
	}
	while (at + fixture->line_len <= *used) {
		assert_memory_equal(text + at, fixture->line, fixture->line_len);
		at += fixture->line_len;
		lines++;
	}
	*used -= at;
	memmove(text, text + at, *used);
	return lines;
}

static void a_span_is_a_line_at_once(void **state)
{
	struct fixture *fixture = *state;
	char text[4096];
	ssize_t n;

	assert_int_equal(pipe2(fixture->ends, O_CLOEXEC), 0);
	start(fixture);
	export_span(fixture);
	n = read(fixture->ends[0], text, sizeof(text));
	assert_int_equal(n, fixture->line_len);
	assert_memory_equal(text, fixture->line, fixture->line_len);
	assert_int_equal(fixture->exporter->counters.exported, 1);
	assert_true(fixture->exporter->ops->idle(fixture->exporter));
	/* The shell's open file is left as it was. */
	assert_false(fcntl(fixture->ends[1], F_GETFL) & O_NONBLOCK);
}

static void a_full_pipe_drops_lines(void **state)
{
	static char text[1 << 21];
	struct fixture *fixture = *state;
	size_t used = 0;
	size_t exported;

	assert_int_equal(pipe2(fixture->ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fixture->ends[0], F_SETFL, O_NONBLOCK), 0);
	start(fixture);
	export_until_dropped(fixture);
	exported = fixture->exporter->counters.exported;
	assert_true(exported > 10);
	assert_int_equal(read_lines(fixture, text, sizeof(text), &used), exported);
	assert_int_equal(used, 0);
	export_span(fixture);
	assert_int_equal(fixture->exporter->counters.exported, exported + 1);
}

/* What is left when the pipe may not be opened again: its writes would wait for the reader. */
static void a_mere_copy_drops_lines(void **state)
{
	static char text[1 << 21];
	struct fixture *fixture = *state;
	size_t used = 0;

	assert_int_equal(pipe2(fixture->ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fixture->ends[0], F_SETFL, O_NONBLOCK), 0);
	start_with(fixture, fcntl(fixture->ends[1], F_DUPFD_CLOEXEC, 3));
	export_until_dropped(fixture);
	assert_true(fixture->exporter->counters.exported > 10);
	assert_int_equal(read_lines(fixture, text, sizeof(text), &used),
			 fixture->exporter->counters.exported);
	assert_int_equal(used, 0);
}

/* A terminal that nobody reads takes parts of lines. */
static void a_line_is_never_cut_by_another(void **state)
{
	static char text[1 << 21];
	struct fixture *fixture = *state;
	struct termios raw;
	size_t used = 0;
	size_t lines;

	fixture->ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fixture->ends[0] >= 0);
	assert_int_equal(grantpt(fixture->ends[0]), 0);
	assert_int_equal(unlockpt(fixture->ends[0]), 0);
	fixture->ends[1] = open(ptsname(fixture->ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(fixture->ends[1] >= 0);
	assert_int_equal(tcgetattr(fixture->ends[1], &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(fixture->ends[1], TCSANOW, &raw), 0);
	start(fixture);
	export_until_dropped(fixture);
	lines = read_lines(fixture, text, sizeof(text), &used);
	for (int i = 0; i < 20 && fixture->exporter->counters.queued; i++) {
		sd_event_run(fixture->loop, 10000);
		lines += read_lines(fixture, text, sizeof(text), &used);
	}
	export_span(fixture);
	lines += read_lines(fixture, text, sizeof(text), &used);
	assert_int_equal(used, 0);
	assert_int_equal(lines, fixture->exporter->counters.exported);
	assert_int_equal(fixture->exporter->counters.queued, 0);
}

/* As under systemd: standard output is a socket, which cannot be opened again. */
static void a_socket_does_not_block(void **state)
{
	static char text[1 << 21];
	struct fixture *fixture = *state;
	size_t used = 0;
	size_t lines;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fixture->ends), 0);
	assert_int_equal(fcntl(fixture->ends[0], F_SETFL, O_NONBLOCK), 0);
	start(fixture);
	export_until_dropped(fixture);
	lines = read_lines(fixture, text, sizeof(text), &used);
	assert_int_equal(lines, fixture->exporter->counters.exported);
	assert_int_equal(used, 0);
}

static void a_file_is_written_where_it_stands(void **state)
{
	struct fixture *fixture = *state;
	char path[] = "/tmp/weft-test-XXXXXX";
	char text[4096];

	fixture->ends[1] = mkstemp(path);
	assert_true(fixture->ends[1] >= 0);
	unlink(path);
	assert_int_equal(write(fixture->ends[1], "before\n", 7), 7);
	start(fixture);
	export_span(fixture);
	assert_int_equal(pread(fixture->ends[1], text, sizeof(text), 0), 7 + fixture->line_len);
	assert_memory_equal(text, "before\n", 7);
	assert_memory_equal(text + 7, fixture->line, fixture->line_len);
}

static void a_reader_that_left_is_counted(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(pipe2(fixture->ends, O_CLOEXEC), 0);
	start(fixture);
	close(fixture->ends[0]);
	fixture->ends[0] = -1;
	export_span(fixture);
	assert_int_equal(fixture->exporter->counters.dropped_unreachable, 1);
	assert_non_null(strstr(fixture->exporter->last_error, "Broken pipe"));
}

static int group_setup(void **state)
{
	(void)state;
	/* As the daemon does. */
	signal(SIGPIPE, SIG_IGN);
	setenv("TZ", "UTC", 1);
	setenv("NO_COLOR", "1", 1);
	return 0;
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_span_is_a_line_at_once),	     TEST(a_full_pipe_drops_lines),
		TEST(a_mere_copy_drops_lines),	     TEST(a_line_is_never_cut_by_another),
		TEST(a_socket_does_not_block),	     TEST(a_file_is_written_where_it_stands),
		TEST(a_reader_that_left_is_counted),
	};

	return cmocka_run_group_tests_name("export/stdout", tests, group_setup, NULL);
}
