/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"

#include <errno.h>
#include <string.h>

int cursor_take_until(struct cursor *cursor, char stop, struct view *ret_bytes)
{
	struct view rest = cursor_rest(cursor);
	const char *found = rest.len > 0 ? memchr(rest.data, stop, rest.len) : NULL;

	if (!found)
		return -ENODATA;
	ret_bytes->data = rest.data;
	ret_bytes->len = (size_t)(found - rest.data);
	cursor->at += ret_bytes->len + 1;
	return 0;
}

int cursor_take_line(struct cursor *cursor, struct view *ret_line)
{
	int r = cursor_take_until(cursor, '\n', ret_line);

	if (r < 0)
		return r;
	if (ret_line->len > 0 && ret_line->data[ret_line->len - 1] == '\r')
		ret_line->len--;
	return 0;
}

int cursor_expect(struct cursor *cursor, struct view bytes)
{
	size_t n = cursor_left(cursor) < bytes.len ? cursor_left(cursor) : bytes.len;

	if (n > 0 && memcmp(cursor->data + cursor->at, bytes.data, n) != 0)
		return -EBADMSG;
	if (n < bytes.len)
		return -ENODATA;
	cursor->at += n;
	return 0;
}
