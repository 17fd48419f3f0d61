/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/environment.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "discover/text.h"

/* Longer values are cut when they are stored; more than this is not decoded at all. */
#define PART_MAX 4096

struct view environment_get(struct view environment, struct view name)
{
	struct view entry;

	while (text_next(&environment, '\0', &entry))
		if (entry.len > name.len && entry.data[name.len] == '=' &&
		    view_starts_with(entry, name))
			return view_from(entry, name.len + 1);
	return (struct view){ 0 };
}

struct view environment_get_any(struct view environment, const char *const *names)
{
	struct view value = { 0 };

	for (; *names && value.len == 0; names++)
		value = environment_get(environment, view_of(*names));
	return value;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte behind "%XX"; -1: not two digits, or a NUL byte. */
static int percent_byte(struct view text)
{
	int high, low;

	if (text.len < 3)
		return -1;
	high = hex_digit(text.data[1]);
	low = hex_digit(text.data[2]);
	if (high < 0 || low < 0 || (high | low) == 0)
		return -1;
	return high << 4 | low;
}

/* Decodes into `buffer` of PART_MAX bytes. */
static int percent_decode(struct view text, char *buffer, struct view *ret_decoded)
{
	size_t used = 0;

	while (text.len > 0) {
		int byte = (unsigned char)text.data[0];
		size_t length = 1;

		if (byte == '%') {
			byte = percent_byte(text);
			length = 3;
		}
		if (byte < 0 || used == PART_MAX)
			return -EBADMSG;
		buffer[used++] = (char)byte;
		text = view_from(text, length);
	}
	*ret_decoded = (struct view){ .data = buffer, .len = used };
	return utf8_is_valid(*ret_decoded) ? 0 : -EBADMSG;
}

static int parse_pair(struct view pair, struct attributes *attributes)
{
	char key_buffer[PART_MAX], value_buffer[PART_MAX];
	long equals = text_index(pair, '=');
	struct view key = pair, value;
	int r;

	if (equals < 0)
		return -EBADMSG;
	key.len = (size_t)equals;
	r = percent_decode(text_trim(key), key_buffer, &key);
	if (r < 0)
		return r;
	if (key.len == 0)
		return -EBADMSG;
	r = percent_decode(text_trim(view_from(pair, (size_t)equals + 1)), value_buffer, &value);
	if (r < 0)
		return r;
	return attributes_add(attributes, key, value);
}

static int parse_pairs(struct view value, struct attributes *attributes)
{
	struct view pair;

	while (text_next(&value, ',', &pair)) {
		int r;

		if (text_trim(pair).len == 0)
			continue; /* a comma too many hides nothing */
		r = parse_pair(pair, attributes);
		if (r < 0)
			return r;
	}
	return 0;
}

int environment_parse_attributes(struct view value, struct attributes *attributes)
{
	_cleanup_(attributes_clear) struct attributes parsed = { 0 };
	int r = parse_pairs(value, &parsed);

	for (size_t i = 0; r == 0 && i < parsed.n; i++)
		r = attributes_add(attributes, view_of(parsed.pairs[2 * i]),
				   view_of(parsed.pairs[2 * i + 1]));
	return r;
}
