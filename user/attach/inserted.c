/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/inserted.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/view.h"
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

/* The same as literals that are never indexed: RFC 7541 section 6.2.3. */
static const char *const fields[PROPAGATOR_MAX] = {
	[PROPAGATOR_TRACECONTEXT] = "\x10\x0btraceparent\x37"
				    "00-" HEX32 "-" HEX16 "-##",
	[PROPAGATOR_B3] = "\x10\x02"
			  "b3\x33" HEX32 "-" HEX16 "-#",
	[PROPAGATOR_B3MULTI] = "\x10\x0cx-b3-traceid\x20" HEX32 "\x10\x0bx-b3-spanid\x10" HEX16
			       "\x10\x0cx-b3-sampled\x01#",
};

/* The form of the propagator that is `index`th, NULL: it has none. */
static const char *form_of(const char *const *forms, __u64 propagators, unsigned int index)
{
	unsigned int form = propagators >> index * PROPAGATOR_BITS & ((1 << PROPAGATOR_BITS) - 1);

	return form < PROPAGATOR_MAX ? forms[form] : NULL;
}

#define FORMS_MAX (64 / PROPAGATOR_BITS)

static size_t forms_length(const char *const *forms, __u64 propagators)
{
	size_t len = 0;

	for (unsigned int i = 0; i < FORMS_MAX; i++) {
		const char *form = form_of(forms, propagators, i);

		len += form ? strlen(form) : 0;
	}
	return len;
}

size_t inserted_length(__u64 propagators)
{
	return forms_length(lines, propagators);
}

size_t inserted_field_length(__u64 propagators)
{
	return forms_length(fields, propagators);
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
static size_t take_form(const char *const *forms, struct view text, __u64 propagators,
			uint32_t *left)
{
	for (unsigned int i = 0; i < FORMS_MAX; i++) {
		const char *form = form_of(forms, propagators, i);

		if (!form || !(*left & 1u << i) || !fits(form, text.data, text.len))
			continue;
		*left &= ~(1u << i);
		return strlen(form);
	}
	return 0;
}

/* Is the text one set of them? */
static bool is_one_set(const char *const *forms, struct view text, __u64 propagators)
{
	uint32_t left = (1u << FORMS_MAX) - 1;

	if (text.len != forms_length(forms, propagators))
		return false;
	while (text.len > 0) {
		size_t n = take_form(forms, text, propagators, &left);

		if (!n)
			return false;
		text = (struct view){ .data = text.data + n, .len = text.len - n };
	}
	return true;
}

int inserted_find(const char *sent, size_t sent_len, const char *got, size_t got_len,
		  __u64 propagators)
{
	const char *newline = memchr(sent, '\n', sent_len);
	size_t start = newline ? (size_t)(newline - sent) + 1 : sent_len;
	size_t added = got_len - sent_len;

	if (got_len < sent_len || memcmp(got, sent, start) != 0 ||
	    memcmp(got + start + added, sent + start, sent_len - start) != 0)
		return -EBADMSG;
	if (added && !is_one_set(lines, (struct view){ got + start, added }, propagators))
		return -EBADMSG;
	return (int)added;
}

#define FRAME_LENGTH_LEN 3 /* of its payload, at its beginning: RFC 9113 section 4.1 */

static size_t frame_length(const char *frame)
{
	const uint8_t *bytes = (const uint8_t *)frame;

	return (size_t)bytes[0] << 16 | (size_t)bytes[1] << 8 | bytes[2];
}

int inserted_find_field(const char *sent, size_t sent_len, size_t frame_at, const char *got,
			size_t got_len, __u64 propagators)
{
	size_t added = got_len - sent_len, behind = frame_at + FRAME_LENGTH_LEN;

	if (got_len < sent_len || behind > sent_len || memcmp(got, sent, frame_at) != 0 ||
	    memcmp(got + behind, sent + behind, sent_len - behind) != 0 ||
	    frame_length(got + frame_at) != frame_length(sent + frame_at) + added)
		return -EBADMSG;
	if (added && !is_one_set(fields, (struct view){ got + sent_len, added }, propagators))
		return -EBADMSG;
	return (int)added;
}
