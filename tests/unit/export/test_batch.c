/* SPDX-License-Identifier: Apache-2.0 */
#include "spans.h"

#include <string.h>

#include "export/batch.h"

/* A codec whose text is easy to look at: "<service>|" and "<number>;". */
static void plain_resource(const struct resource *resource, struct bytes *out)
{
	bytes_append_view(out, resource->service_name);
	bytes_append(out, "|", 1);
}

static void plain_span(const struct span *span, struct bytes *out)
{
	char text[2] = { (char)span->span_id[SPAN_ID_LEN - 1], ';' };

	bytes_append(out, text, sizeof(text));
}

static void huge_span(const struct span *span, struct bytes *out)
{
	(void)span;
	if (bytes_reserve(out, 3u << 20)) {
		memset(out->data + out->len, 'x', 3u << 20);
		out->len += 3u << 20;
	}
}

static void failing_span(const struct span *span, struct bytes *out)
{
	if (span->span_id[SPAN_ID_LEN - 1] == 'f') {
		bytes_append(out, "half", 4);
		out->failed = true;
	} else {
		plain_span(span, out);
	}
}

static const struct batch_codec plain_codec = { plain_resource, plain_span };
static const struct batch_codec huge_codec = { plain_resource, huge_span };
static const struct batch_codec failing_codec = { plain_resource, failing_span };

struct fixture {
	sd_event *loop;
	struct export_counters counters;
	struct batch_queue queue;
	struct resource *shop;
	struct resource *cart;
	unsigned int n_ready;
};

static void on_ready(void *owner)
{
	((struct fixture *)owner)->n_ready++;
}

static void open_queue(struct fixture *fixture, const struct batch_codec *codec, size_t batch_size,
		       size_t queue_size)
{
	const struct export_options options = {
		.batch_size = batch_size,
		.queue_size = queue_size,
		.batch_delay_ns = 30 * NS_PER_MS,
	};

	fixture->queue = (struct batch_queue){
		.codec = codec,
		.counters = &fixture->counters,
		.ready = on_ready,
		.owner = fixture,
	};
	assert_true(batch_queue_init(&fixture->queue, &options, fixture->loop) >= 0);
}

static int setup(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	assert_true(sd_event_new(&fixture.loop) >= 0);
	fixture.shop = test_resource("shop");
	fixture.cart = test_resource("cart");
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	batch_queue_clear(&fixture->queue);
	/* Nothing holds on to a resource. */
	assert_int_equal(fixture->shop->references, 1);
	assert_int_equal(fixture->cart->references, 1);
	resource_unref(fixture->shop);
	resource_unref(fixture->cart);
	sd_event_unref(fixture->loop);
	return 0;
}

static void add(struct fixture *fixture, struct resource *resource, char number)
{
	const struct export_counters *counters = &fixture->counters;
	struct span *span = test_span(resource, (uint8_t)number);

	batch_queue_add(&fixture->queue, span);
	span_free(span);
	assert_int_equal(counters->accepted,
			 counters->exported + counters->queued + counters->dropped_queue_full +
				 counters->dropped_no_memory + counters->dropped_rejected +
				 counters->dropped_unreachable);
}

static void assert_text(const struct batch *batch, uint32_t offset, uint32_t len, const char *text)
{
	assert_int_equal(len, strlen(text));
	assert_memory_equal(batch_text(batch, offset, len).data, text, len);
}

static void closes_at_batch_size(void **state)
{
	struct fixture *fixture = *state;
	struct batch *batch;

	open_queue(fixture, &plain_codec, 2, 10);
	add(fixture, fixture->shop, '1');
	assert_int_equal(fixture->n_ready, 0);
	assert_null(batch_queue_take(&fixture->queue));
	add(fixture, fixture->shop, '2');
	assert_int_equal(fixture->n_ready, 1);
	batch = batch_queue_take(&fixture->queue);
	assert_non_null(batch);
	assert_int_equal(batch->n_items, 2);
	assert_null(batch_queue_take(&fixture->queue));
	assert_int_equal(fixture->counters.queued, 2);
	batch_queue_settle(&fixture->queue, batch, SIZE_MAX, &fixture->counters.dropped_rejected);
	assert_int_equal(fixture->counters.queued, 0);
	assert_int_equal(fixture->counters.exported, 2);
	assert_int_equal(fixture->counters.dropped_rejected, 0);
}

static void closes_after_delay(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start = clock_monotonic_ns();
	struct batch *batch;

	open_queue(fixture, &plain_codec, 100, 100);
	add(fixture, fixture->shop, '1');
	while (fixture->n_ready == 0 && clock_monotonic_ns() - start < 5 * NS_PER_SEC)
		sd_event_run(fixture->loop, 1000000);
	assert_int_equal(fixture->n_ready, 1);
	assert_true(clock_monotonic_ns() - start >= 30 * NS_PER_MS);
	batch = batch_queue_take(&fixture->queue);
	assert_non_null(batch);
	assert_int_equal(batch->n_items, 1);
	batch_queue_put_back(&fixture->queue, batch);
}

static void groups_by_resource(void **state)
{
	struct fixture *fixture = *state;
	struct batch *batch;

	open_queue(fixture, &plain_codec, 4, 10);
	add(fixture, fixture->shop, '1');
	add(fixture, fixture->cart, '2');
	add(fixture, fixture->shop, '3');
	add(fixture, NULL, '4');
	batch = batch_queue_take(&fixture->queue);
	assert_non_null(batch);
	assert_int_equal(batch->n_groups, 3);
	assert_text(batch, batch->groups[0].offset, batch->groups[0].len, "shop|");
	assert_text(batch, batch->groups[1].offset, batch->groups[1].len, "cart|");
	assert_int_equal(batch->groups[2].len, 0);
	assert_int_equal(batch->groups[0].n_items, 2);
	assert_int_equal(batch->groups[0].first, 0);
	assert_int_equal(batch->items[0].next, 2);
	assert_int_equal(batch->items[2].next, BATCH_END);
	assert_text(batch, batch->items[2].offset, batch->items[2].len, "3;");
	assert_int_equal(fixture->shop->references, 2);
	batch_queue_put_back(&fixture->queue, batch);
}

/* A half's spans, as they are sent: by resource. */
static void assert_half(struct fixture *fixture, const char *resource, const char *spans,
			size_t n_groups)
{
	struct batch *batch = batch_queue_take(&fixture->queue);
	const struct batch_group *group;
	uint32_t at;

	assert_non_null(batch);
	assert_int_equal(batch->n_groups, n_groups);
	group = &batch->groups[0];
	assert_text(batch, group->offset, group->len, resource);
	for (at = group->first; at != BATCH_END; at = batch->items[at].next, spans += 2) {
		char text[3] = { spans[0], spans[1], '\0' };

		assert_text(batch, batch->items[at].offset, batch->items[at].len, text);
	}
	assert_string_equal(spans, "");
	batch_queue_settle(&fixture->queue, batch, SIZE_MAX, &fixture->counters.dropped_rejected);
}

static void splits_into_halves(void **state)
{
	struct fixture *fixture = *state;

	open_queue(fixture, &plain_codec, 5, 10);
	add(fixture, fixture->shop, '1');
	add(fixture, fixture->cart, '2');
	add(fixture, fixture->shop, '3');
	add(fixture, fixture->cart, '4');
	add(fixture, fixture->shop, '5');
	assert_int_equal(batch_queue_split(&fixture->queue, batch_queue_take(&fixture->queue)), 0);
	assert_int_equal(fixture->counters.queued, 5);
	assert_half(fixture, "shop|", "1;3;5;", 1);
	assert_half(fixture, "cart|", "2;4;", 1);
	assert_null(batch_queue_take(&fixture->queue));
	assert_int_equal(fixture->queue.bytes, 0);
	assert_int_equal(fixture->counters.exported, 5);
}

static void full_queue_drops_the_new(void **state)
{
	struct fixture *fixture = *state;
	struct batch *first;
	struct batch *second;

	open_queue(fixture, &plain_codec, 2, 4);
	for (char c = '1'; c <= '6'; c++)
		add(fixture, fixture->shop, c);
	assert_int_equal(fixture->counters.queued, 4);
	assert_int_equal(fixture->counters.dropped_queue_full, 2);
	/* What is with the exporter still counts against the queue. */
	first = batch_queue_take(&fixture->queue);
	add(fixture, fixture->shop, '7');
	assert_int_equal(fixture->counters.dropped_queue_full, 3);
	assert_text(first, first->items[0].offset, first->items[0].len, "1;");
	batch_queue_put_back(&fixture->queue, first);
	assert_ptr_equal(batch_queue_take(&fixture->queue), first);
	second = batch_queue_take(&fixture->queue);
	assert_text(second, second->items[1].offset, second->items[1].len, "4;");
	batch_queue_settle(&fixture->queue, first, 1, &fixture->counters.dropped_rejected);
	batch_queue_settle(&fixture->queue, second, 0, &fixture->counters.dropped_unreachable);
	assert_int_equal(fixture->counters.exported, 1);
	assert_int_equal(fixture->counters.dropped_rejected, 1);
	assert_int_equal(fixture->counters.dropped_unreachable, 2);
	add(fixture, fixture->shop, '8');
	assert_int_equal(fixture->counters.queued, 1);
}

static void put_back_comes_first(void **state)
{
	struct fixture *fixture = *state;
	struct batch *batch;

	open_queue(fixture, &plain_codec, 1, 4);
	add(fixture, fixture->shop, '1');
	batch = batch_queue_take(&fixture->queue);
	batch_queue_put_back(&fixture->queue, batch);
	/* The list's end is right, too: the next one is found behind it. */
	add(fixture, fixture->shop, '2');
	assert_ptr_equal(batch_queue_take(&fixture->queue), batch);
	batch_queue_settle(&fixture->queue, batch, 1, &fixture->counters.exported);
	batch = batch_queue_take(&fixture->queue);
	assert_non_null(batch);
	assert_text(batch, batch->items[0].offset, batch->items[0].len, "2;");
	batch_queue_settle(&fixture->queue, batch, 1, &fixture->counters.exported);
	assert_null(batch_queue_take(&fixture->queue));
}

static void bytes_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	struct batch *batch;

	open_queue(fixture, &huge_codec, 1000, 1000);
	for (int i = 0; i < 30; i++)
		add(fixture, fixture->shop, 'x');
	/* Batches of three, closed by their 9 MiB; eight of them reach the queue's 64 MiB. */
	assert_int_equal(fixture->n_ready, 7);
	batch = batch_queue_take(&fixture->queue);
	assert_int_equal(batch->n_items, 3);
	assert_int_equal(fixture->counters.queued, 22);
	assert_int_equal(fixture->counters.dropped_queue_full, 8);
	batch_queue_settle(&fixture->queue, batch, 3, &fixture->counters.exported);
	add(fixture, fixture->shop, 'x');
	assert_int_equal(fixture->counters.queued, 20);
}

static void failed_encoding_leaves_no_trace(void **state)
{
	struct fixture *fixture = *state;
	struct batch *batch;

	open_queue(fixture, &failing_codec, 2, 10);
	add(fixture, fixture->shop, '1');
	add(fixture, fixture->cart, 'f');
	assert_int_equal(fixture->counters.dropped_no_memory, 1);
	assert_int_equal(fixture->counters.queued, 1);
	add(fixture, fixture->shop, '2');
	batch = batch_queue_take(&fixture->queue);
	assert_int_equal(batch->n_groups, 1);
	assert_text(batch, 0, (uint32_t)batch->data.len, "1;shop|2;");
	batch_queue_put_back(&fixture->queue, batch);
}

static void an_empty_batch_is_not_sealed(void **state)
{
	struct fixture *fixture = *state;

	open_queue(fixture, &failing_codec, 2, 10);
	add(fixture, fixture->shop, 'f');
	batch_queue_seal(&fixture->queue);
	assert_null(batch_queue_take(&fixture->queue));
	batch_queue_seal(&fixture->queue);
	assert_null(batch_queue_take(&fixture->queue));
}

static void clear_counts_what_waited(void **state)
{
	struct fixture *fixture = *state;

	open_queue(fixture, &plain_codec, 2, 10);
	for (char c = '1'; c <= '5'; c++)
		add(fixture, fixture->shop, c);
	batch_queue_clear(&fixture->queue);
	assert_int_equal(fixture->counters.queued, 0);
	assert_int_equal(fixture->counters.dropped_unreachable, 5);
}

/* It goes behind what the other holds and is counted there, until that one is full. */
static void test_move(void **state)
{
	struct fixture *fixture = *state;
	struct export_counters counters = { 0 };
	struct batch_queue other;
	struct batch *batch;

	open_queue(fixture, &plain_codec, 2, 3);
	add(fixture, fixture->shop, 'a');
	add(fixture, fixture->shop, 'b');
	add(fixture, fixture->shop, 'c');
	other = fixture->queue;
	open_queue(fixture, &plain_codec, 2, 3);
	other.counters = &counters;
	counters = fixture->counters;
	memset(&fixture->counters, 0, sizeof(counters));
	add(fixture, fixture->cart, '1');
	add(fixture, fixture->cart, '2');

	batch_queue_move(&other, &fixture->queue);
	assert_int_equal(counters.accepted, 1);
	assert_int_equal(counters.queued, 1);
	assert_int_equal(fixture->counters.accepted, 4);
	assert_int_equal(fixture->counters.queued, 4);
	for (size_t i = 0; i < 3; i++) {
		if (i == 2)
			batch_queue_move(&other, &fixture->queue);
		batch = batch_queue_take(&fixture->queue);
		assert_non_null(batch);
		assert_ptr_equal(batch->groups[0].resource, i ? fixture->shop : fixture->cart);
		batch_queue_settle(&fixture->queue, batch, SIZE_MAX, &counters.dropped_rejected);
	}
	assert_null(batch_queue_take(&fixture->queue));
	assert_int_equal(fixture->counters.exported, 5);
	assert_int_equal(fixture->queue.bytes, 0);
	assert_int_equal(counters.accepted, 0);
	assert_int_equal(other.bytes, 0);
	batch_queue_clear(&other);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(splits_into_halves, setup, teardown),
		TEST(closes_at_batch_size),
		TEST(closes_after_delay),
		TEST(groups_by_resource),
		TEST(full_queue_drops_the_new),
		TEST(put_back_comes_first),
		TEST(bytes_are_bounded),
		TEST(failed_encoding_leaves_no_trace),
		TEST(an_empty_batch_is_not_sealed),
		TEST(clear_counts_what_waited),
		TEST(test_move),
	};

	return cmocka_run_group_tests_name("export/batch", tests, NULL, NULL);
}
