/* SPDX-License-Identifier: Apache-2.0 */
#include "spans.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

#include "http_server.h"
#include "base/cleanup.h"
#include "export/ops.h"
#include "export/otlp_http.h"
#include "otlp.pb-c.h"

#define LONGEST_NS (10 * NS_PER_SEC)

struct fixture {
	sd_event *loop;
	struct server server;
	struct exporter *exporter;
	struct export_counters final;
	struct export_options options;
	struct otlp_http_retry retry;
	struct resource *shop;
	char target[64];
};

static int setup(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	assert_true(sd_event_new(&fixture.loop) >= 0);
	server_start(&fixture.server, fixture.loop, 0);
	fixture.shop = test_resource("shop");
	fixture.options = (struct export_options){
		.batch_size = 4,
		.queue_size = 64,
		.batch_delay_ns = 20 * NS_PER_MS,
		.timeout_ns = 5 * NS_PER_SEC,
	};
	fixture.retry = (struct otlp_http_retry){
		.first_ns = 20 * NS_PER_MS,
		.longest_ns = 100 * NS_PER_MS,
		.give_up_ns = 60 * NS_PER_SEC,
	};
	snprintf(fixture.target, sizeof(fixture.target), "http://127.0.0.1:%u",
		 fixture.server.port);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	exporter_close(fixture->exporter, &fixture->final);
	server_stop(&fixture->server);
	assert_int_equal(fixture->shop->references, 1);
	resource_unref(fixture->shop);
	sd_event_unref(fixture->loop);
	return 0;
}

static void start(struct fixture *fixture)
{
	assert_int_equal(otlp_http_open(fixture->target, &fixture->options, &fixture->retry,
					fixture->loop, &fixture->exporter),
			 0);
}

static void script(struct fixture *fixture, const struct answer *answers, size_t n)
{
	fixture->server.script = answers;
	fixture->server.n_script = n;
}

static void assert_balance(const struct export_counters *counters)
{
	assert_int_equal(counters->accepted,
			 counters->exported + counters->queued + counters->dropped_queue_full +
				 counters->dropped_rejected + counters->dropped_unreachable +
				 counters->dropped_no_memory);
}

static void export_spans(struct fixture *fixture, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct span *span = test_span(fixture->shop, (uint8_t)i);

		fixture->exporter->ops->export(fixture->exporter, span);
		span_free(span);
		assert_balance(&fixture->exporter->counters);
	}
}

/* Runs the loop for the time, or until nothing is queued. */
static void run(struct fixture *fixture, uint64_t longest_ns)
{
	uint64_t start_ns = clock_monotonic_ns();

	while (!fixture->exporter->ops->idle(fixture->exporter) &&
	       clock_monotonic_ns() - start_ns < longest_ns) {
		sd_event_run(fixture->loop, 5000);
		assert_balance(&fixture->exporter->counters);
	}
}

static void run_dry(struct fixture *fixture)
{
	run(fixture, LONGEST_NS);
	assert_true(fixture->exporter->ops->idle(fixture->exporter));
}

static bool has_header(const struct seen *seen, const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\r\n%s\r\n", line);
	return strcasestr(seen->head, wanted) != NULL;
}

static size_t spans_in(const uint8_t *data, size_t len)
{
	Otlp__ExportTraceServiceRequest *request =
		otlp__export_trace_service_request__unpack(NULL, len, data);
	size_t n = 0;

	assert_non_null(request);
	for (size_t i = 0; i < request->n_resource_spans; i++)
		n += request->resource_spans[i]->scope_spans[0]->n_spans;
	otlp__export_trace_service_request__free_unpacked(request, NULL);
	return n;
}

static void batches_are_posted(void **state)
{
	struct fixture *fixture = *state;
	static const char *const headers[] = { "X-Scope", "robots", "X-Empty", "" };
	const struct seen *seen = fixture->server.seen;

	fixture->options.headers = headers;
	fixture->options.n_headers = 2;
	start(fixture);
	export_spans(fixture, 4);
	run_dry(fixture);
	export_spans(fixture, 2);
	run_dry(fixture);
	assert_int_equal(fixture->server.n_seen, 2);
	assert_memory_equal(seen[0].head, "POST /v1/traces HTTP/1.1\r\n", 26);
	assert_true(has_header(&seen[0], "Content-Type: application/x-protobuf"));
	assert_true(has_header(&seen[0], "User-Agent: weft/" WEFT_VERSION));
	assert_true(has_header(&seen[0], "X-Scope: robots"));
	assert_true(has_header(&seen[0], "X-Empty:"));
	assert_null(strcasestr(seen[0].head, "Content-Encoding"));
	assert_null(strcasestr(seen[0].head, "Expect"));
	assert_int_equal(spans_in(seen[0].body.data, seen[0].body.len), 4);
	assert_int_equal(spans_in(seen[1].body.data, seen[1].body.len), 2);
	assert_int_equal(fixture->exporter->counters.exported, 6);
	assert_int_equal(fixture->exporter->counters.failed_requests, 0);
	assert_null(fixture->exporter->last_error);
	/* The connection was kept. */
	assert_int_equal(seen[1].connection, seen[0].connection);
}

static void bodies_are_compressed(void **state)
{
	struct fixture *fixture = *state;
	static uint8_t plain[1 << 20];
	const struct seen *seen = fixture->server.seen;

	fixture->options.gzip = true;
	fixture->options.batch_size = 32;
	start(fixture);
	export_spans(fixture, 64);
	run_dry(fixture);
	assert_int_equal(fixture->server.n_seen, 2);
	for (unsigned int i = 0; i < 2; i++) {
		z_stream stream = {
			.next_in = seen[i].body.data,
			.avail_in = (uInt)seen[i].body.len,
			.next_out = plain,
			.avail_out = sizeof(plain),
		};

		assert_true(has_header(&seen[i], "Content-Encoding: gzip"));
		assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
		assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
		assert_int_equal(spans_in(plain, stream.total_out), 32);
		assert_true(seen[i].body.len < stream.total_out / 2);
		inflateEnd(&stream);
	}
}

static void retryable_answers_are_retried(void **state)
{
	static const struct answer answers[] = {
		{ .status = -1 }, /* disconnected without an answer */
		{ .status = 503 }, { .status = 429 }, { .status = 502 }, { .status = 504 },
	};
	struct fixture *fixture = *state;
	const struct seen *seen = fixture->server.seen;

	script(fixture, answers, 5);
	start(fixture);
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->server.n_seen, 6);
	assert_int_equal(fixture->exporter->counters.failed_requests, 5);
	assert_int_equal(fixture->exporter->counters.exported, 4);
	for (unsigned int i = 1; i < 6; i++) {
		assert_int_equal(seen[i].body.len, seen[0].body.len);
		assert_memory_equal(seen[i].body.data, seen[0].body.data, seen[0].body.len);
		/* At least half of 20 ms, 40 ms, then 80 ms. */
		assert_true(seen[i].at_ns - seen[i - 1].at_ns >= (i == 1   ? 10
								  : i == 2 ? 20
									   : 40) *
									 NS_PER_MS);
	}
}

static void other_answers_are_not(void **state)
{
	static const struct answer answers[] = {
		{ .status = 400,
		  .headers = "Content-Type: application/x-protobuf\r\n",
		  .body = VIEW_INIT("\x08\x03\x12\x0a"
				    "no\033 traces") },
		{ .status = 500 },
		{ .status = 301, .headers = "Location: /elsewhere\r\n" },
	};
	struct fixture *fixture = *state;

	script(fixture, answers, 3);
	start(fixture);
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->server.n_seen, 1);
	assert_int_equal(fixture->exporter->counters.dropped_rejected, 4);
	assert_non_null(strstr(fixture->exporter->last_error, "/v1/traces: HTTP 400: no traces; "));
	export_spans(fixture, 4);
	run_dry(fixture);
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->server.n_seen, 3);
	assert_int_equal(fixture->exporter->counters.dropped_rejected, 12);
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->exporter->counters.exported, 4);
	assert_int_equal(fixture->exporter->counters.failed_requests, 3);
}

static void retry_after_is_heeded(void **state)
{
	struct fixture *fixture = *state;
	const struct seen *seen = fixture->server.seen;
	char date[96];
	struct answer answers[] = {
		{ .status = 503, .headers = "Retry-After: 1\r\n" },
		{ .status = 429, .headers = date },
	};
	time_t later;

	script(fixture, answers, 2);
	start(fixture);
	later = time(NULL) + 3;
	strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime(&later));
	export_spans(fixture, 4);
	run(fixture, 500 * NS_PER_MS);
	/* Also against a flush: the backend asked for it. */
	fixture->exporter->ops->flush(fixture->exporter);
	run_dry(fixture);
	assert_int_equal(fixture->server.n_seen, 3);
	assert_in_range(seen[1].at_ns - seen[0].at_ns, 990 * NS_PER_MS, 1900 * NS_PER_MS);
	assert_true(seen[2].at_ns - seen[1].at_ns >= 900 * NS_PER_MS);
	assert_true(seen[2].at_ns - seen[0].at_ns <= 3900 * NS_PER_MS);
	assert_int_equal(fixture->exporter->counters.exported, 4);
}

static void partial_success_is_counted(void **state)
{
	static const struct answer answers[] = {
		{ .status = 200,
		  .headers = "Content-Type: application/x-protobuf\r\n",
		  .body = VIEW_INIT("\x0a\x07\x08\x03\x12\x03"
				    "old") },
		/* More than were sent: all. */
		{ .status = 200,
		  .headers = "Content-Type: application/x-protobuf\r\n",
		  .body = VIEW_INIT("\x0a\x02\x08\x63") },
		{ .status = 200,
		  .headers = "Content-Type: text/html\r\n",
		  .body = VIEW_INIT("<p>") },
	};
	struct fixture *fixture = *state;

	script(fixture, answers, 3);
	start(fixture);
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->exporter->counters.exported, 1);
	assert_int_equal(fixture->exporter->counters.dropped_rejected, 3);
	assert_non_null(strstr(fixture->exporter->last_error, "3 of 4 spans rejected: old"));
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->exporter->counters.dropped_rejected, 7);
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->exporter->counters.exported, 5);
	assert_int_equal(fixture->server.n_seen, 3);
}

static void spans_wait_for_a_backend_that_is_down(void **state)
{
	struct fixture *fixture = *state;
	uint16_t port = fixture->server.port;

	server_stop(&fixture->server);
	fixture->options.queue_size = 10;
	start(fixture);
	export_spans(fixture, 15);
	run(fixture, 300 * NS_PER_MS);
	assert_int_equal(fixture->exporter->counters.queued, 10);
	assert_int_equal(fixture->exporter->counters.dropped_queue_full, 5);
	/* First at once, then some 15, 30, 60, 75 ms apart: it neither stops nor storms. */
	assert_in_range(fixture->exporter->counters.failed_requests, 2, 10);
	assert_non_null(strstr(fixture->exporter->last_error, "no answer: "));
	memset(&fixture->server, 0, sizeof(fixture->server));
	server_start(&fixture->server, fixture->loop, port);
	run_dry(fixture);
	assert_int_equal(fixture->exporter->counters.exported, 10);
	assert_int_equal(fixture->server.n_seen, 3);
}

static void a_silent_backend_times_out(void **state)
{
	static const struct answer answers[] = { { .status = 0 } };
	struct fixture *fixture = *state;

	script(fixture, answers, 1);
	fixture->options.timeout_ns = 100 * NS_PER_MS;
	start(fixture);
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->server.n_seen, 2);
	assert_int_equal(fixture->exporter->counters.failed_requests, 1);
	assert_int_equal(fixture->exporter->counters.exported, 4);
}

static void old_batches_are_given_up(void **state)
{
	struct fixture *fixture = *state;

	server_stop(&fixture->server);
	memset(&fixture->server, 0, sizeof(fixture->server));
	fixture->retry.give_up_ns = 100 * NS_PER_MS;
	start(fixture);
	export_spans(fixture, 8);
	run_dry(fixture);
	assert_int_equal(fixture->exporter->counters.dropped_unreachable, 8);
	assert_true(fixture->exporter->counters.failed_requests >= 4);
}

static void a_huge_answer_ends_it(void **state)
{
	static const struct answer answers[] = {
		{ .status = 200, .huge = 4 << 20 },
		{ .status = 200, .huge = (4 << 20) + 1 },
	};
	struct fixture *fixture = *state;

	script(fixture, answers, 2);
	start(fixture);
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->exporter->counters.exported, 4);
	export_spans(fixture, 4);
	run_dry(fixture);
	assert_int_equal(fixture->server.n_seen, 2);
	assert_int_equal(fixture->exporter->counters.dropped_rejected, 4);
	assert_non_null(strstr(fixture->exporter->last_error, "larger than 4 MiB"));
}

static void several_are_under_way_at_once(void **state)
{
	static const struct answer answers[] = { { 0 }, { 0 }, { 0 }, { 0 } };
	struct fixture *fixture = *state;

	script(fixture, answers, 4);
	start(fixture);
	export_spans(fixture, 40);
	run(fixture, 200 * NS_PER_MS);
	assert_int_equal(fixture->server.n_seen, 4);
	assert_int_equal(fixture->server.n_connections, 4);
	assert_int_equal(fixture->exporter->counters.queued, 40);
}

/* What is under way, what waits and what is still being filled. */
static void close_counts_what_is_left(void **state)
{
	static const struct answer answers[] = { { 0 }, { 0 }, { 0 }, { 0 } };
	struct fixture *fixture = *state;

	script(fixture, answers, 4);
	start(fixture);
	export_spans(fixture, 26);
	for (int i = 0; i < 100 && fixture->server.n_seen < 4; i++)
		sd_event_run(fixture->loop, 5000);
	assert_int_equal(fixture->server.n_seen, 4);
	exporter_close(TAKE_PTR(fixture->exporter), &fixture->final);
	assert_int_equal(fixture->final.accepted, 26);
	assert_int_equal(fixture->final.queued, 0);
	assert_int_equal(fixture->final.dropped_unreachable, 26);
}

static void flush_sends_at_once(void **state)
{
	struct fixture *fixture = *state;

	fixture->options.batch_delay_ns = 100 * NS_PER_SEC;
	start(fixture);
	export_spans(fixture, 1);
	fixture->exporter->ops->flush(fixture->exporter);
	run_dry(fixture);
	assert_int_equal(fixture->exporter->counters.exported, 1);
}

static void flush_ends_a_wait(void **state)
{
	static const struct answer answers[] = { { .status = 503 } };
	struct fixture *fixture = *state;

	fixture->retry.first_ns = 100 * NS_PER_SEC;
	fixture->retry.longest_ns = 100 * NS_PER_SEC;
	fixture->retry.give_up_ns = 1000 * NS_PER_SEC;
	script(fixture, answers, 1);
	start(fixture);
	export_spans(fixture, 4);
	run(fixture, 100 * NS_PER_MS);
	assert_int_equal(fixture->exporter->counters.failed_requests, 1);
	assert_int_equal(fixture->exporter->counters.queued, 4);
	fixture->exporter->ops->flush(fixture->exporter);
	run_dry(fixture);
	assert_int_equal(fixture->exporter->counters.exported, 4);
}

static void no_proxy_stands_before_loopback(void **state)
{
	struct fixture *fixture = *state;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	start(fixture);
	export_spans(fixture, 4);
	run_dry(fixture);
	unsetenv("http_proxy");
	assert_int_equal(fixture->exporter->counters.exported, 4);
	assert_int_equal(fixture->exporter->counters.failed_requests, 0);
}

static void bad_headers_are_refused(void **state)
{
	static const char *const headers[][2] = {
		{ "X-A", "a\r\nX-B: b" },
		{ "X A", "a" },
		{ "", "a" },
		{ "X:", "a" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 4; i++) {
		fixture->options.headers = headers[i];
		fixture->options.n_headers = 1;
		assert_int_equal(otlp_http_open(fixture->target, &fixture->options, &fixture->retry,
						fixture->loop, &fixture->exporter),
				 -EINVAL);
		assert_null(fixture->exporter);
	}
}

static int group_setup(void **state)
{
	(void)state;
	/* As the daemon does. */
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* 413: the batch's halves are sent, down to a span that is too large by itself. */
static void too_large_is_halved(void **state)
{
	static const struct answer answers[] = { { .status = 413 }, { .status = 413 } };
	struct fixture *fixture = *state;

	script(fixture, answers, 2);
	fixture->options.batch_size = 2;
	start(fixture);
	export_spans(fixture, 2);
	run_dry(fixture);
	assert_int_equal(fixture->server.n_seen, 3);
	assert_int_equal(fixture->exporter->counters.exported, 1);
	assert_int_equal(fixture->exporter->counters.dropped_rejected, 1);
	assert_int_equal(fixture->exporter->counters.failed_requests, 2);
	assert_non_null(strstr(fixture->exporter->last_error, "HTTP 413"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(too_large_is_halved, setup, teardown),
		TEST(batches_are_posted),
		TEST(bodies_are_compressed),
		TEST(retryable_answers_are_retried),
		TEST(other_answers_are_not),
		TEST(retry_after_is_heeded),
		TEST(partial_success_is_counted),
		TEST(spans_wait_for_a_backend_that_is_down),
		TEST(a_silent_backend_times_out),
		TEST(old_batches_are_given_up),
		TEST(a_huge_answer_ends_it),
		TEST(several_are_under_way_at_once),
		TEST(close_counts_what_is_left),
		TEST(flush_sends_at_once),
		TEST(flush_ends_a_wait),
		TEST(no_proxy_stands_before_loopback),
		TEST(bad_headers_are_refused),
	};

	return cmocka_run_group_tests_name("export/otlp_http", tests, group_setup, NULL);
}
