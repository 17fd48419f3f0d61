/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attribute keys of the OpenTelemetry semantic conventions 1.44. Only keys of the stable groups,
 * and weft's own under "weft.". Those of spans are numbers, ATTR_*, so that nobody compares text:
 * semconv.def lists them.
 */
#ifndef WEFT_SPAN_SEMCONV_H
#define WEFT_SPAN_SEMCONV_H

#define SEMCONV_SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

enum attribute_key {
#define ATTRIBUTE(constant, key) ATTR_##constant,
#include "span/semconv.def"
#undef ATTRIBUTE
	ATTR_MAX,
};

/* The key's text. */
const char *attribute_key_name(enum attribute_key key);

/* Resources have whatever keys their processes chose; weft itself knows of these. */
#define RESOURCE_SERVICE_NAME	    "service.name"
#define RESOURCE_PROCESS_PID	    "process.pid"
#define RESOURCE_PROCESS_PARENT_PID "process.parent_pid"

#endif
