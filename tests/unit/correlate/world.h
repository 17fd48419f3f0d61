/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges by hand through a correlator, and the spans that come out of it. */
#ifndef WEFT_TESTS_CORRELATE_WORLD_H
#define WEFT_TESTS_CORRELATE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "correlate/correlate.h"
#include "lib/head_scan.h"
#include "span/semconv.h"

#define WINDOW_NS 500
#define SPANS_MAX 64
#define HEAD_MAX  512

/* Ids are told by one byte. The context that comes over the wire is X's. */
#define X_TRACE "fefefefefefefefefefefefefefefefe"
#define TRACEPARENT(span, flags)                                                                   \
	"traceparent: 00-" X_TRACE "-" span span span span span span span span "-" flags "\r\n"
#define X_TRACE_BYTE 0xfe

struct world {
	struct correlator *correlator;
	struct span *spans[SPANS_MAX]; /* as they came out */
	unsigned int n_spans;
};

/* One end of an exchange. */
struct end {
	enum conn_role role;
	uint8_t trace;
	uint8_t span;
	uint8_t parent; /* as the kernel side knows it */
	enum parent_evidence evidence;
	uint64_t join;
	uint32_t serial;
	uint32_t pid;
	uint64_t start_ns;
	uint64_t end_ns;
	const char *fields; /* of the request's head */
	uint16_t family;    /* 0: AF_INET */
	bool public;	    /* the peer is not of this host */
	bool foreign;	    /* nor is it trusted */
	/* filled in by start() */
	struct exchange exchange;
	char head[HEAD_MAX];
};

/* A frozen one of the same contents. */
static inline struct span *span_copy(const struct span *span)
{
	static struct span_builder builder;

	span_builder_init(&builder);
	for (uint16_t i = 0; i < span->n_attributes; i++)
		span_set_string(&builder, span->attributes[i].key,
				attribute_text(&span->attributes[i]));
	builder.span = *span;
	builder.span.attributes = builder.attributes;
	builder.span.name = span_text(&builder, span->name);
	builder.span.trace_state = span_text(&builder, span->trace_state);
	if (span->link) {
		builder.link = *span->link;
		builder.link.trace_state = span_text(&builder, span->link->trace_state);
		builder.span.link = &builder.link;
	}
	return span_new(&builder);
}

static inline void on_settled(void *context, struct span *span)
{
	struct world *world = context;

	assert_true(world->n_spans < SPANS_MAX);
	world->spans[world->n_spans] = span_copy(span);
	assert_non_null(world->spans[world->n_spans++]);
}

static inline void world_init(struct world *world, size_t traces, size_t held)
{
	const struct correlate_options options = {
		.join_window_ns = WINDOW_NS,
		.traces = traces,
		.held_spans = held,
		.settled = on_settled,
		.context = world,
	};

	memset(world, 0, sizeof(*world));
	assert_int_equal(correlator_new(&options, &world->correlator), 0);
}

static inline void world_clear(struct world *world)
{
	for (unsigned int i = 0; i < world->n_spans; i++)
		span_free(world->spans[i]);
	world->n_spans = 0;
	world->correlator = correlator_free(world->correlator);
}

static inline int setup(void **state)
{
	static struct world world;

	world_init(&world, 1000, 1000);
	*state = &world;
	return 0;
}

static inline int teardown(void **state)
{
	world_clear(*state);
	return 0;
}

static inline void address_set(struct conn_address *address, const char *bytes)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	memcpy(address->ip, mapped, sizeof(mapped));
	memcpy(address->ip + sizeof(mapped), bytes, 4);
}

/* What the kernel side would say of the context in the exchange's head. */
static inline void context_read(struct exchange *exchange, const char *head, size_t len,
				bool foreign)
{
	static struct head_scan scan;
	struct event_context *context = &exchange->context;

	head_scan_init(&scan);
	head_scan_feed(&scan, (const uint8_t *)head, len);
	context->settled = 1;
	context->refused = (uint8_t)context_refused(&scan.fields, PROPAGATOR_TRACECONTEXT);
	exchange->trace_flags = TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM;
	if (context_resolve(&scan.fields, PROPAGATOR_TRACECONTEXT, &context->carried) !=
	    CONTEXT_PARENT)
		return;
	context->evidence = EVIDENCE_HEADER;
	context->head_span_id = context->carried.span_id;
	context->use = CONTEXT_CARRIED;
	if (exchange->role == ROLE_CLIENT)
		return;
	if (foreign) {
		context->use = CONTEXT_FOREIGN;
		return;
	}
	context->use = CONTEXT_TAKEN;
	exchange->trace_flags = context->carried.flags;
	memcpy(exchange->trace_id, context->carried.trace_id, TRACE_ID_LEN);
}

/* The exchange of `end` as conn/table.c would make it. */
static inline void exchange_make(struct end *end)
{
	struct exchange *exchange = &end->exchange;
	int n = snprintf(end->head, sizeof(end->head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n",
			 end->fields ? end->fields : "");

	assert_true(n > 0 && n < HEAD_MAX);
	*exchange = (struct exchange){
		.conn = end->join * 2 + (end->role == ROLE_SERVER),
		.serial = end->serial,
		.pid = end->pid,
		.family = end->family ? end->family : AF_INET,
		.protocol = PROTOCOL_HTTP1,
		.role = end->role,
		.evidence = end->evidence,
		.join = { .client = end->join, .server = end->join + 1000 },
	};
	memset(exchange->trace_id, end->trace, TRACE_ID_LEN);
	memset(exchange->span_id, end->span, SPAN_ID_LEN);
	memset(exchange->parent_id, end->parent, SPAN_ID_LEN);
	address_set(&exchange->local, "\x0a\x00\x00\x01");
	address_set(&exchange->remote, end->public ? "\x08\x08\x08\x08" : "\x0a\x00\x00\x02");
	context_read(exchange, end->head, (size_t)n, end->foreign);
	exchange->request.head = (uint8_t *)end->head;
	exchange->request.head_len = (uint32_t)n;
	exchange->request.head_complete = true;
	exchange->request.start_ns = end->start_ns;
	exchange->request.end_ns = end->start_ns;
	exchange->response.end_ns = end->end_ns;
}

static inline void start(struct world *world, struct end *end)
{
	exchange_make(end);
	correlator_started(world->correlator, &end->exchange);
}

/* As the pipeline does it; afterwards the exchange's memory belongs to another one. */
static inline void finish(struct world *world, struct end *end)
{
	static struct span_builder builder;

	span_builder_init(&builder);
	builder.span.name = span_text(&builder, VIEW("GET"));
	builder.span.kind = end->role == ROLE_SERVER ? SPAN_KIND_SERVER : SPAN_KIND_CLIENT;
	builder.span.start_ns = end->exchange.request.start_ns;
	builder.span.end_ns = end->exchange.response.end_ns;
	correlator_finished(world->correlator, &end->exchange, &builder);
	memset(&end->exchange, 0xee, sizeof(end->exchange));
}

/* The exchange makes no span. */
static inline void drop(struct world *world, struct end *end)
{
	correlator_dropped(world->correlator, &end->exchange);
	memset(&end->exchange, 0xee, sizeof(end->exchange));
}

static inline const struct correlate_counters *counters(const struct world *world)
{
	return correlator_counters(world->correlator);
}

/* The span of that id and kind; there must be just one, or none. */
static inline struct span *find(const struct world *world, enum span_kind kind, uint8_t id)
{
	struct span *found = NULL;

	for (unsigned int i = 0; i < world->n_spans; i++) {
		struct span *span = world->spans[i];

		if (span->kind != kind || span->span_id[0] != id)
			continue;
		assert_null(found);
		found = span;
	}
	return found;
}

static inline void assert_id(const uint8_t *id, size_t n, uint8_t expected)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(id[i], expected);
}

/* What is expected of a span. */
struct place {
	uint8_t trace;
	uint8_t parent;
	const char *evidence; /* NULL: none */
};

static inline struct span *assert_place(const struct world *world, enum span_kind kind, uint8_t id,
					struct place place)
{
	struct span *span = find(world, kind, id);
	const struct attribute *evidence;

	assert_non_null(span);
	assert_id(span->trace_id, TRACE_ID_LEN, place.trace);
	assert_id(span->span_id, SPAN_ID_LEN, id);
	assert_id(span->parent_id, SPAN_ID_LEN, place.parent);
	assert_true(span->flags & SPAN_FLAG_SAMPLED);
	assert_true(span->flags & SPAN_FLAG_HAS_IS_REMOTE);
	assert_int_equal(!!(span->flags & SPAN_FLAG_IS_REMOTE),
			 kind == SPAN_KIND_SERVER && place.parent);
	evidence = span_attribute(span, ATTR_WEFT_PARENT_EVIDENCE);
	if (!place.evidence) {
		assert_null(evidence);
		return span;
	}
	assert_non_null(evidence);
	assert_int_equal(evidence->len, strlen(place.evidence));
	assert_memory_equal(evidence->text, place.evidence, evidence->len);
	return span;
}

#define SERVER_SPAN(world, id, ...)                                                                \
	assert_place(world, SPAN_KIND_SERVER, id, (struct place){ __VA_ARGS__ })
#define CLIENT_SPAN(world, id, ...)                                                                \
	assert_place(world, SPAN_KIND_CLIENT, id, (struct place){ __VA_ARGS__ })

static inline struct end client_end(void)
{
	return (struct end){ .role = ROLE_CLIENT,
			     .trace = 0x10,
			     .span = 0x11,
			     .join = 1,
			     .pid = 1,
			     .start_ns = 1000,
			     .end_ns = 1100 };
}

static inline struct end server_end(void)
{
	return (struct end){ .role = ROLE_SERVER,
			     .trace = 0x20,
			     .span = 0x21,
			     .join = 1,
			     .pid = 2,
			     .start_ns = 1010,
			     .end_ns = 1090 };
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
