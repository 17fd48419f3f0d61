/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an OpenTelemetry SDK publishes in its own process' memory for readers like this one (OTEP
 * 4719, "Process context"): a named mapping with a header that points at a ProcessContext message.
 */
#ifndef WEFT_DISCOVER_PROCESS_CONTEXT_H
#define WEFT_DISCOVER_PROCESS_CONTEXT_H

#include "base/view.h"
#include "discover/attributes.h"

#define PROCESS_CONTEXT_MAX (64 * 1024) /* bytes of a message; a longer one is refused */

/* Strings, booleans and numbers, as text; lists and bytes are left out. */
struct process_context {
	struct attributes resource;
	struct attributes more; /* what readers must know besides */
};

/*
 * Reads the context of the process whose /proc directory is `dir`; `maps` is the content of its
 * "maps"; `*context` is empty. -ENOENT: none published; -EAGAIN: it kept changing; -EBADMSG: not
 * understood (other version, bad message); -E2BIG; -ENOMEM; -errno of reading the memory.
 */
int process_context_read(int dir, struct view maps, struct process_context *context);

/* The message alone. -EBADMSG: cut or malformed, and nothing was added; -ENOMEM. */
int process_context_parse(struct view message, struct process_context *context);

void process_context_clear(struct process_context *context);

#endif
