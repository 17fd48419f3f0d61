/* SPDX-License-Identifier: Apache-2.0 */
#include "span/resource.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "span/semconv.h"

/* Attributes whose values are numbers; all others are strings. */
static const char *const integer_keys[] = { RESOURCE_PROCESS_PID, RESOURCE_PROCESS_PARENT_PID };

struct pair {
	struct view key;
	struct view value;
};

static struct pair pair_at(const char *const *pairs, size_t i)
{
	return (struct pair){ view_of(pairs[2 * i]), view_of(pairs[2 * i + 1]) };
}

static size_t pair_text_size(struct pair pair)
{
	/* a key is NUL-terminated */
	return utf8_repair_bound(pair.key) + 1 + utf8_repair_bound(pair.value);
}

static bool is_integer_key(const char *key)
{
	for (size_t i = 0; i < sizeof(integer_keys) / sizeof(integer_keys[0]); i++)
		if (strcmp(key, integer_keys[i]) == 0)
			return true;
	return false;
}

/* Digits only: what is not a plain number stays a string. */
static bool parse_integer(struct view text, int64_t *ret_value)
{
	int64_t value = view_number(text);

	if (value < 0)
		return false;
	*ret_value = value;
	return true;
}

/* The attribute of that key, or a new one at the end; NULL: there are too many. */
static struct resource_attribute *attribute_place(struct resource *resource, const char *key)
{
	for (uint16_t i = 0; i < resource->n_attributes; i++)
		if (strcmp(resource->attributes[i].key, key) == 0)
			return &resource->attributes[i];
	if (resource->n_attributes >= RESOURCE_ATTRIBUTES_MAX)
		return NULL;
	return &resource->attributes[resource->n_attributes++];
}

/* Copies one pair to *text, and moves *text behind what it used. */
static void resource_add(struct resource *resource, struct pair pair, char **text)
{
	char *key = *text;
	char *value = key + utf8_repair(pair.key, key, utf8_repair_bound(pair.key)) + 1;
	struct resource_attribute *attribute;
	struct view text_value;

	value[-1] = '\0';
	attribute = attribute_place(resource, key);
	if (!attribute)
		return;
	attribute->key = key;
	if (is_integer_key(key) && parse_integer(pair.value, &attribute->value.integer)) {
		attribute->value.type = ATTRIBUTE_INT;
		*text = value;
		return;
	}
	text_value.data = value;
	text_value.len = utf8_repair(pair.value, value, utf8_repair_bound(pair.value));
	attribute_set_text(&attribute->value, text_value);
	*text = value + text_value.len;
	if (strcmp(key, RESOURCE_SERVICE_NAME) == 0)
		resource->service_name = text_value;
}

int resource_new(uint32_t pid, const char *const *pairs, size_t n, struct resource **ret_resource)
{
	struct resource *resource;
	size_t size = sizeof(*resource);
	char *text;

	for (size_t i = 0; i < n; i++)
		size += pair_text_size(pair_at(pairs, i));
	resource = calloc(1, size);
	if (!resource)
		return -ENOMEM;
	resource->references = 1;
	resource->pid = pid;
	text = (char *)(resource + 1);

	/* The service's name goes first: it is in even when there are too many. */
	for (size_t i = 0; i < n; i++)
		if (view_equal(pair_at(pairs, i).key, VIEW(RESOURCE_SERVICE_NAME)))
			resource_add(resource, pair_at(pairs, i), &text);
	for (size_t i = 0; i < n; i++)
		if (pair_at(pairs, i).key.len > 0 &&
		    !view_equal(pair_at(pairs, i).key, VIEW(RESOURCE_SERVICE_NAME)))
			resource_add(resource, pair_at(pairs, i), &text);
	*ret_resource = resource;
	return 0;
}

struct resource *resource_ref(struct resource *resource)
{
	resource->references++;
	return resource;
}

struct resource *resource_unref(struct resource *resource)
{
	if (resource && --resource->references == 0)
		free(resource);
	return NULL;
}
