/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as the Unicode standard defines it (table 3-7): no overlong forms, no surrogates, nothing
 * above U+10FFFF. Bytes from the wire are repaired before they become attribute values, because
 * OTLP's strings must be valid.
 */
#ifndef WEFT_BASE_UTF8_H
#define WEFT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

/* Bytes that U+FFFD takes, which stands in for what is not valid. */
#define UTF8_REPLACEMENT_LEN 3

/* Length of the character that `bytes`, which are not none, begin with; 0: it is not valid. */
size_t utf8_character_len(struct view bytes);

/* Length of the valid text that `bytes` begins with; a character that is cut off ends it. */
size_t utf8_valid_len(struct view bytes);

static inline bool utf8_is_valid(struct view bytes)
{
	return utf8_valid_len(bytes) == bytes.len;
}

/* The longest length of at most `max` at which valid text can be cut between two characters. */
size_t utf8_cut(struct view text, size_t max);

/*
 * Writes `bytes` to `out` as valid UTF-8 and returns how many bytes it wrote, at most `size`. Each
 * longest piece that could begin a character and does not complete one becomes one U+FFFD (Unicode
 * standard, section 3.9, "substitution of maximal subparts"). What does not fit is cut off between
 * two characters. `out` must not overlap `bytes`.
 */
size_t utf8_repair(struct view bytes, char *out, size_t size);

/* An upper bound of what utf8_repair() writes when nothing is cut; exact for valid text. */
size_t utf8_repair_bound(struct view bytes);

#endif
