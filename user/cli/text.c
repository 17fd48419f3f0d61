/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include <string.h>

char *text_defuse(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
		/* U+0080 to U+009F, where terminals have commands too. */
		if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
			c[0] = c[1] = '?';
	}
	return text;
}

/* Characters, not bytes: the bytes 10xxxxxx continue one. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void table_print(FILE *out, char *const *cells, size_t rows, size_t columns)
{
	size_t widths[TABLE_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < rows * columns; i++) {
		size_t width = text_width(cells[i]);

		if (width > widths[i % columns])
			widths[i % columns] = width;
	}
	for (size_t i = 0; i < rows * columns; i++) {
		size_t column = i % columns;

		fputs(cells[i], out);
		if (column + 1 == columns)
			fputc('\n', out);
		else
			fprintf(out, "%*s", (int)(widths[column] - text_width(cells[i]) + 2), "");
	}
}
