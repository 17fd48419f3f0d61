/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource and Span messages, written by hand. All else of OTLP goes through protobuf-c; here it
 * took as long as the whole rest of the pipeline, for it walks descriptors, and each message twice.
 * The lengths that protobuf puts before what they measure are known from the values: nothing is
 * written twice or moved. Field numbers are those of otlp.proto, and the unit test reads what comes
 * out with protobuf-c.
 *
 * Room for the longest form is reserved once; each put_*() then writes at `at` and gives where the
 * next one goes.
 */
#include <string.h>

#include "export/otlp_encode.h"
#include "span/resource.h"
#include "span/semconv.h"

/* Protocol Buffers, "Encoding": a tag is a field's number and how its value is written. */
enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5,
};

#define TAG(number, type) ((number) << 3 | (type))

#define VARINT_MAX 10
/* An attribute without the bytes of its key and its text: four tags and lengths, and a number. */
#define ATTRIBUTE_BOUND (4 * (1 + VARINT_MAX) + VARINT_MAX)
/* A span without its attributes and texts: 17 tags and lengths, ids, times, flags. */
#define SPAN_BOUND (17 * (2 + VARINT_MAX) + TRACE_ID_LEN + 2 * SPAN_ID_LEN + 2 * 8 + 4)
/* A link without its text: five tags and lengths, ids, flags. */
#define LINK_BOUND (5 * (2 + VARINT_MAX) + TRACE_ID_LEN + SPAN_ID_LEN + 4)

static const struct view key_names[ATTR_MAX] = {
#define ATTRIBUTE(constant, key) [ATTR_##constant] = VIEW_INIT(key),
#include "span/semconv.def"
#undef ATTRIBUTE
};

static size_t varint_size(uint64_t number)
{
	size_t size = 1;

	while (number >>= 7)
		size++;
	return size;
}

static inline uint8_t *put_varint(uint8_t *at, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*at++ = (uint8_t)(number | 0x80);
	*at++ = (uint8_t)number;
	return at;
}

static inline uint8_t *put_number(uint8_t *at, unsigned int field, uint64_t number)
{
	at = put_varint(at, TAG(field, WIRE_VARINT));
	return put_varint(at, number);
}

/* Little endian, whatever the machine is. */
static inline uint8_t *put_fixed(uint8_t *at, uint64_t number, size_t size)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(number >> 8 * i);
	return at + size;
}

static inline uint8_t *put_bytes(uint8_t *at, unsigned int field, struct view bytes)
{
	at = put_varint(at, TAG(field, WIRE_BYTES));
	at = put_varint(at, bytes.len);
	if (bytes.len > 0)
		memcpy(at, bytes.data, bytes.len);
	return at + bytes.len;
}

static inline uint8_t *put_text(uint8_t *at, unsigned int field, struct view text)
{
	return text.len > 0 ? put_bytes(at, field, text) : at;
}

/* Size of a field of less than 16 that holds so many bytes. */
static inline size_t bytes_size(size_t len)
{
	return 1 + varint_size(len) + len;
}

/* An AnyValue's content. */
static size_t value_size(const struct attribute *attribute)
{
	switch ((enum attribute_type)attribute->type) {
	case ATTRIBUTE_STRING:
		return bytes_size(attribute->len);
	case ATTRIBUTE_INT:
		return 1 + varint_size((uint64_t)attribute->integer);
	case ATTRIBUTE_DOUBLE:
		return 1 + sizeof(uint64_t);
	case ATTRIBUTE_BOOL:
		return 1 + 1;
	}
	return 0;
}

static uint8_t *put_value(uint8_t *at, const struct attribute *attribute)
{
	uint64_t bits;

	switch ((enum attribute_type)attribute->type) {
	case ATTRIBUTE_STRING:
		return put_bytes(at, 1, attribute_text(attribute));
	case ATTRIBUTE_BOOL:
		return put_number(at, 2, attribute->boolean);
	case ATTRIBUTE_INT:
		return put_number(at, 3, (uint64_t)attribute->integer);
	case ATTRIBUTE_DOUBLE:
		memcpy(&bits, &attribute->number, sizeof(bits));
		*at++ = TAG(4, WIRE_FIXED64);
		return put_fixed(at, bits, sizeof(bits));
	}
	return at;
}

/* A KeyValue as field `field` of what is around it. */
static uint8_t *put_attribute(uint8_t *at, unsigned int field, struct view key,
			      const struct attribute *attribute)
{
	size_t value = value_size(attribute);

	*at++ = (uint8_t)TAG(field, WIRE_BYTES);
	at = put_varint(at, bytes_size(key.len) + bytes_size(value));
	at = put_bytes(at, 1, key);
	*at++ = TAG(2, WIRE_BYTES);
	at = put_varint(at, value);
	return put_value(at, attribute);
}

static size_t attribute_bound(struct view key, const struct attribute *attribute)
{
	return ATTRIBUTE_BOUND + key.len +
	       (attribute->type == ATTRIBUTE_STRING ? attribute->len : 0);
}

static void encode_resource(const struct resource *resource, struct bytes *out)
{
	size_t bound = 0;
	uint8_t *at;

	for (uint16_t i = 0; i < resource->n_attributes; i++)
		bound += attribute_bound(view_of(resource->attributes[i].key),
					 &resource->attributes[i].value);
	at = bytes_reserve(out, bound);
	if (!at)
		return;
	for (uint16_t i = 0; i < resource->n_attributes; i++)
		at = put_attribute(at, 1, view_of(resource->attributes[i].key),
				   &resource->attributes[i].value);
	out->len = (size_t)(at - out->data);
}

static struct view id_view(const uint8_t *id, size_t len)
{
	return (struct view){ .data = (const char *)id, .len = len };
}

static uint8_t *put_ids(uint8_t *at, const struct span *span)
{
	static const uint8_t none[SPAN_ID_LEN];

	at = put_bytes(at, 1, id_view(span->trace_id, TRACE_ID_LEN));
	at = put_bytes(at, 2, id_view(span->span_id, SPAN_ID_LEN));
	at = put_text(at, 3, span->trace_state);
	if (memcmp(span->parent_id, none, SPAN_ID_LEN) != 0)
		at = put_bytes(at, 4, id_view(span->parent_id, SPAN_ID_LEN));
	return at;
}

static inline uint8_t *put_flags(uint8_t *at, unsigned int field, uint32_t flags)
{
	at = put_varint(at, TAG(field, WIRE_FIXED32));
	return put_fixed(at, flags, sizeof(flags));
}

static uint8_t *put_link(uint8_t *at, const struct span_link *link)
{
	size_t state = link->trace_state.len;

	*at++ = TAG(13, WIRE_BYTES);
	at = put_varint(at, bytes_size(TRACE_ID_LEN) + bytes_size(SPAN_ID_LEN) +
				    (state ? bytes_size(state) : 0) + 1 + sizeof(link->flags));
	at = put_bytes(at, 1, id_view(link->trace_id, TRACE_ID_LEN));
	at = put_bytes(at, 2, id_view(link->span_id, SPAN_ID_LEN));
	at = put_text(at, 3, link->trace_state);
	return put_flags(at, 6, link->flags);
}

static uint8_t *put_times(uint8_t *at, const struct span *span)
{
	*at++ = TAG(7, WIRE_FIXED64);
	at = put_fixed(at, span->start_ns, sizeof(span->start_ns));
	*at++ = TAG(8, WIRE_FIXED64);
	return put_fixed(at, span->end_ns, sizeof(span->end_ns));
}

static uint8_t *put_status(uint8_t *at, const struct span *span)
{
	size_t message = span->status_message.len;

	*at++ = TAG(15, WIRE_BYTES);
	at = put_varint(at, (message ? bytes_size(message) : 0) + 1 + 1);
	at = put_text(at, 2, span->status_message);
	return put_number(at, 3, span->status);
}

static size_t span_bound(const struct span *span)
{
	size_t bound =
		SPAN_BOUND + span->name.len + span->trace_state.len + span->status_message.len;

	for (uint16_t i = 0; i < span->n_attributes; i++)
		bound += attribute_bound(key_names[span->attributes[i].key], &span->attributes[i]);
	if (span->link)
		bound += LINK_BOUND + span->link->trace_state.len;
	return bound;
}

static void encode_span(const struct span *span, struct bytes *out)
{
	uint8_t *at = bytes_reserve(out, span_bound(span));

	if (!at)
		return;
	at = put_ids(at, span);
	at = put_text(at, 5, span->name);
	at = put_number(at, 6, span->kind);
	at = put_times(at, span);
	for (uint16_t i = 0; i < span->n_attributes; i++)
		at = put_attribute(at, 9, key_names[span->attributes[i].key], &span->attributes[i]);
	if (span->dropped_attributes > 0)
		at = put_number(at, 10, span->dropped_attributes);
	if (span->link)
		at = put_link(at, span->link);
	if (span->status != SPAN_STATUS_UNSET)
		at = put_status(at, span);
	at = put_flags(at, 16, span->flags);
	out->len = (size_t)(at - out->data);
}

const struct batch_codec otlp_codec = {
	.resource = encode_resource,
	.span = encode_span,
};
