/* SPDX-License-Identifier: Apache-2.0 */
#include "export/bytes.h"

#include <errno.h>
#include <stdlib.h>

#define BYTES_MIN 1024
#define ARRAY_MIN 16

uint8_t *bytes_reserve(struct bytes *bytes, size_t more)
{
	size_t cap = bytes->cap ? bytes->cap : BYTES_MIN;
	size_t need;
	uint8_t *data;

	if (bytes->failed || __builtin_add_overflow(bytes->len, more, &need) ||
	    need > SIZE_MAX / 2) {
		bytes->failed = true;
		return NULL;
	}
	if (need > bytes->cap) {
		while (cap < need)
			cap *= 2;
		data = realloc(bytes->data, cap);
		if (!data) {
			bytes->failed = true;
			return NULL;
		}
		bytes->data = data;
		bytes->cap = cap;
	}
	return bytes->data + bytes->len;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}

int array_grow(void **data, size_t *cap, size_t n, size_t size)
{
	size_t wanted = *cap ? *cap * 2 : ARRAY_MIN;
	void *grown;

	if (n < *cap)
		return 0;
	grown = reallocarray(*data, wanted, size);
	if (!grown)
		return -ENOMEM;
	*data = grown;
	*cap = wanted;
	return 0;
}
