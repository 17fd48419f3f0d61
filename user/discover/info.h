/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conclusions: from the facts of a process to what the rest of the daemon is told about it.
 */
#ifndef WEFT_DISCOVER_INFO_H
#define WEFT_DISCOVER_INFO_H

#include "discover/facts.h"
#include "discover/process.h"

/* All that process_info holds. -ENOMEM. */
int info_describe(const struct process_facts *facts, const struct process_options *options,
		  pid_t pid, struct process_info *ret_info);

#endif
