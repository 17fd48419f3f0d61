/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a TLS library: a function that is told lies within the file, and both ways are told.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "discover/tls_library.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_library library;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (tls_library_read(fd, NULL, &library) == 0) {
		if (!library.name || library.n_functions < 2 ||
		    library.n_functions > TLS_FUNCTIONS_MAX)
			abort();
		for (size_t i = 0; i < library.n_functions; i++)
			if (!library.functions[i].name || library.functions[i].offset >= size)
				abort();
	}
	close(fd);
	return 0;
}
