/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP as JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): ids in hex, enums as
 * integers, 64-bit integers as decimal strings, keys in lowerCamelCase.
 */
#ifndef WEFT_EXPORT_OTLP_JSON_H
#define WEFT_EXPORT_OTLP_JSON_H

#include "export/batch.h"

/* Encodes the objects of Resource and Span. */
extern const struct batch_codec otlp_json_codec;

/*
 * Replaces `ret_line`'s content by the batch as one ExportTraceServiceRequest and a newline, as the
 * OTLP file exporter specification has it. The content is undefined on failure. -ENOMEM.
 */
int otlp_json_line(const struct batch *batch, struct bytes *ret_line);

#endif
