/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/trace_context.h"

#include <errno.h>

#define TRACEPARENT_LEN 55

/* Value of a lower-case hexadecimal digit; upper case is not allowed. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int hex_bytes(const char *text, uint8_t *ret_bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

int trace_context_parse(struct view value, struct trace_context *ret_context)
{
	struct trace_context context;
	const char *text = value.data;
	uint8_t version;

	if (value.len < TRACEPARENT_LEN || text[2] != '-' || text[35] != '-' || text[52] != '-')
		return -EINVAL;
	if (hex_bytes(text, &version, 1) < 0 || version == 0xff)
		return -EINVAL;
	if (value.len > TRACEPARENT_LEN && (version == 0 || text[TRACEPARENT_LEN] != '-'))
		return -EINVAL;
	if (hex_bytes(text + 3, context.trace_id, TRACE_ID_LEN) < 0 ||
	    hex_bytes(text + 36, context.span_id, SPAN_ID_LEN) < 0 ||
	    hex_bytes(text + 53, &context.flags, 1) < 0)
		return -EINVAL;
	if (all_zero(context.trace_id, TRACE_ID_LEN) || all_zero(context.span_id, SPAN_ID_LEN))
		return -EINVAL;
	*ret_context = context;
	return 0;
}
