/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/maps.h"

#include <errno.h>
#include <stdio.h>

#include "discover/text.h"

bool maps_next(struct view *rest, struct mapping *ret_mapping)
{
	struct mapping mapping = { 0 };
	struct view line, field;

	if (!text_next(rest, '\n', &line))
		return false;
	text_next(&line, ' ', &mapping.range);
	text_next(&line, ' ', &mapping.permissions);
	for (int i = 0; i < 3; i++)
		text_next(&line, ' ', &field);
	mapping.path = text_trim(line);
	*ret_mapping = mapping;
	return true;
}

static struct view without_zeros(struct view number)
{
	size_t n = 0;

	while (n + 1 < number.len && number.data[n] == '0')
		n++;
	return view_from(number, n);
}

int mapping_file(const struct mapping *mapping, char *name, size_t size)
{
	struct view end = mapping->range, start;
	int n;

	if (!text_next(&end, '-', &start))
		return -EBADMSG;
	start = without_zeros(start);
	end = without_zeros(end);
	n = snprintf(name, size, "map_files/%.*s-%.*s", (int)start.len, start.data, (int)end.len,
		     end.data);
	return n < 0 || (size_t)n >= size ? -EBADMSG : 0;
}

int mapping_start(const struct mapping *mapping, uint64_t *ret_address)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t address = 0;

	for (size_t i = 0; i < mapping->range.len && mapping->range.data[i] != '-'; i++) {
		const char *digit = memchr(digits, mapping->range.data[i], 16);

		if (!digit || i >= 16)
			return -EBADMSG;
		address = address << 4 | (uint64_t)(digit - digits);
	}
	*ret_address = address;
	return 0;
}
