/* SPDX-License-Identifier: Apache-2.0 */
/* Text for a terminal. What services call themselves is not to be trusted with one. */
#ifndef WEFT_CLI_TEXT_H
#define WEFT_CLI_TEXT_H

#include <stdio.h>

#define TABLE_COLUMNS_MAX 8

/* Replaces control characters, C0 and C1, by '?', in place. Returns `text`. */
char *text_defuse(char *text);

/*
 * Prints rows of `columns` cells each, the columns aligned; the last one is not padded. cells[] has
 * rows * columns items, none NULL; UTF-8 characters count as one wide.
 */
void table_print(FILE *out, char *const *cells, size_t rows, size_t columns);

#endif
