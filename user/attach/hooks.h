/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weft attaches to, as a table: surfaces, each with hooks in the order in which they are
 * tried. The first that loads and attaches on this kernel is used; what a kernel refuses turns off
 * its own surface and nothing else.
 */
#ifndef WEFT_ATTACH_HOOKS_H
#define WEFT_ATTACH_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#define HOOK_PROGRAMS_MAX 16
#define SURFACE_HOOKS_MAX 6

/* What a program is attached to that is not told by a name in the kernel's BTF. */
enum hook_place {
	PLACE_KERNEL,	    /* the tracepoint or function that is named */
	PLACE_CGROUP,	    /* the root of the cgroup v2 hierarchy */
	PLACE_SOCKETS,	    /* the map of enrolled sockets */
	PLACE_LIBRARY,	    /* functions of programs and libraries, as they are found: library.h */
	PLACE_NEXT,	    /* nothing: the programs at the socket tracepoints go on with it */
	PLACE_LIBRARY_NEXT, /* the same of those at functions of libraries */
	PLACE_SEQUENCE,	    /* nothing: it is run over all TCP sockets of a namespace */
};

/* A program, and what it hooks: a tracepoint or a function that must be in the kernel's BTF. */
struct hook_program {
	const char *name; /* in the BPF object; may stand in several rows, with other functions */
	const char *tracepoint;
	const char *function;
	const char *constant;	    /* that must be in the kernel's BTF, too */
	unsigned int arguments;	    /* that it must take: 0 = any number */
	unsigned int arguments_max; /* the most, if it may take more than that */
	unsigned int slot; /* PLACE_NEXT: enum socket_goal; PLACE_LIBRARY_NEXT: library_goal */
	bool if_there;	   /* left out where the kernel lacks the function */
	enum hook_place place;
};

/*
 * Can a task be preempted within the hook's programs? The kernel leaves out the run of a program
 * that another task begins on that CPU meanwhile, so a call goes unseen.
 */
enum hook_preemption {
	PREEMPTION_OFF,
	PREEMPTION_NEW, /* since Linux 7.0 (commit a46023d5616e) */
	PREEMPTION_ON,
	PREEMPTION_ACCEPTED, /* and there is nothing better */
};

struct hook {
	const char *name; /* for people: "tp_btf sock_send_length" */
	struct hook_program programs[HOOK_PROGRAMS_MAX];
	bool by_address; /* state is kept by the socket's address */
	bool multi;	 /* PLACE_LIBRARY: by links that hold many places */
	enum hook_preemption preemption;
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
	SURFACE_WIRE,
	SURFACE_LIBRARIES,
	SURFACE_DIRECT,
	SURFACE_OPEN,
	SURFACE_MAX,
};

extern const struct surface surfaces[SURFACE_MAX];

/* Number of hooks of a surface. */
size_t surface_hooks(const struct surface *surface);

#endif
