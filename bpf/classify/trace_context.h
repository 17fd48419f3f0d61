/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Reads trace context out of a head's field lines. Pure functions of bytes, built for BPF and for
 * the host from this one text.
 *
 * Every format is read while the lines pass; which one counts is decided behind the last of them,
 * so the lines' order makes no difference. A field that comes twice, or goes on in a folded line,
 * is spoilt: nobody knows which of its values is meant.
 */
#ifndef WEFT_CLASSIFY_TRACE_CONTEXT_H
#define WEFT_CLASSIFY_TRACE_CONTEXT_H

#include "abi/config.h"
#include "classify/context_format.h"

/* The fields that carry trace context; bits (1 << name) in the sets of struct context_fields. */
enum context_name {
	CONTEXT_NO_NAME,
	CONTEXT_TRACEPARENT,
	CONTEXT_TRACESTATE, /* its presence is noted, its value is not read */
	CONTEXT_B3,
	CONTEXT_B3_TRACE_ID,
	CONTEXT_B3_SPAN_ID,
	CONTEXT_B3_SAMPLED,
	CONTEXT_B3_FLAGS,
	CONTEXT_B3_PARENT, /* as tracestate: the sender's own parent is none of ours */
	CONTEXT_JAEGER,
	CONTEXT_XRAY,
};

#define CONTEXT_SLOTS (PROPAGATOR_MAX - 1)

/* What the lines of one head have said so far. All zero at its start. */
struct context_fields {
	struct context_ids ids[CONTEXT_SLOTS]; /* by propagator, of which 0 is none */
	__u8 flags[CONTEXT_SLOTS];
	__u16 seen;   /* the field is there */
	__u16 spoilt; /* more than once, or folded, or torn */
	__u16 bad;    /* with a malformed value */
	__u8 last;    /* enum context_name of the last line that was looked at */
	__u8 pad[3];
};

/* Where a propagator's share of them is. */
#define CONTEXT_SLOT(name) (PROPAGATOR_##name - 1)

#define CONTEXT_BIT(name) (1u << (name))
#define CONTEXT_B3_FIELDS                                                                          \
	(CONTEXT_BIT(CONTEXT_B3_TRACE_ID) | CONTEXT_BIT(CONTEXT_B3_SPAN_ID) |                      \
	 CONTEXT_BIT(CONTEXT_B3_SAMPLED) | CONTEXT_BIT(CONTEXT_B3_FLAGS))

#define CONTEXT_PROPAGATOR(order) ((enum propagator)((order) & ((1 << PROPAGATOR_BITS) - 1)))

_Static_assert(sizeof(struct context_fields) == 136, "part of every connection's state");
_Static_assert(PROPAGATOR_MAX <= 1 << PROPAGATOR_BITS, "a propagator has its bits");

/* What the field of that name says: flags, or CONTEXT_BAD. Ids go where they are kept. */
PIECE_FUNCTION int context_value(struct context_fields *fields, __u32 name,
				 const struct piece *piece, __u32 at, __u32 end)
{
	struct context_ids *ids;

	if (!fields || !piece)
		return 0;
	ids = fields->ids;
	switch ((enum context_name)name) {
	case CONTEXT_TRACEPARENT:
		return context_traceparent(&ids[CONTEXT_SLOT(TRACECONTEXT)], piece, at, end);
	case CONTEXT_B3:
		return context_b3(&ids[CONTEXT_SLOT(B3)], piece, at, end);
	case CONTEXT_B3_TRACE_ID:
		return context_b3_trace_id(&ids[CONTEXT_SLOT(B3MULTI)], piece, at, end);
	case CONTEXT_B3_SPAN_ID:
		return context_b3_span_id(&ids[CONTEXT_SLOT(B3MULTI)], piece, at, end);
	case CONTEXT_B3_SAMPLED:
		return context_b3_sampled(piece, at, end);
	case CONTEXT_B3_FLAGS:
		return context_b3_flags(piece, at, end);
	case CONTEXT_JAEGER:
		return context_jaeger(&ids[CONTEXT_SLOT(JAEGER)], piece, at, end);
	case CONTEXT_XRAY:
		return context_xray(&ids[CONTEXT_SLOT(XRAY)], piece, at, end);
	default:
		return 0;
	}
}

/* Several fields of B3 share flags. */
static __always_inline void context_keep(struct context_fields *fields, enum context_name name,
					 int flags)
{
	switch (name) {
	case CONTEXT_TRACEPARENT:
		fields->flags[CONTEXT_SLOT(TRACECONTEXT)] = flags;
		break;
	case CONTEXT_B3:
		fields->flags[CONTEXT_SLOT(B3)] = flags;
		break;
	case CONTEXT_JAEGER:
		fields->flags[CONTEXT_SLOT(JAEGER)] = flags;
		break;
	case CONTEXT_XRAY:
		fields->flags[CONTEXT_SLOT(XRAY)] = flags;
		break;
	default:
		fields->flags[CONTEXT_SLOT(B3MULTI)] |= flags;
	}
}

/* --- lines --- */

/*
 * Could the line be ours, as far as its first four bytes tell? Most are not. A line that starts
 * with a blank goes on with the one before: obs-fold, RFC 9112 section 5.2.
 */
static __always_inline int context_likely(__u64 word)
{
	__u32 four = word | PIECE_BYTES(0x20);

	return four == PIECE_TEXT("trac") || four == PIECE_TEXT("x-b3") ||
	       four == PIECE_TEXT("x-am") || four == PIECE_TEXT("uber") ||
	       (four & 0xffffff) == PIECE_TEXT("b3:");
}

static __always_inline int context_folded(__u8 first)
{
	return first == ' ' || first == '\t';
}

/* The name of an X- field, `rest` being its characters from the ninth on. */
static __always_inline enum context_name context_x_name(__u64 word, __u64 rest, __u32 *ret_len)
{
	*ret_len = 13;
	if (piece_spells(word, "x-b3-tra") && piece_spells(rest, "ceid:"))
		return CONTEXT_B3_TRACE_ID;
	if (piece_spells(word, "x-b3-sam") && piece_spells(rest, "pled:"))
		return CONTEXT_B3_SAMPLED;
	*ret_len = 12;
	if (piece_spells(word, "x-b3-spa") && piece_spells(rest, "nid:"))
		return CONTEXT_B3_SPAN_ID;
	*ret_len = 11;
	if (piece_spells(word, "x-b3-fla") && piece_spells(rest, "gs:"))
		return CONTEXT_B3_FLAGS;
	*ret_len = 16;
	if (piece_spells(word, "x-amzn-t") && piece_spells(rest, "race-id:"))
		return CONTEXT_XRAY;
	return CONTEXT_NO_NAME;
}

/* Which field does the line at `at` carry? `ret_len`: of its name and colon. */
static __always_inline enum context_name context_name(const struct piece *piece, __u32 at,
						      __u32 *ret_len)
{
	__u64 word = piece_word(piece, at), rest = piece_word(piece, at + 8);

	*ret_len = 12;
	if (piece_spells(word, "tracepar") && piece_spells(rest, "ent:"))
		return CONTEXT_TRACEPARENT;
	*ret_len = 11;
	if (piece_spells(word, "tracesta") && piece_spells(rest, "te:"))
		return CONTEXT_TRACESTATE;
	*ret_len = 3;
	if (piece_spells(word, "b3:"))
		return CONTEXT_B3;
	*ret_len = 14;
	if (piece_spells(word, "uber-tra") && piece_spells(rest, "ce-id:"))
		return CONTEXT_JAEGER;
	*ret_len = 18;
	if (piece_spells(word, "x-b3-par") && piece_spells(rest, "entspani") &&
	    piece_spells(piece_word(piece, at + 16), "d:"))
		return CONTEXT_B3_PARENT;
	return context_x_name(word, rest, ret_len);
}

/* Notes that a field of that name is there. Gives the name if its value is to be read. */
static __always_inline enum context_name context_note_name(struct context_fields *fields,
							   enum context_name name)
{
	__u32 bit = CONTEXT_BIT(name);

	if (name == CONTEXT_NO_NAME)
		return name;
	if (fields->seen & bit) {
		fields->spoilt |= bit;
		return CONTEXT_NO_NAME;
	}
	fields->seen |= bit;
	return name;
}

/* A field of that name is there, and what it says cannot be known. */
static __always_inline void context_spoil(struct context_fields *fields, enum context_name name)
{
	if (name == CONTEXT_NO_NAME)
		return;
	fields->seen |= CONTEXT_BIT(name);
	fields->spoilt |= CONTEXT_BIT(name);
}

/*
 * The same for the line at `at`, `ret_len` as above. A line that goes on with the one before spoils
 * what that one said.
 */
static __always_inline enum context_name
context_note(struct context_fields *fields, const struct piece *piece, __u32 at, __u32 *ret_len)
{
	if (context_folded(piece_byte(piece, at))) {
		fields->spoilt |= CONTEXT_BIT(fields->last & 15);
		return CONTEXT_NO_NAME;
	}
	fields->last = context_name(piece, at, ret_len);
	return context_note_name(fields, (enum context_name)fields->last);
}

/* Is the field there, once, and well-formed? */
static __always_inline int context_has(const struct context_fields *fields, enum context_name name)
{
	return (fields->seen & ~fields->spoilt & ~fields->bad) >> name & 1;
}

/*
 * Takes in a whole field line, from `start` to its line feed at `end`. Lines for which neither
 * context_likely() nor, behind a likely one, context_folded() holds need not come here.
 */
PIECE_FUNCTION int context_field(struct context_fields *fields, const struct piece *piece,
				 __u32 start, __u32 end)
{
	enum context_name name;
	__u32 len = 0;
	int flags;

	if (!fields || !piece)
		return 0;
	name = context_note(fields, piece, start, &len);
	if (name == CONTEXT_NO_NAME)
		return 0;
	start += len;
	if (piece_byte(piece, end - 1) == '\r')
		end--;
	/* most values stand behind one space, and nothing behind them */
	if (piece_byte(piece, start) == ' ')
		start++;
	if (context_folded(piece_byte(piece, start)))
		start = piece_skip_blanks(piece, start, end);
	if (context_folded(piece_byte(piece, end - 1)))
		end = piece_trim_blanks(piece, start, end);
	flags = context_value(fields, name, piece, start, end);
	if (flags < 0)
		fields->bad |= CONTEXT_BIT(name);
	else
		context_keep(fields, name, flags);
	return 0;
}

/*
 * The line at `start` is too long to be read as a whole: its field is there, and what it says is
 * lost. Its name stands in the piece.
 */
PIECE_FUNCTION int context_torn(struct context_fields *fields, const struct piece *piece,
				__u32 start)
{
	__u32 len;

	if (!fields || !piece)
		return 0;
	context_note(fields, piece, start, &len);
	fields->spoilt |= CONTEXT_BIT(fields->last & 15);
	return 0;
}

/* --- the whole head --- */

/* What a head says. */
enum context_kind {
	CONTEXT_NONE,
	CONTEXT_PARENT,	  /* trace and span of the sender */
	CONTEXT_DECISION, /* B3: no ids, only whether to sample */
};

/* Is there trace context of any format, valid or not? Then nothing may be added to the head. */
static __always_inline int context_present(const struct context_fields *fields)
{
	return fields->seen != 0;
}

/* B3 in several fields, one of which was refused. */
static __always_inline int context_b3_is_refused(const struct context_fields *fields)
{
	return ((fields->spoilt | fields->bad) & CONTEXT_B3_FIELDS) != 0;
}

/* One of the two ids, and no reason why the other is not there. */
static __always_inline int context_b3_is_half(const struct context_fields *fields)
{
	const struct context_ids *ids = &fields->ids[CONTEXT_SLOT(B3MULTI)];

	return !context_b3_is_refused(fields) &&
	       !(ids->trace_id[0] | ids->trace_id[1]) != !ids->span_id;
}

#define CONTEXT_FORM(wanted, form) ((__u64)(form) << (wanted)*PROPAGATOR_BITS)

/*
 * By propagator, the form in which there is a valid context for it, or PROPAGATOR_NONE: entries of
 * PROPAGATOR_BITS.
 */
PIECE_FUNCTION __u64 context_forms(const struct context_fields *fields)
{
	enum propagator b3 = PROPAGATOR_NONE;

	if (!fields)
		return 0;
	if (context_has(fields, CONTEXT_B3))
		b3 = PROPAGATOR_B3;
	/* which one is meant, nobody knows: then several fields mean nothing, either */
	else if (!(fields->spoilt & CONTEXT_BIT(CONTEXT_B3)) && !context_b3_is_refused(fields) &&
		 !context_b3_is_half(fields))
		b3 = PROPAGATOR_B3MULTI;
	return CONTEXT_FORM(PROPAGATOR_TRACECONTEXT, PROPAGATOR_TRACECONTEXT) *
		       context_has(fields, CONTEXT_TRACEPARENT) |
	       CONTEXT_FORM(PROPAGATOR_JAEGER, PROPAGATOR_JAEGER) *
		       context_has(fields, CONTEXT_JAEGER) |
	       CONTEXT_FORM(PROPAGATOR_XRAY, PROPAGATOR_XRAY) * context_has(fields, CONTEXT_XRAY) |
	       CONTEXT_FORM(PROPAGATOR_B3, b3) | CONTEXT_FORM(PROPAGATOR_B3MULTI, b3);
}

/* What is kept of a valid context. */
static __always_inline enum context_kind context_get(const struct context_fields *fields,
						     enum propagator propagator,
						     struct trace_context *ret)
{
	__u32 slot = propagator - 1;
	const struct context_ids *ids;
	__u8 flags;

	verify_here(slot);
	if (slot >= CONTEXT_SLOTS)
		return CONTEXT_NONE;
	ids = &fields->ids[slot];
	flags = fields->flags[slot];
	if (!ids->span_id && !(flags & CONTEXT_DECIDED))
		return CONTEXT_NONE;
	ret->trace_id[0] = ids->trace_id[0];
	ret->trace_id[1] = ids->trace_id[1];
	ret->span_id = ids->span_id;
	ret->flags = flags & (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM);
	ret->propagator = propagator;
	ret->hints = (flags & CONTEXT_DECIDED ? 0 : CONTEXT_F_DEFERRED) |
		     (flags & CONTEXT_DEBUG ? CONTEXT_F_DEBUG : 0);
	return ids->span_id ? CONTEXT_PARENT : CONTEXT_DECISION;
}

/*
 * The parent by the first propagator in `order` that has a valid one, or else a decision: enum
 * context_kind. Unless that is CONTEXT_NONE, `ret` is filled in. "b3" and "b3multi" read both forms
 * of B3, as the specification of OpenTelemetry has it.
 */
PIECE_FUNCTION int context_resolve(const struct context_fields *fields, __u64 order,
				   struct trace_context *ret)
{
	enum context_kind best = CONTEXT_NONE;
	__u64 forms;

	if (!fields || !ret)
		return CONTEXT_NONE;
	forms = context_forms(fields);
	for (__u32 i = 0; i < PROPAGATOR_MAX; i++, order >>= PROPAGATOR_BITS) {
		enum propagator found =
			CONTEXT_PROPAGATOR(forms >> CONTEXT_PROPAGATOR(order) * PROPAGATOR_BITS);
		enum context_kind kind;

		if (found == PROPAGATOR_NONE)
			continue;
		kind = context_get(fields, found, ret);
		if (kind == CONTEXT_PARENT)
			return kind;
		if (kind == CONTEXT_DECISION)
			best = kind;
	}
	return best;
}

/* All bits if the set has that one, else none. */
#define CONTEXT_ALL_IF(set, bit) (-((__u32)(set) >> (bit)&1))

/* The fields that belong to a set of propagators. Without branches, for the verifier's sake. */
static __always_inline __u32 context_names(__u32 propagators)
{
	__u32 b3 = CONTEXT_ALL_IF(propagators, PROPAGATOR_B3) |
		   CONTEXT_ALL_IF(propagators, PROPAGATOR_B3MULTI);

	return (CONTEXT_ALL_IF(propagators, PROPAGATOR_TRACECONTEXT) &
		CONTEXT_BIT(CONTEXT_TRACEPARENT)) |
	       (b3 & (CONTEXT_BIT(CONTEXT_B3) | CONTEXT_B3_FIELDS)) |
	       (CONTEXT_ALL_IF(propagators, PROPAGATOR_JAEGER) & CONTEXT_BIT(CONTEXT_JAEGER)) |
	       (CONTEXT_ALL_IF(propagators, PROPAGATOR_XRAY) & CONTEXT_BIT(CONTEXT_XRAY));
}

/*
 * How many fields of the propagators in `order` were refused: malformed, or spoilt; an id of B3
 * without the other one counts as well.
 */
PIECE_FUNCTION int context_refused(const struct context_fields *fields, __u64 order)
{
	__u32 propagators = 0, names;
	int refused = 0;

	if (!fields)
		return 0;
	for (__u32 i = 0; i < PROPAGATOR_MAX; i++, order >>= PROPAGATOR_BITS)
		propagators |= 1u << CONTEXT_PROPAGATOR(order);
	names = context_names(propagators);
	if (names & CONTEXT_B3_FIELDS && context_b3_is_half(fields))
		refused++;
	names &= fields->spoilt | fields->bad;
	for (__u32 name = CONTEXT_TRACEPARENT; name <= CONTEXT_XRAY; name++)
		refused += names >> name & 1;
	return refused;
}

#endif
