/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/text.h"

#include <stdlib.h>

#include "base/utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* What the character at the start becomes; `*ret_consumed` bytes of the input are behind it. */
static struct view clean_character(struct view text, size_t *ret_consumed)
{
	size_t length = utf8_character_len(text);

	*ret_consumed = length ? length : 1;
	if (length == 0)
		return (struct view){ .data = replacement, .len = sizeof(replacement) - 1 };
	if (length == 1 && is_control(text.data[0]))
		return VIEW(" ");
	return (struct view){ .data = text.data, .len = length };
}

size_t text_clean_into(struct view text, char *buffer, size_t max)
{
	size_t used = 0;

	while (text.len > 0) {
		size_t consumed;
		struct view piece = clean_character(text, &consumed);

		if (used + piece.len > max)
			break;
		memcpy(buffer + used, piece.data, piece.len);
		used += piece.len;
		text = view_from(text, consumed);
	}
	buffer[used] = '\0';
	return used;
}

char *text_clean(struct view text, size_t max)
{
	/* A stray byte grows to three. */
	size_t room = text.len < max / 3 ? text.len * 3 : max;
	char *clean = malloc(room + 1);

	if (clean)
		text_clean_into(text, clean, room);
	return clean;
}

long text_index(struct view text, char c)
{
	const char *found = text.len ? memchr(text.data, c, text.len) : NULL;

	return found ? found - text.data : -1;
}

long text_last_index(struct view text, char c)
{
	const char *found = text.len ? memrchr(text.data, c, text.len) : NULL;

	return found ? found - text.data : -1;
}

bool text_ends_with(struct view text, struct view suffix)
{
	return text.len >= suffix.len && view_equal(view_from(text, text.len - suffix.len), suffix);
}

struct view text_trim(struct view text)
{
	while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
		text = view_from(text, 1);
	while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static struct view without_trailing_slashes(struct view path)
{
	while (path.len > 0 && path.data[path.len - 1] == '/')
		path.len--;
	return path;
}

struct view text_basename(struct view path)
{
	path = without_trailing_slashes(path);
	return view_from(path, (size_t)(text_last_index(path, '/') + 1));
}

struct view text_dirname(struct view path)
{
	long slash;

	path = without_trailing_slashes(path);
	slash = text_last_index(path, '/');
	if (slash < 0)
		return (struct view){ 0 };
	path.len = slash ? (size_t)slash : 1;
	return path;
}

bool text_next(struct view *rest, char separator, struct view *ret_part)
{
	long end = text_index(*rest, separator);

	if (rest->len == 0)
		return false;
	ret_part->data = rest->data;
	ret_part->len = end < 0 ? rest->len : (size_t)end;
	*rest = view_from(*rest, end < 0 ? rest->len : (size_t)end + 1);
	return true;
}

bool text_in(struct view text, const char *const *strings)
{
	for (; strings && *strings; strings++)
		if (view_equal(text, view_of(*strings)))
			return true;
	return false;
}
