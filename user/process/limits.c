/* SPDX-License-Identifier: Apache-2.0 */
#include "process/limits.h"

#include <errno.h>
#include <stdlib.h>

struct limits_processor {
	struct processor base;
	size_t value_length;
	size_t count;
};

static void limits_configure(struct processor *processor, const struct processor_options *options)
{
	struct limits_processor *limits = (struct limits_processor *)processor;

	limits->value_length = options->attribute_value_length_limit;
	limits->count = options->attribute_count_limit;
}

static int limits_start(const struct processor_options *options, struct processor **ret_processor)
{
	struct limits_processor *limits = calloc(1, sizeof(*limits));

	if (!limits)
		return -ENOMEM;
	limits->base.ops = &processor_limits;
	limits_configure(&limits->base, options);
	*ret_processor = &limits->base;
	return 0;
}

/* The first `limit` characters. The value is valid UTF-8: every byte but 10xxxxxx starts one. */
static struct view first_characters(struct view value, size_t limit)
{
	size_t characters = 0;

	if (value.len <= limit)
		return value;
	for (size_t i = 0; i < value.len; i++) {
		if (((unsigned char)value.data[i] & 0xc0) == 0x80)
			continue;
		if (characters++ == limit)
			return (struct view){ .data = value.data, .len = i };
	}
	return value;
}

static void limits_process(struct processor *processor, struct span_builder *builder)
{
	const struct limits_processor *limits = (const struct limits_processor *)processor;
	struct span *span = &builder->span;

	if (limits->count > 0 && span->n_attributes > limits->count) {
		span->dropped_attributes += (uint16_t)(span->n_attributes - limits->count);
		span->n_attributes = (uint16_t)limits->count;
	}
	if (limits->value_length == 0)
		return;
	for (uint16_t i = 0; i < span->n_attributes; i++) {
		struct attribute *attribute = &span->attributes[i];

		if (attribute->type == ATTRIBUTE_STRING)
			attribute_set_text(attribute, first_characters(attribute_text(attribute),
								       limits->value_length));
	}
}

static void limits_stop(struct processor *processor)
{
	free(processor);
}

const struct processor_ops processor_limits = {
	.name = "limits",
	.start = limits_start,
	.configure = limits_configure,
	.process = limits_process,
	.stop = limits_stop,
};
