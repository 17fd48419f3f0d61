/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Written straight into the batch's bytes: to build a tree of JSON values and to let jansson write
 * it took twelve times as long. Room for the longest form of a span is reserved once; each put_*()
 * then writes at `at` and gives where the next one goes. What is the same in all spans, keys above
 * all, is constant text.
 */
#include "export/otlp_json.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "export/otlp_encode.h"
#include "base/version.h"
#include "span/resource.h"
#include "span/semconv.h"

/* Stands before each span: only the first of a list goes without. */
#define SEPARATOR ","

/* An attribute's start, up to the name of its value's type. */
#define KEY_TEXT(key) "{\"key\":\"" key "\",\"value\":{\""

/* All of the room is copied, which is quicker than to copy just the text. */
#define KEY_TEXT_MAX 64

static const struct key_text {
	uint8_t len;
	char text[KEY_TEXT_MAX];
} key_texts[ATTR_MAX] = {
#define ATTRIBUTE(constant, key) [ATTR_##constant] = { sizeof(KEY_TEXT(key)) - 1, KEY_TEXT(key) },
#include "span/semconv.def"
#undef ATTRIBUTE
};

#define ATTRIBUTE(constant, key)                                                                   \
	static_assert(sizeof(KEY_TEXT(key)) <= KEY_TEXT_MAX, "room for " key);
#include "span/semconv.def"
#undef ATTRIBUTE

/* Bytes that a byte of text takes at most: "\u001f". */
#define ESCAPED_MAX 6
/* An attribute without the bytes of its key and its text, and what is put behind it for speed. */
#define ATTRIBUTE_BOUND 128
/* A span without its attributes and texts: its numbers, 180 bytes, and its names. */
#define SPAN_BOUND 512
/* A link without its text: two ids, a number, its names. */
#define LINK_BOUND 160

static inline char *put(char *at, struct view text)
{
	if (text.len > 0)
		memcpy(at, text.data, text.len);
	return at + text.len;
}

#define put_literal(at, literal) put(at, VIEW(literal))

/* Two digits at a time: those of n stand at 2 * n. */
#define TEN(tens)                                                                                  \
	tens "0" tens "1" tens "2" tens "3" tens "4" tens "5" tens "6" tens "7" tens "8" tens "9"
#define SIXTEEN(high) TEN(high) high "a" high "b" high "c" high "d" high "e" high "f"

static const char decimal_pairs[] = TEN("0") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") TEN("6")
	TEN("7") TEN("8") TEN("9");
static const char hex_pairs[] = SIXTEEN("0") SIXTEEN("1") SIXTEEN("2") SIXTEEN("3") SIXTEEN("4")
	SIXTEEN("5") SIXTEEN("6") SIXTEEN("7") SIXTEEN("8") SIXTEEN("9") SIXTEEN("a") SIXTEEN("b")
		SIXTEEN("c") SIXTEEN("d") SIXTEEN("e") SIXTEEN("f");

static char *put_byte(char *at, uint8_t c)
{
	const char escaped[ESCAPED_MAX] = {
		'\\', 'u', '0', '0', hex_pairs[2 * c], hex_pairs[2 * c + 1]
	};

	if (c < 0x20)
		return put(at, (struct view){ escaped, sizeof(escaped) });
	if (c == '"' || c == '\\')
		*at++ = '\\';
	*at++ = (char)c;
	return at;
}

#define EACH_BYTE(byte) (0x0101010101010101ull * (byte))
/* The high bit of some byte is set if one of the word's bytes is below `limit`, at most 0x80. */
#define BYTES_BELOW(word, limit) (((word)-EACH_BYTE(limit)) & ~(word)&EACH_BYTE(0x80))

/* None of the eight must be escaped. */
static inline bool is_plain(uint64_t word)
{
	return !(BYTES_BELOW(word, 0x20) | BYTES_BELOW(word ^ EACH_BYTE('"'), 1) |
		 BYTES_BELOW(word ^ EACH_BYTE('\\'), 1));
}

/*
 * RFC 8259 section 7: what must be escaped and nothing else. Eight bytes at a time as long as none
 * must be; the last of them with some that were put before, which is quicker than fewer at a time.
 */
static char *put_text(char *at, struct view text)
{
	char *end = at + text.len;
	size_t i = 0;
	uint64_t word;

	for (; text.len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, text.data + i, sizeof(word));
		if (!is_plain(word))
			break;
		memcpy(at + i, &word, sizeof(word));
	}
	if (i > 0 && text.len - i < sizeof(word)) {
		memcpy(&word, text.data + text.len - sizeof(word), sizeof(word));
		if (is_plain(word)) {
			memcpy(end - sizeof(word), &word, sizeof(word));
			return end;
		}
	}
	for (at += i; i < text.len; i++)
		at = put_byte(at, (uint8_t)text.data[i]);
	return at;
}

static char *put_string(char *at, struct view text)
{
	*at++ = '"';
	at = put_text(at, text);
	*at++ = '"';
	return at;
}

#define DIGITS_MAX 20 /* of 64 bits */

static char *put_unsigned(char *at, uint64_t number)
{
	char digits[2 * DIGITS_MAX] = "";
	size_t first = DIGITS_MAX;

	for (; number >= 100; number /= 100) {
		first -= 2;
		memcpy(digits + first, decimal_pairs + 2 * (number % 100), 2);
	}
	first -= 2;
	memcpy(digits + first, decimal_pairs + 2 * number, 2);
	first += number < 10;
	/* with what is behind them: quicker than to copy just so many */
	memcpy(at, digits + first, DIGITS_MAX);
	return at + DIGITS_MAX - first;
}

static char *put_integer(char *at, int64_t number)
{
	if (number < 0)
		*at++ = '-';
	return put_unsigned(at, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

static char *put_id(char *at, const uint8_t *id, size_t len)
{
	*at++ = '"';
	for (size_t i = 0; i < len; i++) {
		memcpy(at, hex_pairs + 2 * id[i], 2);
		at += 2;
	}
	*at++ = '"';
	return at;
}

static char *put_double(char *at, double number)
{
	char text[32];

	/* JSON has no such numbers; protobuf's JSON mapping has these strings. */
	if (isnan(number))
		return put_literal(at, "\"NaN\"");
	if (isinf(number))
		return put(at, number < 0 ? VIEW("\"-Infinity\"") : VIEW("\"Infinity\""));
	snprintf(text, sizeof(text), "%.17g", number);
	return put(at, view_of(text));
}

/* From the name of its type on. */
static char *put_value(char *at, const struct attribute *attribute)
{
	switch ((enum attribute_type)attribute->type) {
	case ATTRIBUTE_STRING:
		at = put_literal(at, "stringValue\":\"");
		at = put_text(at, attribute_text(attribute));
		return put_literal(at, "\"}}");
	case ATTRIBUTE_INT:
		at = put_literal(at, "intValue\":\"");
		at = put_integer(at, attribute->integer);
		return put_literal(at, "\"}}");
	case ATTRIBUTE_DOUBLE:
		at = put_literal(at, "doubleValue\":");
		at = put_double(at, attribute->number);
		return put_literal(at, "}}");
	case ATTRIBUTE_BOOL:
		at = put_literal(at, "boolValue\":");
		return put(at, attribute->boolean ? VIEW("true}}") : VIEW("false}}"));
	}
	return at;
}

static size_t value_bound(const struct attribute *attribute)
{
	return ATTRIBUTE_BOUND +
	       (attribute->type == ATTRIBUTE_STRING ? attribute->len : 0) * (size_t)ESCAPED_MAX;
}

static void json_resource(const struct resource *resource, struct bytes *out)
{
	size_t bound = sizeof("{\"attributes\":[]}");
	char *at;

	for (uint16_t i = 0; i < resource->n_attributes; i++)
		bound += strlen(resource->attributes[i].key) * ESCAPED_MAX +
			 value_bound(&resource->attributes[i].value);
	at = (char *)bytes_reserve(out, bound);
	if (!at)
		return;
	at = put_literal(at, "{\"attributes\":[");
	for (uint16_t i = 0; i < resource->n_attributes; i++) {
		if (i > 0)
			*at++ = ',';
		at = put_literal(at, "{\"key\":");
		at = put_string(at, view_of(resource->attributes[i].key));
		at = put_literal(at, ",\"value\":{\"");
		at = put_value(at, &resource->attributes[i].value);
	}
	at = put_literal(at, "]}");
	out->len = (size_t)((uint8_t *)at - out->data);
}

static char *put_ids(char *at, const struct span *span)
{
	static const uint8_t none[SPAN_ID_LEN];

	at = put_literal(at, "{\"traceId\":");
	at = put_id(at, span->trace_id, TRACE_ID_LEN);
	at = put_literal(at, ",\"spanId\":");
	at = put_id(at, span->span_id, SPAN_ID_LEN);
	if (memcmp(span->parent_id, none, SPAN_ID_LEN) != 0) {
		at = put_literal(at, ",\"parentSpanId\":");
		at = put_id(at, span->parent_id, SPAN_ID_LEN);
	}
	if (span->trace_state.len > 0) {
		at = put_literal(at, ",\"traceState\":");
		at = put_string(at, span->trace_state);
	}
	at = put_literal(at, ",\"flags\":");
	return put_unsigned(at, span->flags);
}

static inline char *put_key(char *at, const struct key_text *key)
{
	memcpy(at, key->text, sizeof(key->text));
	return at + key->len;
}

static char *put_attributes(char *at, const struct span *span)
{
	at = put_literal(at, ",\"attributes\":[");
	for (uint16_t i = 0; i < span->n_attributes; i++) {
		if (i > 0)
			*at++ = ',';
		at = put_key(at, &key_texts[span->attributes[i].key]);
		at = put_value(at, &span->attributes[i]);
	}
	*at++ = ']';
	if (span->dropped_attributes > 0) {
		at = put_literal(at, ",\"droppedAttributesCount\":");
		at = put_unsigned(at, span->dropped_attributes);
	}
	return at;
}

static char *put_link(char *at, const struct span_link *link)
{
	at = put_literal(at, ",\"links\":[{\"traceId\":");
	at = put_id(at, link->trace_id, TRACE_ID_LEN);
	at = put_literal(at, ",\"spanId\":");
	at = put_id(at, link->span_id, SPAN_ID_LEN);
	if (link->trace_state.len > 0) {
		at = put_literal(at, ",\"traceState\":");
		at = put_string(at, link->trace_state);
	}
	at = put_literal(at, ",\"flags\":");
	at = put_unsigned(at, link->flags);
	return put_literal(at, "}]");
}

static char *put_status(char *at, const struct span *span)
{
	if (span->status == SPAN_STATUS_UNSET)
		return at;
	at = put_literal(at, ",\"status\":{\"code\":");
	at = put_unsigned(at, span->status);
	if (span->status_message.len > 0) {
		at = put_literal(at, ",\"message\":");
		at = put_string(at, span->status_message);
	}
	*at++ = '}';
	return at;
}

static size_t span_bound(const struct span *span)
{
	size_t bound =
		SPAN_BOUND +
		(span->name.len + span->trace_state.len + span->status_message.len) * ESCAPED_MAX;

	for (uint16_t i = 0; i < span->n_attributes; i++)
		bound += key_texts[span->attributes[i].key].len + value_bound(&span->attributes[i]);
	if (span->link)
		bound += LINK_BOUND + span->link->trace_state.len * ESCAPED_MAX;
	return bound;
}

static void json_span(const struct span *span, struct bytes *out)
{
	char *at = (char *)bytes_reserve(out, span_bound(span));

	if (!at)
		return;
	at = put_literal(at, SEPARATOR);
	at = put_ids(at, span);
	at = put_literal(at, ",\"name\":");
	at = put_string(at, span->name);
	at = put_literal(at, ",\"kind\":");
	at = put_unsigned(at, span->kind);
	at = put_literal(at, ",\"startTimeUnixNano\":\"");
	at = put_unsigned(at, span->start_ns);
	at = put_literal(at, "\",\"endTimeUnixNano\":\"");
	at = put_unsigned(at, span->end_ns);
	*at++ = '"';
	at = put_attributes(at, span);
	if (span->link)
		at = put_link(at, span->link);
	at = put_status(at, span);
	*at++ = '}';
	out->len = (size_t)((uint8_t *)at - out->data);
}

const struct batch_codec otlp_json_codec = {
	.resource = json_resource,
	.span = json_span,
};

/* --- a batch as a line, part by part --- */

/* Takes the parts, one behind the other. */
struct taker {
	void (*take)(struct taker *taker, struct view part);
};

#define take_literal(taker, literal) (taker)->take(taker, VIEW(literal))

static void group_parts(const struct batch *batch, const struct batch_group *group,
			struct taker *taker)
{
	take_literal(taker, "{\"resource\":");
	if (group->len > 0)
		taker->take(taker, batch_text(batch, group->offset, group->len));
	else
		take_literal(taker, "{}");
	take_literal(taker, ",\"scopeSpans\":[{\"scope\":{\"name\":\"" OTLP_SCOPE_NAME
			    "\",\"version\":\"" WEFT_VERSION "\"},\"spans\":[");
	for (uint32_t i = group->first; i != BATCH_END; i = batch->items[i].next) {
		struct view span = batch_text(batch, batch->items[i].offset, batch->items[i].len);

		taker->take(taker, view_from(span, i == group->first ? strlen(SEPARATOR) : 0));
	}
	take_literal(taker, "],\"schemaUrl\":\"" SEMCONV_SCHEMA_URL
			    "\"}],\"schemaUrl\":\"" SEMCONV_SCHEMA_URL "\"}");
}

static void batch_parts(const struct batch *batch, struct taker *taker)
{
	take_literal(taker, "{\"resourceSpans\":[");
	for (size_t i = 0; i < batch->n_groups; i++) {
		if (i > 0)
			take_literal(taker, SEPARATOR);
		group_parts(batch, &batch->groups[i], taker);
	}
	take_literal(taker, "]}\n");
}

struct line_taker {
	struct taker taker; /* first */
	struct bytes *line;
};

static void line_take(struct taker *taker, struct view part)
{
	bytes_append_view(((struct line_taker *)taker)->line, part);
}

int otlp_json_line(const struct batch *batch, struct bytes *ret_line)
{
	struct line_taker line = { { line_take }, ret_line };

	bytes_empty(ret_line);
	batch_parts(batch, &line.taker);
	return ret_line->failed ? -ENOMEM : 0;
}

struct parts_taker {
	struct taker taker; /* first */
	struct otlp_json_parts *parts;
	bool full;
};

/* Spans of one process often lie one behind the other: then they are one part. */
static void parts_take(struct taker *taker, struct view part)
{
	struct parts_taker *own = (struct parts_taker *)taker;
	struct otlp_json_parts *parts = own->parts;
	struct iovec *last = parts->n > 0 ? &parts->list[parts->n - 1] : NULL;

	parts->size += part.len;
	if (last && (const char *)last->iov_base + last->iov_len == part.data)
		last->iov_len += part.len;
	else if (parts->n < OTLP_JSON_PARTS_MAX)
		parts->list[parts->n++] = (struct iovec){ (void *)part.data, part.len };
	else
		own->full = true;
}

int otlp_json_gather(const struct batch *batch, struct otlp_json_parts *ret_parts)
{
	struct parts_taker parts = { { parts_take }, ret_parts, false };

	ret_parts->n = 0;
	ret_parts->size = 0;
	batch_parts(batch, &parts.taker);
	return parts.full ? -E2BIG : 0;
}
