/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the threads of a process say in which span they are (OTEP 4947, "Thread Context"): a
 * thread-local variable of the executable or of a library. The kernel side reads it there.
 */
#ifndef WEFT_DISCOVER_THREAD_CONTEXT_H
#define WEFT_DISCOVER_THREAD_CONTEXT_H

#include "base/view.h"
#include "bpf/abi/config.h"
#include "discover/process_context.h"

/*
 * Finds the variable in the process whose /proc directory is `dir`; `maps` is the content of its
 * "maps". Files are only looked into if the process context says that threads have one, as the OTEP
 * asks of readers. Understood are glibc's static and dynamic TLS; with another C library only the
 * static one. -ENOENT: there is none, or none that can be found; -EBADMSG: what the dynamic linker
 * left makes no sense; -errno of reading.
 */
int thread_context_find(int dir, struct view maps, const struct process_context *context,
			struct tls_place *ret_place);

#endif
