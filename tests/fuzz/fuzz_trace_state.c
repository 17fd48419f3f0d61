/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the input are tracestate fields. Against rules that are checked character by character:
 * what is kept has no blanks around members, at most so many of them, and only bytes that a
 * tracestate may have; joining it again changes nothing.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/trace_state.h"

#define FIELDS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool right)
{
	if (!right)
		abort();
}

static void require_valid(const char *text, size_t len)
{
	size_t members = len ? 1 : 0, member = 0;

	require(len <= TRACE_STATE_MAX);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		require(c == '\t' || (c >= ' ' && c <= '~'));
		if (c != ',') {
			member++;
			continue;
		}
		require(member > 0);
		require(text[i - 1] != ' ' && text[i - 1] != '\t');
		require(i + 1 < len && text[i + 1] != ' ' && text[i + 1] != '\t');
		member = 0;
		members++;
	}
	require(members <= TRACE_STATE_MEMBERS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view fields[FIELDS_MAX], rest = { (const char *)data, size };
	char text[TRACE_STATE_MAX], again[TRACE_STATE_MAX];
	size_t n = 0, len = 0, len_again = 0;

	while (n < FIELDS_MAX && rest.len) {
		const char *end = memchr(rest.data, '\n', rest.len);

		fields[n] = (struct view){ rest.data, end ? (size_t)(end - rest.data) : rest.len };
		rest = view_from(rest, fields[n].len + (end ? 1 : 0));
		n++;
	}
	if (trace_state_join(fields, n, text, &len) < 0)
		return 0;
	require_valid(text, len);
	fields[0] = (struct view){ text, len };
	require(trace_state_join(fields, 1, again, &len_again) == 0);
	require(len_again == len && memcmp(text, again, len) == 0);
	return 0;
}
