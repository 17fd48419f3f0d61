/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a stripped file: what is found of a library is whole, and lies in the file. */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "discover/tls_stripped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct tls_library *library, size_t size)
{
	bool sends = false, receives = false;

	if (!library->name || library->n_functions < 2 || library->n_functions > TLS_FUNCTIONS_MAX)
		abort();
	for (size_t i = 0; i < library->n_functions; i++) {
		const struct tls_function *function = &library->functions[i];

		if (!function->name || function->offset >= size)
			abort();
		for (size_t k = 0; k < i; k++)
			if (library->functions[k].offset == function->offset)
				abort();
		sends |= function->kind == TLS_FUNCTION_SEND;
		receives |= function->kind == TLS_FUNCTION_RECV ||
			    function->kind == TLS_FUNCTION_RECV_AT;
	}
	if (!sends || !receives)
		abort();
}

/* Once more, with what is known of it by then. */
static void check_again(int fd, uint16_t machine, struct tls_cache *cache,
			const struct tls_library *first)
{
	struct tls_library library = { .build_id = "ab" };

	if (tls_stripped_find(fd, machine, cache, &library) != 0 ||
	    library.n_functions != first->n_functions)
		abort();
	for (size_t i = 0; i < library.n_functions; i++)
		if (library.functions[i].offset != first->functions[i].offset ||
		    library.functions[i].kind != first->functions[i].kind)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t machines[] = { EM_X86_64, EM_AARCH64 };
	static struct tls_cache cache;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	for (size_t i = 0; i < 2; i++) {
		struct tls_library library = { .build_id = "ab" };

		memset(&cache, 0, sizeof(cache));
		if (tls_stripped_find(fd, machines[i], &cache, &library) == 0) {
			check(&library, size);
			check_again(fd, machines[i], &cache, &library);
			if (tls_stripped_hinted(fd, machines[i]) != 0)
				abort();
		} else if (library.n_functions != 0) {
			abort();
		}
	}
	close(fd);
	return 0;
}
