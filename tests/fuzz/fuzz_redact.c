/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte of the input sets the room for the result, the rest is a query and a URL. In what
 * comes out every parameter's value is empty or redacted, and redacting it again changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "process/redact.h"

#define OUT_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct redact_keys keep_none;

static struct view until(struct view text, char stop)
{
	const char *found = text.len > 0 ? memchr(text.data, stop, text.len) : NULL;

	return (struct view){ text.data, found ? (size_t)(found - text.data) : text.len };
}

static void check_query(struct view query)
{
	while (query.len > 0) {
		struct view piece = until(query, '&');
		struct view value = view_from(piece, until(piece, '=').len + 1);

		if (value.len > 0 && !view_equal(value, VIEW("REDACTED")))
			abort();
		query = view_from(query, piece.len + 1);
	}
}

typedef size_t (*redact_fn)(struct view text, const struct redact_keys *kept, char *out,
			    size_t size, bool *ret_cut);

static struct view run(redact_fn rewrite, struct view input, size_t size, bool *ret_cut)
{
	static char again[2 * OUT_MAX];
	/* Of just this size, so that a sanitizer sees a byte too many. */
	char *out = malloc(size ? size : 1);
	struct view result = { .data = again };
	bool cut_again;

	if (!out)
		abort();
	result.len = rewrite(input, &keep_none, out, size, ret_cut);
	if (result.len > size)
		abort();
	size = rewrite((struct view){ out, result.len }, &keep_none, again, sizeof(again),
		       &cut_again);
	if (!*ret_cut && (cut_again || !view_equal(result, (struct view){ out, size })))
		abort();
	result.len = size;
	free(out);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view input = { .data = (const char *)data + 1, .len = size - 1 };
	size_t room;
	bool cut;

	if (size == 0)
		return 0;
	room = data[0] >= 0x80 ? OUT_MAX : data[0];
	check_query(run(redact_query, input, room, &cut));

	/* What stands behind the first '?' and before the '#' is the query. */
	input = run(redact_url, input, room, &cut);
	input = until(input, '#');
	check_query(view_from(input, until(input, '?').len + 1));
	return 0;
}
