/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a kernel's type information, in memory of just their size. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attach/kernel_btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1), *twice = malloc(size ? size : 1);
	int r;

	if (!copy || !twice)
		abort();
	if (size)
		memcpy(copy, data, size);
	r = kernel_btf_simplify(copy, size);
	if (r != 0 && r != -EBADMSG)
		abort();
	/* what is simple already stays as it is */
	if (r == 0) {
		if (size)
			memcpy(twice, copy, size);
		if (kernel_btf_simplify(twice, size) < 0 ||
		    (size && memcmp(copy, twice, size) != 0))
			abort();
	}
	free(copy);
	free(twice);
	return 0;
}
