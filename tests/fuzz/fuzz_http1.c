/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a request head, 0xff, a response head, 0xff, and bytes that set the rest of the exchange;
 * what is left out is empty, so that a wire sample is an input. Whatever comes in: the span is
 * within its limits and valid UTF-8, and a field's value lies in the head.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cursor.h"
#include "base/utf8.h"
#include "protocols/protocol.h"

#define SEPARATOR '\xff'

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Up to the separator, or all that is left. */
static struct view next_part(struct cursor *input)
{
	struct view part;

	if (cursor_take_until(input, SEPARATOR, &part) < 0) {
		part = cursor_rest(input);
		input->at = input->end;
	}
	return part;
}

static uint8_t next_byte(struct cursor *input)
{
	struct view byte;

	return cursor_take(input, 1, &byte) == 0 ? (uint8_t)byte.data[0] : 0;
}

static uint64_t next_number(struct cursor *input)
{
	struct view bytes;
	uint64_t number = 0;

	if (cursor_take(input, sizeof(number), &bytes) == 0)
		memcpy(&number, bytes.data, sizeof(number));
	return number;
}

/* The head lies in a block of just its size, so that a sanitizer sees a byte too many. */
static void set_head(struct message *message, struct view head)
{
	message->head = malloc(head.len ? head.len : 1);
	require(message->head != NULL);
	if (head.len > 0)
		memcpy(message->head, head.data, head.len);
	message->head_len = message->head_cap = (uint32_t)head.len;
}

static void set_message(struct message *message, struct cursor *input)
{
	uint8_t flags = next_byte(input);

	message->head_complete = flags & 1;
	message->truncated = flags & 2;
	message->ended = flags & 4;
	message->body_bytes = next_number(input);
	message->start_ns = next_number(input);
	message->end_ns = next_number(input);
}

static void set_exchange(struct exchange *exchange, struct cursor *input)
{
	static const uint16_t families[] = { AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC };
	uint8_t flags = next_byte(input);
	struct view bytes;

	exchange->protocol = PROTOCOL_HTTP1;
	exchange->family = families[flags & 3];
	exchange->end = (enum exchange_end)(flags >> 2 & 7);
	exchange->status = (uint16_t)next_number(input);
	set_message(&exchange->request, input);
	set_message(&exchange->response, input);
	exchange->closed_ns = next_number(input);
	exchange->tid = (uint32_t)next_number(input);
	if (cursor_take(input, sizeof(exchange->local), &bytes) == 0)
		memcpy(&exchange->local, bytes.data, bytes.len);
	if (cursor_take(input, sizeof(exchange->remote), &bytes) == 0)
		memcpy(&exchange->remote, bytes.data, bytes.len);
}

static void check_attribute(const struct span *span, uint16_t i)
{
	const struct attribute *attribute = &span->attributes[i];

	for (uint16_t k = 0; k < i; k++)
		require(span->attributes[k].key != attribute->key);
	if (attribute->type != ATTRIBUTE_STRING)
		return;
	require(attribute->len <= SPAN_VALUE_MAX);
	require(utf8_is_valid(attribute_text(attribute)));
}

static void check_describe(const struct exchange *exchange)
{
	static struct span_builder builder;
	const struct span *span = &builder.span;
	struct span *frozen;

	span_builder_init(&builder);
	if (protocol_by_id(exchange->protocol)->describe(exchange, &builder) < 0) {
		require(span->n_attributes == 0 && span->name.len == 0 && builder.text_used == 0);
		return;
	}
	require(span->name.len > 0 && utf8_is_valid(span->name));
	require(span->n_attributes <= SPAN_ATTRIBUTES_MAX && span->dropped_attributes == 0);
	require(builder.text_used <= SPAN_TEXT_MAX);
	require(span->end_ns >= span->start_ns);
	for (uint16_t i = 0; i < span->n_attributes; i++)
		check_attribute(span, i);
	frozen = span_new(&builder);
	require(frozen != NULL);
	span_free(frozen);
}

static void check_field(const struct exchange *exchange, struct view name)
{
	struct view head = message_head(&exchange->request);
	struct view values[2];
	size_t count =
		protocol_by_id(exchange->protocol)->request_fields(exchange, name, values, 2);

	require(count <= head.len);
	for (size_t i = 0; i < count && i < 2; i++) {
		struct view value = values[i];

		require(value.data >= head.data && value.data + value.len <= head.data + head.len);
		require(value.len == 0 ||
			(value.data[0] != ' ' && value.data[value.len - 1] != ' '));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct view names[] = { VIEW_INIT("traceparent"), VIEW_INIT("Host"),
					     VIEW_INIT("b3"), VIEW_INIT("") };
	struct cursor input = cursor_of((struct view){ (const char *)data, size });
	struct exchange exchange = { 0 };

	set_head(&exchange.request, next_part(&input));
	set_head(&exchange.response, next_part(&input));
	set_exchange(&exchange, &input);
	for (int role = ROLE_UNKNOWN; role <= ROLE_SERVER; role++) {
		exchange.role = (enum conn_role)role;
		check_describe(&exchange);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_field(&exchange, names[i]);
	require(protocol_by_id(exchange.protocol)->telemetry(&exchange) <= TELEMETRY_OTHER);
	free(exchange.request.head);
	free(exchange.response.head);
	return 0;
}
