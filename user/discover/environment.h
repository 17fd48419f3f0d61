/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment that a process was started with, as /proc/PID/environ shows it.
 */
#ifndef WEFT_DISCOVER_ENVIRONMENT_H
#define WEFT_DISCOVER_ENVIRONMENT_H

#include "base/view.h"
#include "discover/attributes.h"

/*
 * Value of a variable in NUL-separated NAME=VALUE text. An empty view when it is not there or
 * empty: OpenTelemetry treats both alike (specification, "Environment Variable Specification").
 */
struct view environment_get(struct view environment, struct view name);

/* The first one of the names that has a value; the array ends with NULL. */
struct view environment_get_any(struct view environment, const char *const *names);

/*
 * Adds the pairs of an OTEL_RESOURCE_ATTRIBUTES value: "key=value,key=value", percent-encoded
 * (specification, "Resource SDK"). With any bad pair the whole value is ignored, as it asks:
 * -EBADMSG, and nothing was added. -ENOMEM.
 */
int environment_parse_attributes(struct view value, struct attributes *attributes);

#endif
