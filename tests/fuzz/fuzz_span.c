/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is a list of operations on a builder, each two bytes (what, how long) and its text. In
 * the end builder and frozen span say the same, all of it is valid UTF-8, and nothing is out of
 * bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/utf8.h"
#include "span/resource.h"
#include "span/span.h"

#define N_KEYS ATTRIBUTE_KEYS_MAX
/* One length unit: 255 of them are more than a value's limit. */
#define LENGTH_UNIT 37

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Text of the length that the input asks for: its own bytes, over and over. */
static struct view next_text(struct cursor *input, uint8_t length)
{
	static char text[UINT8_MAX * LENGTH_UNIT];
	size_t len = (size_t)length * LENGTH_UNIT;
	struct view bytes = cursor_rest(input);

	bytes.len = bytes.len < length ? bytes.len : length;
	for (size_t i = 0; i < len; i++)
		text[i] = bytes.len > 0 ? bytes.data[i % bytes.len] : '\xc3';
	cursor_take(input, bytes.len, &bytes);
	return (struct view){ text, length % 2 ? len : bytes.len };
}

static void check_repair(struct view bytes, size_t size)
{
	char *out = malloc(size ? size : 1);
	size_t len;

	require(out != NULL);
	len = utf8_repair(bytes, out, size);
	require(len <= size && utf8_is_valid((struct view){ out, len }));
	if (size >= utf8_repair_bound(bytes) && utf8_is_valid(bytes))
		require(view_equal((struct view){ out, len }, bytes));
	free(out);
}

static void operate(struct span_builder *builder, uint8_t what, struct view text)
{
	enum attribute_key key = what % N_KEYS;

	switch (what / N_KEYS) {
	case 0:
		span_set_string(builder, key, text);
		require(!span_attribute(&builder->span, key) ||
			span_attribute(&builder->span, key)->len <= SPAN_VALUE_MAX);
		break;
	case 1:
		span_set_int(builder, key, (int64_t)text.len);
		break;
	case 2:
		span_remove(&builder->span, key);
		require(!span_attribute(&builder->span, key));
		break;
	default:
		if (key == 0)
			span_set_link(builder)->trace_state = span_text(builder, text);
		builder->span.name = span_text(builder, text);
		check_repair(text, text.len);
		check_repair(text, utf8_repair_bound(text));
	}
}

static void check_same(const struct span *a, const struct span *b)
{
	require(view_equal(a->name, b->name) && utf8_is_valid(b->name));
	require(!a->link == !b->link);
	require(!a->link ||
		(view_equal(a->link->trace_state, b->link->trace_state) && a->link != b->link));
	require(a->n_attributes == b->n_attributes);
	require(a->n_attributes <= SPAN_ATTRIBUTES_MAX);
	for (uint16_t i = 0; i < a->n_attributes; i++) {
		const struct attribute *x = &a->attributes[i], *y = &b->attributes[i];

		require(x->key == y->key && x->type == y->type);
		if (x->type != ATTRIBUTE_STRING) {
			require(x->integer == y->integer);
			continue;
		}
		require(view_equal(attribute_text(x), attribute_text(y)) && x->text != y->text);
		require(utf8_is_valid(attribute_text(y)));
	}
}

/* The input's bytes up to two NULs are one resource attribute. */
static struct resource *make_resource(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 2);
	struct resource *resource;
	const char *pairs[4];

	require(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	pairs[0] = pairs[2] = text;
	pairs[1] = text + strlen(text) + 1;
	pairs[3] = "service.name";
	require(resource_new(1, pairs, 2, &resource) == 0);
	free(text);
	for (uint16_t i = 0; i < resource->n_attributes; i++) {
		require(utf8_is_valid(view_of(resource->attributes[i].key)));
		require(resource->attributes[i].value.type != ATTRIBUTE_STRING ||
			utf8_is_valid(attribute_text(&resource->attributes[i].value)));
	}
	return resource;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct span_builder builder;
	struct cursor input = cursor_of((struct view){ (const char *)data, size });
	struct resource *resource = make_resource(data, size);
	struct span *span;
	struct view head;

	span_builder_init(&builder);
	builder.span.resource = resource;
	while (cursor_take(&input, 2, &head) == 0)
		operate(&builder, (uint8_t)head.data[0], next_text(&input, (uint8_t)head.data[1]));
	require(builder.text_used <= SPAN_TEXT_MAX);
	span = span_new(&builder);
	require(span != NULL);
	resource_unref(resource);
	check_same(&builder.span, span);
	require(span_size(span) >= sizeof(*span));
	span_free(span);
	return 0;
}
