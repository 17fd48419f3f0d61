/* SPDX-License-Identifier: Apache-2.0 */
#include "base/version.h"

#include <stdio.h>

#include "base/log.h"
#include "cli/command.h"

#ifdef WEFT_COMMIT
#define COMMIT_TEXT ", commit " WEFT_COMMIT
#else
#define COMMIT_TEXT ""
#endif

int cli_version(int argc, char **argv)
{
	if (argc > 1) {
		log_error("version: '%.100s': unexpected argument; it takes none", argv[1]);
		return STATUS_USAGE;
	}
	printf("weft %s (libbpf %s%s)\n", WEFT_VERSION, WEFT_LIBBPF, COMMIT_TEXT);
	return STATUS_OK;
}
