/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/trace_state.h"

#include <errno.h>

#include "base/cursor.h"
#include "protocols/protocol.h"

/* A member this long is the first to go. */
#define MEMBER_LONG 128
/* Fields that are looked at: more cannot hold a member each. */
#define FIELDS_MAX TRACE_STATE_MEMBERS_MAX

struct members {
	struct view items[TRACE_STATE_MEMBERS_MAX];
	size_t n;
	size_t len; /* of all of them, commas included */
};

/* key "=" value, of characters that a field can carry: section 3.3.1.3. */
static bool is_member(struct view member)
{
	const char *equals = memchr(member.data, '=', member.len);

	if (!equals || equals == member.data || equals == member.data + member.len - 1)
		return false;
	for (size_t i = 0; i < member.len; i++)
		if (member.data[i] < 0x20 || member.data[i] > 0x7e)
			return false;
	return true;
}

/* The members of one field; empty ones are allowed, and are none. */
static int field_split(struct view field, struct members *members)
{
	struct cursor cursor = cursor_of(field);
	bool last = false;

	while (!last) {
		struct view member;

		last = cursor_take_until(&cursor, ',', &member) < 0;
		/* a field may be folded where white space may stand */
		member = view_trim(last ? cursor_rest(&cursor) : member);
		if (member.len == 0)
			continue;
		if (members->n == TRACE_STATE_MEMBERS_MAX || !is_member(member))
			return -EBADMSG;
		members->items[members->n++] = member;
		members->len += member.len + 1;
	}
	return 0;
}

/* Takes out what is too long for all to fit; those at the end fall out when they are written. */
static void drop_long(struct members *members)
{
	size_t kept = 0;

	for (size_t i = 0; i < members->n; i++)
		if (members->items[i].len <= MEMBER_LONG)
			members->items[kept++] = members->items[i];
	members->n = kept;
}

int trace_state_join(const struct view *fields, size_t n, char *text, size_t *ret_len)
{
	struct members members = {};
	size_t len = 0;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = field_split(fields[i], &members);
	if (r < 0)
		return r;
	if (members.len > TRACE_STATE_MAX + 1)
		drop_long(&members);
	for (size_t i = 0; i < members.n; i++) {
		struct view member = members.items[i];

		if (len + (len > 0) + member.len > TRACE_STATE_MAX)
			break;
		if (len > 0)
			text[len++] = ',';
		memcpy(text + len, member.data, member.len);
		len += member.len;
	}
	*ret_len = len;
	return 0;
}

size_t trace_state_of(const struct exchange *exchange, char *text)
{
	const struct protocol *protocol = protocol_by_id(exchange->protocol);
	struct view fields[FIELDS_MAX];
	size_t n, len = 0;

	if (exchange->context.use == CONTEXT_UNUSED || !exchange->context.head_span_id ||
	    exchange->context.carried.propagator != PROPAGATOR_TRACECONTEXT)
		return 0;
	if (!protocol || !protocol->request_fields)
		return 0;
	n = protocol->request_fields(exchange, VIEW("tracestate"), fields, FIELDS_MAX);
	if (n > FIELDS_MAX || trace_state_join(fields, n, text, &len) < 0)
		return 0;
	return len;
}
