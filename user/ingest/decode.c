/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/decode.h"

#include <errno.h>

/* Size of each record's fixed part, and where it says how long its head is. */
static const struct {
	size_t fixed;
	size_t head_len_offset; /* 0: no head */
} layouts[EVENT_TYPE_MAX] = {
	[EVENT_REQUEST] = { sizeof(struct event_request),
			    offsetof(struct event_request, head_len) },
	[EVENT_RESPONSE] = { sizeof(struct event_response),
			     offsetof(struct event_response, head_len) },
	[EVENT_HEAD_MORE] = { sizeof(struct event_head_more),
			      offsetof(struct event_head_more, head_len) },
	[EVENT_END] = { sizeof(struct event_end), 0 },
	[EVENT_CLOSE] = { sizeof(struct event_close), 0 },
	[EVENT_RESET] = { sizeof(struct event_reset), 0 },
	[EVENT_TLS_HELLO] = { sizeof(struct event_tls_hello),
			      offsetof(struct event_tls_hello, head_len) },
};

static uint32_t head_len(const void *data, size_t offset)
{
	return offset ? *(const uint32_t *)((const char *)data + offset) : 0;
}

int event_decode(const void *data, size_t size, union event *ret_event)
{
	const struct event_header *header = data;
	union event event = { .header = header };

	if (size < sizeof(*header) || header->size > size || header->type == 0 ||
	    header->type >= EVENT_TYPE_MAX)
		return -EBADMSG;
	/* TLS is beneath all protocols */
	if ((header->protocol == PROTOCOL_UNKNOWN) != (header->type == EVENT_TLS_HELLO) ||
	    header->protocol >= PROTOCOL_ID_MAX || header->message > MESSAGE_RESPONSE)
		return -EBADMSG;
	if (header->size < layouts[header->type].fixed)
		return -EBADMSG;
	if (head_len(data, layouts[header->type].head_len_offset) !=
	    header->size - layouts[header->type].fixed)
		return -EBADMSG;
	if (header->type == EVENT_REQUEST &&
	    (event.request->role == ROLE_UNKNOWN || event.request->role > ROLE_SERVER ||
	     event.request->evidence >= EVIDENCE_MAX))
		return -EBADMSG;
	*ret_event = event;
	return 0;
}
