/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the self-test got instead of what it sent: a byte of propagators, what was sent up to 0xff,
 * then what came. What is taken for a header must be what is written of these propagators.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attach/inserted.h"
#include "bpf/abi/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool right)
{
	if (!right)
		abort();
}

/* The end of the first line, behind which all that is inserted lies. */
static size_t first_line(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);

	return end ? (size_t)(end - text) + 1 : len;
}

/* The same, read as a message that ends with a frame: where that begins, its last byte says. */
static void check_field(const char *sent, size_t sent_len, const char *got, size_t got_len,
			__u64 propagators)
{
	size_t frame_at = sent_len > 0 ? (uint8_t)sent[sent_len - 1] : 0;
	int added = inserted_find_field(sent, sent_len, frame_at, got, got_len, propagators);

	require(added >= 0 || added == -EBADMSG);
	if (added < 0)
		return;
	require(frame_at + 3 <= sent_len && got_len == sent_len + (size_t)added);
	require(added == 0 || (size_t)added == inserted_field_length(propagators));
	require(memcmp(got, sent, frame_at) == 0);
	require(memcmp(got + frame_at + 3, sent + frame_at + 3, sent_len - frame_at - 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *sent, *got, *end;
	size_t sent_len, got_len, at;
	__u64 propagators;
	int added;

	if (size < 1)
		return 0;
	propagators = (data[0] & 7u) | (__u64)(data[0] >> 3 & 7u) << PROPAGATOR_BITS;
	sent = (const char *)data + 1;
	end = memchr(sent, 0xff, size - 1);
	sent_len = end ? (size_t)(end - sent) : size - 1;
	got = end ? end + 1 : sent;
	got_len = end ? size - 2 - sent_len : sent_len;
	check_field(sent, sent_len, got, got_len, propagators);
	added = inserted_find(sent, sent_len, got, got_len, propagators);
	require(added >= 0 || added == -EBADMSG);
	if (added < 0)
		return 0;
	require(got_len == sent_len + (size_t)added);
	require(added == 0 || (size_t)added == inserted_length(propagators));
	at = first_line(sent, sent_len);
	require(memcmp(got, sent, at) == 0);
	require(memcmp(got + at + added, sent + at, sent_len - at) == 0);
	require(added == 0 || got[at + (size_t)added - 1] == '\n');
	return 0;
}
