/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a client's direction of a connection, from the preface on, in calls of as many bytes as
 * its last byte says. The frame walker and the decoder of header blocks take what comes; what they
 * find must not depend on where the calls were cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conn/table.h"
#include "lib/http2_stream.h"
#include "protocols/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What became of an input, in a few numbers. */
struct outcome {
	uint64_t requests;
	uint64_t fields;   /* a sum over all bytes of decoded heads */
	uint64_t contexts; /* the same of what came of their context */
	bool bad;
};

struct reader {
	void *state;
	struct conn_table *table;
	struct outcome outcome;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static uint64_t sum_of(const void *bytes, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = 31 * sum + ((const uint8_t *)bytes)[i];
	return sum;
}

static void on_started(void *context, struct exchange *exchange)
{
	static struct span_builder builder;
	struct reader *reader = context;

	reader->outcome.requests++;
	reader->outcome.contexts += sum_of(&exchange->context, sizeof(exchange->context)) +
				    sum_of(exchange->trace_id, sizeof(exchange->trace_id)) +
				    exchange->trace_flags;
	span_builder_init(&builder);
	if (protocol_by_id(PROTOCOL_HTTP2)->describe(exchange, &builder) < 0)
		return;
	require(builder.span.name.len > 0 && builder.text_used <= SPAN_TEXT_MAX);
	for (size_t i = 0; i < builder.text_used; i++)
		reader->outcome.fields += (uint8_t)builder.text[i];
}

static void on_finished(void *context, struct exchange *exchange)
{
	(void)context, (void)exchange;
}

static void on_record(void *context, const void *record, size_t size)
{
	struct reader *reader = context;
	union event event;

	require(event_decode(record, size, &event) == 0);
	if (!protocol_by_id(PROTOCOL_HTTP2)->unpack(reader->state, &event))
		return;
	/* what is handed on is a record, too */
	require(event_decode(event.header, event.header->size, &event) == 0);
	conn_table_event(reader->table, event);
}

static struct outcome read_in_calls(const uint8_t *data, size_t size, size_t step)
{
	static const struct config config = {
		.propagators = { .n = 1, .items = { PROPAGATOR_TRACECONTEXT } }
	};
	static struct http2_stream stream;
	struct reader reader = {};
	const struct conn_limits limits = { 64, 8192, 8192 };
	const struct conn_callbacks callbacks = { on_started, on_finished, &reader };

	require(protocol_by_id(PROTOCOL_HTTP2)->unpack_new(&config, &reader.state) == 0);
	require(conn_table_new(&limits, &callbacks, &reader.table) == 0);
	memset(&stream, 0, sizeof(stream));
	stream.record = on_record;
	stream.context = &reader;
	for (size_t at = 0; at < size; at += step)
		http2_stream_feed(&stream, data + at, size - at < step ? size - at : step);
	reader.outcome.bad = stream.bad;
	conn_table_free(reader.table);
	protocol_by_id(PROTOCOL_HTTP2)->unpack_free(reader.state);
	return reader.outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;

	if (size == 0)
		return 0;
	whole = read_in_calls(data, size, size);
	cut = read_in_calls(data, size, data[size - 1] ? data[size - 1] : 1);
	require(whole.bad == cut.bad);
	require(whole.bad || whole.requests == cut.requests);
	require(whole.bad || whole.fields == cut.fields);
	require(whole.bad || whole.contexts == cut.contexts);
	return 0;
}
