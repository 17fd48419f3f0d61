/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource attributes while they are collected: pairs of strings, the first writer of a key wins.
 * Sources are therefore asked in the order of their precedence.
 */
#ifndef WEFT_DISCOVER_ATTRIBUTES_H
#define WEFT_DISCOVER_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

/* As many as a resource holds (span/resource.h, RESOURCE_ATTRIBUTES_MAX). */
#define ATTRIBUTES_MAX	     48
#define ATTRIBUTES_KEY_MAX   128
#define ATTRIBUTES_VALUE_MAX 1024

struct attributes {
	char **pairs; /* key, value, key, value ... */
	size_t n;     /* pairs, not strings */
};

/*
 * Adds a copy of the pair, both cleaned (text_clean). An empty key, a key longer than
 * ATTRIBUTES_KEY_MAX, a key that is there already and a pair beyond ATTRIBUTES_MAX are left out
 * without an error; a value is cut at ATTRIBUTES_VALUE_MAX. -ENOMEM.
 */
int attributes_add(struct attributes *attributes, struct view key, struct view value);

/* The same for strings; a NULL or empty value is left out. */
int attributes_add_string(struct attributes *attributes, const char *key, const char *value);

/* NULL when the key is not there. */
const char *attributes_get(const struct attributes *attributes, struct view key);

/* Frees the pairs; the list is empty and usable afterwards. */
void attributes_clear(struct attributes *attributes);

#endif
