/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/inserted.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bpf/abi/context.h"

#define HEX16 "################"
#define HEX32 HEX16 HEX16

/* The lines by propagator; # stands for a hexadecimal digit. NULL: it is not written. */
static const char *const lines[PROPAGATOR_MAX] = {
	[PROPAGATOR_TRACECONTEXT] = "traceparent: 00-" HEX32 "-" HEX16 "-##\r\n",
	[PROPAGATOR_B3] = "b3: " HEX32 "-" HEX16 "-#\r\n",
	[PROPAGATOR_B3MULTI] = "X-B3-TraceId: " HEX32 "\r\nX-B3-SpanId: " HEX16
			       "\r\nX-B3-Sampled: #\r\n",
};

/* The lines of the propagator that is `index`th, NULL: it has none. */
static const char *lines_of(__u64 propagators, unsigned int index)
{
	unsigned int form = propagators >> index * PROPAGATOR_BITS & ((1 << PROPAGATOR_BITS) - 1);

	return form < PROPAGATOR_MAX ? lines[form] : NULL;
}

#define FORMS_MAX (64 / PROPAGATOR_BITS)

size_t inserted_length(__u64 propagators)
{
	size_t len = 0;

	for (unsigned int i = 0; i < FORMS_MAX; i++)
		len += lines_of(propagators, i) ? strlen(lines_of(propagators, i)) : 0;
	return len;
}

static bool fits(const char *form, const char *text, size_t len)
{
	size_t n = strlen(form);

	for (size_t i = 0; i < n; i++)
		if (i >= len ||
		    (form[i] == '#' ? !isxdigit((unsigned char)text[i]) : form[i] != text[i]))
			return false;
	return true;
}

/* Takes the one form that the text starts with, of those in `left`. Gives its length, 0: none. */
static size_t take_form(const char *text, size_t len, __u64 propagators, uint32_t *left)
{
	for (unsigned int i = 0; i < FORMS_MAX; i++) {
		const char *form = lines_of(propagators, i);

		if (!form || !(*left & 1u << i) || !fits(form, text, len))
			continue;
		*left &= ~(1u << i);
		return strlen(form);
	}
	return 0;
}

int inserted_find(const char *sent, size_t sent_len, const char *got, size_t got_len,
		  __u64 propagators)
{
	const char *newline = memchr(sent, '\n', sent_len);
	size_t start = newline ? (size_t)(newline - sent) + 1 : sent_len;
	size_t added = got_len - sent_len, at = 0;
	uint32_t left = (1u << FORMS_MAX) - 1;

	if (got_len < sent_len || memcmp(got, sent, start) != 0 ||
	    memcmp(got + start + added, sent + start, sent_len - start) != 0)
		return -EBADMSG;
	if (added && added != inserted_length(propagators))
		return -EBADMSG;
	while (at < added) {
		size_t n = take_form(got + start + at, added - at, propagators, &left);

		if (!n)
			return -EBADMSG;
		at += n;
	}
	return (int)added;
}
