/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Is an address in one of some ranges? A pure function of its arguments, built for BPF and for the
 * host from this one text.
 */
#ifndef WEFT_CLASSIFY_ADDRESS_H
#define WEFT_CLASSIFY_ADDRESS_H

#include "abi/config.h"
#include "lib/piece.h"

/* Eight bytes of an address: the first bit is the highest one. BPF may load a word at once. */
static __always_inline __u64 address_word(const volatile __u8 *p)
{
#ifdef __bpf__
	__u64 word = *(const volatile __u64 *)p;
#else
	__u64 word = piece_load((const __u8 *)p);
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(word);
#else
	return word;
#endif
}

/* Do two words, of which `difference` is the exclusive or, differ in their first `bits` bits? */
static __always_inline int address_differs(__u64 difference, __u32 bits)
{
	return bits && difference >> (64 - bits);
}

static __always_inline int address_in_range(const volatile struct address_range *range, __u64 high,
					    __u64 low)
{
	__u32 bits = range->bits;

	if (address_differs(address_word(range->ip) ^ high, bits < 64 ? bits : 64))
		return 0;
	return bits <= 64 || !address_differs(address_word(range->ip + 8) ^ low, bits - 64);
}

/*
 * Is ip[16] (IPv4 is mapped), aligned to 8 bytes, in one of the first `n` ranges? At most
 * CONFIG_RANGES_MAX of them are looked at, whatever `n` says. The verifier knows the bytes of
 * knobs: it walks the loop as if it were written out for the ranges at hand.
 */
static __always_inline int address_in(const volatile struct address_range *ranges, __u32 n,
				      const __u8 *ip)
{
	__u64 high = address_word(ip), low = address_word(ip + 8);

	for (__u32 i = 0; i < CONFIG_RANGES_MAX; i++) {
		if (i >= n)
			break;
		if (address_in_range(&ranges[i], high, low))
			return 1;
	}
	return 0;
}

#endif
