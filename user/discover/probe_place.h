/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a function a probe costs least. The kernel puts a breakpoint over an instruction, and
 * then does itself what some instructions do: on x86-64 push, jump and nop
 * (arch/x86/kernel/uprobes.c: push_setup_xol_ops(), branch_setup_xol_ops()). Any other it has the
 * processor step through, which is a second trap. Measured in a virtual machine, which that one
 * leaves: 0.8 us against 12.
 */
#ifndef WEFT_DISCOVER_PROBE_PLACE_H
#define WEFT_DISCOVER_PROBE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define PROBE_PLACE_KNOWN true
#else /* what is emulated there depends on the kernel's version: all is taken as stepped */
#define PROBE_PLACE_KNOWN false
#endif

#define PROBE_PLACE_CODE_MAX 64 /* bytes of a function's beginning that are worth a look */

/* Registers as x86-64 counts them, a bit each. */
#define PROBE_PLACE_ARGS_3 0x00c4u /* rdi, rsi, rdx */
#define PROBE_PLACE_ARGS_4 0x00c6u /* and rcx */
#define PROBE_PLACE_RUST   0x03d6u /* all arguments, and rsp */
#define PROBE_PLACE_STACK  0x0010u /* rsp: where it points to is the return address */
#define PROBE_PLACE_GO	   0xefffu /* all but r12, which a function's check of its stack may use */

struct probe_place {
	uint32_t advance; /* bytes behind the function's beginning */
	bool stepped;	  /* the kernel does not do what the instruction does */
};

/*
 * The first such instruction on the only way from the function's first byte, before any of the
 * registers in `kept` changes. If there is none, the first instruction. `len`: how many bytes of
 * `code` are known.
 */
struct probe_place probe_place(const uint8_t *code, size_t len, uint32_t kept);

/* The function that this one calls first, if nothing comes before that changes one of the
 * registers. False: none does that for certain. `address`: of the code; 0xe8, near call. */
bool probe_place_call(const uint8_t *code, size_t len, uint32_t kept, uint64_t address,
		      uint64_t *ret_target);

#endif
