/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The formats of trace context, by OTEL_PROPAGATORS: W3C Trace Context Level 2, B3
 * (openzipkin/b3-propagation), Jaeger's uber-trace-id and AWS X-Ray's X-Amzn-Trace-Id. A reader
 * takes one field's value, from `at` to `end`, without blanks around it. Pure functions of bytes,
 * built for BPF and for the host from this one text.
 *
 * Where a specification asks for hexadecimal digits in lower case (W3C, B3), capitals are refused.
 */
#ifndef WEFT_CLASSIFY_CONTEXT_FORMAT_H
#define WEFT_CLASSIFY_CONTEXT_FORMAT_H

#include "abi/context.h"
#include "lib/piece.h"

/* Ids in wire order; 0: there was none. */
struct context_ids {
	__u64 trace_id[2];
	__u64 span_id;
};

/* What a reader gives: TRACE_FLAG_* and these. */
#define CONTEXT_DEBUG	(1 << 2)
#define CONTEXT_DECIDED (1 << 3) /* the sender has decided whether to sample */
/* Instead of flags: the value is malformed, the ids are not to be used. */
#define CONTEXT_BAD (-1)

/* --- hexadecimal digits --- */

enum context_case {
	CONTEXT_LOWER,
	CONTEXT_ANY_CASE,
};

/*
 * Eight hexadecimal digits, the first one in the lowest byte, as the four bytes that they mean, in
 * wire order. Sets bits in `bad` when one of them is no digit; capitals are none.
 */
static __always_inline __u64 context_hex(__u64 digits, __u64 *bad)
{
	__u64 letters = digits >> 6 & PIECE_BYTES(1);
	__u64 value = (digits & PIECE_BYTES(0x0f)) + letters * 9;

	/* '0'-'9' are 0x30-0x39, 'a'-'f' are 0x61-0x66; a letter's value is above 9 */
	*bad |= (digits >> 4 & PIECE_BYTES(0x0f)) ^ (PIECE_BYTES(3) + letters * 3);
	*bad |= value & PIECE_BYTES(0xf0);
	*bad |= ((value + PIECE_BYTES(6)) >> 4 ^ letters) & PIECE_BYTES(1);
	value = (value << 4 | value >> 8) & 0x00ff00ff00ff00ffULL;
	value = (value | value >> 8) & 0x0000ffff0000ffffULL;
	return (value | value >> 16) & 0xffffffffULL;
}

/*
 * Eight digits that end before `end`; only the last `len` count, the others are read as zeroes. A
 * field's name and `len` make eight bytes of the piece and more.
 */
static __always_inline __u64 context_digits(const struct piece *piece, __u32 end, __u32 len)
{
	__u64 digits = piece_word(piece, end - 8);
	__u64 zeroes;

	if (len >= 8)
		return digits;
	if (!len)
		return PIECE_BYTES('0');
	zeroes = ~0ULL >> (len * 8);
	return (digits & ~zeroes) | (PIECE_BYTES('0') & zeroes);
}

/*
 * Reads 1 to 16 hexadecimal digits as eight bytes in wire order, zeroes before them. `letters` is
 * of enum context_case. 0: they are none.
 */
PIECE_FUNCTION int context_number(__u64 *ret, const struct piece *piece, __u32 at, __u32 len,
				  __u32 letters)
{
	__u64 bad = 0, high, low;

	if (!ret || !piece || !len || len > 16)
		return 0;
	high = context_digits(piece, at + len - 8, len > 8 ? len - 8 : 0);
	low = context_digits(piece, at + len, len);
	if (letters == CONTEXT_ANY_CASE) {
		high |= high >> 1 & PIECE_BYTES(0x20);
		low |= low >> 1 & PIECE_BYTES(0x20);
	}
	*ret = context_hex(high, &bad) | context_hex(low, &bad) << 32;
	return !bad;
}

/* The ids, which are never all zero: up to 32 and up to 16 digits. 0: malformed. */
static __always_inline int context_trace_id(struct context_ids *ids, const struct piece *piece,
					    __u32 at, __u32 len, enum context_case letters)
{
	__u32 first = len > 16 ? len - 16 : 0;

	ids->trace_id[0] = 0;
	if (first && !context_number(&ids->trace_id[0], piece, at, first, letters))
		return 0;
	if (!context_number(&ids->trace_id[1], piece, at + first, len - first, letters))
		return 0;
	return (ids->trace_id[0] | ids->trace_id[1]) != 0;
}

static __always_inline int context_span_id(struct context_ids *ids, const struct piece *piece,
					   __u32 at, __u32 len, enum context_case letters)
{
	return context_number(&ids->span_id, piece, at, len, letters) && ids->span_id;
}

/* A number that is looked at and not kept: it stands in the span id's place for a moment. */
static __always_inline int context_other_id(struct context_ids *ids, const struct piece *piece,
					    __u32 at, __u32 len, enum context_case letters)
{
	return context_number(&ids->span_id, piece, at, len, letters);
}

/* --- W3C --- */

#define CONTEXT_TRACEPARENT_LEN 55

/*
 * W3C Trace Context Level 2, "traceparent Header Field Values" and "Versioning of traceparent":
 * version 00 has these 55 characters, a later one may go on behind a dash, ff is none.
 */
static __always_inline int context_traceparent(struct context_ids *ids, const struct piece *piece,
					       __u32 at, __u32 end)
{
	__u32 len = end - at;
	__u64 bad = 0, both;
	__u8 version;

	if (len < CONTEXT_TRACEPARENT_LEN || piece_byte(piece, at + 2) != '-' ||
	    piece_byte(piece, at + 35) != '-' || piece_byte(piece, at + 52) != '-')
		return CONTEXT_BAD;
	both = (piece_word(piece, at) & 0xffff) | (piece_word(piece, at + 53) & 0xffff) << 16 |
	       (PIECE_BYTES('0') << 32);
	both = context_hex(both, &bad);
	version = both & 0xff;
	if (bad || version == 0xff)
		return CONTEXT_BAD;
	if (len > CONTEXT_TRACEPARENT_LEN &&
	    (!version || piece_byte(piece, at + CONTEXT_TRACEPARENT_LEN) != '-'))
		return CONTEXT_BAD;
	if (!context_trace_id(ids, piece, at + 3, 32, CONTEXT_LOWER) ||
	    !context_span_id(ids, piece, at + 36, 16, CONTEXT_LOWER))
		return CONTEXT_BAD;
	return CONTEXT_DECIDED | (both >> 8 & (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM));
}

/* B3's sampling state. */
static __always_inline int context_b3_state(__u8 c)
{
	switch (c) {
	case '0':
		return CONTEXT_DECIDED;
	case '1':
		return CONTEXT_DECIDED | TRACE_FLAG_SAMPLED;
	case 'd':
		return CONTEXT_DECIDED | TRACE_FLAG_SAMPLED | CONTEXT_DEBUG;
	default:
		return CONTEXT_BAD;
	}
}

/* Behind the ids: [-{state}[-{parent}]]. */
static __always_inline int context_b3_rest(struct context_ids *ids, const struct piece *piece,
					   __u32 at, __u32 end)
{
	__u32 len = end - at;

	if (!len)
		return 0;
	if ((len != 2 && len != 19) || piece_byte(piece, at) != '-')
		return CONTEXT_BAD;
	if (len == 19 && (piece_byte(piece, at + 2) != '-' ||
			  !context_other_id(ids, piece, at + 3, 16, CONTEXT_LOWER)))
		return CONTEXT_BAD;
	return context_b3_state(piece_byte(piece, at + 1));
}

/* {trace id}-{span id}[-{state}[-{parent}]], or a state alone. */
static __always_inline int context_b3(struct context_ids *ids, const struct piece *piece, __u32 at,
				      __u32 end)
{
	__u32 trace_len = piece_byte(piece, at + 16) == '-' ? 16 : 32;
	__u32 span = at + trace_len + 1;
	int flags;

	if (end - at == 1)
		return context_b3_state(piece_byte(piece, at));
	if (span + 16 > end || piece_byte(piece, span - 1) != '-')
		return CONTEXT_BAD;
	flags = context_b3_rest(ids, piece, span + 16, end);
	if (!context_trace_id(ids, piece, at, trace_len, CONTEXT_LOWER) ||
	    !context_span_id(ids, piece, span, 16, CONTEXT_LOWER))
		return CONTEXT_BAD;
	return flags;
}

/* X-B3-Sampled: 1 or 0; tracers older than the specification say true or false. */
static __always_inline int context_b3_sampled(const struct piece *piece, __u32 at, __u32 end)
{
	__u64 word = piece_word(piece, at);
	__u8 c = word & 0xff;

	if (end - at == 1 && c != 'd')
		return context_b3_state(c);
	if (end - at == 4 && piece_is(word, "true"))
		return CONTEXT_DECIDED | TRACE_FLAG_SAMPLED;
	if (end - at == 5 && piece_is(word, "false"))
		return CONTEXT_DECIDED;
	return CONTEXT_BAD;
}

/* X-B3-Flags: 1 is debug, anything else says nothing. */
static __always_inline int context_b3_flags(const struct piece *piece, __u32 at, __u32 end)
{
	return end - at == 1 && piece_byte(piece, at) == '1' ? context_b3_state('d') : 0;
}

static __always_inline int context_b3_trace_id(struct context_ids *ids, const struct piece *piece,
					       __u32 at, __u32 end)
{
	__u32 len = end - at;

	if (len != 16 && len != 32)
		return CONTEXT_BAD;
	return context_trace_id(ids, piece, at, len, CONTEXT_LOWER) ? 0 : CONTEXT_BAD;
}

static __always_inline int context_b3_span_id(struct context_ids *ids, const struct piece *piece,
					      __u32 at, __u32 end)
{
	if (end - at != 16)
		return CONTEXT_BAD;
	return context_span_id(ids, piece, at, 16, CONTEXT_LOWER) ? 0 : CONTEXT_BAD;
}

/*
 * The next colon, or "%3A", for some clients encode the value as in a URL; `ret_behind` is where
 * the next part starts. Without one both are `end`.
 */
static __always_inline __u32 context_colon(const struct piece *piece, __u32 at, __u32 end,
					   __u32 *ret_behind)
{
	/* an id that fills a whole stride is none */
	__u32 colon = piece_find(piece, at, end, ':');

	*ret_behind = colon + 1;
	if (colon < end)
		return colon;
	colon = piece_find(piece, at, end, '%');
	*ret_behind = colon + 3;
	if (colon + 2 < end && piece_byte(piece, colon + 1) == '3' &&
	    (piece_byte(piece, colon + 2) | 0x20) == 'a')
		return colon;
	*ret_behind = end;
	return end;
}

#define JAEGER_SAMPLED (1 << 0)
#define JAEGER_DEBUG   (1 << 1)

/* One or two digits. */
static __always_inline int context_jaeger_flags(struct context_ids *ids, const struct piece *piece,
						__u32 at, __u32 end)
{
	__u8 flags;

	if (end - at > 2 || !context_other_id(ids, piece, at, end - at, CONTEXT_ANY_CASE))
		return CONTEXT_BAD;
	flags = ids->span_id >> 56;
	return CONTEXT_DECIDED |
	       (flags & (JAEGER_SAMPLED | JAEGER_DEBUG) ? TRACE_FLAG_SAMPLED : 0) |
	       (flags & JAEGER_DEBUG ? CONTEXT_DEBUG : 0);
}

/* {trace id}:{span id}:{parent}:{flags}, without leading zeroes. The parent is outdated. */
static __always_inline int context_jaeger(struct context_ids *ids, const struct piece *piece,
					  __u32 at, __u32 end)
{
	__u32 colon, behind;
	__u64 span;
	int flags;

	colon = context_colon(piece, at, end, &behind);
	if (!context_trace_id(ids, piece, at, colon - at, CONTEXT_ANY_CASE))
		return CONTEXT_BAD;
	at = behind;
	colon = context_colon(piece, at, end, &behind);
	if (!context_span_id(ids, piece, at, colon - at, CONTEXT_ANY_CASE))
		return CONTEXT_BAD;
	span = ids->span_id;
	at = behind;
	colon = context_colon(piece, at, end, &behind);
	if (!context_other_id(ids, piece, at, colon - at, CONTEXT_ANY_CASE))
		return CONTEXT_BAD;
	flags = context_jaeger_flags(ids, piece, behind, end);
	ids->span_id = span;
	return flags;
}

#define CONTEXT_XRAY_PARTS_MAX 16

/* The values of the keys that count. */
struct context_xray {
	struct context_xray_value {
		__u32 at; /* 0: the key is not there */
		__u32 end;
	} root, parent, sampled;
	__u32 parts;
};

/*
 * Notes the part from `at` to `end`, if its key is one of ours. Non-zero: the key is there twice,
 * or there are too many parts. A function of its own, for elsewhere the verifier would know what it
 * notes.
 */
PIECE_FUNCTION int context_xray_part(struct context_xray *keys, const struct piece *piece, __u32 at,
				     __u32 end)
{
	struct context_xray_value *value;
	__u64 word;

	if (!keys || !piece || ++keys->parts > CONTEXT_XRAY_PARTS_MAX)
		return 1;
	word = piece_word(piece, at);
	if (piece_is(word, "Root=")) {
		value = &keys->root;
		at += 5;
	} else if (piece_is(word, "Parent=")) {
		value = &keys->parent;
		at += 7;
	} else if (piece_is(word, "Sampled=")) {
		value = &keys->sampled;
		at += 8;
	} else {
		return 0;
	}
	if (value->at)
		return 1;
	value->at = at;
	value->end = end;
	return 0;
}

/* Non-zero: a key is there twice, or there are too many. */
static __always_inline int context_xray_split(struct context_xray *keys, const struct piece *piece,
					      __u32 at, __u32 end)
{
	__u32 semicolon = at;

	for (__u32 i = 0; i < CONTEXT_XRAY_PARTS_MAX + PIECE_STRIDES; i++) {
		semicolon = piece_find(piece, semicolon, end, ';');
		if (semicolon >= end)
			return context_xray_part(keys, piece, piece_skip_blanks(piece, at, end),
						 end);
		if (!piece_found(piece, semicolon, ';'))
			continue;
		if (context_xray_part(keys, piece, piece_skip_blanks(piece, at, end), semicolon))
			return 1;
		at = ++semicolon;
	}
	return 1;
}

static __always_inline __u32 context_xray_len(const struct piece *piece,
					      const struct context_xray_value *value)
{
	return piece_trim_blanks(piece, value->at, value->end) - value->at;
}

/* Sampled: 1, 0, or ? where the decision is asked for. */
static __always_inline int context_xray_sampled(const struct piece *piece,
						const struct context_xray_value *value)
{
	__u8 c = piece_byte(piece, value->at);

	if (context_xray_len(piece, value) != 1)
		return CONTEXT_BAD;
	if (c == '?')
		return 0;
	return c == 'd' ? CONTEXT_BAD : context_b3_state(c);
}

/* 1-{8 digits}-{24 digits} */
static __always_inline int context_xray_root(struct context_ids *ids, const struct piece *piece,
					     const struct context_xray_value *value)
{
	__u32 at = value->at;

	if (context_xray_len(piece, value) != 35 || !piece_is(piece_word(piece, at), "1-") ||
	    piece_byte(piece, at + 10) != '-' ||
	    !context_trace_id(ids, piece, at + 11, 24, CONTEXT_ANY_CASE) ||
	    !context_other_id(ids, piece, at + 2, 8, CONTEXT_ANY_CASE))
		return 0;
	/* 24 digits have left the first four bytes free */
	ids->trace_id[0] |= ids->span_id >> 32;
	ids->span_id = 0;
	return 1;
}

/*
 * Root={root};Parent={16 digits};Sampled={state}, in any order, and keys that others have put
 * between. A load balancer names the root alone: that is no parent, and no mistake.
 */
static __always_inline int context_xray(struct context_ids *ids, const struct piece *piece,
					__u32 at, __u32 end)
{
	struct context_xray keys = { .parts = 0 };
	int flags = 0;

	if (context_xray_split(&keys, piece, at, end) || !keys.root.at)
		return CONTEXT_BAD;
	if (keys.sampled.at)
		flags = context_xray_sampled(piece, &keys.sampled);
	if (flags < 0 || !context_xray_root(ids, piece, &keys.root))
		return CONTEXT_BAD;
	if (!keys.parent.at)
		return 0;
	if (context_xray_len(piece, &keys.parent) != 16 ||
	    !context_span_id(ids, piece, keys.parent.at, 16, CONTEXT_ANY_CASE))
		return CONTEXT_BAD;
	return flags;
}

#endif
