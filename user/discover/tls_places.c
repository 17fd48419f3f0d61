/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/tls_places.h"

#include <string.h>
#include <unistd.h>

#include "discover/code_refs.h"
#include "discover/elf_file.h"
#include "discover/probe_place.h"

#define CALLER_MAX 256 /* bytes of SSL_read, SSL_write: they do little but call */

/* What must be at a place as it is at the function's beginning. Returns are seen by uretprobes. */
static const uint32_t kept[] = {
	[TLS_FUNCTION_SEND] = PROBE_PLACE_ARGS_3,
	[TLS_FUNCTION_RECV] = PROBE_PLACE_ARGS_3 | PROBE_PLACE_STACK,
	[TLS_FUNCTION_RECV_AT] = PROBE_PLACE_ARGS_4 | PROBE_PLACE_STACK,
	[TLS_FUNCTION_GO_WRITE] = PROBE_PLACE_GO,
	[TLS_FUNCTION_GO_READ] = PROBE_PLACE_GO,
	[TLS_FUNCTION_GO_RETURN] = ~0u,
	[TLS_FUNCTION_RUST_WRITE] = PROBE_PLACE_RUST,
	[TLS_FUNCTION_RUST_READ] = PROBE_PLACE_RUST,
};

_Static_assert(sizeof(kept) / sizeof(kept[0]) == TLS_FUNCTION_KINDS, "each kind is told");

/* Bytes of the code there; 0: there is none. */
static size_t read_code(int fd, uint64_t offset, uint8_t *code, size_t size)
{
	ssize_t n = offset <= INT64_MAX ? pread(fd, code, size, (off_t)offset) : -1;

	return n > 0 ? (size_t)n : 0;
}

static void settle(int fd, struct tls_function *function)
{
	uint8_t code[PROBE_PLACE_CODE_MAX];
	size_t len = read_code(fd, function->offset, code, sizeof(code));
	struct probe_place place = probe_place(code, len, kept[function->kind]);

	function->offset += place.advance;
	function->stepped = place.stepped;
}

static struct tls_function *find(struct tls_library *library, const char *name)
{
	for (size_t i = 0; i < library->n_functions; i++)
		if (strcmp(library->functions[i].name, name) == 0)
			return &library->functions[i];
	return NULL;
}

/* Is there a call of the function? Four bytes that would say so by chance are not to be feared. */
static bool calls(int fd, const struct tls_function *caller, uint64_t target)
{
	uint8_t code[CALLER_MAX];
	size_t len = read_code(fd, caller->offset, code, sizeof(code));

	return code_find_call(ELF_MACHINE, code, len, caller->offset, target) < len;
}

/* A function that hands all of its arguments on, one that calls the same, and what both do. */
struct inner {
	const char *passes, *calls;
	struct tls_function is; /* the kind and the name in OpenSSL's sources */
};

/* ssl/ssl_lib.c, since 1.1.1; SSL_write_ex2 since 3.3, and then SSL_write_ex calls that one. */
static const struct inner inners[] = {
	{ "SSL_read_ex",
	  "SSL_read",
	  { .kind = TLS_FUNCTION_RECV_AT, .name = "ssl_read_internal" } },
	{ "SSL_write_ex2",
	  "SSL_write",
	  { .kind = TLS_FUNCTION_SEND, .name = "ssl_write_internal" } },
	{ "SSL_write_ex",
	  "SSL_write",
	  { .kind = TLS_FUNCTION_SEND, .name = "ssl_write_internal" } },
};

/* False: it is not certain which function it is, or a probe there costs no less. */
static bool find_inner(int fd, struct tls_library *library, const struct inner *inner,
		       struct tls_function *ret_function)
{
	const struct tls_function *passes = find(library, inner->passes);
	const struct tls_function *other = find(library, inner->calls);
	struct tls_function function = inner->is;
	uint8_t code[PROBE_PLACE_CODE_MAX];
	size_t len;

	if (!passes || !other)
		return false;
	len = read_code(fd, passes->offset, code, sizeof(code));
	if (!probe_place_call(code, len, kept[function.kind] & ~PROBE_PLACE_STACK, passes->offset,
			      &function.offset) ||
	    !calls(fd, other, function.offset))
		return false;
	settle(fd, &function);
	*ret_function = function;
	return !function.stepped;
}

static bool is_same_way(enum tls_function_kind a, enum tls_function_kind b)
{
	return (a == TLS_FUNCTION_SEND) == (b == TLS_FUNCTION_SEND);
}

/* The one function instead of all that do the same. */
static void take_inner(struct tls_library *library, const struct tls_function *inner)
{
	size_t n = 0;

	for (size_t i = 0; i < library->n_functions; i++)
		if (!is_same_way(library->functions[i].kind, inner->kind))
			library->functions[n++] = library->functions[i];
	library->functions[n++] = *inner;
	library->n_functions = n;
}

void tls_places_settle(int fd, struct tls_library *library)
{
	struct tls_function inner;

	for (size_t i = 0; i < sizeof(inners) / sizeof(inners[0]); i++)
		if (find_inner(fd, library, &inners[i], &inner))
			take_inner(library, &inner);
	for (size_t i = 0; i < library->n_functions; i++)
		settle(fd, &library->functions[i]);
}
