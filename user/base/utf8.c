/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* What the first byte says: the character's length and the range of its second byte. */
struct lead {
	uint8_t first, last;
	uint8_t len;
	uint8_t second_low, second_high;
};

static const struct lead leads[] = {
	{ 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf }, { 0xe1, 0xec, 3, 0x80, 0xbf },
	{ 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf }, { 0xf0, 0xf0, 4, 0x90, 0xbf },
	{ 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct lead *lead_of(uint8_t byte)
{
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (byte >= leads[i].first && byte <= leads[i].last)
			return &leads[i];
	return NULL;
}

/*
 * Length of the character that starts at `bytes`, which is not empty; when it is not valid, of the
 * piece that one U+FFFD stands for.
 */
static size_t character_len(struct view bytes, bool *ret_valid)
{
	const uint8_t *p = (const uint8_t *)bytes.data;
	const struct lead *lead;
	size_t n = 1;

	*ret_valid = p[0] < 0x80;
	if (*ret_valid)
		return 1;
	lead = lead_of(p[0]);
	if (!lead || bytes.len < 2 || p[1] < lead->second_low || p[1] > lead->second_high)
		return 1;
	for (n = 2; n < lead->len; n++)
		if (n >= bytes.len || (p[n] & 0xc0) != 0x80)
			return n;
	*ret_valid = true;
	return n;
}

size_t utf8_character_len(struct view bytes)
{
	bool valid;
	size_t len = character_len(bytes, &valid);

	return valid ? len : 0;
}

#define HIGH_BITS 0x8080808080808080ull

/* Eight bytes at a time while all are ASCII, as nearly all text is. */
static inline size_t ascii_len(struct view bytes)
{
	size_t n = 0;
	uint64_t word;

	for (; bytes.len - n >= sizeof(word); n += sizeof(word)) {
		memcpy(&word, bytes.data + n, sizeof(word));
		if (word & HIGH_BITS)
			break;
	}
	while (n < bytes.len && !(bytes.data[n] & 0x80))
		n++;
	return n;
}

size_t utf8_valid_len(struct view bytes)
{
	size_t n = ascii_len(bytes);
	bool valid;

	while (n < bytes.len) {
		size_t len = character_len(view_from(bytes, n), &valid);

		if (!valid)
			break;
		n += len;
		n += ascii_len(view_from(bytes, n));
	}
	return n;
}

size_t utf8_cut(struct view text, size_t max)
{
	if (max >= text.len)
		return text.len;
	while (max > 0 && ((uint8_t)text.data[max] & 0xc0) == 0x80)
		max--;
	return max;
}

/*
 * Copies the ASCII that `bytes` begins with, and gives its length; nearly all text is nothing else.
 * Eight bytes at a time, the last of them with some that were copied before.
 */
static inline size_t ascii_copy(struct view bytes, char *out, size_t size)
{
	size_t n = bytes.len < size ? bytes.len : size;
	size_t i = 0;
	uint64_t word = 0;

	for (; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, bytes.data + i, sizeof(word));
		if (word & HIGH_BITS)
			return i;
		memcpy(out + i, &word, sizeof(word));
	}
	if (i > 0 && i < n) {
		memcpy(&word, bytes.data + n - sizeof(word), sizeof(word));
		if (word & HIGH_BITS)
			return i;
		memcpy(out + n - sizeof(word), &word, sizeof(word));
		return n;
	}
	for (; i < n && !(bytes.data[i] & 0x80); i++)
		out[i] = bytes.data[i];
	return i;
}

size_t utf8_repair(struct view bytes, char *out, size_t size)
{
	size_t used = ascii_copy(bytes, out, size);
	bool valid;

	bytes = view_from(bytes, used);
	while (bytes.len > 0) {
		struct view run = { .data = bytes.data, .len = utf8_valid_len(bytes) };
		size_t fits = utf8_cut(run, size - used);

		if (fits > 0)
			memcpy(out + used, run.data, fits);
		used += fits;
		bytes = view_from(bytes, run.len);
		if (fits < run.len || bytes.len == 0 || size - used < UTF8_REPLACEMENT_LEN)
			break;
		memcpy(out + used, "\xef\xbf\xbd", UTF8_REPLACEMENT_LEN);
		used += UTF8_REPLACEMENT_LEN;
		bytes = view_from(bytes, character_len(bytes, &valid));
	}
	return used;
}

size_t utf8_repair_bound(struct view bytes)
{
	size_t valid = utf8_valid_len(bytes);

	return valid + (bytes.len - valid) * UTF8_REPLACEMENT_LEN;
}
