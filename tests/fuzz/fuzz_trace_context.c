/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the value of a traceparent field: what is accepted says the same when it is written
 * again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/trace_context.h"

#define TRACEPARENT_LEN 55

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *put_hex(char *text, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++, text += 2)
		snprintf(text, 3, "%02x", bytes[i]);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct view value = { .data = (const char *)data, .len = size };
	struct trace_context context;
	char text[TRACEPARENT_LEN + 1];
	char *at = text + 2;

	if (trace_context_parse(value, &context) < 0)
		return 0;
	memcpy(text, data, 2);
	*at++ = '-';
	at = put_hex(at, context.trace_id, TRACE_ID_LEN);
	*at++ = '-';
	at = put_hex(at, context.span_id, SPAN_ID_LEN);
	*at++ = '-';
	put_hex(at, &context.flags, 1);
	if (memcmp(text, data, TRACEPARENT_LEN) != 0)
		abort();
	if (size > TRACEPARENT_LEN && (memcmp(text, "00", 2) == 0 || data[TRACEPARENT_LEN] != '-'))
		abort();
	return 0;
}
