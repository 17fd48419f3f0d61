/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the ProcessContext message that a foreign process publishes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "discover/process_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct attributes *attributes)
{
	for (size_t i = 0; i < 2 * attributes->n; i++)
		if (!utf8_is_valid(view_of(attributes->pairs[i])))
			abort();
	if (attributes->n > ATTRIBUTES_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view message = { .data = (const char *)data, .len = size };
	struct process_context context = { 0 };
	int r = process_context_parse(message, &context);

	if (r < 0 && context.resource.n + context.more.n > 0)
		abort();
	check(&context.resource);
	check(&context.more);
	process_context_clear(&context);
	return 0;
}
