/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a Go executable: a place that is named must be an instruction's that returns. */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "discover/go_function.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size, uint16_t machine,
		  const struct go_function *function)
{
	static const uint8_t returns[] = { 0xc0, 0x03, 0x5f, 0xd6 };

	if (function->result < 0) {
		if (function->entry != 0 || function->n_returns != 0)
			abort();
		return;
	}
	if (function->n_returns == 0 || function->n_returns > GO_RETURNS_MAX)
		abort();
	for (size_t i = 0; i < function->n_returns; i++) {
		uint64_t at = function->returns[i];

		if (at <= (i ? function->returns[i - 1] : function->entry) || at >= size)
			abort();
		if (machine == EM_X86_64 ? data[at] != 0xc3
					 : size - at < 4 || memcmp(data + at, returns, 4) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "crypto/tls.(*Conn).Read", "main.last", "x" };
	static const uint16_t machines[] = { EM_X86_64, EM_AARCH64 };
	struct go_function functions[3];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	for (size_t i = 0; i < 2; i++) {
		if (go_functions_find(fd, machines[i], names, 3, functions) < 0)
			continue;
		for (size_t k = 0; k < 3; k++)
			check(data, size, machines[i], &functions[k]);
	}
	close(fd);
	return 0;
}
