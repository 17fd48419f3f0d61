/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attribute limits of the OpenTelemetry SDK configuration: string values longer than
 * OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT characters are cut, attributes beyond
 * OTEL_ATTRIBUTE_COUNT_LIMIT are left out and counted in dropped_attributes. Name and resource are
 * not touched.
 */
#ifndef WEFT_PROCESS_LIMITS_H
#define WEFT_PROCESS_LIMITS_H

#include "process/processor.h"

extern const struct processor_ops processor_limits;

#endif
