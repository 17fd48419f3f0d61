/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP as JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): ids in hex, enums as
 * integers, 64-bit integers as decimal strings, keys in lowerCamelCase.
 */
#ifndef WEFT_EXPORT_OTLP_JSON_H
#define WEFT_EXPORT_OTLP_JSON_H

#include <sys/uio.h>

#include "export/batch.h"

/* Encodes the objects of Resource and, with a comma before each, of Span. */
extern const struct batch_codec otlp_json_codec;

/*
 * Replaces `ret_line`'s content by the batch as one ExportTraceServiceRequest and a newline, as the
 * OTLP file exporter specification has it. The content is undefined on failure. -ENOMEM.
 */
int otlp_json_line(const struct batch *batch, struct bytes *ret_line);

/* A line in pieces, most of them of the batch itself. */
#define OTLP_JSON_PARTS_MAX 64

struct otlp_json_parts {
	size_t n;
	size_t size; /* of all of them */
	struct iovec list[OTLP_JSON_PARTS_MAX];
};

/*
 * The same bytes as otlp_json_line(), which are not copied: good as long as the batch is unchanged.
 * -E2BIG: they are too many pieces, for spans of several processes lie mixed.
 */
int otlp_json_gather(const struct batch *batch, struct otlp_json_parts *ret_parts);

#endif
