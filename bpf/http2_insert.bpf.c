// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Several heads of HTTP/2 in one message gain a header each: the last field of their frame, which
 * says so. Nothing else becomes another byte.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "lib/header.h"
#include "maps.bpf.h"

#define MOVE_UNIT    32 /* bytes: less than any header has */
#define MOVE_AT_ONCE 64 /* units */
#define MOVE_TIMES   (MESSAGE_LOOK_FRAMED / MOVE_UNIT / MOVE_AT_ONCE + 1)
#define MOVE_MAX     0xbfff /* what is written lies before that */

_Static_assert(MESSAGE_GAIN_MAX + MESSAGE_LOOK_FRAMED <= MOVE_MAX, "all of it is reached");

/*
 * Moves what is at walk->moved_from down to walk->moved_to, a unit or more before it: as many of
 * `n` bytes as are whole units, MOVE_AT_ONCE of them at most. Gives how many bytes are left of `n`,
 * or more, if they are not within reach.
 */
SUBPROGRAM __u32 units_move(struct sk_msg_md *msg, struct walk *walk, __u32 n)
{
	__u8 *data, *end;
	__u64 from, to, done = 0;

	if (!walk)
		return ~0u;
	data = (__u8 *)(long)msg->data;
	end = (__u8 *)(long)msg->data_end;
	from = walk->moved_from;
	to = walk->moved_to;
	verify_here(from);
	verify_here(to);
	if (from > MOVE_MAX || to > MOVE_MAX)
		return ~0u;
	for (__u64 i = 0; i < MOVE_AT_ONCE; i++) {
		__u8 *in = data + from + done, *out = data + to + done;

		if (n - (__u32)done < MOVE_UNIT)
			break;
		if (in + MOVE_UNIT > end || out + MOVE_UNIT > end)
			return ~0u;
		for (__u32 j = 0; j < MOVE_UNIT; j += 8)
			*(__u64 *)(out + j) = *(__u64 *)(in + j);
		done += MOVE_UNIT;
	}
	walk->moved_from += done;
	walk->moved_to += done;
	return n - done;
}

/* The same of less than a unit, byte by byte. Non-zero: they are not within reach. */
SUBPROGRAM int rest_move(struct sk_msg_md *msg, struct walk *walk, __u32 n)
{
	__u8 *data, *end;
	__u64 from, to;

	if (!walk)
		return -1;
	data = (__u8 *)(long)msg->data;
	end = (__u8 *)(long)msg->data_end;
	from = walk->moved_from;
	to = walk->moved_to;
	verify_here(from);
	verify_here(to);
	if (from > MOVE_MAX || to > MOVE_MAX || n >= MOVE_UNIT)
		return -1;
	for (__u64 i = 0; i < MOVE_UNIT && i < n; i++) {
		__u8 *in = data + from + i, *out = data + to + i;

		if (in + 1 > end || out + 1 > end)
			return -1;
		*out = *in;
	}
	walk->moved_from += n;
	walk->moved_to += n;
	return 0;
}

/* Both. */
SUBPROGRAM int head_move(struct sk_msg_md *msg, struct walk *walk, __u32 n)
{
	if (!walk)
		return -1;
	for (__u64 i = 0; i < MOVE_TIMES && n >= MOVE_UNIT; i++) {
		__u32 left = units_move(msg, walk, n);

		if (left >= n)
			return -1;
		n = left;
	}
	return rest_move(msg, walk, n);
}

/* The fields of a head, behind what was moved. Non-zero: there is no room. */
static __always_inline int head_fields(struct sk_msg_md *msg, struct walk *walk,
				       const struct trace_context *context)
{
	__u64 forms = knobs.propagators, to = walk->moved_to;
	char *end = (char *)(long)msg->data_end, *out = (char *)(long)msg->data;

	verify_here(to);
	if (to > MOVE_MAX)
		return -1;
	out += to;
	for (__u32 i = 0; i < PROPAGATOR_MAX; i++, forms >>= PROPAGATOR_BITS) {
		enum propagator form = forms & ((1 << PROPAGATOR_BITS) - 1);

		if (form == PROPAGATOR_TRACECONTEXT) {
			if (out + FIELD_TRACEPARENT_LEN > end)
				return -1;
			field_traceparent(out, context);
			out += FIELD_TRACEPARENT_LEN;
		} else if (form == PROPAGATOR_B3) {
			if (out + FIELD_B3_LEN > end)
				return -1;
			field_b3(out, context);
			out += FIELD_B3_LEN;
		} else if (form == PROPAGATOR_B3MULTI) {
			if (out + FIELD_B3MULTI_LEN > end)
				return -1;
			field_b3multi(out, context);
			out += FIELD_B3MULTI_LEN;
		}
	}
	return 0;
}

/* The frame that begins there says that it is longer. Non-zero: it is not within reach. */
static __always_inline int head_lengthen(struct sk_msg_md *msg, __u64 at, __u32 length)
{
	__u8 *end = (__u8 *)(long)msg->data_end, *out = (__u8 *)(long)msg->data;

	verify_here(at);
	if (at > MOVE_MAX)
		return -1;
	out += at;
	if (out + 3 > end)
		return -1;
	frame_length_write(out, length);
	return 0;
}

/*
 * Writes head `i` of those that leave together where it is to stand, with its header, and before it
 * what lies between it and the one before. Non-zero: it is not within reach.
 */
SUBPROGRAM int head_write(struct sk_msg_md *msg, struct conn *conn, struct walk *walk, __u64 i)
{
	struct trace_context context = {};
	struct head_place place;
	__u32 each, moved;

	if (!conn || !walk || i >= HEADS_MAX)
		return -1;
	place = walk->heads[i];
	each = walk->field_len;
	/* those before it have gained their headers */
	moved = walk->moved_to - i * each;
	if (place.end < moved || head_move(msg, walk, place.end - moved) ||
	    head_lengthen(msg, place.at + i * each, place.len + each))
		return -1;
	if (place.stream != conn->heads.first)
		context_spread(conn, place.stream);
	context_of(&context, &conn->own);
	if (head_fields(msg, walk, &context))
		return -1;
	walk->moved_to += each;
	return 0;
}

/*
 * Room for all of it is made at once, in front of the message; from then on nothing can fail. What
 * the program sent moves down into the room, head by head, until there is none left behind the last
 * header. (A piece for each would be more than the 17 that a message may have, and there are
 * kernels that do not make room between two pieces rightly.)
 */
SUBPROGRAM int propagate_insert(struct sk_msg_md *msg, struct conn *conn, struct walk *walk)
{
	__u32 gain;

	if (!conn || !walk)
		return INSERT_BROKEN;
	gain = walk->n_heads * walk->field_len;
	if (bpf_msg_push_data(msg, 0, gain, 0))
		return 0;
	if (bpf_msg_pull_data(msg, 0, gain + walk->line_end, 0))
		return bpf_msg_pop_data(msg, 0, gain, 0) ? INSERT_BROKEN : 0;
	walk->moved_from = gain;
	walk->moved_to = 0;
	for (__u64 i = 0; i < HEADS_MAX; i++) {
		if (i >= walk->n_heads)
			break;
		if (head_write(msg, conn, walk, i))
			return INSERT_BROKEN;
	}
	return gain;
}
