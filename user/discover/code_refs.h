/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What machine code refers to, of x86-64 and arm64: addresses of constants, calls, numbers that are
 * passed. Nothing is run or followed; bytes are compared with how compilers write the few
 * instructions that do it.
 */
#ifndef WEFT_DISCOVER_CODE_REFS_H
#define WEFT_DISCOVER_CODE_REFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODE_REGISTERS 32

/* Bytes of which any may be referred to; at first and last address. */
struct code_target {
	uint64_t first, last;
	unsigned int what; /* the caller's */
};

struct code_ref {
	uint64_t at; /* address of the instruction */
	unsigned int what;
	int argument; /* of a function, from 0, that the address becomes; -1: none */
};

struct code_scan {
	/* the caller's; the rest are zeros */
	uint16_t machine; /* EM_X86_64, EM_AARCH64 */
	bool absolute;	  /* the program is always loaded at the same, low addresses */
	const struct code_target *targets;
	size_t n_targets;
	struct code_ref *refs; /* has room for `refs_max` */
	size_t refs_max;
	size_t n_refs;
	uint64_t low, high; /* of all targets */
	/* of arm64, where an address takes several instructions: what is in registers */
	uint64_t values[CODE_REGISTERS];
	uint32_t known;
	uint32_t ref_of[CODE_REGISTERS]; /* which reference the value is, from 1 */
};

/* To be called first, and again if targets have changed. */
void code_scan_begin(struct code_scan *scan);

/*
 * Adds the references in the code. Gives the number of bytes that are done with: what follows must
 * begin there. 0: there are too few for an instruction. -E2BIG: no room for references.
 */
int code_scan_add(struct code_scan *scan, const uint8_t *code, size_t len, uint64_t address);

/*
 * Where in the code the function at an address is called first; `len`: nowhere. `address`: of the
 * code.
 */
size_t code_find_call(uint16_t machine, const uint8_t *code, size_t len, uint64_t address,
		      uint64_t function);

/* Is there, in the code, such a number put where a call's argument (from 0 to 3) goes? */
bool code_passes(uint16_t machine, const uint8_t *code, size_t len, unsigned int argument,
		 uint16_t number);

#endif
