/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/tls_cache.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_it(const struct tls_cache_file *file, const char *build_id, uint64_t size)
{
	return file->size == size && strcmp(file->build_id, build_id) == 0;
}

const struct tls_hints *tls_cache_find(const struct tls_cache *cache, const char *build_id,
				       uint64_t size)
{
	if (!cache || !build_id[0])
		return NULL;
	for (size_t i = 0; i < TLS_CACHE_FILES; i++)
		if (is_it(&cache->files[i], build_id, size))
			return &cache->files[i].hints;
	return NULL;
}

/* The one that is overwritten: what was known of the same file before, or the oldest. */
static struct tls_cache_file *place_for(struct tls_cache *cache, const char *build_id,
					uint64_t size)
{
	struct tls_cache_file *oldest = &cache->files[cache->next];

	for (size_t i = 0; i < TLS_CACHE_FILES; i++)
		if (is_it(&cache->files[i], build_id, size))
			return &cache->files[i];
	cache->next = (cache->next + 1) % TLS_CACHE_FILES;
	return oldest;
}

void tls_cache_add(struct tls_cache *cache, const char *build_id, uint64_t size,
		   const struct tls_hints *hints)
{
	struct tls_cache_file *file;

	if (!cache || !build_id[0])
		return;
	file = place_for(cache, build_id, size);
	snprintf(file->build_id, sizeof(file->build_id), "%s", build_id);
	file->size = size;
	file->hints = *hints;
}
