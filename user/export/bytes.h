/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable run of bytes that is emptied and filled again without giving its memory back.
 * A failed growth sticks: what follows is left out and `failed` is read once at the end.
 * All zero is a valid empty one.
 */
#ifndef WEFT_EXPORT_BYTES_H
#define WEFT_EXPORT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

struct bytes {
	uint8_t *data;
	size_t len;
	size_t cap;
	bool failed;
};

/*
 * Room for `more` bytes behind the end, for the caller to fill and to add to `len`.
 * NULL: no memory; `failed` is set.
 */
uint8_t *bytes_reserve(struct bytes *bytes, size_t more);

/* Inline, for a span is put together from many small pieces. */
static inline void bytes_append(struct bytes *bytes, const void *data, size_t len)
{
	uint8_t *room;

	if (len == 0)
		return;
	room = !bytes->failed && len <= bytes->cap - bytes->len ? bytes->data + bytes->len
								: bytes_reserve(bytes, len);
	if (!room)
		return;
	memcpy(room, data, len);
	bytes->len += len;
}

static inline void bytes_append_view(struct bytes *bytes, struct view view)
{
	bytes_append(bytes, view.data, view.len);
}

static inline void bytes_empty(struct bytes *bytes)
{
	bytes->len = 0;
	bytes->failed = false;
}

void bytes_free(struct bytes *bytes);

/*
 * Doubles `*data`, an array of `*cap` elements of `size` bytes, when it has no room for one more
 * than `n`. -ENOMEM: nothing changed.
 */
int array_grow(void **data, size_t *cap, size_t n, size_t size);

#endif
