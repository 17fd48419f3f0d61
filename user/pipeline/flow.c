/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/flow.h"

#include <errno.h>

#include "base/clock.h"
#include "export/exporter.h"
#include "ingest/decode.h"
#include "protocols/protocol.h"

/* How long a server request waits for the record of its other end (correlate.h). */
#define JOIN_WINDOW_NS (500 * NS_PER_MS)
/* On a busy machine a sender may get to its call's end this long after the receiver has answered.
 */
#define PREEMPTION_NS (50 * NS_PER_MS)
/* Bounds of what is kept, whatever peers send. */
#define OPEN_EXCHANGES_MAX 16384
#define TRACES_MAX	   65536
#define HELD_SPANS_MAX	   8192
#define PROCESSES_MAX	   8192
#define TLS_NAMES_MAX	   8192

static void span_settled(void *context, struct span *span)
{
	struct flow *flow = context;

	flow->span(flow->context, span);
}

/* Another weft on this host has no SDK. */
static bool is_weft(const struct exchange *exchange, const struct protocol *protocol)
{
	struct view agent;

	return exchange->role == ROLE_CLIENT &&
	       protocol->request_fields(exchange, VIEW("User-Agent"), &agent, 1) > 0 &&
	       view_starts_with(agent, VIEW(EXPORT_USER_AGENT));
}

/* What shows that the process has an SDK counts from here on, not only when the answer is there. */
static void exchange_started(void *context, struct exchange *exchange)
{
	struct flow *flow = context;
	const struct protocol *protocol = protocol_by_id(exchange->protocol);

	if (protocol && protocol->telemetry) {
		exchange->telemetry = protocol->telemetry(exchange);
		if (exchange->telemetry && !is_weft(exchange, protocol))
			processes_telemetry(flow->processes, exchange);
	}
	correlator_started(flow->correlator, exchange);
	if (exchange->adopted)
		processes_traces(flow->processes, exchange);
}

/* A collector on this host that is traced would be sent a span for each time that it is sent spans.
 */
static bool is_own_export(struct span_builder *builder)
{
	const struct attribute *agent = span_builder_attribute(builder, ATTR_USER_AGENT_ORIGINAL);

	return agent && view_starts_with(attribute_text(agent), VIEW(EXPORT_USER_AGENT));
}

static void exchange_drop(struct flow *flow, const struct exchange *exchange, uint64_t *counter)
{
	(*counter)++;
	correlator_dropped(flow->correlator, exchange);
}

static void exchange_finished(void *context, struct exchange *exchange)
{
	struct flow *flow = context;
	const struct protocol *protocol = protocol_by_id(exchange->protocol);
	struct span_builder *builder = &flow->builder;

	if (!exchange->request.head_complete && !exchange->request.truncated) {
		exchange_drop(flow, exchange, &flow->counters.half_heads);
		return;
	}
	span_builder_init(builder);
	exchange->tls_name = tls_names_get(flow->tls_names, exchange->conn);
	if (!protocol || protocol->describe(exchange, builder) < 0) {
		exchange_drop(flow, exchange, &flow->counters.not_protocol);
		return;
	}
	if (is_own_export(builder)) {
		exchange_drop(flow, exchange, &flow->counters.own_exports);
		return;
	}
	/* they make no circle; they are noise, at both ends */
	if (exchange->telemetry && flow->join) {
		exchange_drop(flow, exchange, &flow->counters.sdk_exports);
		return;
	}
	builder->span.resource = processes_resource(flow->processes, exchange);
	if (!builder->span.resource) {
		exchange_drop(flow, exchange, &flow->counters.no_memory);
		return;
	}
	process_chain_run(flow->chain, builder);
	correlator_finished(flow->correlator, exchange, builder);
}

void flow_record(struct flow *flow, const void *data, size_t size)
{
	const struct protocol *protocol;
	union event event;

	if (event_decode(data, size, &event) < 0) {
		flow->counters.bad_records++;
		return;
	}
	if (event.header->type == EVENT_TLS_HELLO) {
		tls_names_hello(flow->tls_names, event.header->conn,
				(struct view){ .data = (const char *)event.hello->head,
					       .len = event.hello->head_len });
		return;
	}
	flow->record_ns = event.header->time_ns;
	protocol = protocol_by_id(event.header->protocol);
	if (!protocol->unpack || protocol->unpack(flow->unpacked[protocol->id], &event))
		conn_table_event(flow->connections, event);
}

void flow_account(const struct flow *flow, const struct totals *base, struct totals *totals)
{
	const struct flow_counters *counters = &flow->counters;
	const struct conn_counters *conn = conn_table_counters(flow->connections);
	const struct correlate_counters *correlate = correlator_counters(flow->correlator);
	uint64_t *dropped = totals->dropped;
	uint64_t lost = totals->kernel[STAT_REQUESTS_LOST];
	uint64_t passed = totals->kernel[STAT_REQUESTS_PASSED];

	dropped[DROP_RING_FULL] = lost;
	dropped[DROP_CPU_BUDGET] = passed;
	totals->captured = base->captured - base->dropped[DROP_RING_FULL] -
			   base->dropped[DROP_CPU_BUDGET] + conn->exchanges + conn->no_memory +
			   lost + passed;
	dropped[DROP_NOT_PROTOCOL] = base->dropped[DROP_NOT_PROTOCOL] + counters->not_protocol;
	dropped[DROP_HALF_HEAD] = base->dropped[DROP_HALF_HEAD] + counters->half_heads;
	dropped[DROP_OWN_EXPORT] = base->dropped[DROP_OWN_EXPORT] + counters->own_exports;
	dropped[DROP_SDK_EXPORT] = base->dropped[DROP_SDK_EXPORT] + counters->sdk_exports;
	dropped[DROP_SDK_INSTRUMENTED] = base->dropped[DROP_SDK_INSTRUMENTED] + correlate->left;
	dropped[DROP_NOT_SAMPLED] = base->dropped[DROP_NOT_SAMPLED] + correlate->not_sampled;
	dropped[DROP_NO_MEMORY] = base->dropped[DROP_NO_MEMORY] + counters->no_memory +
				  conn->no_memory + correlate->no_memory;
	totals->unmatched_records = base->unmatched_records + conn->unmatched;
	totals->bad_records = base->bad_records + counters->bad_records;
}

/* What protocols remember of their connections. */
static int unpacked_init(struct flow *flow, const struct config *config)
{
	int r = 0;

	for (int id = PROTOCOL_FIRST; id < PROTOCOL_ID_MAX && r == 0; id++) {
		const struct protocol *protocol = protocol_by_id(id);

		if (protocol->unpack_new)
			r = protocol->unpack_new(config, &flow->unpacked[id]);
	}
	return r;
}

static bool opted_in(const struct config *config, enum config_semconv category)
{
	for (size_t i = 0; i < config->semconv.n; i++)
		if (config->semconv.items[i] == category)
			return true;
	return false;
}

static struct processor_options process_options(const struct config *config)
{
	return (struct processor_options){
		.query_keys_kept = (const char *const *)config->query_keys.items,
		.n_query_keys_kept = config->query_keys.n,
		.older_rpc_names = opted_in(config, CONFIG_SEMCONV_RPC_DUP),
	};
}

void flow_configure(struct flow *flow, const struct config *config)
{
	const struct processor_options options = process_options(config);

	process_chain_configure(flow->chain, &options);
	flow->join = config->sdk_spans == CONFIG_SDK_JOIN;
	processes_join(flow->processes, flow->join);
}

int flow_init(struct flow *flow, const struct config *config)
{
	const struct processor_options options = process_options(config);
	const struct correlate_options correlate_options = {
		.join_window_ns = JOIN_WINDOW_NS,
		.preemption_ns = PREEMPTION_NS,
		.traces = TRACES_MAX,
		.held_spans = HELD_SPANS_MAX,
		.settled = span_settled,
		.context = flow,
	};
	const struct conn_limits limits = {
		.exchanges = OPEN_EXCHANGES_MAX,
		.request_head = (uint32_t)config->request_head,
		.response_head = (uint32_t)config->response_head,
	};
	const struct conn_callbacks callbacks = {
		.started = exchange_started,
		.finished = exchange_finished,
		.context = flow,
	};
	bool join = config->sdk_spans == CONFIG_SDK_JOIN;
	int r = processes_new(PROCESSES_MAX, join, &flow->processes);

	flow->join = join;

	if (r == 0)
		r = process_chain_new(&options, &flow->chain);
	if (r == 0)
		r = correlator_new(&correlate_options, &flow->correlator);
	if (r == 0)
		r = conn_table_new(&limits, &callbacks, &flow->connections);
	if (r == 0)
		r = tls_names_new(TLS_NAMES_MAX, &flow->tls_names);
	if (r == 0)
		r = unpacked_init(flow, config);
	return r;
}

void flow_clear(struct flow *flow)
{
	for (int id = PROTOCOL_FIRST; id < PROTOCOL_ID_MAX; id++)
		if (protocol_by_id(id)->unpack_free)
			flow->unpacked[id] = protocol_by_id(id)->unpack_free(flow->unpacked[id]);
	flow->tls_names = tls_names_free(flow->tls_names);
	flow->connections = conn_table_free(flow->connections);
	flow->correlator = correlator_free(flow->correlator);
	flow->chain = process_chain_free(flow->chain);
	flow->processes = processes_free(flow->processes);
}
