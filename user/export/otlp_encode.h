/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP as protobuf: spans to an ExportTraceServiceRequest, and what a backend answers.
 */
#ifndef WEFT_EXPORT_OTLP_ENCODE_H
#define WEFT_EXPORT_OTLP_ENCODE_H

#include "export/batch.h"

/* The instrumentation scope of every span. */
#define OTLP_SCOPE_NAME "weft"

/* Encodes Resource and Span messages. Times are written as they stand in the span: Unix time. */
extern const struct batch_codec otlp_codec;

/*
 * Replaces `ret_request`'s content by the batch as an ExportTraceServiceRequest: one ResourceSpans
 * per resource, spans in the order in which they came. `scratch` is memory to use again from call
 * to call. Both buffers' content is undefined on failure. -ENOMEM.
 */
int otlp_encode_request(const struct batch *batch, struct bytes *scratch,
			struct bytes *ret_request);

/*
 * Reads an ExportTraceServiceResponse. `ret_message` is replaced by the partial success's message,
 * which is empty when there is none. Negative counts, which no backend should send, are read as 0.
 * -EBADMSG: not such a message, or far larger than any.
 */
int otlp_decode_response(struct view body, uint64_t *ret_rejected, struct bytes *ret_message);

/* Reads a google.rpc.Status, the body of an HTTP error, likewise. */
int otlp_decode_status(struct view body, struct bytes *ret_message);

#endif
