/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tells the functions of a TLS library from one another in a file without symbols: the strings
 * and numbers that the error paths of each pass on. It is read and not mapped, as it may be cut
 * short at any time.
 */
#ifndef WEFT_DISCOVER_TLS_MARKS_H
#define WEFT_DISCOVER_TLS_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/code_refs.h"
#include "discover/eh_frame.h"
#include "discover/go_image.h"

#define MARKS_TARGETS_MAX   32
#define MARKS_REFS_MAX	    4096 /* to a file's name: some hundreds are usual */
#define MARKS_FUNCTIONS_MAX 1024
#define MARKS_HINTS_MAX	    512 /* functions; OpenSSL 3 has some 200 */
#define MARKS_CODE_MAX                                                                             \
	(16u << 10)	     /* bytes of a function that is looked at closely; they have 3 KB */
#define MARKS_CALLERS_MAX 64 /* of a function */

/* What the code of a function passes on: bits. */
enum mark {
	/* OpenSSL 3: ERR_set_debug(file, line, function), include/openssl/err.h */
	MARK_3_FILE = 1 << 0,
	MARK_3_READ = 1 << 1,
	MARK_3_READ_INTERNAL = 1 << 2,
	MARK_3_WRITE = 1 << 3,
	MARK_3_WRITE_INTERNAL = 1 << 4,
	MARK_3_READ_EARLY = 1 << 5,
	MARK_3_WRITE_EARLY = 1 << 6,
	/* before: ERR_put_error(library, function, reason, file, line), with numbers from
	 * include/openssl/sslerr.h of 1.1.1 (ssl.h of 1.0.2) */
	MARK_1_FILE = 1 << 7,
	MARK_1_READ = 1 << 8,
	MARK_1_READ_INTERNAL = 1 << 9,
	MARK_1_WRITE = 1 << 10,
	MARK_1_WRITE_INTERNAL = 1 << 11,
	MARK_1_READ_EARLY = 1 << 12,
	MARK_1_WRITE_EARLY = 1 << 13,
	/* BoringSSL: ERR_put_error(library, 0, reason, file, line), with reasons from
	 * include/openssl/ssl.h and err.h */
	MARK_B_FILE = 1 << 14,
	MARK_B_QUIC = 1 << 15, /* ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED: not for QUIC, since 2019 */
	MARK_B_HANDSHAKE = 1 << 16,
	MARK_B_UNINITIALIZED = 1 << 17,
};

struct marked {
	struct eh_function place;
	uint32_t marks;
};

struct tls_marks {
	struct go_image image;
	struct eh_frame frame;
	struct code_target targets[MARKS_TARGETS_MAX];
	size_t n_targets;
	struct code_ref refs[MARKS_REFS_MAX];
	struct code_scan scan;
	struct marked functions[MARKS_FUNCTIONS_MAX];
	size_t n_functions;
	uint64_t callee, callers[MARKS_CALLERS_MAX]; /* calls of the first */
	size_t n_callers;
	uint8_t code[MARKS_CODE_MAX]; /* of the function that is looked at */
};

/* Where a file has its marks. */
struct tls_hints {
	size_t n_targets, n_functions;
	struct code_target targets[MARKS_TARGETS_MAX];
	uint64_t functions[MARKS_HINTS_MAX]; /* addresses */
};

/*
 * Reads the file by its descriptor, which stays open as long as the result is used; that is to be
 * freed. `hints`: look there only, whatever they are worth; NULL: everywhere. -ENOENT: it has no
 * such marks; the rest as tls_stripped.h says.
 */
int tls_marks_read(int fd, uint16_t machine, const struct tls_hints *hints,
		   struct tls_marks **ret_marks);

/* For a later call of that, with the same file or one that looks like it. -E2BIG: too many. */
int tls_marks_hints(const struct tls_marks *marks, struct tls_hints *ret_hints);

/* NULL is accepted. */
void tls_marks_free(struct tls_marks *marks);
/* For _cleanup_. */
void tls_marks_clear(struct tls_marks **marks);

/* Does the file have a string at least? As tls_marks_read. */
int tls_marks_hinted(int fd, uint16_t machine);

/* Functions with all bits of `with`, and none of `without`. Gives their number, and the first. */
size_t tls_marks_count(const struct tls_marks *marks, uint32_t with, uint32_t without,
		       const struct marked *ret_functions[], size_t max);

/* Is there, in the code of the first, a call of the second? */
bool tls_marks_calls(struct tls_marks *marks, const struct eh_function *from,
		     const struct marked *function);

/* Leaves in `callers` all places of that code that call the function. 0, or as tls_marks_read. */
int tls_marks_find_callers(struct tls_marks *marks, const struct eh_function *within,
			   const struct marked *function);

#endif
