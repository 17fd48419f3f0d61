/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/maps.h"

#include <errno.h>

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
