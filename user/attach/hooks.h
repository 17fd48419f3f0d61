/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weft attaches to, as a table: surfaces, each with hooks in the order in which they are tried.
 * The first that loads and attaches on this kernel is used; what a kernel refuses turns off its own
 * surface and nothing else.
 */
#ifndef WEFT_ATTACH_HOOKS_H
#define WEFT_ATTACH_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#define HOOK_PROGRAMS_MAX 4
#define SURFACE_HOOKS_MAX 3

struct hook {
	const char *name;			   /* for people: "tp_btf sock_send_length" */
	const char *programs[HOOK_PROGRAMS_MAX];   /* of the BPF object, NULL-terminated */
	const char *tracepoints[HOOK_PROGRAMS_MAX]; /* that must be in the kernel's BTF */
	const char *functions[HOOK_PROGRAMS_MAX];  /* the same of functions */
};

struct surface {
	const char *name;
	const char *without; /* what is missing when no hook works */
	bool required;	     /* weft cannot run without it */
	struct hook hooks[SURFACE_HOOKS_MAX];
};

enum surface_id {
	SURFACE_SOCKET_DATA,
	SURFACE_CONNECTION_STATE,
	SURFACE_PROCESSES,
	SURFACE_SPLICE,
	SURFACE_IO_URING,
	SURFACE_MAX,
};

extern const struct surface surfaces[SURFACE_MAX];

/* Number of hooks of a surface. */
size_t surface_hooks(const struct surface *surface);

#endif
