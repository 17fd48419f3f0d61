/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small operations on text that came from a foreign process.
 */
#ifndef WEFT_DISCOVER_TEXT_H
#define WEFT_DISCOVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

/*
 * A heap copy fit for an attribute: at most `max` bytes of valid UTF-8, cut between characters;
 * each byte that is no UTF-8 becomes U+FFFD, each control character a space. The caller frees it.
 * NULL: out of memory.
 */
char *text_clean(struct view text, size_t max);

/* The same into a buffer of `max` + 1 bytes. Returns the length without the NUL byte. */
size_t text_clean_into(struct view text, char *buffer, size_t max);

/* Position of the first or the last `c`, or -1. */
long text_index(struct view text, char c);
long text_last_index(struct view text, char c);

bool text_ends_with(struct view text, struct view suffix);

/* Without ASCII space and tab at both ends. */
struct view text_trim(struct view text);

/* Behind the last '/', trailing slashes left out first. Empty for "/" and "". */
struct view text_basename(struct view path);

/* Before the last '/', "/" for a file in the root. Empty when there is no '/'. */
struct view text_dirname(struct view path);

/*
 * Takes the next part of `*rest` up to `separator` (which is consumed) into `*ret_part`. False at
 * the end: a text that ends with the separator has no empty last part.
 */
bool text_next(struct view *rest, char separator, struct view *ret_part);

/* Whether `text` is one of the strings; the array ends with NULL, and NULL itself is empty. */
bool text_in(struct view text, const char *const *strings);

#endif
