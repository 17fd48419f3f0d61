/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_encode.h"

#include <errno.h>

#include "otlp.pb-c.h"
#include "base/version.h"
#include "span/semconv.h"

/* protobuf-c only reads what it packs, but its structs are not const. */
static ProtobufCBinaryData binary_view(struct view view)
{
	return (ProtobufCBinaryData){ .len = view.len, .data = (uint8_t *)view.data };
}

/* The group's spans as protobuf-c lists them, in the scratch memory. NULL: no memory. */
static ProtobufCBinaryData *group_spans(const struct batch *batch, const struct batch_group *group,
					struct bytes *scratch)
{
	ProtobufCBinaryData *spans;
	size_t n = 0;

	bytes_empty(scratch);
	spans = (ProtobufCBinaryData *)bytes_reserve(scratch, group->n_items * sizeof(*spans));
	if (!spans)
		return NULL;
	for (uint32_t i = group->first; i != BATCH_END; i = batch->items[i].next) {
		const struct batch_item *item = &batch->items[i];

		spans[n++] = binary_view(batch_text(batch, item->offset, item->len));
	}
	return spans;
}

static int encode_group(const struct batch *batch, const struct batch_group *group,
			struct bytes *scratch, struct bytes *out)
{
	Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
	Otlp__ResourceSpans resource_spans = OTLP__RESOURCE_SPANS__INIT;
	Otlp__ScopeSpans scope_spans = OTLP__SCOPE_SPANS__INIT;
	Otlp__InstrumentationScope scope = OTLP__INSTRUMENTATION_SCOPE__INIT;
	Otlp__ResourceSpans *resource_list[] = { &resource_spans };
	Otlp__ScopeSpans *scope_list[] = { &scope_spans };
	uint8_t *room;

	scope.name = binary_view(VIEW(OTLP_SCOPE_NAME));
	scope.version = binary_view(VIEW(WEFT_VERSION));
	scope_spans.scope = &scope;
	scope_spans.schema_url = binary_view(VIEW(SEMCONV_SCHEMA_URL));
	scope_spans.n_spans = group->n_items;
	scope_spans.spans = group_spans(batch, group, scratch);
	if (!scope_spans.spans)
		return -ENOMEM;
	resource_spans.resource = binary_view(batch_text(batch, group->offset, group->len));
	resource_spans.schema_url = binary_view(VIEW(SEMCONV_SCHEMA_URL));
	resource_spans.scope_spans = scope_list;
	resource_spans.n_scope_spans = 1;
	request.resource_spans = resource_list;
	request.n_resource_spans = 1;
	room = bytes_reserve(out, otlp__export_trace_service_request__get_packed_size(&request));
	if (!room)
		return -ENOMEM;
	out->len += otlp__export_trace_service_request__pack(&request, room);
	return 0;
}

int otlp_encode_request(const struct batch *batch, struct bytes *scratch, struct bytes *ret_request)
{
	bytes_empty(ret_request);
	/*
	 * Messages that are written one behind the other are read as one message with the lists of
	 * all (Protocol Buffers, "Encoding", Last One Wins), so each group is packed by itself.
	 */
	for (size_t i = 0; i < batch->n_groups; i++) {
		int r = encode_group(batch, &batch->groups[i], scratch, ret_request);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * protobuf-c keeps each unknown field in an allocation of its own: a hostile answer of the full
 * 4 MiB would cost 100 MiB. No honest one comes near this.
 */
#define ANSWER_MAX 65536

int otlp_decode_response(struct view body, uint64_t *ret_rejected, struct bytes *ret_message)
{
	Otlp__ExportTraceServiceResponse *response = NULL;
	const Otlp__ExportTracePartialSuccess *partial;

	if (body.len <= ANSWER_MAX)
		response = otlp__export_trace_service_response__unpack(NULL, body.len,
								       (const uint8_t *)body.data);
	if (!response)
		return -EBADMSG;
	*ret_rejected = 0;
	bytes_empty(ret_message);
	partial = response->partial_success;
	if (partial) {
		if (partial->rejected_spans > 0)
			*ret_rejected = (uint64_t)partial->rejected_spans;
		bytes_append(ret_message, partial->error_message.data, partial->error_message.len);
	}
	otlp__export_trace_service_response__free_unpacked(response, NULL);
	return 0;
}

int otlp_decode_status(struct view body, struct bytes *ret_message)
{
	Otlp__RpcStatus *status = NULL;

	if (body.len <= ANSWER_MAX)
		status = otlp__rpc_status__unpack(NULL, body.len, (const uint8_t *)body.data);
	if (!status)
		return -EBADMSG;
	bytes_empty(ret_message);
	bytes_append(ret_message, status->message.data, status->message.len);
	otlp__rpc_status__free_unpacked(status, NULL);
	return 0;
}
