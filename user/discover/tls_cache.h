/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things were found in stripped files, by build id: containers have copies of the same file.
 * Whoever makes a file chooses its build id, so this only says where to look first: all that is
 * found there is proved by the file at hand, as without it.
 */
#ifndef WEFT_DISCOVER_TLS_CACHE_H
#define WEFT_DISCOVER_TLS_CACHE_H

#include <stdint.h>

#include "discover/tls_library.h"
#include "discover/tls_marks.h"

#define TLS_CACHE_FILES 16

struct tls_cache_file {
	char build_id[2 * BUILD_ID_MAX + 1]; /* empty: none */
	uint64_t size;
	struct tls_hints hints;
};

/* All zero is empty. */
struct tls_cache {
	struct tls_cache_file files[TLS_CACHE_FILES];
	size_t next; /* that is overwritten */
};

/* NULL: none; so it is, too, with no cache or no build id. */
const struct tls_hints *tls_cache_find(const struct tls_cache *cache, const char *build_id,
				       uint64_t size);

/* The oldest one is forgotten for it. Does nothing without a cache or a build id. */
void tls_cache_add(struct tls_cache *cache, const char *build_id, uint64_t size,
		   const struct tls_hints *hints);

#endif
