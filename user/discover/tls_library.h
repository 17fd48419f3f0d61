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

#define TLS_FUNCTIONS_MAX 40 /* Go's read returns at several places */
#define BUILD_ID_MAX	  32 /* bytes; 20 are usual */

struct tls_cache;

enum tls_function_kind {
	TLS_FUNCTION_SEND,    /* (session, buffer, size) */
	TLS_FUNCTION_RECV,    /* the same; returns how much */
	TLS_FUNCTION_RECV_AT, /* (session, buffer, size, where to leave how much) */
	/* of Go, on its connection (connection, slice), in registers */
	TLS_FUNCTION_GO_WRITE,
	TLS_FUNCTION_GO_READ,
	TLS_FUNCTION_GO_RETURN, /* an instruction that a read returns by */
	/* of rustls, once for each record */
	TLS_FUNCTION_RUST_WRITE, /* (encrypter, message, number) */
	TLS_FUNCTION_RUST_READ,	 /* (state, context, message) */
	TLS_FUNCTION_KINDS,
};

struct tls_function {
	enum tls_function_kind kind;
	const char *name; /* constant */
	uint64_t offset;  /* of the instruction that the probe is set to, in the file */
	bool stepped;	  /* the kernel has the processor step there: see probe_place.h */
};

struct tls_library {
	const char *name;     /* constant: "OpenSSL", "GnuTLS", "NSS", "Go", "rustls" */
	const char *found_by; /* constant: how certain it is, in words */
	bool direct;	      /* not by threads: no uretprobe, and records are kept by socket */
	size_t n_functions;
	struct tls_function functions[TLS_FUNCTIONS_MAX];
	char build_id[2 * BUILD_ID_MAX + 1]; /* in hexadecimal; empty: it has none */
};

/* By its name alone: may the file that is mapped from `path` be such a library? */
bool tls_library_named(struct view path);

/*
 * Looks for the functions in the file. Only what is certainly a function of the library counts: a
 * symbol of that name and type, in code, with code at its place; or what tls_stripped.h says.
 * -ENOENT: there are none; -EBADMSG: no ELF file of this machine, or malformed; -E2BIG: more of it
 * than real files have; -EOPNOTSUPP: it is Go's, in a form that is not known. `cache`: of files
 * without symbols, or NULL.
 */
int tls_library_read(int fd, struct tls_cache *cache, struct tls_library *ret_library);

/* Why a file of a process is looked at. */
enum tls_file {
	TLS_FILE_PROGRAM, /* it is Go's, or speaks TLS */
	TLS_FILE_NAMED,	  /* as such a library is */
	TLS_FILE_OTHER,	  /* any other code of a process that speaks TLS */
};

typedef void (*tls_library_found)(void *context, enum tls_file why, int fd, struct view path);

/*
 * Calls `found` for each file with such a name that the process has mapped as code, and for its
 * program if that is Go's, with a descriptor of it that is closed afterwards. `speaks`: TLS was
 * seen on its sockets, and the program may hold any library within it, as may any file that it has
 * mapped: `found` is called for these, too, up to some number. Gives the number of files with a
 * name, and programs. -ESRCH: there is no such process; -errno.
 */
int tls_library_scan(const char *proc, pid_t pid, bool speaks, tls_library_found found,
		     void *context);

/*
 * Is it worth to look into a TLS_FILE_OTHER? It names source files of a library. 0, or -ENOENT and
 * others as above.
 */
int tls_library_hinted(int fd);

#endif
