/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which service a process belongs to.
 */
#ifndef WEFT_DISCOVER_SERVICE_NAME_H
#define WEFT_DISCOVER_SERVICE_NAME_H

#include <stdbool.h>

#include "base/view.h"
#include "discover/facts.h"
#include "discover/process.h"

#define SERVICE_NAME_MAX 255

struct service_name {
	char text[SERVICE_NAME_MAX + 1]; /* valid UTF-8 */
	const char *source;		 /* constant */
};

/* Stores a cleaned copy, cut at SERVICE_NAME_MAX. False, and nothing is stored: nothing was left.
 */
bool service_name_set(struct service_name *name, struct view text, const char *source);

/*
 * Finds the name from the first source that has one: the process context, the environment, the
 * configuration, the pod, the systemd unit, the program that an interpreter runs, the executable.
 * Always finds one.
 */
void service_name_find(const struct process_facts *facts, const struct process_options *options,
		       struct service_name *ret_name);

#endif
