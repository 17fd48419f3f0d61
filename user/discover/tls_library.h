/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that speak TLS for a program: which files they are, and where in them the functions are
 * that are handed bytes in the clear. Files are hostile: sizes are bounded before anything of them
 * is read.
 */
#ifndef WEFT_DISCOVER_TLS_LIBRARY_H
#define WEFT_DISCOVER_TLS_LIBRARY_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/view.h"

#define TLS_FUNCTIONS_MAX 8
#define BUILD_ID_MAX	  32 /* bytes; 20 are usual */

enum tls_function_kind {
	TLS_FUNCTION_SEND,    /* (session, buffer, size) */
	TLS_FUNCTION_RECV,    /* the same; returns how much */
	TLS_FUNCTION_RECV_AT, /* (session, buffer, size, where to leave how much) */
};

struct tls_function {
	enum tls_function_kind kind;
	const char *name; /* constant */
	uint64_t offset;  /* of its first byte in the file */
};

struct tls_library {
	const char *name; /* constant: "OpenSSL", "GnuTLS" */
	size_t n_functions;
	struct tls_function functions[TLS_FUNCTIONS_MAX];
	char build_id[2 * BUILD_ID_MAX + 1]; /* in hexadecimal; empty: it has none */
};

/* By its name alone: may the file that is mapped from `path` be such a library? */
bool tls_library_named(struct view path);

/*
 * Looks for the functions in the file. Only what is certainly a function of the library counts: a
 * symbol of that name and type, in code, with code at its place. -ENOENT: there are none; -EBADMSG:
 * no ELF file of this machine, or malformed; -E2BIG: more of it than real files have.
 */
int tls_library_read(int fd, struct tls_library *ret_library);

/*
 * Calls `found` for each file with such a name that the process has mapped as code, with a
 * descriptor of it that is closed afterwards. Gives the number of them. -ESRCH: there is no such
 * process; -errno.
 */
int tls_library_scan(const char *proc, pid_t pid,
		     void (*found)(void *context, int fd, struct view path), void *context);

#endif
