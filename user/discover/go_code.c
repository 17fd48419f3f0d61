/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/go_code.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

#define CODE_MAX   (64u << 10) /* bytes of a function */
#define DELTAS_MAX (8u << 10)  /* bytes of its table */
#define NUMBER_MAX 5	       /* bytes of a number of 32 bits, 7 bits in each */

struct code {
	uint8_t *bytes;
	size_t len; /* with what fills the place up to the next function */
	uint64_t offset;
};

struct deltas {
	uint8_t *bytes;
	size_t len;
	size_t at;
};

struct machine {
	uint16_t number;
	uint8_t quantum; /* bytes of the shortest instruction */
	uint8_t return_len;
	bool (*is_entry)(const struct code *code);
	size_t (*skip)(const struct code *code, size_t at, size_t end); /* what does nothing */
	bool (*is_return)(const struct code *code, size_t at);
	bool (*is_growth)(const struct code *code, size_t at, size_t end);
};

static void code_clear(struct code *code)
{
	free(code->bytes);
}

static void deltas_clear(struct deltas *deltas)
{
	free(deltas->bytes);
}

/* x86-64: Intel's "Software Developer's Manual", volume 2. */

/* What compiled functions begin with: the check of the stack's bound, or getting a frame. */
static bool x86_is_entry(const struct code *code)
{
	static const struct {
		uint8_t len;
		uint8_t bytes[4];
	} entries[] = {
		{ 4, { 0x49, 0x3b, 0x66, 0x10 } }, /* cmp rsp, [r14+16]: r14 since Go 1.17 */
		{ 4, { 0x4c, 0x8d, 0x64, 0x24 } }, /* lea r12, [rsp-8 bits] */
		{ 4, { 0x4c, 0x8d, 0xa4, 0x24 } }, /* lea r12, [rsp-32 bits] */
		{ 3, { 0x49, 0x89, 0xe4 } },	   /* mov r12, rsp */
		{ 1, { 0x55 } },		   /* push rbp */
		{ 3, { 0x48, 0x83, 0xec } },	   /* sub rsp, 8 bits */
		{ 3, { 0x48, 0x81, 0xec } },	   /* sub rsp, 32 bits */
	};

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (code->len >= entries[i].len &&
		    memcmp(code->bytes, entries[i].bytes, entries[i].len) == 0)
			return true;
	return false;
}

#define X86_NOP		  0x90
#define X86_RETURN	  0xc3
#define X86_CALL	  0xe8
#define X86_JUMP	  0xe9
#define X86_JUMP_SHORT	  0xeb
#define X86_SIZE	  0x66 /* before an operation: of another size */
#define X86_WIDE	  0x0f /* a second byte of the operation follows */
#define X86_REX		  0x40 /* the lower four bits tell of registers */
#define X86_NEAR_LEN	  5    /* with a distance of 32 bits */
#define X86_SHORT_LEN	  2
#define X86_STACK	  0x24 /* the byte behind "mod r/m": it is [rsp + distance] */
#define X86_MOD_R_M(byte) ((byte)&0xc7)

/* Bytes of an instruction that does nothing, as Go's assembler writes them (asm6.go, "nop"). */
static size_t x86_nop_len(const uint8_t *bytes, size_t len)
{
	static const struct {
		uint8_t len;
		uint8_t bytes[3];
	} nops[] = {
		{ 1, { X86_NOP } },
		{ 3, { X86_WIDE, 0x1f, 0x00 } },
		{ 4, { X86_WIDE, 0x1f, 0x40 } },
		{ 5, { X86_WIDE, 0x1f, 0x44 } },
		{ 7, { X86_WIDE, 0x1f, 0x80 } },
		{ 8, { X86_WIDE, 0x1f, 0x84 } },
	};
	size_t at = len > 0 && bytes[0] == X86_SIZE;

	for (size_t i = 0; i < sizeof(nops) / sizeof(nops[0]); i++)
		if (len - at >= nops[i].len &&
		    memcmp(bytes + at, nops[i].bytes, nops[i].len < 3 ? nops[i].len : 3) == 0)
			return at + nops[i].len;
	return 0;
}

/* Jumps and returns do not end at a multiple of 32 bytes, as some processors are slow then. */
static size_t x86_skip(const struct code *code, size_t at, size_t end)
{
	size_t len;

	do {
		len = x86_nop_len(code->bytes + at, end - at);
		at += len;
	} while (len > 0);
	return at;
}

static bool x86_is_return(const struct code *code, size_t at)
{
	return code->bytes[at] == X86_RETURN;
}

static bool x86_is_move(uint8_t operation, bool wide)
{
	static const uint8_t moves[] = { 0x63, 0x88, 0x89, 0x8a, 0x8b };
	static const uint8_t wide_moves[] = { 0x10, 0x11, 0xb6, 0xb7, 0xbe, 0xbf };

	return wide ? memchr(wide_moves, operation, sizeof(wide_moves)) != NULL
		    : memchr(moves, operation, sizeof(moves)) != NULL;
}

/* Bytes of an instruction that moves a register to the stack or back; 0: it is another. */
static size_t x86_spill_len(const uint8_t *bytes, size_t len)
{
	size_t at = 0;
	bool wide;

	if (at < len && (bytes[at] == X86_SIZE || bytes[at] == 0xf2 || bytes[at] == 0xf3))
		at++;
	if (at < len && (bytes[at] & 0xf0) == X86_REX)
		at++;
	wide = at < len && bytes[at] == X86_WIDE;
	at += wide;
	if (len - at < 4 || !x86_is_move(bytes[at], wide) || bytes[at + 2] != X86_STACK)
		return 0;
	if (X86_MOD_R_M(bytes[at + 1]) == 0x44)
		return at + 4;
	if (X86_MOD_R_M(bytes[at + 1]) == 0x84 && len - at >= 7)
		return at + 7;
	return 0;
}

static size_t x86_spills_end(const struct code *code, size_t at, size_t end)
{
	size_t len;

	do {
		at = x86_skip(code, at, end);
		len = x86_spill_len(code->bytes + at, end - at);
		at += len;
	} while (len > 0);
	return at;
}

static bool x86_is_jump_to_entry(const struct code *code, size_t at, size_t end)
{
	int32_t distance;

	if (end - at == X86_SHORT_LEN && code->bytes[at] == X86_JUMP_SHORT)
		return end + (size_t)(int8_t)code->bytes[at + 1] == 0;
	if (end - at != X86_NEAR_LEN || code->bytes[at] != X86_JUMP)
		return false;
	memcpy(&distance, code->bytes + at + 1, sizeof(distance));
	return end + (size_t)distance == 0;
}

/* Saves what is in registers, calls runtime.morestack, takes it back, jumps to the entry. */
static bool x86_is_growth(const struct code *code, size_t at, size_t end)
{
	at = x86_spills_end(code, at, end);
	if (end - at < X86_NEAR_LEN || code->bytes[at] != X86_CALL)
		return false;
	at = x86_spills_end(code, at + X86_NEAR_LEN, end);
	return x86_is_jump_to_entry(code, at, end);
}

/* Arm: "Architecture Reference Manual for A-profile", C4. */

#define ARM_WORD 4

static uint32_t arm_word(const struct code *code, size_t at)
{
	uint32_t word;

	memcpy(&word, code->bytes + at, sizeof(word));
	return word;
}

static bool arm_is_entry(const struct code *code)
{
	static const struct {
		uint32_t mask, word;
	} entries[] = {
		{ 0xffffffe0, 0xf9400b80 }, /* ldr xN, [x28, #16]: the stack's bound */
		{ 0xfff00fff, 0xf8100ffe }, /* str x30, [sp, #-N]! */
		{ 0xffc003ff, 0xd10003ff }, /* sub sp, sp, #N */
		{ 0xffc003ff, 0xd10003f4 }, /* sub x20, sp, #N */
	};

	for (size_t i = 0; code->len >= ARM_WORD && i < sizeof(entries) / sizeof(entries[0]); i++)
		if ((arm_word(code, 0) & entries[i].mask) == entries[i].word)
			return true;
	return false;
}

/* Up to a multiple of 16 bytes, functions are filled with words of zeros. */
static size_t arm_skip(const struct code *code, size_t at, size_t end)
{
	while (at < end && arm_word(code, at) == 0)
		at += ARM_WORD;
	return at;
}

static bool arm_is_return(const struct code *code, size_t at)
{
	return at + ARM_WORD <= code->len && arm_word(code, at) == 0xd65f03c0;
}

#define ARM_BRANCH_MASK 0xfc000000
#define ARM_BRANCH	0x14000000
#define ARM_CALL	0x94000000

static bool arm_is_branch_to_entry(const struct code *code, size_t at)
{
	uint32_t word = arm_word(code, at);

	/* the distance in words, 26 bits with a sign */
	return (word & ARM_BRANCH_MASK) == ARM_BRANCH &&
	       ((word + at / ARM_WORD) & ~ARM_BRANCH_MASK) == 0;
}

/* Goes on with the next word, whatever it does: by bits 28 to 25, it is no branch, and not
 * reserved. */
static bool arm_goes_on(uint32_t word)
{
	uint32_t group = word >> 25 & 15;

	return group >= 4 && group != 10 && group != 11;
}

/* As above; constants may lie behind it. */
static bool arm_is_growth(const struct code *code, size_t at, size_t end)
{
	while (at < end && arm_goes_on(arm_word(code, at)))
		at += ARM_WORD;
	if (at == end || (arm_word(code, at) & ARM_BRANCH_MASK) != ARM_CALL)
		return false;
	at += ARM_WORD;
	while (at < end && arm_goes_on(arm_word(code, at)))
		at += ARM_WORD;
	return at < end && arm_is_branch_to_entry(code, at);
}

static const struct machine machines[] = {
	{ EM_X86_64, 1, 1, x86_is_entry, x86_skip, x86_is_return, x86_is_growth },
	{ EM_AARCH64, ARM_WORD, ARM_WORD, arm_is_entry, arm_skip, arm_is_return, arm_is_growth },
};

static const struct machine *machine_of(const struct go_image *image)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].number == image->machine)
			return &machines[i];
	return NULL;
}

static int read_code(const struct go_image *image, const struct go_place *place, uint8_t quantum,
		     struct code *code)
{
	int r;

	code->len = place->end - place->address;
	if (code->len == 0 || place->address % quantum != 0)
		return -EBADMSG;
	if (place->end - place->address > CODE_MAX)
		return -E2BIG;
	r = go_image_offset(image, place->address, code->len, PF_R | PF_X, &code->offset);
	if (r < 0)
		return r;
	code->bytes = malloc(code->len);
	if (!code->bytes)
		return -ENOMEM;
	return go_image_read(image, code->bytes, code->len, code->offset);
}

static int read_deltas(const struct go_image *image, const struct go_module *module, uint32_t at,
		       struct deltas *deltas)
{
	/* the table's first byte belongs to none */
	if (at == 0 || at >= module->deltas.size)
		return -EBADMSG;
	deltas->len = module->deltas.size - at < DELTAS_MAX ? module->deltas.size - at : DELTAS_MAX;
	deltas->bytes = malloc(deltas->len);
	if (!deltas->bytes)
		return -ENOMEM;
	return go_image_read(image, deltas->bytes, deltas->len, module->deltas.offset + at);
}

static bool take_number(struct deltas *deltas, uint32_t *ret_number)
{
	uint64_t number = 0;

	for (size_t i = 0; i < NUMBER_MAX && deltas->at < deltas->len; i++) {
		uint8_t byte = deltas->bytes[deltas->at++];

		number |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80)) {
			*ret_number = (uint32_t)number;
			return number <= UINT32_MAX;
		}
	}
	return false;
}

/*
 * From `at` to `end` the stack pointer is where it was at the entry. Moves on to where it is not
 * known any more what the code is.
 */
static int add_return(const struct machine *machine, const struct code *code, size_t *at,
		      size_t end, struct go_function *function)
{
	size_t place = machine->skip(code, *at, end);

	if (place == end || !machine->is_return(code, place))
		return 0;
	if (function->n_returns == GO_RETURNS_MAX)
		return -E2BIG;
	function->returns[function->n_returns++] = code->offset + place;
	*at = place + machine->return_len;
	return 0;
}

static bool is_end(const struct machine *machine, const struct code *code, size_t at, size_t end)
{
	at = machine->skip(code, at, end);
	return at == end || machine->is_growth(code, at, end);
}

/*
 * The table: how much the distance changes (the lowest bit is the sign), and for how many of the
 * shortest instructions it stays; and so on, up to a change of 0. Before the first it is -1.
 */
static int find_returns(const struct machine *machine, const struct code *code,
			struct deltas *deltas, struct go_function *function)
{
	int64_t distance = -1;
	uint32_t change, step;
	size_t at = 0, end, known = 0; /* up to there, it is known what the code is */
	int r = 0;

	while (take_number(deltas, &change)) {
		if (change == 0 && at > 0)
			return is_end(machine, code, known, at) ? 0 : -EOPNOTSUPP;
		/* what is more than a return is known only at the very end */
		if (known != at)
			return -EOPNOTSUPP;
		distance += change & 1 ? -(int64_t)(change >> 1) - 1 : (int64_t)(change >> 1);
		if (distance < 0 || !take_number(deltas, &step) || step == 0 ||
		    step > (code->len - at) / machine->quantum)
			return -EBADMSG;
		end = at + (size_t)step * machine->quantum;
		known = distance == 0 && at > 0 ? at : end;
		if (known == at)
			r = add_return(machine, code, &known, end, function);
		if (r < 0)
			return r;
		at = end;
	}
	return -EBADMSG;
}

/* Where instructions can be told from one another, none may be missing. */
static bool are_all(const struct machine *machine, const struct code *code,
		    const struct go_function *function)
{
	size_t n = 0;

	if (machine->quantum == 1)
		return true;
	for (size_t at = 0; at + machine->quantum <= code->len; at += machine->quantum)
		n += machine->is_return(code, at);
	return n == function->n_returns;
}

int go_code_returns(const struct go_image *image, const struct go_module *module,
		    const struct go_place *place, uint32_t deltas, struct go_function *ret_function)
{
	const struct machine *machine = machine_of(image);
	_cleanup_(code_clear) struct code code = { 0 };
	_cleanup_(deltas_clear) struct deltas table = { 0 };
	struct go_function function = { .name = ret_function->name };
	int r;

	if (!machine || module->quantum != machine->quantum)
		return -EBADMSG;
	r = read_code(image, place, machine->quantum, &code);
	if (r == 0)
		r = read_deltas(image, module, deltas, &table);
	if (r < 0)
		return r;
	if (!machine->is_entry(&code))
		return -EOPNOTSUPP;
	r = find_returns(machine, &code, &table, &function);
	if (r < 0)
		return r;
	if (function.n_returns == 0 || !are_all(machine, &code, &function))
		return -EOPNOTSUPP;
	function.entry = code.offset;
	*ret_function = function;
	return 0;
}
