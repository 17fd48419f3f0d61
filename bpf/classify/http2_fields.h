/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Reads trace context out of HTTP/2's header blocks, which HPACK compresses (RFC 7541). Of the
 * dynamic table only those entries are known whose names carry context: what all others say is read
 * in user space, which keeps the table. Pure functions of bytes, built for BPF and for the host
 * from this one text.
 */
#ifndef WEFT_CLASSIFY_HTTP2_FIELDS_H
#define WEFT_CLASSIFY_HTTP2_FIELDS_H

#include "classify/trace_context.h"

#define HTTP2_STATIC_ENTRIES 61	 /* appendix A; none of them is about trace context */
#define HTTP2_BLOCK_FIELDS   128 /* of one piece of a block that are looked at */
#define HTTP2_NAME_MAX	     17	 /* the longest name: x-b3-parentspanid */
#define HTTP2_TEXT_MAX	     128 /* characters of a value that Huffman's code has made shorter */

/* Texts are decoded into the piece, behind the bytes that may count, and fields that were cut are
 * put together there. */
#define HTTP2_NAME_AT  (PIECE_MAX + 8)
#define HTTP2_VALUE_AT (PIECE_MAX + 40)
#define HTTP2_JOIN_AT  (PIECE_MAX + 256)

#define HTTP2_TABLE_SIZE   4096 /* section 6.5.2 of RFC 9113, until something else is said */
#define HTTP2_ENTRY_OWN	   32	/* bytes that an entry counts beside name and value: section 4.1 */
#define HTTP2_STATIC_NAMES 27	/* bytes of the longest name of appendix A */

#define HTTP2_REST_MAX 40  /* bytes of a cut field that are kept; a multiple of 8 */
#define HTTP2_JOIN_MAX 128 /* and those behind them that it is read with; the same */

/* Instead of where the next field begins: this one does not end here. */
#define HTTP2_MORE_FIELD (~0u)

/* Where a string's bytes are, and whether Huffman's code has made them shorter (section 5.2). */
struct http2_string {
	__u32 at;
	__u32 len;
	__u32 huffman;
};

/* What is known of a direction's dynamic table. All zero: nothing has been put into it. */
struct http2_table {
	__u32 entries; /* that were put into it, those that fell out again included */
	__u32 skip;    /* bytes of a value that are still to come */
	__u32 less;    /* than HTTP2_TABLE_SIZE is its size by so much; larger ones are all alike */
	/* by enum context_name: the number of the last entry of that name, from 1 on */
	__u32 named[CONTEXT_XRAY + 1];
	__u8 any;      /* an entry of such a name has been there */
	__u8 lost;     /* how many entries there are is not known */
	__u8 rest_len; /* bytes of a field that has begun, and of which its value has not */
	__u8 pad;
	__u8 rest[HTTP2_REST_MAX];
	/* of the field that http2_field() has taken in: its value, if it is of such a name */
	struct http2_string value;
	__u32 value_name; /* enum context_name */
};

/*
 * An integer (section 5.1) whose first byte, of which `mask` counts, is at `at`. Gives the value,
 * and above its 32 bits the place behind it; 0: it does not end before `end`, or is beyond reason.
 */
PIECE_FUNCTION __u64 http2_integer(const struct piece *piece, __u32 at, __u32 end, __u32 mask)
{
	__u32 value;

	if (!piece || at >= end)
		return 0;
	value = piece_byte(piece, at++) & mask;
	if (value < mask)
		return (__u64)at << 32 | value;
	for (__u32 shift = 0; shift <= 14; shift += 7) {
		__u8 byte;

		if (at >= end)
			return 0;
		byte = piece_byte(piece, at++);
		value += (__u32)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return (__u64)at << 32 | value;
	}
	return 0;
}

/*
 * Codes of up to eight bits (appendix B), by the eight bits that a text goes on with: the symbol,
 * and how many of the bits are its code. Letters, digits and what stands between them are all
 * there. A table, for what a branch decides the verifier follows both ways.
 */
#define CODE_OF(symbol, len) ((symbol) | (len) << 8)
#define CODE_8(symbol)	     CODE_OF(symbol, 8)
#define CODE_7(symbol)	     CODE_OF(symbol, 7), CODE_OF(symbol, 7)
#define CODE_6X2(symbol)     CODE_OF(symbol, 6), CODE_OF(symbol, 6)
#define CODE_6(symbol)	     CODE_6X2(symbol), CODE_6X2(symbol)
#define CODE_5X2(symbol)     CODE_OF(symbol, 5), CODE_OF(symbol, 5)
#define CODE_5X4(symbol)     CODE_5X2(symbol), CODE_5X2(symbol)
#define CODE_5(symbol)	     CODE_5X4(symbol), CODE_5X4(symbol)

/* clang-format off */
static const __u16 http2_codes[256] = {
	CODE_5('0'), CODE_5('1'), CODE_5('2'), CODE_5('a'), CODE_5('c'), CODE_5('e'), CODE_5('i'),
	CODE_5('o'), CODE_5('s'), CODE_5('t'),
	CODE_6(' '), CODE_6('%'), CODE_6('-'), CODE_6('.'), CODE_6('/'), CODE_6('3'), CODE_6('4'),
	CODE_6('5'), CODE_6('6'), CODE_6('7'), CODE_6('8'), CODE_6('9'), CODE_6('='), CODE_6('A'),
	CODE_6('_'), CODE_6('b'), CODE_6('d'), CODE_6('f'), CODE_6('g'), CODE_6('h'), CODE_6('l'),
	CODE_6('m'), CODE_6('n'), CODE_6('p'), CODE_6('r'), CODE_6('u'),
	CODE_7(':'), CODE_7('B'), CODE_7('C'), CODE_7('D'), CODE_7('E'), CODE_7('F'), CODE_7('G'),
	CODE_7('H'), CODE_7('I'), CODE_7('J'), CODE_7('K'), CODE_7('L'), CODE_7('M'), CODE_7('N'),
	CODE_7('O'), CODE_7('P'), CODE_7('Q'), CODE_7('R'), CODE_7('S'), CODE_7('T'), CODE_7('U'),
	CODE_7('V'), CODE_7('W'), CODE_7('Y'), CODE_7('j'), CODE_7('k'), CODE_7('q'), CODE_7('v'),
	CODE_7('w'), CODE_7('x'), CODE_7('y'), CODE_7('z'),
	CODE_8('&'), CODE_8('*'), CODE_8(','), CODE_8(';'), CODE_8('X'), CODE_8('Z'),
	CODE_OF(0, 8), CODE_OF(0, 8), /* the longer ones, and padding */
};
/* clang-format on */

/*
 * Decodes the `len` bytes at `at` to `to`. Gives how many characters they are; 0: more than
 * HTTP2_TEXT_MAX, or such as no context has.
 */
PIECE_FUNCTION __u32 http2_huffman(struct piece *piece, __u32 at, __u32 len, __u32 to)
{
	__u32 bit = 0, bits = len * 8;

	if (!piece || len > HTTP2_TEXT_MAX)
		return 0;
	for (__u32 i = 0; i <= HTTP2_TEXT_MAX; i++) {
		__u32 byte = at + bit / 8, code;

		code = (__u32)piece_byte(piece, byte) << 8 | piece_byte(piece, byte + 1);
		code = http2_codes[code >> (8 - bit % 8) & 0xff];
		bit += code >> 8;
		/* what is left is padding: ones, that begin the longest codes */
		if (bit > bits)
			return i;
		if (!(code & 0xff) || i == HTTP2_TEXT_MAX)
			return 0;
		piece->data[piece_index(to + i)] = code & 0xff;
	}
	return 0;
}

/* Could a name that begins so be one of ours? Most are not. */
static __always_inline int http2_name_likely(__u64 word, int huffman)
{
	__u8 first = word & 0xff;

	if (huffman) /* "tr", "b3", "x-", "ub" */
		return first == 0x4d || first == 0x8d || first == 0xf2 || first == 0xb6;
	return first == 't' || first == 'b' || first == 'x' || first == 'u';
}

/* enum context_name of the name in the `len` bytes at `at`. */
PIECE_FUNCTION __u32 http2_name(struct piece *piece, __u32 at, __u32 len, __u32 huffman)
{
	__u32 n = len, known = 0;
	enum context_name name;

	if (!piece || len < 2 || len > HTTP2_NAME_MAX ||
	    !http2_name_likely(piece_word(piece, at), huffman))
		return CONTEXT_NO_NAME;
	if (huffman) {
		n = http2_huffman(piece, at, len, HTTP2_NAME_AT);
	} else {
		for (__u32 i = 0; i < 24; i += 8) {
			__u64 word = piece_word(piece, at + i);

			__builtin_memcpy(piece->data + HTTP2_NAME_AT + i, &word, sizeof(word));
		}
	}
	if (n < 2 || n > HTTP2_NAME_MAX)
		return CONTEXT_NO_NAME;
	piece->data[piece_index(HTTP2_NAME_AT + n)] = ':';
	name = context_name(piece, HTTP2_NAME_AT, &known);
	return known == n + 1 ? name : CONTEXT_NO_NAME;
}

/* The name of the entry at an index of both tables (section 2.3.3). */
static __always_inline enum context_name http2_entry_name(const struct http2_table *table,
							  __u32 index)
{
	__u32 entry = table->entries - (index - HTTP2_STATIC_ENTRIES - 1);

	if (!table->any || table->lost || index <= HTTP2_STATIC_ENTRIES || (__s32)entry <= 0)
		return CONTEXT_NO_NAME;
	for (__u32 name = CONTEXT_TRACEPARENT; name <= CONTEXT_XRAY; name++)
		if (table->named[name] == entry)
			return (enum context_name)name;
	return CONTEXT_NO_NAME;
}

/* Non-zero: its length is not there, or is beyond reason. */
static __always_inline int http2_string_begin(const struct piece *piece, __u32 at, __u32 end,
					      struct http2_string *ret)
{
	__u64 got = http2_integer(piece, at, end, 0x7f);

	ret->at = got >> 32;
	ret->len = got;
	ret->huffman = piece_byte(piece, at) >> 7;
	return !got;
}

/*
 * A field of table->value_name has come, once: what does it say? Its value is all there. Not called
 * by http2_field(), whose stack is not in use then.
 */
PIECE_FUNCTION int http2_value(const struct http2_table *table, struct context_fields *fields,
			       struct piece *piece)
{
	enum context_name name;
	__u32 at, len;
	int flags;

	if (!table || !fields || !piece)
		return 0;
	name = (enum context_name)table->value_name;
	at = table->value.at;
	len = table->value.len;
	if (table->value.huffman) {
		at = HTTP2_VALUE_AT;
		len = http2_huffman(piece, table->value.at, len, at);
	}
	flags = context_value(fields, name, piece, at, at + len);
	if (flags < 0)
		fields->bad |= CONTEXT_BIT(name);
	else
		context_keep(fields, name, flags);
	return 0;
}

/* A string's length, of which Huffman's code has left 5 to 30 bits for each character. */
static __always_inline __u32 http2_most(const struct http2_string *string)
{
	return string->huffman ? string->len * 8 / 5 : string->len;
}

static __always_inline __u32 http2_least(const struct http2_string *string)
{
	return string->huffman ? string->len / 4 : string->len;
}

/*
 * The field goes into the table, unless it is larger than that: then nothing does (section 4.4).
 * `name_most`: bytes of its name, at most.
 */
static __always_inline void http2_entry_add(struct http2_table *table, __u32 name, __u32 name_most,
					    const struct http2_string *value)
{
	__u32 size = HTTP2_TABLE_SIZE - table->less;

	if (HTTP2_ENTRY_OWN + name_most + http2_most(value) > size) {
		table->lost |= HTTP2_ENTRY_OWN + http2_least(value) <= size;
		return;
	}
	table->entries++;
	verify_here(name);
	if (name == CONTEXT_NO_NAME || name > CONTEXT_XRAY)
		return;
	table->named[name] = table->entries;
	table->any = 1;
}

struct http2_named {
	enum context_name name;
	__u32 most; /* bytes that the name has, at most; of an entry that is not known: likely */
};

/*
 * The name of a literal field (section 6.2), an entry's or its own. `at`: in, where the field
 * begins, out, where its value does. Non-zero: it has not come.
 */
static __always_inline int http2_literal_name(const struct http2_table *table, struct piece *piece,
					      __u32 *at, __u32 end, struct http2_named *ret)
{
	__u32 mask = piece_byte(piece, *at) & 0x40 ? 0x3f : 0x0f;
	__u64 index = http2_integer(piece, *at, end, mask);
	struct http2_string string;

	if (!index)
		return -1;
	*at = index >> 32;
	if ((__u32)index) {
		ret->name = http2_entry_name(table, index);
		ret->most = (__u32)index <= HTTP2_STATIC_ENTRIES
				    ? HTTP2_STATIC_NAMES
				    : (HTTP2_TABLE_SIZE - table->less) / 2;
		return 0;
	}
	if (http2_string_begin(piece, *at, end, &string) || string.len > end - string.at)
		return -1;
	ret->name = (enum context_name)http2_name(piece, string.at, string.len, string.huffman);
	ret->most = http2_most(&string);
	*at = string.at + string.len;
	return 0;
}

static __always_inline __u32 http2_literal(struct http2_table *table, struct context_fields *fields,
					   struct piece *piece, __u32 at, __u32 end)
{
	int is_kept = piece_byte(piece, at) & 0x40;
	struct http2_string value;
	struct http2_named named;

	if (http2_literal_name(table, piece, &at, end, &named) ||
	    http2_string_begin(piece, at, end, &value))
		return HTTP2_MORE_FIELD;
	if (is_kept)
		http2_entry_add(table, named.name, named.most, &value);
	if (value.len > end - value.at) {
		table->skip = value.len - (end - value.at);
		context_spoil(fields, named.name);
		return end;
	}
	table->value_name = context_note_name(fields, named.name);
	table->value = value;
	return value.at + value.len;
}

/*
 * Takes in the field that begins at `at` of a block that the piece has up to `end`. Gives where the
 * next one begins, or HTTP2_MORE_FIELD. What refers to an entry as a whole has a value that is not
 * kept here: it is there, and what it says is not known.
 */
PIECE_FUNCTION __u32 http2_field(struct http2_table *table, struct context_fields *fields,
				 struct piece *piece, __u32 at, __u32 end)
{
	__u64 index;
	__u8 first;

	if (!table || !fields || !piece || at >= end)
		return end;
	table->value_name = CONTEXT_NO_NAME;
	first = piece_byte(piece, at);
	if (first < 0x20 || (first & 0xc0) == 0x40)
		return http2_literal(table, fields, piece, at, end);
	index = http2_integer(piece, at, end, first & 0x80 ? 0x7f : 0x1f);
	if (!index)
		return HTTP2_MORE_FIELD;
	if (first & 0x80)
		context_spoil(fields, http2_entry_name(table, index));
	else /* a change of the table's size (section 6.3); nobody names what falls out */
		table->less = (__u32)index < HTTP2_TABLE_SIZE ? HTTP2_TABLE_SIZE - (__u32)index : 0;
	return index >> 32;
}

/* The same, and what the field says of a context. */
static __always_inline __u32 http2_take(struct http2_table *table, struct context_fields *fields,
					struct piece *piece, __u32 at, __u32 end)
{
	__u32 next = http2_field(table, fields, piece, at, end);

	if (next != HTTP2_MORE_FIELD && table->value_name != CONTEXT_NO_NAME)
		http2_value(table, fields, piece);
	return next;
}

/* Keeps the beginning of a field for the next piece. One that is longer is beyond reason. */
static __always_inline void http2_keep(struct http2_table *table, const struct piece *piece,
				       __u32 at, __u32 end)
{
	if (end - at > HTTP2_REST_MAX) {
		table->lost = 1;
		return;
	}
	for (__u32 i = 0; i < HTTP2_REST_MAX; i += 8) {
		__u64 word = piece_word(piece, at + i);

		__builtin_memcpy(table->rest + i, &word, sizeof(word));
	}
	table->rest_len = end - at;
}

/*
 * The field that the piece before has begun, read with what of this one may belong to it. Gives
 * where the next one begins.
 */
static __always_inline __u32 http2_join(struct http2_table *table, struct context_fields *fields,
					struct piece *piece, __u32 at, __u32 end)
{
	__u32 kept = table->rest_len & 63, next;
	__u32 more = end - at < HTTP2_JOIN_MAX ? end - at : HTTP2_JOIN_MAX;

	table->rest_len = 0;
	for (__u32 i = 0; i < HTTP2_REST_MAX; i += 8)
		__builtin_memcpy(piece->data + HTTP2_JOIN_AT + i, table->rest + i, 8);
	for (__u32 i = 0; i < HTTP2_JOIN_MAX; i += 8) {
		__u64 word = piece_word(piece, at + i);

		__builtin_memcpy(piece->data + piece_index(HTTP2_JOIN_AT + kept + i), &word,
				 sizeof(word));
	}
	next = http2_take(table, fields, piece, HTTP2_JOIN_AT, HTTP2_JOIN_AT + kept + more);
	if (next != HTTP2_MORE_FIELD)
		return at + next - HTTP2_JOIN_AT - kept;
	if (more == end - at)
		http2_keep(table, piece, HTTP2_JOIN_AT, HTTP2_JOIN_AT + kept + more);
	else
		table->lost = 1;
	return end;
}

/*
 * Takes in the bytes of a block that the piece has from `at` to `end`; the block goes on with the
 * next piece. `fields` is where what they say is gathered.
 */
PIECE_FUNCTION int http2_fields(struct http2_table *table, struct context_fields *fields,
				struct piece *piece, __u32 at, __u32 end)
{
	__u32 skip, next = 0;

	if (!table || !fields || !piece || at >= end)
		return 0;
	if (table->rest_len)
		at = http2_join(table, fields, piece, at, end);
	skip = table->skip < end - at ? table->skip : end - at;
	table->skip -= skip;
	at += skip;
	for (__u32 i = 0; i < HTTP2_BLOCK_FIELDS && at < end; i++) {
		next = http2_take(table, fields, piece, at, end);
		if (next == HTTP2_MORE_FIELD)
			break;
		at = next;
	}
	if (at < end && next == HTTP2_MORE_FIELD)
		http2_keep(table, piece, at, end);
	else if (at < end)
		table->lost = 1;
	return 0;
}

#define HTTP2_INERT_FIELDS 48 /* of a block that are looked at for this: */

/* What a header block does to the table of its direction. */
enum http2_effect {
	HTTP2_CHANGES, /* or it is not known */
	HTTP2_INERT,   /* nothing; it has literals */
	HTTP2_REFERS,  /* nothing; it refers to entries alone */
};

/* Where the string at `at` ends; 0: not before `end`. */
static __always_inline __u32 http2_string_end(const struct piece *piece, __u32 at, __u32 end)
{
	__u64 got = http2_integer(piece, at, end, 0x7f);

	if (!got || (__u32)got > end - (__u32)(got >> 32))
		return 0;
	return (__u32)(got >> 32) + (__u32)got;
}

/* Where the literal field at `at` ends, likewise, of one that no table keeps. */
PIECE_FUNCTION __u32 http2_literal_end(const struct piece *piece, __u32 at, __u32 end)
{
	__u64 index;

	if (!piece)
		return 0;
	index = http2_integer(piece, at, end, 0x0f);
	at = index >> 32;
	if (index && !(__u32)index)
		at = http2_string_end(piece, at, end);
	return at ? http2_string_end(piece, at, end) : 0;
}

/* Enum http2_effect of the block that the piece has from `at` to `end`. */
PIECE_FUNCTION int http2_effect(const struct piece *piece, __u32 at, __u32 end)
{
	int effect = HTTP2_REFERS;

	if (!piece)
		return HTTP2_CHANGES;
	for (__u32 i = 0; i < HTTP2_INERT_FIELDS && at < end; i++) {
		__u8 first = piece_byte(piece, at);

		if (first & 0x80) {
			at = first == 0xff ? http2_integer(piece, at, end, 0x7f) >> 32 : at + 1;
		} else if (first >= 0x20) {
			return HTTP2_CHANGES;
		} else {
			at = http2_literal_end(piece, at, end);
			effect = HTTP2_INERT;
		}
		if (!at)
			return HTTP2_CHANGES;
	}
	return at == end ? effect : HTTP2_CHANGES;
}

/* The block has ended. What has not is malformed. */
static __always_inline void http2_block_ended(struct http2_table *table)
{
	table->lost |= table->skip || table->rest_len;
	table->skip = 0;
	table->rest_len = 0;
}

#endif
