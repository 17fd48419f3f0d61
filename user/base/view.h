/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view is a range of bytes that somebody else owns: never NUL-terminated, any byte value.
 */
#ifndef WEFT_BASE_VIEW_H
#define WEFT_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct view {
	const char *data;
	size_t len;
};

/* A view of a string literal. */
#define VIEW(literal) ((struct view){ .data = (literal), .len = sizeof(literal) - 1 })
#define VIEW_INIT(literal)                                                                         \
	{                                                                                          \
		.data = (literal), .len = sizeof(literal) - 1                                      \
	}

static inline struct view view_of(const char *string)
{
	return (struct view){ .data = string, .len = string ? strlen(string) : 0 };
}

static inline bool view_equal(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Equality of ASCII text without regard to case. */
static inline bool view_equal_nocase(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

static inline bool view_starts_with(struct view view, struct view prefix)
{
	return view.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(view.data, prefix.data, prefix.len) == 0);
}

/* The part of the view from `from` to its end; an empty view when `from` lies behind the end. */
static inline struct view view_from(struct view view, size_t from)
{
	if (from >= view.len)
		return (struct view){ .data = view.data ? view.data + view.len : NULL, .len = 0 };
	return (struct view){ .data = view.data + from, .len = view.len - from };
}

/* The part of the view before `to`; all of it when `to` lies behind the end. */
static inline struct view view_to(struct view view, size_t to)
{
	return (struct view){ .data = view.data, .len = to < view.len ? to : view.len };
}

#define VIEW_NUMBER_DIGITS_MAX 18

/* A number of decimal digits alone: no sign, no space. -1: it is none, or has too many digits. */
static inline int64_t view_number(struct view view)
{
	int64_t number = 0;

	if (view.len == 0 || view.len > VIEW_NUMBER_DIGITS_MAX)
		return -1;
	for (size_t i = 0; i < view.len; i++) {
		if (view.data[i] < '0' || view.data[i] > '9')
			return -1;
		number = number * 10 + (view.data[i] - '0');
	}
	return number;
}

static inline bool view_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without spaces, tabs and ends of lines at both ends. */
static inline struct view view_trim(struct view view)
{
	while (view.len > 0 && view_is_space(view.data[0]))
		view = view_from(view, 1);
	while (view.len > 0 && view_is_space(view.data[view.len - 1]))
		view.len--;
	return view;
}

#endif
