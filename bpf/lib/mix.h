/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Ids that can be found again. A pure function; built for BPF and for the host from this one text.
 */
#ifndef WEFT_LIB_MIX_H
#define WEFT_LIB_MIX_H

#include "lib/piece.h"

#define MIX_IDS 4 /* of a number, at most */

/*
 * The id `which` of `number`, as random as `seed`: no two of a seed are alike. The finaliser is
 * that of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA
 * 2014), which maps the numbers of 64 bits onto each other. Never zero.
 */
static __always_inline __u64 mix_id(__u64 seed, __u32 number, __u32 which)
{
	__u64 id = seed + ((__u64)number * MIX_IDS + which) * 0x9e3779b97f4a7c15ULL;

	id = (id ^ id >> 30) * 0xbf58476d1ce4e5b9ULL;
	id = (id ^ id >> 27) * 0x94d049bb133111ebULL;
	id ^= id >> 31;
	return id ? id : 1;
}

#endif
