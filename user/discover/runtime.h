/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which language runtime a process runs on. The executable's name decides first, then the libraries
 * that are mapped, then the executable's content.
 */
#ifndef WEFT_DISCOVER_RUNTIME_H
#define WEFT_DISCOVER_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"
#include "discover/process.h"

#define RUNTIME_VERSION_MAX 63

struct runtime_facts {
	enum runtime runtime;
	char version[RUNTIME_VERSION_MAX + 1]; /* empty: not known */
};

/*
 * The runtime that an executable of this path is an interpreter or virtual machine of
 * ("python3.11", "node"), RUNTIME_NATIVE for any other.
 */
enum runtime runtime_of_executable(struct view path);

/*
 * Finds the runtime of the process whose /proc directory is `dir` (-1: gone, only the name counts).
 * `executable` is its path, `maps` the content of /proc/PID/maps; both may be empty.
 */
void runtime_read(int dir, struct view executable, struct view maps,
		  struct runtime_facts *ret_facts);

/* telemetry.sdk.language of the semantic conventions; "cpp" for native code. */
const char *runtime_language(enum runtime runtime);

/* enum unit_kind (bpf/abi/config.h) of a process. */
uint8_t runtime_unit(enum runtime runtime, struct view executable);

#endif
