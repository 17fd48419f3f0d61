/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What user space tells the kernel side: knobs, fixed between open and load; the process table; and
 * the one page that pipeline and kernel both write.
 */
#ifndef WEFT_ABI_CONFIG_H
#define WEFT_ABI_CONFIG_H

#include "types.h"

/* What handles a request in a process: how "the current request" is found there. */
enum unit_kind {
	UNIT_THREAD,	 /* the thread that read it, unless the thread is seen to multiplex */
	UNIT_EVENT_LOOP, /* the last request that the loop read, until it reads another one */
	UNIT_UNKNOWN,	 /* neither: a parent is never inferred */
};

#define CONFIG_PORTS_MAX  16
#define CONFIG_RANGES_MAX 32

/* Addresses that agree in their first `bits` bits; bits behind them are zero. */
struct address_range {
	__u8 ip[16]; /* IPv6, or IPv4 mapped (::ffff:a.b.c.d) */
	__u8 bits;   /* 0 to 128; of IPv4 prefixes 96 more than one writes */
	__u8 pad[7];
} __attribute__((aligned(8)));

/* When trace context is put on the wire. */
enum inject_mode {
	INJECT_OFF,
	INJECT_AUTO, /* where the kernel at hand was seen to bear it */
};

/* What becomes of a trace that starts here. */
enum sampler_root {
	SAMPLER_ALWAYS_ON,
	SAMPLER_ALWAYS_OFF,
	SAMPLER_RATIO,
};

/* A trace is kept if the last seven bytes of its id, a big-endian number, are >= the threshold. */
#define SAMPLER_RANDOM_BITS    56
#define SAMPLER_THRESHOLD_NONE (1ULL << SAMPLER_RANDOM_BITS) /* no trace is kept */

#define PROPAGATOR_BITS 4 /* of one entry in `propagators` */

struct weft_knobs {
	__u32 request_head_max;	 /* bytes of a request's head that are captured */
	__u32 response_head_max; /* the same of a response's */
	__u8 select_all;	 /* processes without an entry in `processes` are traced */
	__u8 n_ports;		 /* > 0: only connections with one of these ports at either end */
	__u16 ports[CONFIG_PORTS_MAX];
	__u8 by_address;     /* state of connections is kept in `conns_by_sk`: the socket hook is
				kprobes */
	__u8 recv_arguments; /* of the kernel's tcp_recvmsg: 4 to 6 */
	/* Who decides whether a trace is kept: a context that is honoured, if this is 1 and there
	   is one; else the sampler, by `sampler_threshold`, of which `sampler_root` is the name. */
	__u8 sampler_parent_based;
	__u8 sampler_root;	 /* enum sampler_root */
	__u8 inject;		 /* enum inject_mode */
	__u8 tcp_option;	 /* 1: context may travel in an option of TCP */
	__u64 secret;		 /* random: sockets are named by a mix of it and their address */
	__u64 sampler_threshold; /* 0: every trace is kept; SAMPLER_THRESHOLD_NONE: none is */
	/* enum propagator, the first in the lowest bits, 0 ends: contexts are looked for in this
	   order, and no others are read or written. */
	__u64 propagators;
	__u32 netns; /* inode number: only sockets of this network namespace; 0: all */
	__u8 n_propagate_to;
	__u8 n_propagate_trust;
	__u8 private_stack; /* 1: this kernel may give programs a stack of the CPU's memory */
	__u8 tls;	    /* 1: what TLS carries is looked for */
	struct address_range propagate_to[CONFIG_RANGES_MAX];	 /* whom context is sent to */
	struct address_range propagate_trust[CONFIG_RANGES_MAX]; /* whose context is honoured */
};

/* What the programs at the socket tracepoints go on with: slots of the map `socket_next`. */
enum socket_goal {
	SOCKET_WALK,
	SOCKET_TLS,	/* with knobs.tls */
	SOCKET_NOWHERE, /* always empty */
	SOCKET_GOALS,
};

/* The same of programs at functions of libraries: slots of the map `library_next`. */
enum library_goal {
	LIBRARY_WALK,
	LIBRARY_NOWHERE, /* always empty */
	LIBRARY_GOALS,
};

/* What is done to requests that go out, as the self-test has settled it. */
enum wire_mode {
	WIRE_OFF,
	WIRE_FULL,	  /* a header in every request */
	WIRE_EARLY_LEAVE, /* in the first request of a connection: this kernel breaks FIONREAD */
	WIRE_ENDING,	  /* none; no socket is enrolled, and those that are leave as they send */
};

/* The one entry of the map `wire`. Written by the watcher, and in the end by the guard and
 * probes/process.bpf.c. */
struct wire_config {
	__u32 mode; /* enum wire_mode */
	/* Until tracing begins: the process whose connections are looked at all the same and are
	   not reported, or TEST_PID_NONE. Then 0. */
	__u32 test_pid;
};

#define TEST_PID_NONE 0xffffffffu /* no process has this id */

#define PROCESS_F_SELECTED (1 << 0)
#define PROCESS_F_NOTED	   (1 << 1) /* the watcher knows of it */
/* its SDK says which span a thread is in: `thread_context` */
#define PROCESS_F_THREAD_CONTEXT (1 << 2)
#define PROCESS_F_ENROLS	 (1 << 3) /* when it ends, nobody is enrolled any more */
#define PROCESS_F_TLS		 (1 << 4) /* the watcher knows that it speaks TLS */

/*
 * Marks of processes that are selected, by the last bits of their id. Without one a process is not,
 * and no map need be asked; with one it may be another's. Never taken back: ids come again.
 */
#define PROCESS_MARKS	     65536 /* a power of two */
#define PROCESS_MARK_OF(pid) ((pid) & (PROCESS_MARKS - 1))

/* Where a variable lies that every thread has for itself. */
struct tls_place {
	__s64 offset; /* from the thread pointer, or else in the module's block */
	__u32 module; /* its number in the thread's vector (DTV), 0: the thread pointer counts */
	__u32 pad;
};

/* Value of the map `processes`, by thread group id. */
struct process_config {
	__u8 flags; /* PROCESS_F_* */
	__u8 unit;  /* enum unit_kind */
	__u16 pad;
	__u32 pad2;
	struct tls_place thread_context; /* the variable otel_thread_ctx_v1 */
};

/* The one entry of the map `control`, mapped by the pipeline. */
struct weft_control {
	__u64 reader_idle; /* 1: the reader sleeps, wake it on the next record */
	__u64 alive_ns;	   /* CLOCK_MONOTONIC: when the reader last looked */
};

/*
 * Where new exchanges are followed in a part of the time only: how often that begins. A power of
 * two, and long beside what most traces take: these are followed whole, or not at all.
 */
#define FOLLOW_WINDOW_NS (1ULL << 29)

/* Records of the ring buffer `process_events`, kernel to watcher. */
enum process_event_type {
	PROCESS_EXEC = 1, /* a new program image */
	PROCESS_EXIT,	  /* the last thread is gone */
	PROCESS_SEEN,	  /* first traced bytes of a process that the watcher has not described */
	PROCESS_TLS,	  /* its first connection that carries TLS */
};

#define PROCESS_ARGS_MAX 256

struct process_event {
	__u32 type;
	__u32 pid;
	__u32 parent_pid;
	__u32 args_len; /* bytes of args[], PROCESS_EXEC only */
	char comm[WEFT_COMM_LEN];
	char args[PROCESS_ARGS_MAX]; /* the command line, NUL-separated, cut */
};

_Static_assert(sizeof(struct address_range) == 24, "ABI");
_Static_assert(sizeof(struct weft_knobs) == 1616, "ABI");
_Static_assert(sizeof(struct wire_config) == 8, "ABI");
_Static_assert(sizeof(struct tls_place) == 16, "ABI");
_Static_assert(sizeof(struct process_config) == 24, "ABI");
_Static_assert(sizeof(struct weft_control) == 16, "ABI");
_Static_assert(sizeof(struct process_event) == 288, "ABI");

#endif
