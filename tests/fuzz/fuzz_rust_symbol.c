/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the name of a function. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "discover/rust_symbol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 1);
	enum rust_symbol symbol;

	if (!name)
		abort();
	memcpy(name, data, size);
	name[size] = '\0';
	symbol = rust_symbol_of(name);
	if (symbol != RUST_SYMBOL_OTHER && !strstr(name, "rustls"))
		abort();
	free(name);
	return 0;
}
