/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host that processes run on: host.*, os.* (semantic conventions, "Host" and "Operating
 * system").
 */
#ifndef WEFT_DISCOVER_HOST_H
#define WEFT_DISCOVER_HOST_H

#include <stddef.h>

#include "discover/attributes.h"

#define HOST_NAME_SIZE 256

/*
 * Name of the host, not of the container that this process may run in: `proc` is the host's.
 * Empty when it cannot be found out.
 */
void host_name(const char *proc, char ret_name[HOST_NAME_SIZE]);

/* Adds host.name, host.id, host.arch, os.type, os.name, os.version, os.description. -ENOMEM. */
int host_attributes(const char *proc, struct attributes *attributes);

#endif
