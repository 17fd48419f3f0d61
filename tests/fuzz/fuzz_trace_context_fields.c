/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side's reading of trace context, built for the host, against a second reading of the
 * same head: slow, character by character, by patterns. The first two bytes of the input say where
 * the rest is cut into two calls, the third and fourth hold the order of propagators; what is found
 * must not depend on the cut.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/head_scan.h"

#define PROPAGATORS_MAX 4
#define XRAY_KEYS	3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool right)
{
	if (!right)
		abort();
}

/* --- the second reading --- */

/* One field: how often it came, and its last value without the blanks around. */
struct field {
	unsigned int count;
	bool spoilt;
	const char *text;
	size_t len;
};

/* What one format says. */
struct reading {
	bool valid;
	bool malformed;
	uint8_t trace_id[16];
	uint8_t span_id[8];
	bool decided, sampled, random, debug;
};

static const char *const names[] = {
	[CONTEXT_TRACEPARENT] = "traceparent:",
	[CONTEXT_TRACESTATE] = "tracestate:",
	[CONTEXT_B3] = "b3:",
	[CONTEXT_B3_TRACE_ID] = "x-b3-traceid:",
	[CONTEXT_B3_SPAN_ID] = "x-b3-spanid:",
	[CONTEXT_B3_SAMPLED] = "x-b3-sampled:",
	[CONTEXT_B3_FLAGS] = "x-b3-flags:",
	[CONTEXT_B3_PARENT] = "x-b3-parentspanid:",
	[CONTEXT_JAEGER] = "uber-trace-id:",
	[CONTEXT_XRAY] = "x-amzn-trace-id:",
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void trim(const char **text, size_t *len)
{
	while (*len && is_blank((*text)[0])) {
		(*text)++;
		(*len)--;
	}
	while (*len && is_blank((*text)[*len - 1]))
		(*len)--;
}

static size_t name_of(const char *line, size_t len)
{
	for (size_t i = 1; i < N_NAMES; i++)
		if (len >= strlen(names[i]) && strncasecmp(line, names[i], strlen(names[i])) == 0)
			return i;
	return 0;
}

/* The fields of a head, from its start line to its empty line or to the last whole line. */
static void read_lines(const char *text, size_t size, struct field fields[N_NAMES])
{
	size_t last = 0;
	bool first = true;

	while (size && (*text == '\r' || *text == '\n')) {
		text++;
		size--;
	}
	for (const char *end; (end = memchr(text, '\n', size)); first = false) {
		size_t len = (size_t)(end - text);
		const char *line = text;

		size -= len + 1;
		text = end + 1;
		if (len && line[len - 1] == '\r')
			len--;
		if (len == 0)
			return;
		if (first)
			continue;
		if (is_blank(line[0])) {
			fields[last].spoilt = true;
			continue;
		}
		last = name_of(line, len);
		if (!last)
			continue;
		fields[last].count++;
		fields[last].text = line + strlen(names[last]);
		fields[last].len = len - strlen(names[last]);
		trim(&fields[last].text, &fields[last].len);
	}
}

static bool usable(const struct field *field)
{
	return field->count == 1 && !field->spoilt;
}

/* 'h': a hexadecimal digit in lower case, 'H': in any case; others stand for themselves. */
static bool matches(const char *text, size_t len, const char *pattern)
{
	if (len != strlen(pattern))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool hex = c < 128 && isxdigit(c);

		if (pattern[i] == 'h'	? !hex || isupper(c)
		    : pattern[i] == 'H' ? !hex
					: text[i] != pattern[i])
			return false;
	}
	return true;
}

#define H8  "hhhhhhhh"
#define H16 H8 H8
#define H32 H16 H16

static unsigned int digit(char c)
{
	return isdigit((unsigned char)c) ? (unsigned int)(c - '0')
					 : (unsigned int)(tolower((unsigned char)c) - 'a' + 10);
}

/* Up to 2 * n digits as the last of n bytes; not all of them 0. */
static bool bytes(uint8_t *ret, size_t n, const char *text, size_t len)
{
	bool some = false;

	memset(ret, 0, n);
	for (size_t i = 0; i < len; i++) {
		size_t place = len - 1 - i; /* counted from the right */

		ret[n - 1 - place / 2] |= (uint8_t)(digit(text[i]) << (place % 2 * 4));
		some |= text[i] != '0';
	}
	return some;
}

static bool ids(struct reading *ret, const char *trace, size_t trace_len, const char *span,
		size_t span_len)
{
	bool both = bytes(ret->trace_id, 16, trace, trace_len);

	return bytes(ret->span_id, 8, span, span_len) && both;
}

static void read_traceparent(const struct field *field, struct reading *ret)
{
	const char *text = field->text;
	unsigned int flags;

	if (field->len < 55 || !matches(text, 55, "hh-" H32 "-" H16 "-hh"))
		return;
	if (memcmp(text, "ff", 2) == 0)
		return;
	if (field->len > 55 && (memcmp(text, "00", 2) == 0 || text[55] != '-'))
		return;
	flags = digit(text[53]) << 4 | digit(text[54]);
	ret->valid = ids(ret, text + 3, 32, text + 36, 16);
	ret->decided = true;
	ret->sampled = flags & 1;
	ret->random = flags & 2;
}

static bool state(struct reading *ret, char c)
{
	ret->decided = true;
	ret->sampled = c != '0';
	ret->debug = c == 'd';
	return c == '0' || c == '1' || c == 'd';
}

static void read_b3(const struct field *field, struct reading *ret)
{
	const char *text = field->text;
	size_t trace = field->len > 16 && text[16] == '-' ? 16 : 32;
	size_t rest;

	if (field->len == 1) {
		ret->valid = state(ret, text[0]);
		return;
	}
	if (field->len < trace + 17 ||
	    !matches(text, trace + 17, trace == 16 ? H16 "-" H16 : H32 "-" H16))
		return;
	rest = field->len - trace - 17;
	text += trace + 17;
	if (rest && (text[0] != '-' || rest < 2 || !state(ret, text[1])))
		return;
	if (rest > 2 && !matches(text + 2, rest - 2, "-" H16))
		return;
	ret->valid = ids(ret, field->text, trace, field->text + trace + 1, 16);
}

static void read_b3_parts(const struct field fields[N_NAMES], struct reading *ret)
{
	const struct field *trace = &fields[CONTEXT_B3_TRACE_ID];
	const struct field *span = &fields[CONTEXT_B3_SPAN_ID];
	const struct field *sampled = &fields[CONTEXT_B3_SAMPLED];
	const struct field *flags = &fields[CONTEXT_B3_FLAGS];

	if (sampled->count) {
		ret->decided = true;
		ret->sampled = matches(sampled->text, sampled->len, "1") ||
			       matches(sampled->text, sampled->len, "true");
	}
	if (flags->count && matches(flags->text, flags->len, "1"))
		ret->decided = ret->sampled = ret->debug = true;
	ret->valid = !trace->count == !span->count;
	if (trace->count && span->count)
		ids(ret, trace->text, trace->len, span->text, span->len);
}

/* One value of B3's several fields. */
static bool b3_part_malformed(enum context_name name, const struct field *field)
{
	struct reading value;

	switch (name) {
	case CONTEXT_B3_TRACE_ID:
		return !(matches(field->text, field->len, H16) ||
			 matches(field->text, field->len, H32)) ||
		       !bytes(value.trace_id, 16, field->text, field->len);
	case CONTEXT_B3_SPAN_ID:
		return !matches(field->text, field->len, H16) ||
		       !bytes(value.span_id, 8, field->text, field->len);
	case CONTEXT_B3_SAMPLED:
		return !matches(field->text, field->len, "0") &&
		       !matches(field->text, field->len, "1") &&
		       !matches(field->text, field->len, "true") &&
		       !matches(field->text, field->len, "false");
	default:
		return false;
	}
}

/* Takes digits off the front, up to a colon, an encoded one if there is no other, or the end. */
static bool jaeger_part(const char **text, size_t *len, size_t max, const char **ret_part,
			size_t *ret_len)
{
	bool encoded = !memchr(*text, ':', *len);
	size_t n = 0;

	while (n < *len && isxdigit((unsigned char)(*text)[n]))
		n++;
	*ret_part = *text;
	*ret_len = n;
	*text += n;
	*len -= n;
	if (*len >= 1 && !encoded && (*text)[0] == ':') {
		(*text)++;
		(*len)--;
	} else if (*len >= 3 && encoded && strncasecmp(*text, "%3a", 3) == 0) {
		*text += 3;
		*len -= 3;
	} else if (*len) {
		return false;
	}
	return n >= 1 && n <= max;
}

static void read_jaeger(const struct field *field, struct reading *ret)
{
	const char *text = field->text, *trace, *span, *parent, *flags;
	size_t len = field->len, trace_len, span_len, parent_len, flags_len;
	uint8_t value;

	if (!jaeger_part(&text, &len, 32, &trace, &trace_len) ||
	    !jaeger_part(&text, &len, 16, &span, &span_len) ||
	    !jaeger_part(&text, &len, 16, &parent, &parent_len))
		return;
	/* nothing stands behind the flags */
	flags = text;
	flags_len = len;
	if (!matches(flags, flags_len, "H") && !matches(flags, flags_len, "HH"))
		return;
	bytes(&value, 1, flags, flags_len);
	ret->valid = ids(ret, trace, trace_len, span, span_len);
	ret->decided = true;
	ret->sampled = value & 3;
	ret->debug = value & 2;
}

static bool xray_part(const char *part, size_t len, const char *values[XRAY_KEYS],
		      size_t lens[XRAY_KEYS])
{
	static const char *const keys[XRAY_KEYS] = { "Root=", "Parent=", "Sampled=" };

	trim(&part, &len);
	for (size_t i = 0; i < XRAY_KEYS; i++) {
		if (len < strlen(keys[i]) || memcmp(part, keys[i], strlen(keys[i])) != 0)
			continue;
		if (values[i])
			return false;
		values[i] = part + strlen(keys[i]);
		lens[i] = len - strlen(keys[i]);
	}
	return true;
}

static void read_xray(const struct field *field, struct reading *ret)
{
	const char *text = field->text, *values[XRAY_KEYS] = { NULL };
	size_t len = field->len, lens[XRAY_KEYS] = { 0 };
	char trace[32];

	for (size_t parts = 1;; parts++) {
		const char *end = len ? memchr(text, ';', len) : NULL;

		if (parts > CONTEXT_XRAY_PARTS_MAX ||
		    !xray_part(text, end ? (size_t)(end - text) : len, values, lens))
			return;
		if (!end)
			break;
		len -= (size_t)(end - text) + 1;
		text = end + 1;
	}
	if (!values[0] || !matches(values[0], lens[0], "1-HHHHHHHH-HHHHHHHHHHHHHHHHHHHHHHHH"))
		return;
	/* the random part may not be zero, whatever the time is */
	if (!bytes(ret->trace_id, 16, values[0] + 11, 24))
		return;
	if (values[2]) {
		if (lens[2] != 1 || !memchr("01?", values[2][0], 3))
			return;
		ret->decided = values[2][0] != '?';
		ret->sampled = values[2][0] == '1';
	}
	if (!values[1]) {
		memset(ret, 0, sizeof(*ret));
		ret->valid = true;
		return;
	}
	if (!matches(values[1], lens[1], "HHHHHHHHHHHHHHHH"))
		return;
	memcpy(trace, values[0] + 2, 8);
	memcpy(trace + 8, values[0] + 11, 24);
	ret->valid = ids(ret, trace, 32, values[1], 16);
}

static void read_value(enum context_name name, const struct field fields[N_NAMES],
		       struct reading *ret)
{
	*ret = (struct reading){ 0 };
	switch (name) {
	case CONTEXT_TRACEPARENT:
		read_traceparent(&fields[name], ret);
		break;
	case CONTEXT_B3:
		read_b3(&fields[name], ret);
		break;
	case CONTEXT_JAEGER:
		read_jaeger(&fields[name], ret);
		break;
	case CONTEXT_XRAY:
		read_xray(&fields[name], ret);
		break;
	default:
		ret->valid = !b3_part_malformed(name, &fields[name]);
	}
}

/* The propagator's reading, both forms of B3 taken together. Gives the form, or NONE. */
static enum propagator read_propagator(enum propagator propagator,
				       const struct field fields[N_NAMES], struct reading *ret)
{
	static const enum context_name alone[] = {
		[PROPAGATOR_TRACECONTEXT] = CONTEXT_TRACEPARENT,
		[PROPAGATOR_B3] = CONTEXT_B3,
		[PROPAGATOR_B3MULTI] = CONTEXT_B3,
		[PROPAGATOR_JAEGER] = CONTEXT_JAEGER,
		[PROPAGATOR_XRAY] = CONTEXT_XRAY,
	};
	const struct field *field;

	if (propagator == PROPAGATOR_NONE || propagator >= PROPAGATOR_MAX)
		return PROPAGATOR_NONE;
	field = &fields[alone[propagator]];
	if (usable(field)) {
		read_value(alone[propagator], fields, ret);
		if (ret->valid)
			return propagator == PROPAGATOR_B3MULTI ? PROPAGATOR_B3 : propagator;
	}
	if (alone[propagator] != CONTEXT_B3 || (field->count && !usable(field)))
		return PROPAGATOR_NONE;
	for (enum context_name name = CONTEXT_B3_TRACE_ID; name <= CONTEXT_B3_FLAGS; name++)
		if (fields[name].count &&
		    (!usable(&fields[name]) || b3_part_malformed(name, &fields[name])))
			return PROPAGATOR_NONE;
	*ret = (struct reading){ 0 };
	read_b3_parts(fields, ret);
	return ret->valid ? PROPAGATOR_B3MULTI : PROPAGATOR_NONE;
}

static bool has_ids(const struct reading *reading)
{
	static const uint8_t none[8];

	return memcmp(reading->span_id, none, sizeof(none)) != 0;
}

/* --- both --- */

static void compare_found(const struct trace_context *found, enum propagator propagator,
			  const struct reading *expected)
{
	require(memcmp(found->trace_id, expected->trace_id, 16) == 0);
	require(memcmp(&found->span_id, expected->span_id, 8) == 0);
	require(found->flags == ((expected->sampled ? TRACE_FLAG_SAMPLED : 0) |
				 (expected->random ? TRACE_FLAG_RANDOM : 0)));
	require(found->hints == ((expected->decided ? 0 : CONTEXT_F_DEFERRED) |
				 (expected->debug ? CONTEXT_F_DEBUG : 0)));
	require(found->propagator == propagator);
}

static void compare_resolved(const struct context_fields *kernel,
			     const struct field fields[N_NAMES], uint64_t order)
{
	struct trace_context found = { .propagator = 0xff };
	int kind = context_resolve(kernel, order, &found);
	struct reading decision, reading;
	enum propagator decided = PROPAGATOR_NONE;

	for (int i = 0; i < PROPAGATORS_MAX; i++) {
		enum propagator entry = (enum propagator)(order >> i * PROPAGATOR_BITS & 0xf);
		enum propagator form = read_propagator(entry, fields, &reading);

		if (form != PROPAGATOR_NONE && has_ids(&reading)) {
			require(kind == CONTEXT_PARENT);
			compare_found(&found, form, &reading);
			return;
		}
		if (form != PROPAGATOR_NONE && reading.decided) {
			decided = form;
			decision = reading;
		}
	}
	require(kind == (decided ? CONTEXT_DECISION : CONTEXT_NONE));
	if (decided)
		compare_found(&found, decided, &decision);
	else
		require(found.propagator == 0xff);
}

static void compare_sets(const struct context_fields *kernel, const struct field fields[N_NAMES])
{
	struct reading reading;

	for (enum context_name name = CONTEXT_TRACEPARENT; name < N_NAMES; name++) {
		const struct field *field = &fields[name];

		require((kernel->seen >> name & 1) == (field->count > 0));
		require((kernel->spoilt >> name & 1) == (field->count > 1 || field->spoilt));
		if (!usable(field) || name == CONTEXT_TRACESTATE)
			continue;
		read_value(name, fields, &reading);
		require((kernel->bad >> name & 1) == !reading.valid);
	}
	require(context_present(kernel) == (kernel->seen != 0));
}

static void compare_refused(const struct context_fields *kernel)
{
	int all = context_refused(kernel, 0x54321);

	require(all >= 0 && all < (int)N_NAMES);
	require(context_refused(kernel, 0) == 0);
	require(all >= context_refused(kernel, PROPAGATOR_TRACECONTEXT));
}

static bool has_long_line(const uint8_t *data, size_t size)
{
	size_t line = 0;

	for (size_t i = 0; i < size; i++) {
		if (i - line >= FLOW_CARRY_MAX)
			return true;
		if (data[i] == '\n')
			line = i + 1;
	}
	return false;
}

/* More blanks than are passed over. */
static bool has_long_blank(const uint8_t *data, size_t size)
{
	size_t run = 0;

	for (size_t i = 0; i < size && run <= PIECE_BLANKS_MAX; i++)
		run = is_blank((char)data[i]) ? run + 1 : 0;
	return run > PIECE_BLANKS_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct head_scan whole, halves;
	struct field fields[N_NAMES] = { { 0 } };
	size_t cut;
	uint64_t order;

	/* whole lines in one piece: none is torn */
	while (size && data[size - 1] != '\n')
		size--;
	if (size < 4 || size - 4 > FILL_RESPONSE || has_long_blank(data, size))
		return 0;
	cut = (size_t)data[0] << 8 | data[1];
	order = (uint64_t)data[2] << 8 | data[3];
	data += 4;
	size -= 4;
	head_scan_init(&whole);
	head_scan_feed(&whole, data, size);
	if (whole.start != HTTP1_REQUEST || whole.head.bad) {
		require(!context_present(&whole.fields) || whole.start == HTTP1_REQUEST);
		return 0;
	}
	read_lines((const char *)data, size, fields);
	compare_sets(&whole.fields, fields);
	compare_resolved(&whole.fields, fields, order);
	compare_refused(&whole.fields);
	cut = size ? cut % (size + 1) : 0;
	head_scan_init(&halves);
	head_scan_feed(&halves, data, cut);
	head_scan_feed(&halves, data + cut, size - cut);
	if (!has_long_line(data, size))
		require(memcmp(&halves.fields, &whole.fields, sizeof(whole.fields)) == 0);
	else
		require(halves.head.bad || halves.fields.seen == whole.fields.seen);
	return 0;
}
