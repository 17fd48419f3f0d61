/* SPDX-License-Identifier: Apache-2.0 */
#include "span/span.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "span/resource.h"

static_assert(SPAN_ATTRIBUTES_MAX <= UINT16_MAX, "attributes are counted in 16 bits");

void span_builder_init(struct span_builder *builder)
{
	memset(&builder->span, 0, sizeof(builder->span));
	builder->span.kind = SPAN_KIND_INTERNAL;
	builder->span.attributes = builder->attributes;
	builder->text_used = 0;
	builder->keys = 0;
}

struct view span_text(struct span_builder *builder, struct view value)
{
	size_t room = sizeof(builder->text) - builder->text_used;
	struct view text = { .data = builder->text + builder->text_used };

	text.len = utf8_repair(value, builder->text + builder->text_used,
			       room < SPAN_VALUE_MAX ? room : SPAN_VALUE_MAX);
	builder->text_used += text.len;
	return text;
}

static struct attribute *attribute_find(const struct span *span, const char *key)
{
	for (uint16_t i = 0; i < span->n_attributes; i++)
		if (strcmp(span->attributes[i].key, key) == 0)
			return &span->attributes[i];
	return NULL;
}

/*
 * One of 64 bits for a key. A key whose bit was never set is not in the list, and need not be
 * looked for: comparing each with all before it took a tenth of the pipeline's time.
 */
static uint64_t key_bit(const char *key)
{
	size_t len = strlen(key);

	return len ? 1ULL << ((len * 5 + (unsigned char)key[len - 1] +
			       (unsigned char)key[len / 2] * 3u) &
			      63)
		   : 1;
}

/* The place for the key's value: where it is already, or a new one. NULL: the list is full. */
static struct attribute *attribute_place(struct span_builder *builder, const char *key)
{
	struct span *span = &builder->span;
	uint64_t bit = key_bit(key);
	struct attribute *attribute = builder->keys & bit ? attribute_find(span, key) : NULL;

	if (attribute)
		return attribute;
	builder->keys |= bit;
	if (span->n_attributes >= SPAN_ATTRIBUTES_MAX) {
		if (span->dropped_attributes < UINT16_MAX)
			span->dropped_attributes++;
		return NULL;
	}
	attribute = &span->attributes[span->n_attributes++];
	attribute->key = key;
	return attribute;
}

void span_set_string(struct span_builder *builder, const char *key, struct view value)
{
	struct attribute *attribute = attribute_place(builder, key);

	if (!attribute)
		return;
	attribute->string = span_text(builder, value);
	attribute->type = ATTRIBUTE_STRING;
}

void span_set_int(struct span_builder *builder, const char *key, int64_t value)
{
	struct attribute *attribute = attribute_place(builder, key);

	if (!attribute)
		return;
	attribute->type = ATTRIBUTE_INT;
	attribute->integer = value;
}

void span_set_double(struct span_builder *builder, const char *key, double value)
{
	struct attribute *attribute = attribute_place(builder, key);

	if (!attribute)
		return;
	attribute->type = ATTRIBUTE_DOUBLE;
	attribute->number = value;
}

void span_set_bool(struct span_builder *builder, const char *key, bool value)
{
	struct attribute *attribute = attribute_place(builder, key);

	if (!attribute)
		return;
	attribute->type = ATTRIBUTE_BOOL;
	attribute->boolean = value;
}

const struct attribute *span_attribute(const struct span *span, const char *key)
{
	return attribute_find(span, key);
}

void span_remove(struct span *span, const char *key)
{
	struct attribute *attribute = attribute_find(span, key);
	size_t behind;

	if (!attribute)
		return;
	behind = (size_t)(span->attributes + span->n_attributes - (attribute + 1));
	memmove(attribute, attribute + 1, behind * sizeof(*attribute));
	span->n_attributes--;
}

static size_t text_size(const struct span *span)
{
	size_t size = span->name.len + span->status_message.len + span->trace_state.len;

	for (uint16_t i = 0; i < span->n_attributes; i++)
		if (span->attributes[i].type == ATTRIBUTE_STRING)
			size += span->attributes[i].string.len;
	return size;
}

/* Moves what the view shows to `*text` and the view after it. */
static void text_move(struct view *view, char **text)
{
	if (view->len > 0)
		memcpy(*text, view->data, view->len);
	view->data = *text;
	*text += view->len;
}

/* One block: the span, its attributes, its text. */
struct span *span_new(const struct span_builder *builder)
{
	const struct span *from = &builder->span;
	size_t attributes_size = from->n_attributes * sizeof(*from->attributes);
	size_t size = sizeof(*from) + attributes_size + text_size(from);
	struct span *span = malloc(size);
	char *text;

	if (!span)
		return NULL;
	*span = *from;
	span->size = (uint32_t)size;
	span->next = NULL;
	span->attributes = (struct attribute *)(span + 1);
	memcpy(span->attributes, from->attributes, attributes_size);

	text = (char *)(span->attributes + span->n_attributes);
	text_move(&span->name, &text);
	text_move(&span->status_message, &text);
	text_move(&span->trace_state, &text);
	for (uint16_t i = 0; i < span->n_attributes; i++)
		if (span->attributes[i].type == ATTRIBUTE_STRING)
			text_move(&span->attributes[i].string, &text);
	if (span->resource)
		resource_ref(span->resource);
	return span;
}

size_t span_size(const struct span *span)
{
	return span->size;
}

struct span *span_free(struct span *span)
{
	if (!span)
		return NULL;
	resource_unref(span->resource);
	free(span);
	return NULL;
}
