/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an executable of which is asked whether Go's linker has made it. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "discover/go_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char version[GO_VERSION_MAX + 1];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	int r;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	memset(version, 'x', sizeof(version));
	r = go_build_read(fd, version);
	if (r == 0 ? memchr(version, 0, sizeof(version)) == NULL
		   : r != -ENOENT && r != -EBADMSG && r != -E2BIG)
		abort();
	close(fd);
	return 0;
}
