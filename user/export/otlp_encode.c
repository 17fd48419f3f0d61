/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf-c packs trees of structs. They are made on the stack, where their number is bounded (the
 * attributes of one span or resource), and in the caller's scratch memory where it is not (the list
 * of a group's spans): nothing is allocated per span.
 */
#include "export/otlp_encode.h"

#include <errno.h>

#include "otlp.pb-c.h"
#include "base/version.h"
#include "span/resource.h"
#include "span/semconv.h"

#define ATTRIBUTES_MAX                                                                             \
	(SPAN_ATTRIBUTES_MAX > RESOURCE_ATTRIBUTES_MAX ? SPAN_ATTRIBUTES_MAX                       \
						       : RESOURCE_ATTRIBUTES_MAX)

struct attribute_list {
	Otlp__KeyValue *pointers[ATTRIBUTES_MAX];
	Otlp__KeyValue pairs[ATTRIBUTES_MAX];
	Otlp__AnyValue values[ATTRIBUTES_MAX];
};

/* protobuf-c only reads what it packs, but its structs are not const. */
static ProtobufCBinaryData binary(const void *data, size_t len)
{
	return (ProtobufCBinaryData){ .len = len, .data = (uint8_t *)data };
}

static ProtobufCBinaryData binary_view(struct view view)
{
	return binary(view.data, view.len);
}

static void value_fill(Otlp__AnyValue *value, const struct attribute *attribute)
{
	otlp__any_value__init(value);
	switch (attribute->type) {
	case ATTRIBUTE_STRING:
		value->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
		value->string_value = binary_view(attribute->string);
		break;
	case ATTRIBUTE_INT:
		value->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
		value->int_value = attribute->integer;
		break;
	case ATTRIBUTE_DOUBLE:
		value->value_case = OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
		value->double_value = attribute->number;
		break;
	case ATTRIBUTE_BOOL:
		value->value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
		value->bool_value = attribute->boolean;
		break;
	}
}

/* Returns the number of attributes in the list. */
static size_t list_fill(struct attribute_list *list, const struct attribute *attributes, size_t n)
{
	if (n > ATTRIBUTES_MAX)
		n = ATTRIBUTES_MAX;
	for (size_t i = 0; i < n; i++) {
		value_fill(&list->values[i], &attributes[i]);
		otlp__key_value__init(&list->pairs[i]);
		list->pairs[i].key = binary_view(view_of(attributes[i].key));
		list->pairs[i].value = &list->values[i];
		list->pointers[i] = &list->pairs[i];
	}
	return n;
}

/* `bound`: what the message takes at most. To ask protobuf-c for its size takes as long as packing.
 */
static void pack(const ProtobufCMessage *message, size_t bound, struct bytes *out)
{
	uint8_t *room = bytes_reserve(out, bound);

	if (room)
		out->len += protobuf_c_message_pack(message, room);
}

/* Tags and lengths of KeyValue, its key and AnyValue (6 each); AnyValue's own tag and number (11).
 */
#define ATTRIBUTE_BOUND 32
/* Ids 38, times 18, tags and lengths of texts and of the status 24, numbers 11 + 6 + 11 + 6. */
#define SPAN_BOUND 128

static size_t list_bound(const struct attribute_list *list, size_t n)
{
	size_t bound = n * ATTRIBUTE_BOUND;

	for (size_t i = 0; i < n; i++) {
		bound += list->pairs[i].key.len;
		if (list->values[i].value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
			bound += list->values[i].string_value.len;
	}
	return bound;
}

static void encode_resource(const struct resource *resource, struct bytes *out)
{
	Otlp__Resource message = OTLP__RESOURCE__INIT;
	struct attribute_list list;

	message.n_attributes = list_fill(&list, resource->attributes, resource->n_attributes);
	message.attributes = list.pointers;
	pack(&message.base, list_bound(&list, message.n_attributes), out);
}

static bool id_is_set(const uint8_t *id)
{
	static const uint8_t zero[SPAN_ID_LEN];

	return memcmp(id, zero, SPAN_ID_LEN) != 0;
}

static void encode_span(const struct span *span, struct bytes *out)
{
	Otlp__Span message = OTLP__SPAN__INIT;
	Otlp__Status status = OTLP__STATUS__INIT;
	struct attribute_list list;

	message.trace_id = binary(span->trace_id, TRACE_ID_LEN);
	message.span_id = binary(span->span_id, SPAN_ID_LEN);
	if (id_is_set(span->parent_id))
		message.parent_span_id = binary(span->parent_id, SPAN_ID_LEN);
	message.trace_state = binary_view(span->trace_state);
	message.name = binary_view(span->name);
	message.kind = (int32_t)span->kind;
	message.start_time_unix_nano = span->start_ns;
	message.end_time_unix_nano = span->end_ns;
	message.flags = span->flags;
	message.dropped_attributes_count = span->dropped_attributes;
	message.n_attributes = list_fill(&list, span->attributes, span->n_attributes);
	message.attributes = list.pointers;
	if (span->status != SPAN_STATUS_UNSET) {
		status.code = (int32_t)span->status;
		status.message = binary_view(span->status_message);
		message.status = &status;
	}
	pack(&message.base,
	     SPAN_BOUND + message.name.len + message.trace_state.len + status.message.len +
		     list_bound(&list, message.n_attributes),
	     out);
}

const struct batch_codec otlp_codec = {
	.resource = encode_resource,
	.span = encode_span,
};

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
	pack(&request.base, otlp__export_trace_service_request__get_packed_size(&request), out);
	return out->failed ? -ENOMEM : 0;
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
