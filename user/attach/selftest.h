/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be done to requests that go out, found out on connections of weft's own: they are
 * treated as those of applications will be, and must behave as ordinary ones do. What a kernel's
 * version promises is not asked.
 */
#ifndef WEFT_ATTACH_SELFTEST_H
#define WEFT_ATTACH_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/config.h"

#define SELFTEST_CHECKS_MAX 40
#define SELFTEST_REASON_MAX 192

enum check_outcome {
	CHECK_OK,
	CHECK_WRONG,   /* the connection does not behave as an ordinary one does */
	CHECK_BROKEN,  /* the test itself could not be done */
	CHECK_SKIPPED, /* this host has nothing to be checked */
};

struct selftest_check {
	const char *name;
	enum wire_mode mode; /* in which it was made */
	bool option;	     /* of the TCP option: the mode does not hang on it */
	enum check_outcome outcome;
	char reason[SELFTEST_REASON_MAX]; /* empty if CHECK_OK */
	uint64_t ns;
};

struct selftest {
	enum wire_mode mode; /* the best one in which nothing is wrong */
	bool tcp_option;
	char reason[SELFTEST_REASON_MAX];	 /* why `mode` is not WIRE_FULL, or empty */
	char option_reason[SELFTEST_REASON_MAX]; /* why `tcp_option` is off, or empty */
	uint64_t ns;				 /* how long it took */
	uint64_t cpu_ns;
	size_t n_checks;
	struct selftest_check checks[SELFTEST_CHECKS_MAX];
};

/* The kernel side, as the test needs it. `context` comes first. */
struct selftest_kernel {
	void *context;
	/* What is done to connections that this process opens from now on; without `tested` they
	   are nobody's concern. -errno. */
	int (*set)(void *context, enum wire_mode mode, bool tested);
	/* Are messages of the socket with this cookie looked at? */
	bool (*enrolled)(void *context, uint64_t cookie);
	/* From now on they are not. -errno. */
	int (*remove)(void *context, uint64_t cookie);
	/* Has a context come in a TCP option, to the socket with this cookie? */
	bool (*option_came)(void *context, uint64_t cookie);
};

struct selftest_options {
	struct selftest_kernel kernel;
	__u64 propagators; /* of weft_knobs: what is written */
	bool headers;	   /* messages can be looked at, and are to be given headers */
	bool tcp_option;
};

/*
 * Makes the checks and decides. Whatever goes wrong is in the result; no descriptor is left open,
 * and the kernel side is left with no process tested. Takes some ten milliseconds, and at most
 * about seven seconds on a host where nothing gets on.
 */
void selftest_run(const struct selftest_options *options, struct selftest *ret_test);

/*
 * What follows from the checks: sets mode, tcp_option and their reasons. A mode is taken if it was
 * checked and nothing was wrong, WIRE_FULL first; if the test itself failed, nothing is done to
 * anybody.
 */
void selftest_decide(struct selftest *test);

/* "full", "early_leave", "off". */
const char *wire_mode_name(enum wire_mode mode);

#endif
