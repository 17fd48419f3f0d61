/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/attributes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "discover/text.h"

static int append(struct attributes *attributes, char **key, char **value)
{
	char **pairs = reallocarray(attributes->pairs, attributes->n + 1, 2 * sizeof(char *));

	if (!pairs)
		return -ENOMEM;
	attributes->pairs = pairs;
	pairs[2 * attributes->n] = TAKE_PTR(*key);
	pairs[2 * attributes->n + 1] = TAKE_PTR(*value);
	attributes->n++;
	return 0;
}

int attributes_add(struct attributes *attributes, struct view key, struct view value)
{
	_cleanup_free_ char *clean_key = NULL, *clean_value = NULL;

	if (key.len == 0 || key.len > ATTRIBUTES_KEY_MAX || attributes->n >= ATTRIBUTES_MAX)
		return 0;
	/* Cleaning may grow the key, but never beyond what fits: cut keys would collide. */
	clean_key = text_clean(key, 3 * ATTRIBUTES_KEY_MAX);
	if (!clean_key)
		return -ENOMEM;
	if (attributes_get(attributes, view_of(clean_key)))
		return 0;
	clean_value = text_clean(value, ATTRIBUTES_VALUE_MAX);
	if (!clean_value)
		return -ENOMEM;
	return append(attributes, &clean_key, &clean_value);
}

int attributes_add_string(struct attributes *attributes, const char *key, const char *value)
{
	if (!value || !*value)
		return 0;
	return attributes_add(attributes, view_of(key), view_of(value));
}

const char *attributes_get(const struct attributes *attributes, struct view key)
{
	for (size_t i = 0; i < attributes->n; i++)
		if (view_equal(view_of(attributes->pairs[2 * i]), key))
			return attributes->pairs[2 * i + 1];
	return NULL;
}

void attributes_clear(struct attributes *attributes)
{
	for (size_t i = 0; i < 2 * attributes->n; i++)
		free(attributes->pairs[i]);
	free(attributes->pairs);
	*attributes = (struct attributes){ 0 };
}
