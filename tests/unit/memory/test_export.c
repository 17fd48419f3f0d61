/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export, with every allocation failing once: each span that was accepted is exported or dropped
 * for a reason that is counted.
 */
#include "../export/spans.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/ops.h"
#include "lib/failing.h"

#define SPANS 5

struct world {
	const struct exporter_ops *ops;
	const char *target;
	struct resource *resources[2];
	struct span *spans[SPANS];
};

static void check(const struct export_counters *counters)
{
	assert_int_equal(counters->accepted, SPANS);
	assert_int_equal(counters->accepted,
			 counters->exported + counters->queued + counters->dropped_queue_full +
				 counters->dropped_rejected + counters->dropped_unreachable +
				 counters->dropped_no_memory);
	if (!failing_happened())
		assert_int_equal(counters->dropped_no_memory, 0);
}

/* A few turns of the loop: nobody listens where the requests go. */
static void turn(sd_event *loop)
{
	for (int i = 0; i < 8; i++)
		sd_event_run(loop, 1000);
}

static void run(void *context)
{
	static const char *const headers[] = { "Authorization", "Bearer x" };
	const struct export_options options = {
		.headers = headers,
		.n_headers = 1,
		.timeout_ns = NS_PER_SEC,
		.gzip = true,
		.batch_size = 2,
		.queue_size = 4,
	};
	struct world *world = context;
	struct export_counters counters = { 0 };
	struct exporter *exporter = NULL;
	sd_event *loop = NULL;
	int fd = -1, r;

	assert_true(sd_event_new(&loop) >= 0);
	assert_int_equal(exporter_prepare(world->target, &fd), 0);
	r = world->ops->open(world->target, fd, &options, loop, &exporter);
	if (r < 0) {
		assert_true(failing_happened());
		if (fd >= 0)
			close(fd);
		sd_event_unref(loop);
		return;
	}
	for (size_t i = 0; i < SPANS; i++)
		exporter->ops->export(exporter, world->spans[i]);
	check(&exporter->counters);
	exporter->ops->flush(exporter);
	turn(loop);
	check(&exporter->counters);
	exporter_close(exporter, &counters);
	check(&counters);
	assert_int_equal(counters.queued, 0);
	sd_event_unref(loop);
}

static void fail_all(const struct exporter_ops *ops, const char *target)
{
	struct world world = { .ops = ops, .target = target };

	world.resources[0] = test_resource("shop");
	world.resources[1] = test_resource("cart");
	for (size_t i = 0; i < SPANS; i++)
		world.spans[i] = test_span(world.resources[i % 2], (uint8_t)i);
	every_allocation_fails(run, &world);
	for (size_t i = 0; i < SPANS; i++)
		span_free(world.spans[i]);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(world.resources[i]->references, 1);
		resource_unref(world.resources[i]);
	}
}

static void test_file(void **state)
{
	char target[] = "file:/tmp/weft-test-XXXXXX";
	int fd = mkstemp(target + 5);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	fail_all(&file_ops, target);
	unlink(target + 5);
}

/* Port 9 of loopback refuses. */
static void test_http(void **state)
{
	(void)state;
	fail_all(&otlp_http_ops, "http://user:key@127.0.0.1:9/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
