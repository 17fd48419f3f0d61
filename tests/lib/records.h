/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the kernel side (bpf/abi/event.h), made by hand. */
#ifndef WEFT_TESTS_LIB_RECORDS_H
#define WEFT_TESTS_LIB_RECORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bpf/abi/event.h"

/* What a record says; a field that its type does not have is passed over. */
struct record_facts {
	enum event_type type;
	enum message_kind message;
	uint8_t flags;
	uint64_t conn;
	uint32_t exchange;
	uint32_t pid;
	uint64_t time_ns;
	uint64_t end_ns;
	uint64_t body_bytes;
	const char *head;	   /* NULL: none */
	size_t head_len;	   /* 0: it is a string */
	enum protocol_id protocol; /* PROTOCOL_UNKNOWN: HTTP/1 */
	enum conn_role role;
	uint16_t family;
	uint16_t status;
	int32_t error;
	uint32_t code;
	uint32_t messages;
	bool younger;
	bool early;
	struct join_key join;
	uint8_t trace; /* each byte of the id */
	uint8_t span;
	uint8_t parent;
};

struct record {
	size_t size;
	uint8_t bytes[EVENT_SIZE_MAX] __attribute__((aligned(8)));
};

/* Where the head stands, and how long the record says it is. */
static inline uint8_t *record_fixed(struct record *record, const struct record_facts *facts,
				    uint32_t head_len)
{
	struct event_request *request = (struct event_request *)record->bytes;
	struct event_response *response = (struct event_response *)record->bytes;
	struct event_head_more *more = (struct event_head_more *)record->bytes;
	struct event_end *end = (struct event_end *)record->bytes;
	struct event_close *close = (struct event_close *)record->bytes;
	struct event_reset *reset = (struct event_reset *)record->bytes;
	struct event_tls_hello *hello = (struct event_tls_hello *)record->bytes;

	switch (facts->type) {
	case EVENT_REQUEST:
		memset(request->trace_id, facts->trace, sizeof(request->trace_id));
		memset(request->span_id, facts->span, sizeof(request->span_id));
		memset(request->parent_id, facts->parent, sizeof(request->parent_id));
		memcpy(request->comm, "program", sizeof("program"));
		request->join = facts->join;
		request->family = facts->family;
		request->role = (uint8_t)facts->role;
		request->tid = facts->pid + 1;
		request->head_len = head_len;
		request->body_bytes = facts->body_bytes;
		request->end_ns = facts->end_ns;
		return request->head;
	case EVENT_RESPONSE:
		response->body_bytes = facts->body_bytes;
		response->end_ns = facts->end_ns;
		response->status = facts->status;
		response->early = facts->early;
		response->messages = facts->messages;
		response->head_len = head_len;
		return response->head;
	case EVENT_HEAD_MORE:
		more->body_bytes = facts->body_bytes;
		more->end_ns = facts->end_ns;
		more->head_len = head_len;
		return more->head;
	case EVENT_END:
		end->body_bytes = facts->body_bytes;
		end->messages = facts->messages;
		return record->bytes + sizeof(*end);
	case EVENT_TLS_HELLO:
		hello->head_len = head_len;
		return hello->head;
	case EVENT_RESET:
		reset->code = facts->code;
		reset->younger = facts->younger;
		return record->bytes + sizeof(*reset);
	default:
		close->body_bytes = facts->body_bytes;
		close->end_ns = facts->end_ns;
		close->error = facts->error;
		return record->bytes + sizeof(*close);
	}
}

static inline void record_make(struct record *record, const struct record_facts *facts)
{
	struct event_header *header = (struct event_header *)record->bytes;
	size_t head_len = facts->head && !facts->head_len ? strlen(facts->head) : facts->head_len;
	enum protocol_id protocol = facts->protocol ? facts->protocol : PROTOCOL_HTTP1;
	uint8_t *head;

	if (facts->type == EVENT_TLS_HELLO)
		protocol = PROTOCOL_UNKNOWN;
	memset(record->bytes, 0, sizeof(record->bytes));
	head = record_fixed(record, facts, (uint32_t)head_len);
	if (head_len)
		memcpy(head, facts->head, head_len);
	record->size = (size_t)(head - record->bytes) + head_len;
	*header = (struct event_header){
		.type = (uint8_t)facts->type,
		.protocol = (uint8_t)protocol,
		.message = (uint8_t)facts->message,
		.flags = facts->flags,
		.size = (uint32_t)record->size,
		.time_ns = facts->time_ns,
		.conn = facts->conn,
		.exchange = facts->exchange,
		.pid = facts->pid,
	};
}

#endif
