/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an executable or a library in which a thread-local variable is looked for. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "discover/tls_symbol.h"

#define BUDGET (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct tls_symbol symbol = { .access = TLS_NO_SLOT };
	size_t budget = BUDGET;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (tls_symbol_find(fd, "otel_thread_ctx_v1", &budget, &symbol) == 0 &&
	    (symbol.access > TLS_INDEX || symbol.base & 0xfff))
		abort();
	if (budget > BUDGET)
		abort();
	close(fd);
	return 0;
}
