/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hook of a surface is used: what can be told of it without loading anything, from the
 * kernel's types and from the options.
 */
#ifndef WEFT_ATTACH_CHOICE_H
#define WEFT_ATTACH_CHOICE_H

#include <stdint.h>

#include "attach/hooks.h"

struct btf;

#define LOADER_REASON_MAX 256

/* What became of each hook of a surface. */
struct surface_state {
	int chosen; /* index of the hook in use, -1: none */
	/* why not: empty if chosen or not tried */
	char reasons[SURFACE_HOOKS_MAX][LOADER_REASON_MAX];
};

struct choice {
	const struct btf *btf;	     /* the kernel's */
	const uint32_t *hooks_off;   /* by surface; bit n: its hook n is not to be tried */
	bool preempts;		     /* the kernel does, everywhere (preempt.h) */
	struct surface_state *state; /* by surface */
};

/* No hook of any surface is chosen, or was looked at. */
void choice_init(const struct choice *choice);

/*
 * Goes on to the surface's next hook that may work, or to none. Those that are passed over get
 * their reason; why the last one did not do is the caller's to say.
 */
void choice_next(const struct choice *choice, size_t surface);

/* The surface's hook as of now, NULL: none. */
const struct hook *choice_hook(const struct choice *choice, size_t surface);

/* Is the program of a chosen hook used on this kernel? Some are left out where it lacks something.
 */
bool choice_has_program(const struct btf *btf, const struct hook_program *program);

/* Is there such a function in the kernel? */
bool choice_has_function(const struct btf *btf, const char *function);

/* How many arguments the kernel's function takes, 0: there is no such function. */
unsigned int choice_arguments(const struct btf *btf, const char *function);

#endif
