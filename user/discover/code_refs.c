/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/code_refs.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define ARGUMENTS 4

static uint32_t get_word(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint64_t get_distance(const uint8_t *bytes)
{
	return (uint64_t)(int64_t)(int32_t)get_word(bytes);
}

static int take(struct code_scan *scan, uint64_t at, uint64_t address, int argument)
{
	if (address - scan->low > scan->high - scan->low)
		return 0;
	for (size_t i = 0; i < scan->n_targets; i++) {
		const struct code_target *target = &scan->targets[i];

		if (address < target->first || address > target->last)
			continue;
		if (scan->n_refs == scan->refs_max)
			return -E2BIG;
		scan->refs[scan->n_refs++] =
			(struct code_ref){ .at = at, .what = target->what, .argument = argument };
		return 0;
	}
	return 0;
}

void code_scan_begin(struct code_scan *scan)
{
	scan->low = UINT64_MAX;
	scan->high = 0;
	for (size_t i = 0; i < scan->n_targets; i++) {
		const struct code_target *target = &scan->targets[i];

		scan->low = target->first < scan->low ? target->first : scan->low;
		scan->high = target->last > scan->high ? target->last : scan->high;
	}
}

/*
 * x86-64: Intel's "Software Developer's Manual", volume 2; arguments after the System V ABI, AMD64
 * supplement, 3.2.3. An instruction may begin at any byte.
 */

#define X86_LEA		  0x8d
#define X86_LEA_LEN	  7
#define X86_REX(byte)	  (((byte)&0xfb) == 0x48) /* of 64 bits; one bit is the register's */
#define X86_REX_R(byte)	  ((byte)&0x04)
#define X86_NEXT_IP(byte) (((byte)&0xc7) == 0x05) /* "mod r/m": a distance from what follows */
#define X86_R(byte)	  ((byte) >> 3 & 7)
#define X86_MOV		  0xb8 /* the lower three bits are the register; 32 bits follow */
#define X86_MOV_LEN	  5
#define X86_IS_MOV(byte)  (((byte)&0xf8) == X86_MOV)
#define X86_CALL	  0xe8
#define X86_CALL_LEN	  5

/* edi, esi, edx, ecx */
static const uint8_t x86_arguments[ARGUMENTS] = { 7, 6, 2, 1 };

static int x86_argument(unsigned int reg)
{
	for (int i = 0; i < ARGUMENTS; i++)
		if (x86_arguments[i] == reg)
			return i;
	return -1;
}

/* Of those that begin within the first `end` bytes. */
static int x86_scan_moves(struct code_scan *scan, const uint8_t *code, size_t end, uint64_t address)
{
	uint32_t low = (uint32_t)scan->low, span = (uint32_t)(scan->high - scan->low);
	int r = scan->high > UINT32_MAX || scan->low > scan->high ? -ENOENT : 0;

	for (size_t i = 0; r == 0 && i < end; i++) {
		uint32_t to = get_word(code + i + 1);

		/* a register from r8 on has a byte before it, and is none of the four */
		if (to - low <= span && X86_IS_MOV(code[i]))
			r = take(scan, address + i, to, x86_argument(code[i] & 7));
	}
	return r == -ENOENT ? 0 : r;
}

static int x86_scan(struct code_scan *scan, const uint8_t *code, size_t len, uint64_t address)
{
	size_t end = len - (X86_LEA_LEN - 1);
	const uint8_t *at = code + 1, *behind = code + 1 + end;
	int r = scan->absolute ? x86_scan_moves(scan, code, end, address) : 0;

	for (; r == 0 && (at = memchr(at, X86_LEA, (size_t)(behind - at))); at++) {
		uint64_t here = address + (uint64_t)(at - 1 - code);

		if (X86_NEXT_IP(at[1]) && X86_REX(at[-1]))
			r = take(scan, here, here + X86_LEA_LEN + get_distance(at + 2),
				 X86_REX_R(at[-1]) ? -1 : x86_argument(X86_R(at[1])));
	}
	return r < 0 ? r : (int)end;
}

static size_t x86_find_call(const uint8_t *code, size_t len, uint64_t address, uint64_t function)
{
	for (size_t i = 0; i + X86_CALL_LEN <= len; i++)
		if (code[i] == X86_CALL &&
		    address + i + X86_CALL_LEN + get_distance(code + i + 1) == function)
			return i;
	return len;
}

static bool x86_passes(const uint8_t *code, size_t len, unsigned int argument, uint16_t number)
{
	for (size_t i = 0; i + X86_MOV_LEN <= len; i++)
		if (code[i] == (X86_MOV | x86_arguments[argument]) &&
		    get_word(code + i + 1) == number)
			return true;
	return false;
}

/*
 * arm64: "Arm Architecture Reference Manual for A-profile", C4.1; which registers a call leaves
 * alone: Procedure Call Standard for the Arm 64-bit Architecture, 6.1.1.
 */

#define ARM_WORD	 4
#define ARM_D(word)	 ((word)&31) /* the register that most instructions write */
#define ARM_N(word)	 ((word) >> 5 & 31)
#define ARM_M(word)	 ((word) >> 16 & 31)
#define ARM_SP		 31
#define ARM_LAST_SCRATCH 18 /* and 30 is the place to return to */
#define ARM_SCRATCH	 (((1u << (ARM_LAST_SCRATCH + 1)) - 1) | 1u << 30)

static bool arm_is_adrp(uint32_t word)
{
	return (word & 0x9f000000) == 0x90000000;
}

static bool arm_is_adr(uint32_t word)
{
	return (word & 0x9f000000) == 0x10000000;
}

/* add xD, xN, #12 bits */
static bool arm_is_add(uint32_t word)
{
	return (word & 0xff800000) == 0x91000000;
}

/* What it adds; one bit says that it is thousands. */
static uint64_t arm_more(uint32_t word)
{
	uint64_t more = word >> 10 & 0xfff;

	return word & 1u << 22 ? more << 12 : more;
}

/* mov xD, xM: "or" with zero */
static bool arm_is_move(uint32_t word)
{
	return (word & 0xffe0ffe0) == 0xaa0003e0;
}

static bool arm_is_call(uint32_t word)
{
	return (word & 0xfc000000) == 0x94000000 || (word & 0xfffffc1f) == 0xd63f0000;
}

/* What stands behind is not reached from here. */
static bool arm_is_end(uint32_t word)
{
	return (word & 0xfc000000) == 0x14000000 || (word & 0xff9ffc1f) == 0xd61f0000 ||
	       (word & 0xfffffc1f) == 0xd65f0000;
}

/* Loads of two registers: the second one is written, too. */
static bool arm_is_pair(uint32_t word)
{
	return (word & 0x3a400000) == 0x28400000;
}

static uint64_t arm_signed(uint64_t number, unsigned int bits)
{
	uint64_t sign = 1ull << (bits - 1);

	return (number ^ sign) - sign;
}

/* The 21 bits of adr and adrp. */
static uint64_t arm_distance(uint32_t word)
{
	return arm_signed((word >> 5 & 0x7ffff) << 2 | (word >> 29 & 3), 21);
}

static void arm_set(struct code_scan *scan, unsigned int reg, uint64_t value)
{
	if (reg == ARM_SP)
		return;
	scan->values[reg] = value;
	scan->known |= 1u << reg;
	scan->ref_of[reg] = 0;
}

/* What is added to goes no further: it was where several constants begin, and is not passed on. */
static void arm_withdraw(struct code_scan *scan, unsigned int reg)
{
	if (scan->ref_of[reg])
		scan->refs[scan->ref_of[reg] - 1].argument = -1;
}

/* Gives true if an address is whole with that instruction: in its register. */
static bool arm_step(struct code_scan *scan, uint32_t word, uint64_t here)
{
	unsigned int from = arm_is_add(word) ? ARM_N(word) : ARM_M(word);

	if (arm_is_adrp(word)) {
		arm_set(scan, ARM_D(word), (here & ~0xfffull) + (arm_distance(word) << 12));
		return false;
	}
	if (arm_is_adr(word)) {
		arm_set(scan, ARM_D(word), here + arm_distance(word));
		return true;
	}
	if ((arm_is_add(word) || arm_is_move(word)) && (scan->known & 1u << from)) {
		uint64_t more = arm_is_move(word) ? 0 : arm_more(word);

		if (ARM_D(word) == from)
			arm_withdraw(scan, from);
		arm_set(scan, ARM_D(word), scan->values[from] + more);
		return true;
	}
	if (arm_is_end(word)) {
		scan->known = 0;
	} else if (arm_is_call(word)) {
		scan->known &= ~ARM_SCRATCH;
	} else {
		/* what does not write it but only names it is rare */
		scan->known &= ~(1u << ARM_D(word));
		if (arm_is_pair(word))
			scan->known &= ~(1u << (word >> 10 & 31));
	}
	return false;
}

static int arm_scan(struct code_scan *scan, const uint8_t *code, size_t len, uint64_t address)
{
	size_t end = len & ~(size_t)(ARM_WORD - 1);
	int r = 0;

	for (size_t i = 0; r == 0 && i < end; i += ARM_WORD) {
		uint32_t word = get_word(code + i);
		unsigned int reg = ARM_D(word);

		size_t before = scan->n_refs;

		if (arm_step(scan, word, address + i) && reg != ARM_SP)
			r = take(scan, address + i, scan->values[reg],
				 reg < ARGUMENTS ? (int)reg : -1);
		if (scan->n_refs > before)
			scan->ref_of[reg] = (uint32_t)scan->n_refs;
	}
	return r < 0 ? r : (int)end;
}

static size_t arm_find_call(const uint8_t *code, size_t len, uint64_t address, uint64_t function)
{
	for (size_t i = 0; i + ARM_WORD <= len; i += ARM_WORD) {
		uint32_t word = get_word(code + i);

		if ((word & 0xfc000000) == 0x94000000 &&
		    address + i + (arm_signed(word & 0x3ffffff, 26) << 2) == function)
			return i;
	}
	return len;
}

/* mov wD, #16 bits */
static bool arm_passes(const uint8_t *code, size_t len, unsigned int argument, uint16_t number)
{
	for (size_t i = 0; i + ARM_WORD <= len; i += ARM_WORD)
		if (get_word(code + i) == (0x52800000 | (uint32_t)number << 5 | argument))
			return true;
	return false;
}

int code_scan_add(struct code_scan *scan, const uint8_t *code, size_t len, uint64_t address)
{
	if (scan->machine == EM_X86_64)
		return len < X86_LEA_LEN ? 0 : x86_scan(scan, code, len, address);
	return arm_scan(scan, code, len, address);
}

size_t code_find_call(uint16_t machine, const uint8_t *code, size_t len, uint64_t address,
		      uint64_t function)
{
	return machine == EM_X86_64 ? x86_find_call(code, len, address, function)
				    : arm_find_call(code, len, address, function);
}

bool code_passes(uint16_t machine, const uint8_t *code, size_t len, unsigned int argument,
		 uint16_t number)
{
	if (argument >= ARGUMENTS)
		return false;
	return machine == EM_X86_64 ? x86_passes(code, len, argument, number)
				    : arm_passes(code, len, argument, number);
}
