/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/probe_place.h"

#include <string.h>

#if defined(__x86_64__)

/* Of x86-64: Intel's "Software Developer's Manual", volume 2. */

#define REX_MASK   0xf0
#define REX	   0x40
#define REX_W	   8
#define REX_R	   4
#define REX_B	   1
#define SEGMENT_FS 0x64 /* the stack protector's canary lies there */
#define CALL	   0xe8
#define CALL_LEN   5

enum target {
	TARGET_NONE,	 /* compares */
	TARGET_OPERAND,	 /* what "mod r/m" says: a register or memory */
	TARGET_REGISTER, /* the other one */
};

/* What compiled functions do before they do something. One byte each, with "mod r/m". */
static const struct {
	uint8_t code;
	uint8_t immediate; /* bytes */
	enum target target;
} operations[] = {
	{ 0x01, 0, TARGET_OPERAND },  { 0x03, 0, TARGET_REGISTER }, /* add */
	{ 0x29, 0, TARGET_OPERAND },  { 0x2b, 0, TARGET_REGISTER }, /* sub */
	{ 0x31, 0, TARGET_OPERAND },  { 0x33, 0, TARGET_REGISTER }, /* xor */
	{ 0x39, 0, TARGET_NONE },     { 0x3b, 0, TARGET_NONE },	    /* cmp */
	{ 0x63, 0, TARGET_REGISTER },				    /* movsxd */
	{ 0x80, 1, TARGET_OPERAND },  { 0x81, 4, TARGET_OPERAND },  /* add to cmp, of a constant */
	{ 0x83, 1, TARGET_OPERAND },				    /* the same */
	{ 0x84, 0, TARGET_NONE },     { 0x85, 0, TARGET_NONE },	    /* test */
	{ 0x88, 0, TARGET_OPERAND },  { 0x89, 0, TARGET_OPERAND },  /* mov */
	{ 0x8a, 0, TARGET_REGISTER }, { 0x8b, 0, TARGET_REGISTER }, /* mov */
	{ 0x8d, 0, TARGET_REGISTER },				    /* lea */
	{ 0xc6, 1, TARGET_OPERAND },  { 0xc7, 4, TARGET_OPERAND },  /* mov of a constant */
};

#define N_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

struct instruction {
	size_t len;	 /* 0: it is none of these */
	uint32_t writes; /* registers, a bit each */
};

/* Bytes of "mod r/m" and what belongs to it. 0: there are not so many. */
static size_t operand_len(const uint8_t *bytes, size_t len)
{
	uint8_t mod = len ? bytes[0] >> 6 : 0, rm = len ? bytes[0] & 7 : 0;
	size_t n = 1;

	if (len < 2)
		return mod == 3 ? len : 0;
	if (mod == 3)
		return 1;
	if (rm == 4) /* a byte of scale, index and base follows; base 5 is 32 bits without mod */
		n += 1 + (mod == 0 && (bytes[1] & 7) == 5 ? 4 : 0);
	else if (mod == 0 && rm == 5) /* relative to the next instruction */
		n += 4;
	n += mod == 1 ? 1 : mod == 2 ? 4 : 0;
	return n <= len ? n : 0;
}

/* Of those with a constant, "mod r/m" says what they do. */
static bool is_compare(uint8_t code, uint8_t mod_rm)
{
	return code >= 0x80 && code <= 0x83 && (mod_rm >> 3 & 7) == 7;
}

/* Bytes without a prefix, spl, bpl, sil and dil would be ah to bh: either may be meant. */
static bool is_of_bytes(uint8_t code)
{
	return code == 0x80 || code == 0x88 || code == 0x8a || code == 0xc6;
}

static struct instruction with_operand(const uint8_t *bytes, size_t at, size_t len, uint8_t rex)
{
	struct instruction instruction = { 0 };
	size_t i = 0, operand = operand_len(bytes + at + 1, len - at - 1);
	uint8_t mod_rm;

	while (i < N_OPERATIONS && operations[i].code != bytes[at])
		i++;
	if (i == N_OPERATIONS || !operand || len - at - 1 - operand < operations[i].immediate)
		return instruction;
	instruction.len = at + 1 + operand + operations[i].immediate;
	mod_rm = bytes[at + 1];
	if (is_compare(bytes[at], mod_rm))
		return instruction;
	if (operations[i].target == TARGET_REGISTER)
		instruction.writes = 1u << ((mod_rm >> 3 & 7) + (rex & REX_R ? 8 : 0));
	else if (operations[i].target == TARGET_OPERAND && mod_rm >> 6 == 3)
		instruction.writes = 1u << ((mod_rm & 7) + (rex & REX_B ? 8 : 0));
	if (is_of_bytes(bytes[at]))
		instruction.writes |= instruction.writes >> 4 & 0x0f;
	return instruction;
}

/* One that only moves and counts. */
static struct instruction decode(const uint8_t *bytes, size_t len)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	uint8_t rex = 0;
	size_t at = 0;

	if (len >= sizeof(endbr64) && memcmp(bytes, endbr64, sizeof(endbr64)) == 0)
		return (struct instruction){ .len = sizeof(endbr64) };
	if (at < len && bytes[at] == SEGMENT_FS)
		at++;
	if (at < len && (bytes[at] & REX_MASK) == REX)
		rex = bytes[at++];
	if (at >= len)
		return (struct instruction){ 0 };
	if ((bytes[at] & 0xf8) == 0xb8) { /* mov register, constant */
		size_t end = at + 1 + (rex & REX_W ? 8 : 4);

		return (struct instruction){
			.len = end <= len ? end : 0,
			.writes = 1u << ((bytes[at] & 7) + (rex & REX_B ? 8 : 0)),
		};
	}
	return with_operand(bytes, at, len, rex);
}

/* Bytes of a push. 0: it is none. */
static size_t push_len(const uint8_t *bytes, size_t len)
{
	size_t at = len > 0 && bytes[0] == (REX | REX_B); /* r8 to r15 */

	return at < len && (bytes[at] & 0xf8) == 0x50 ? at + 1 : 0;
}

/*
 * What the kernel does itself, and where only one way leads on from. It does calls, too, but does
 * not tell a shadow stack, if the program has one.
 */
static bool is_emulated(const uint8_t *bytes, size_t len)
{
	static const uint8_t codes[] = { 0xe9 /* jmp */, 0xeb /* the same */, 0x90 /* nop */ };

	return push_len(bytes, len) || (len >= 1 && memchr(codes, bytes[0], sizeof(codes)) != NULL);
}

/* Bytes of a jump that depends on a comparison. 0: it is none. */
static size_t condition_len(const uint8_t *bytes, size_t len)
{
	if (len >= 2 && (bytes[0] & 0xf0) == 0x70)
		return 2;
	return len >= 6 && bytes[0] == 0x0f && (bytes[1] & 0xf0) == 0x80 ? 6 : 0;
}

/*
 * How far one comes before a register in `kept` changes, an instruction is emulated - `pushes`: one
 * other than a push - or it is not known what is done.
 */
static size_t walk(const uint8_t *code, size_t len, uint32_t kept, bool pushes)
{
	size_t at = 0;

	while (at < len) {
		struct instruction next = { .len = pushes ? push_len(code + at, len - at) : 0 };

		if (!next.len && is_emulated(code + at, len - at))
			break;
		if (!next.len)
			next = decode(code + at, len - at);
		if (!next.len || next.writes & kept)
			break;
		at += next.len;
	}
	return at;
}

struct probe_place probe_place(const uint8_t *code, size_t len, uint32_t kept)
{
	size_t at, jump;

	if (len > PROBE_PLACE_CODE_MAX)
		len = PROBE_PLACE_CODE_MAX;
	at = walk(code, len, kept, false);
	if (is_emulated(code + at, len - at))
		return (struct probe_place){ .advance = (uint32_t)at };
	/* Go's first jump is to where the stack is made larger, and from there back to the
	 * beginning */
	jump = kept == PROBE_PLACE_GO ? condition_len(code + at, len - at) : 0;
	if (jump)
		return (struct probe_place){ .advance = (uint32_t)(is_emulated(code + at + jump,
									       len - at - jump)
									   ? at + jump
									   : at) };
	return (struct probe_place){ .stepped = true };
}

bool probe_place_call(const uint8_t *code, size_t len, uint32_t kept, uint64_t address,
		      uint64_t *ret_target)
{
	int32_t distance;
	size_t at;

	if (len > PROBE_PLACE_CODE_MAX)
		len = PROBE_PLACE_CODE_MAX;
	at = walk(code, len, kept, true);
	if (len - at < CALL_LEN || code[at] != CALL)
		return false;
	memcpy(&distance, code + at + 1, sizeof(distance));
	*ret_target = address + at + CALL_LEN + (uint64_t)distance;
	return true;
}

#else

struct probe_place probe_place(const uint8_t *code, size_t len, uint32_t kept)
{
	(void)code;
	(void)len;
	(void)kept;
	return (struct probe_place){ .stepped = true };
}

bool probe_place_call(const uint8_t *code, size_t len, uint32_t kept, uint64_t address,
		      uint64_t *ret_target)
{
	(void)code;
	(void)len;
	(void)kept;
	(void)address;
	(void)ret_target;
	return false;
}

#endif
