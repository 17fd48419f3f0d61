/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to read bytes from the wire: a position and an end that it never passes. A function
 * that fails leaves the cursor where it was, and its ret_* untouched. What is taken is handed out
 * as views of the bytes; nothing is copied.
 *
 * -ENODATA: the bytes end before the thing that was asked for does; with more of them it may be
 * there.
 */
#ifndef WEFT_BASE_CURSOR_H
#define WEFT_BASE_CURSOR_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

struct cursor {
	const char *data;
	size_t at;
	size_t end;
};

static inline struct cursor cursor_of(struct view bytes)
{
	return (struct cursor){ .data = bytes.data, .at = 0, .end = bytes.len };
}

static inline size_t cursor_left(const struct cursor *cursor)
{
	return cursor->end - cursor->at;
}

/* All that is left, without taking it. */
static inline struct view cursor_rest(const struct cursor *cursor)
{
	return (struct view){
		.data = cursor->data ? cursor->data + cursor->at : NULL,
		.len = cursor_left(cursor),
	};
}

/* The next byte, 0 to 255, without taking it; -ENODATA. */
static inline int cursor_peek(const struct cursor *cursor)
{
	return cursor_left(cursor) > 0 ? (unsigned char)cursor->data[cursor->at] : -ENODATA;
}

/* Takes `n` bytes. -ENODATA. */
static inline int cursor_take(struct cursor *cursor, size_t n, struct view *ret_bytes)
{
	if (cursor_left(cursor) < n)
		return -ENODATA;
	ret_bytes->data = cursor_rest(cursor).data;
	ret_bytes->len = n;
	cursor->at += n;
	return 0;
}

/* Takes the bytes before the first `stop`, and drops `stop` itself. -ENODATA: there is none. */
int cursor_take_until(struct cursor *cursor, char stop, struct view *ret_bytes);

/* Takes a line and drops its end, LF or CR LF. -ENODATA: the line has no end. */
int cursor_take_line(struct cursor *cursor, struct view *ret_line);

/*
 * Takes the bytes that `accept` agrees to, up to the first that it does not: there may be none.
 * Inline, so that `accept` is, too.
 */
static inline struct view cursor_take_while(struct cursor *cursor, bool (*accept)(char byte))
{
	struct view taken = { .data = cursor_rest(cursor).data };

	while (cursor->at < cursor->end && accept(cursor->data[cursor->at])) {
		cursor->at++;
		taken.len++;
	}
	return taken;
}

/* Takes exactly these bytes. -ENODATA: the bytes end within them; -EBADMSG: others are there. */
int cursor_expect(struct cursor *cursor, struct view bytes);

#endif
