/* SPDX-License-Identifier: Apache-2.0 */
/* Does this kernel preempt a task at any point of the kernel? */
#ifndef WEFT_ATTACH_PREEMPT_H
#define WEFT_ATTACH_PREEMPT_H

#include <stdbool.h>

/*
 * What the kernel's parts say: `version` as of uname(2), `modes` of the scheduler ("none voluntary
 * (full)"; empty: not known), `command_line` of the boot. Lazy preemption does not count: there a
 * task is preempted after more than a tick within the kernel.
 */
bool preempt_is_said(const char *version, const char *modes, const char *command_line);

/* The same of this host. */
bool preempt_is_on(void);

#endif
