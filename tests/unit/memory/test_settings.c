/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other settings for the pipeline, with every allocation failing once: they are taken, or refused
 * with an error and all is as it was. Nothing that came with them stays open.
 */
#include "../export/spans.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/option.h"
#include "lib/descriptors.h"
#include "lib/failing.h"
#include "pipeline/outputs.h"

/* What the watcher sends. */
static void make(struct settings *settings)
{
	static const char *const targets[] = { "file:/dev/null", "http://127.0.0.1:9" };

	settings_init(settings);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(strings_add(&settings->config.targets, targets[i]), 0);
	assert_int_equal(strings_add(&settings->config.query_keys, "page"), 0);
	settings->config.service_name = strdup("shop");
	settings->target_fds[0] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	settings->credentials.items[CREDENTIAL_AUTHORITIES].data = strdup("-----BEGIN");
	settings->credentials.items[CREDENTIAL_AUTHORITIES].len = 10;
	settings->config.batch_size = 2;
	settings->config.queue_size = 8;
}

static int pass(const struct settings *sent, struct settings *ret_settings)
{
	static struct channel_message message;
	int ends[2], fds[CHANNEL_FDS_MAX], r;
	size_t n;

	assert_int_equal(channel_pair(ends), 0);
	r = settings_send(sent, ends[0], &message);
	if (r == 0) {
		assert_int_equal(channel_receive_fds(ends[1], &message, fds, &n), 0);
		r = settings_receive(ret_settings, fds, n);
	}
	close(ends[0]);
	close(ends[1]);
	return r;
}

static void run_pass(void *context)
{
	struct settings read;
	size_t before = open_descriptors();
	int r = pass(context, &read);

	if (r < 0)
		assert_true(failing_happened());
	else
		settings_clear(&read);
	assert_int_equal(open_descriptors(), before);
}

static void test_pass(void **state)
{
	struct settings sent;

	(void)state;
	make(&sent);
	every_allocation_fails(run_pass, &sent);
	settings_clear(&sent);
}

static void on_settled(void *context)
{
	(void)context;
}

/* From one file to itself and a backend that is not there. */
static void run_change(void *context)
{
	const struct settings *sent = context;
	struct outputs outputs = { .settled = on_settled };
	struct export_counters counters;
	struct resource *shop;
	struct span *span;
	struct settings read;
	char error[256];
	int r;

	failing_pause();
	shop = test_resource("shop");
	span = test_span(shop, 1);
	failing_resume();
	assert_true(sd_event_new(&outputs.loop) >= 0);
	for (int i = 0; i < 2; i++) {
		if (pass(sent, &read) < 0)
			break;
		r = (i == 0 ? outputs_open : outputs_change)(&outputs, &read, error, sizeof(error));
		settings_clear(&read);
		if (r < 0) {
			assert_true(failing_happened());
			assert_true(strlen(error) > 0);
		}
		if (i == 0 && r < 0)
			break;
		outputs_export(&outputs, span);
		outputs_count(&outputs, &counters);
		assert_int_equal(counters.accepted, i + 1);
	}
	span_free(span);
	for (struct output_list *list = &outputs.before;; list = &outputs.now) {
		for (size_t i = 0; i < list->n; i++) {
			exporter_close(list->items[i].exporter, NULL);
			free(list->items[i].target);
		}
		if (list == &outputs.now)
			break;
	}
	outputs.before.n = outputs.now.n = 0;
	outputs_close(&outputs);
	sd_event_unref(outputs.loop);
	assert_int_equal(shop->references, 1);
	resource_unref(shop);
}

static void test_change(void **state)
{
	struct settings sent;

	(void)state;
	make(&sent);
	every_allocation_fails(run_change, &sent);
	settings_clear(&sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_change),
	};

	return cmocka_run_group_tests_name("memory/settings", tests, NULL, NULL);
}
