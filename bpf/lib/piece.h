/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * A piece of a byte stream, copied out of a program's memory to be looked at. Built for BPF and for
 * the host from this one text.
 */
#ifndef WEFT_LIB_PIECE_H
#define WEFT_LIB_PIECE_H

#include "abi/types.h"

#define PIECE_MAX  2048 /* bytes that may count */
#define PIECE_MASK (2 * PIECE_MAX - 1)

/* Room for as many bytes again, and a word: what is read by index is masked, and never out of
 * bounds. */
struct piece {
	__u8 data[2 * PIECE_MAX + 8];
} __attribute__((aligned(8)));

/*
 * A function of a piece. In BPF it is a global subprogram: the verifier looks at it once, whoever
 * calls it, instead of once for each turn of the caller's loop. Weak, for several objects have it.
 */
#ifdef __bpf__
#define PIECE_FUNCTION __attribute__((weak, noinline))
#define piece_load(p)  (*(const __u64 *)(p))
/*
 * Keeps the compiler from moving a bounds check away from the value that the verifier looks at, and
 * from leaving it out because of what the verifier does not see. A length that is checked so is of
 * 64 bits: what Linux 5.15 knows of 32 bits is lost when they are spilled.
 */
#define verify_here(variable) asm volatile("" : "+r"(variable))
#else
#include <string.h>
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define PIECE_FUNCTION	      static inline
#define verify_here(variable) ((void)(variable))
/* Eight bytes as a little-endian word. BPF may load them unaligned, C may not. */
static inline __u64 piece_load(const __u8 *p)
{
	__u64 word;

	memcpy(&word, p, sizeof(word));
	return word;
}
#endif

/* clang 18 leaves the mask out where a loop bounds the index by a second counter. */
static __always_inline __u32 piece_index(__u32 at)
{
	verify_here(at);
	return at & PIECE_MASK;
}

/* The byte and the word at an index. */
static __always_inline __u8 piece_byte(const struct piece *piece, __u32 at)
{
	return piece->data[piece_index(at)];
}

static __always_inline __u64 piece_word(const struct piece *piece, __u32 at)
{
	return piece_load(piece->data + piece_index(at));
}

#define PIECE_BYTES(c) (0x0101010101010101ULL * (__u8)(c))

/* A text of up to eight characters as the word that piece_word() gives where it stands. */
#define PIECE_TEXT(text)                                                                           \
	(PIECE_CHAR(text, 0) | PIECE_CHAR(text, 1) | PIECE_CHAR(text, 2) | PIECE_CHAR(text, 3) |   \
	 PIECE_CHAR(text, 4) | PIECE_CHAR(text, 5) | PIECE_CHAR(text, 6) | PIECE_CHAR(text, 7))
#define PIECE_CHAR(text, i) ((__u64)(text)[(i) < sizeof(text) ? (i) : sizeof(text) - 1] << 8 * (i))

/* Does `word` start with that text? */
#define piece_is(word, text) piece_begins(word, PIECE_TEXT(text), sizeof(text) - 1)
/* The same, letters of either case; the text has small ones. */
#define piece_spells(word, text)                                                                   \
	piece_begins((word) | PIECE_LETTERS(text), PIECE_TEXT(text), sizeof(text) - 1)
/* The bits that make capitals small, where the text has letters. */
#define PIECE_LETTERS(text) (PIECE_TEXT(text) >> 1 & PIECE_BYTES(0x20))

static __always_inline int piece_begins(__u64 word, __u64 text, __u32 n)
{
	return (word & (~0ULL >> (64 - n * 8))) == text;
}

/*
 * Index of the lowest byte of `word` whose top bit is set; `word` holds no other bits, and one. The
 * product has the index in its highest byte.
 */
static __always_inline __u32 piece_first(__u64 word)
{
	return ((word & -word) >> 7) * 0x0001020304050607ULL >> 56;
}

/*
 * Flags the bytes of `word` that are `c`: their top bits. The lowest one is exact; higher ones may
 * be flagged by the borrow.
 */
static __always_inline __u64 piece_flags(__u64 word, __u8 c)
{
	word ^= PIECE_BYTES(c);
	return (word - PIECE_BYTES(1)) & ~word & PIECE_BYTES(0x80);
}

/* 1 if the word is zero, else 0; without a branch, though the compiler would like to make one. */
static __always_inline __u64 piece_is_zero(__u64 word)
{
	word |= -word;
	verify_here(word);
	return (word >> 63) ^ 1;
}

#define PIECE_STEP 32

/*
 * Index of the first byte `c` among the PIECE_STEP ones from `from` on; from + PIECE_STEP when
 * there is none. Without a branch, which the verifier would have to take both ways each time.
 */
static __always_inline __u32 piece_near(const struct piece *piece, __u32 from, __u8 c)
{
	__u64 first = piece_flags(piece_word(piece, from), c);
	__u64 second = piece_flags(piece_word(piece, from + 8), c);
	__u64 third = piece_flags(piece_word(piece, from + 16), c);
	__u64 fourth = piece_flags(piece_word(piece, from + 24), c);
	__u64 one = piece_is_zero(first), two = one & piece_is_zero(second);
	__u64 three = two & piece_is_zero(third), four = three & piece_is_zero(fourth);

	/* of the words before which there is none: the first one that has one */
	first |= (second & -one) | (third & -two) | (fourth & -three);
	return from + 8 * (one + two + three + four) + piece_first(first);
}

/* Bytes that piece_find() looks at in one call. */
#define PIECE_STRIDE  256
#define PIECE_STRIDES (PIECE_MAX / PIECE_STRIDE)

/*
 * Index of the first byte `c` at or behind `from`. When there is none within a stride, it gives
 * where to go on, or `len`: the byte there tells. The verifier counts the steps of a loop one by
 * one, so those of a caller's loop are better used than more of them here.
 */
PIECE_FUNCTION __u32 piece_find(const struct piece *piece, __u32 from, __u32 len, __u32 c)
{
	if (!piece)
		return len;
	for (__u32 i = 0; i < PIECE_STRIDE / PIECE_STEP && from < len; i++) {
		__u32 near = piece_near(piece, from, c);

		if (near != from + PIECE_STEP) {
			from = near;
			break;
		}
		from = near;
	}
	return from < len ? from : len;
}

/* Has piece_find() found it, or is there more to look at? */
static __always_inline int piece_found(const struct piece *piece, __u32 at, __u32 c)
{
	return piece_byte(piece, at) == c;
}

/* The same, however far: `len` when there is none before. */
PIECE_FUNCTION __u32 piece_find_far(const struct piece *piece, __u32 from, __u32 len, __u32 c)
{
	if (!piece)
		return len;
	for (__u32 i = 0; i <= PIECE_STRIDES; i++) {
		from = piece_find(piece, from, len, c);
		if (from >= len || piece_found(piece, from, c))
			return from;
	}
	return len;
}

/* Index of the highest byte of `word` whose top bit is set; `word` holds no other bits, and one. */
static __always_inline __u32 piece_last(__u64 word)
{
	__u32 index = 0;

	if (word >> 32) {
		word >>= 32;
		index += 4;
	}
	if (word >> 16) {
		word >>= 16;
		index += 2;
	}
	return index + (word >> 8 != 0);
}

/* Flags the bytes of `word` that are neither space nor horizontal tab: their top bits. */
static __always_inline __u64 piece_solid(__u64 word)
{
	const __u64 low = PIECE_BYTES(0x7f);
	__u64 space = word ^ PIECE_BYTES(' '), tab = word ^ PIECE_BYTES('\t');

	/* no carry leaves its byte: every flag is exact */
	space |= (space & low) + low;
	tab |= (tab & low) + low;
	return space & tab & ~low;
}

/* So many blanks in a row are passed over, and few more: the rest is text. A multiple of 8. */
#define PIECE_BLANKS_MAX 256

/* Index of the first byte at or behind `from` that is no blank; `end` when there is none. */
PIECE_FUNCTION __u32 piece_skip_blanks(const struct piece *piece, __u32 from, __u32 end)
{
	if (!piece)
		return end;
	for (__u32 i = 0; i <= PIECE_BLANKS_MAX / 8; i++) {
		__u64 solid;

		if (from >= end)
			break;
		solid = piece_solid(piece_word(piece, from));
		if (solid) {
			from += piece_first(solid);
			break;
		}
		from += 8;
	}
	return from < end ? from : end;
}

/* Index behind the last byte before `end` that is no blank; `start` when all from there on are. */
PIECE_FUNCTION __u32 piece_trim_blanks(const struct piece *piece, __u32 start, __u32 end)
{
	__u64 inside;
	__u32 at;

	if (!piece || end <= start)
		return start;
	/* the words that follow each other from `start` on, the last one first */
	at = start + ((end - start - 1) & ~7u);
	inside = ~0ULL >> (64 - (end - at) * 8);
	for (__u32 i = 0; i <= PIECE_BLANKS_MAX / 8; i++) {
		__u64 solid = piece_solid(piece_word(piece, at)) & inside;

		if (solid)
			return at + piece_last(solid) + 1;
		if (at <= start)
			return start;
		inside = ~0ULL;
		at -= 8;
	}
	return at + 8;
}

#endif
