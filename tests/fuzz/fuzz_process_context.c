/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the ProcessContext message that a foreign process publishes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "discover/process_context.h"
#include "discover/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view message = { .data = (const char *)data, .len = size };
	struct attributes attributes = { 0 };
	int r = process_context_parse(message, &attributes);

	if (r < 0 && attributes.n > 0)
		abort();
	for (size_t i = 0; i < 2 * attributes.n; i++)
		if (!text_is_utf8(view_of(attributes.pairs[i])))
			abort();
	if (attributes.n > ATTRIBUTES_MAX)
		abort();
	attributes_clear(&attributes);
	return 0;
}
