/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes at functions of libraries: where they are found is discover/tls_library.h. A probe is set
 * into the file's pages, for all processes that map it, and is gone with its link.
 */
#ifndef WEFT_ATTACH_LIBRARY_H
#define WEFT_ATTACH_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIBRARY_MULTI	   48 /* BPF_TRACE_UPROBE_MULTI, Linux 6.6 */
#define LIBRARY_PROBES_MAX 40
#define LIBRARY_LINKS_MAX  40

struct loader;

/* What a function does with the buffer that it is handed: SSL_write and its kin. */
enum library_call {
	LIBRARY_SEND,	 /* (session, buffer, size) */
	LIBRARY_RECV,	 /* the same; returns how much */
	LIBRARY_RECV_AT, /* (session, buffer, size, where to leave how much) */
	LIBRARY_RETURN,	 /* returns of the other two */
	/* Go's, on a connection (connection, slice) */
	LIBRARY_GO_WRITE,
	LIBRARY_GO_READ,
	LIBRARY_GO_RETURN, /* an instruction that a read returns by */
	/* rustls', of a record */
	LIBRARY_RUST_WRITE, /* (encrypter, message, number) */
	LIBRARY_RUST_READ,  /* (state, context, message) */
	LIBRARY_CALL_MAX,
};

struct library_probe {
	enum library_call call; /* not LIBRARY_RETURN */
	uint64_t offset; /* of the function's first byte, or of the instruction, in the file */
};

/* Attached probes: descriptors, the caller's. */
struct library_links {
	size_t n;
	int fds[LIBRARY_LINKS_MAX];
};

/*
 * Sets the probes into the file that `fd` is, all or none. `multi`: as the loader's hook says.
 * -E2BIG: more than fit; -errno.
 */
int library_attach(const struct loader *loader, bool multi, int fd,
		   const struct library_probe *probes, size_t n, struct library_links *ret_links);

void library_detach(struct library_links *links);

/*
 * What a probe costs whoever comes by, in ns, what is done there left out: measured on a function
 * of weft's own, in less than a millisecond. `stepped`: at an instruction that the kernel does not
 * do itself, or else at one that it does (discover/probe_place.h). -errno: it cannot be.
 */
int library_trap_ns(bool stepped, uint64_t *ret_ns);

/*
 * Tries the probes on a function of weft's own. Some kernels end a process that returns from a
 * probed function when seccomp(2) does not let it make a call that only the kernel knows of (Linux
 * 6.11 and later): a child finds out. Of Go's and Rust's no return is probed so. Non-zero: they
 * must not be used, as `reason` says, which has room for LOADER_REASON_MAX.
 */
int library_try(const struct loader *loader, enum library_call call, bool multi, char *reason);

#endif
