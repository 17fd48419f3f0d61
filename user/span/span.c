/* SPDX-License-Identifier: Apache-2.0 */
#include "span/span.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "span/resource.h"

static_assert(SPAN_ATTRIBUTES_MAX < UINT8_MAX, "a place in the list is a number of 8 bits");
static_assert(ATTR_MAX <= ATTRIBUTE_KEYS_MAX, "every key has its place");
static_assert(sizeof(struct attribute) == 16, "attributes are small");
static_assert(sizeof(struct span_link) % _Alignof(struct attribute) == 0,
	      "attributes follow a link in one allocation");

static const char *const key_names[ATTR_MAX] = {
#define ATTRIBUTE(constant, key) [ATTR_##constant] = key,
#include "span/semconv.def"
#undef ATTRIBUTE
};

const char *attribute_key_name(enum attribute_key key)
{
	return key < ATTR_MAX ? key_names[key] : "";
}

void span_builder_init(struct span_builder *builder)
{
	memset(&builder->span, 0, sizeof(builder->span));
	memset(builder->places, 0, sizeof(builder->places));
	builder->span.kind = SPAN_KIND_INTERNAL;
	builder->span.attributes = builder->attributes;
	builder->text_used = 0;
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

static struct attribute *attribute_find(const struct span *span, enum attribute_key key)
{
	for (uint16_t i = 0; i < span->n_attributes; i++)
		if (span->attributes[i].key == key)
			return &span->attributes[i];
	return NULL;
}

struct attribute *span_builder_attribute(struct span_builder *builder, enum attribute_key key)
{
	uint8_t place = builder->places[key];

	if (!place)
		return NULL;
	if (place <= builder->span.n_attributes && builder->attributes[place - 1].key == key)
		return &builder->attributes[place - 1];
	/* others have cut the list, or taken something out of it */
	return attribute_find(&builder->span, key);
}

/* The place for the key's value: where it is already, or a new one. NULL: the list is full. */
static struct attribute *attribute_place(struct span_builder *builder, enum attribute_key key)
{
	struct attribute *attribute = span_builder_attribute(builder, key);
	struct span *span = &builder->span;

	if (attribute)
		return attribute;
	if (span->n_attributes >= SPAN_ATTRIBUTES_MAX) {
		if (span->dropped_attributes < UINT16_MAX)
			span->dropped_attributes++;
		return NULL;
	}
	attribute = &builder->attributes[span->n_attributes++];
	attribute->key = (uint16_t)key;
	builder->places[key] = (uint8_t)span->n_attributes;
	return attribute;
}

void span_set_string(struct span_builder *builder, enum attribute_key key, struct view value)
{
	struct attribute *attribute = attribute_place(builder, key);

	if (attribute)
		attribute_set_text(attribute, span_text(builder, value));
}

void span_set_text(struct span_builder *builder, enum attribute_key key, struct view text)
{
	struct attribute *attribute = attribute_place(builder, key);

	if (attribute)
		attribute_set_text(attribute, text);
}

void span_set_int(struct span_builder *builder, enum attribute_key key, int64_t value)
{
	struct attribute *attribute = attribute_place(builder, key);

	if (!attribute)
		return;
	attribute->type = ATTRIBUTE_INT;
	attribute->integer = value;
}

void span_set_double(struct span_builder *builder, enum attribute_key key, double value)
{
	struct attribute *attribute = attribute_place(builder, key);

	if (!attribute)
		return;
	attribute->type = ATTRIBUTE_DOUBLE;
	attribute->number = value;
}

void span_set_bool(struct span_builder *builder, enum attribute_key key, bool value)
{
	struct attribute *attribute = attribute_place(builder, key);

	if (!attribute)
		return;
	attribute->type = ATTRIBUTE_BOOL;
	attribute->boolean = value;
}

struct span_link *span_set_link(struct span_builder *builder)
{
	builder->link = (struct span_link){};
	builder->span.link = &builder->link;
	return &builder->link;
}

const struct attribute *span_attribute(const struct span *span, enum attribute_key key)
{
	return attribute_find(span, key);
}

void span_remove(struct span *span, enum attribute_key key)
{
	struct attribute *attribute = attribute_find(span, key);
	size_t behind;

	if (!attribute)
		return;
	behind = (size_t)(span->attributes + span->n_attributes - (attribute + 1));
	memmove(attribute, attribute + 1, behind * sizeof(*attribute));
	span->n_attributes--;
}

/* Text of the builder's lies in the copy now; what lies elsewhere is constant. */
static const char *text_moved(const struct span_builder *builder, const char *text, char *copy)
{
	uintptr_t offset = (uintptr_t)text - (uintptr_t)builder->text;

	return offset <= builder->text_used ? copy + offset : text;
}

/* One block: the span, its link, its attributes, its text. */
struct span *span_new(const struct span_builder *builder)
{
	const struct span *from = &builder->span;
	size_t attributes_size = from->n_attributes * sizeof(*from->attributes);
	size_t link_size = from->link ? sizeof(*from->link) : 0;
	size_t size = sizeof(*from) + attributes_size + link_size + builder->text_used;
	struct span *span = malloc(size);
	char *text;

	if (!span)
		return NULL;
	*span = *from;
	span->size = (uint32_t)size;
	span->next = NULL;
	span->link = link_size ? (struct span_link *)(span + 1) : NULL;
	span->attributes = (struct attribute *)((char *)(span + 1) + link_size);
	memcpy(span->attributes, from->attributes, attributes_size);
	text = (char *)(span->attributes + span->n_attributes);
	memcpy(text, builder->text, builder->text_used);

	span->name.data = text_moved(builder, from->name.data, text);
	span->status_message.data = text_moved(builder, from->status_message.data, text);
	span->trace_state.data = text_moved(builder, from->trace_state.data, text);
	if (span->link) {
		*span->link = builder->link;
		span->link->trace_state.data =
			text_moved(builder, builder->link.trace_state.data, text);
	}
	for (uint16_t i = 0; i < span->n_attributes; i++) {
		struct attribute *attribute = &span->attributes[i];

		if (attribute->type == ATTRIBUTE_STRING)
			attribute->text = text_moved(builder, attribute->text, text);
	}
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
