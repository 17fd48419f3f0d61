/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/correlate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/hashmap.h"
#include "correlate/describe.h"
#include "correlate/peer.h"
#include "correlate/sdk.h"
#include "correlate/trace.h"
#include "correlate/trace_state.h"
#include "correlate/untraced.h"
#include "span/semconv.h"

/* A settled trace is remembered for late spans of its tree for as long after its entry span's end.
 */
#define TRACE_LINGER_NS (2 * NS_PER_SEC)
/* They are many, and looked through for those to forget only this often. */
#define TRACE_SWEEP_NS (NS_PER_SEC / 4)

/* The end that came first waits for the other. */
struct half {
	struct exchange *client; /* open, or NULL */
	uint8_t server[SPAN_ID_LEN];
};

/* A server request that came with context, under the id of its caller's span. */
struct caller_key {
	uint8_t span_id[SPAN_ID_LEN];
	uint64_t pid;
};

struct caller {
	uint8_t trace_id[TRACE_ID_LEN]; /* as the kernel made it */
	uint8_t span_id[SPAN_ID_LEN];
	uint32_t open;
	bool shared; /* several requests at a time named this caller: which one is served cannot be
			told */
};

struct correlator {
	struct correlate_options options;
	struct correlate_counters counters;
	struct trace_table traces;
	struct hashmap halves;	/* exchange_key -> struct half */
	struct hashmap callers; /* caller_key -> struct caller */
	uint64_t next_sweep_ns;
	struct untraced untraced;
};

static bool id_is_zero(const uint8_t *id)
{
	static const uint8_t zero[SPAN_ID_LEN];

	return memcmp(id, zero, SPAN_ID_LEN) == 0;
}

static struct exchange_key key_of(const struct exchange *exchange)
{
	return (struct exchange_key){
		.join = exchange->join,
		.serial = exchange->family == AF_UNIX ? exchange->serial : 0,
	};
}

/*
 * The trace that an exchange's span belongs to: the one of its own, or of the server request that
 * it was made for. NULL: there is none, its ids are final as they are.
 */
static struct trace *trace_of(const struct correlator *correlator, enum conn_role role,
			      const uint8_t *span_id, const uint8_t *parent_id)
{
	return trace_find(&correlator->traces, role == ROLE_SERVER ? span_id : parent_id);
}

static struct trace *exchange_trace(const struct correlator *correlator,
				    const struct exchange *exchange)
{
	return trace_of(correlator, exchange->role, exchange->span_id, exchange->parent_id);
}

/* A server span's parent, now that it is known. */
static void span_place(struct span *span, const struct trace_place *place)
{
	memcpy(span->parent_id, place->parent_id, SPAN_ID_LEN);
	if (!id_is_zero(span->parent_id))
		span->flags |= SPAN_FLAG_IS_REMOTE;
}

/* How the parent of one that was frozen before became known. */
static void span_prove(struct span *span, const struct trace_place *place)
{
	if (!place->evidence) {
		span_remove(span, ATTR_WEFT_PARENT_EVIDENCE);
		return;
	}
	for (size_t i = 0; i < span->n_attributes; i++)
		if (span->attributes[i].key == ATTR_WEFT_PARENT_EVIDENCE)
			attribute_set_text(&span->attributes[i], view_of(place->evidence));
}

/* The span above is left to an SDK and has an id that is not known: its own parent takes over. */
static void span_move_up(struct span *span, const struct trace *trace)
{
	memcpy(span->parent_id, trace->place.parent_id, SPAN_ID_LEN);
	if (id_is_zero(span->parent_id))
		span_remove(span, ATTR_WEFT_PARENT_EVIDENCE);
	else
		span->flags |= SPAN_FLAG_IS_REMOTE;
}

/* Gives a span the ids of its trace, which has settled, and hands it on. NULL: it has none. */
static void span_settle(struct correlator *correlator, struct span *span, struct trace *trace)
{
	bool entry = span->kind == SPAN_KIND_SERVER;
	struct trace *root = trace ? trace_root(trace) : NULL;

	if (trace && entry)
		span_place(span, &trace->place);
	if (root) {
		memcpy(span->trace_id, root->place.trace_id, TRACE_ID_LEN);
		span->flags = (span->flags & ~0xffu) | root->place.flags;
	}
	if (!(span->flags & SPAN_FLAG_SAMPLED)) {
		correlator->counters.not_sampled++;
		return;
	}
	if (trace && sdk_takes_server(trace)) {
		if (entry) {
			correlator->counters.left++;
			return;
		}
		span_move_up(span, trace);
	}
	correlator->options.settled(correlator->options.context, span);
}

/* The same of one that was held; `likely`: the trace that it was probably held for. */
static void held_settle(struct correlator *correlator, struct span *span, struct trace *likely)
{
	bool entry = span->kind == SPAN_KIND_SERVER;
	const uint8_t *id = entry ? span->span_id : span->parent_id;
	struct trace *trace = memcmp(id, likely->entry, SPAN_ID_LEN) == 0
				      ? likely
				      : trace_find(&correlator->traces, id);

	if (trace && entry)
		span_prove(span, &trace->place);
	span_settle(correlator, span, trace);
	span_free(span);
}

/* Nobody waits for the other end of this trace's exchange any more. */
static void stop_awaiting(struct correlator *correlator, const struct trace *trace)
{
	struct half *half;

	if (!trace->awaited)
		return;
	half = hashmap_get(&correlator->halves, &trace->awaits);
	if (half && !half->client && memcmp(half->server, trace->entry, SPAN_ID_LEN) == 0)
		hashmap_drop(&correlator->halves, half);
}

/* The trace's place is final: so are the spans that waited for it, unless it continues another. */
static void trace_settle(struct correlator *correlator, struct trace *trace)
{
	struct trace *root;
	struct span *span;

	if (!trace->waiting)
		return;
	trace->waiting = false;
	correlator->traces.n_waiting--;
	stop_awaiting(correlator, trace);
	root = trace_root(trace);
	if (root->waiting)
		return;
	span = root->held;
	root->held = NULL;
	root->held_tail = &root->held;
	while (span) {
		struct span *next = span->next;

		correlator->counters.held--;
		held_settle(correlator, span, trace);
		span = next;
	}
}

/* Both ends of an exchange are known: the server span hangs under the client span. */
static void trace_join(struct correlator *correlator, struct trace *trace, struct exchange *client)
{
	struct trace *caller = exchange_trace(correlator, client);
	bool same = memcmp(trace->place.parent_id, client->span_id, SPAN_ID_LEN) == 0;

	/* the sender's record may be later than the receiver's: its first byte was not */
	if (trace->start_ns < client->request.start_ns)
		client->request.start_ns = trace->start_ns;
	if (!same)
		trace->place.evidence = "same_host";
	memcpy(trace->place.parent_id, client->span_id, SPAN_ID_LEN);
	trace->plain &= !caller && trace->place.flags == client->trace_flags &&
			memcmp(trace->place.trace_id, client->trace_id, TRACE_ID_LEN) == 0;
	if (caller) {
		trace_continue(trace, caller);
	} else {
		memcpy(trace->place.trace_id, client->trace_id, TRACE_ID_LEN);
		trace->place.flags = client->trace_flags;
	}
	correlator->counters.joined++;
	untraced_not(&correlator->untraced, trace->peers);
	trace_settle(correlator, trace);
}

/*
 * Is the waiting server request the client's? On TCP the key says so. Unix sockets count exchanges,
 * and two ends that were first seen at different moments count differently: an answer that was over
 * well before the client began is another exchange's. Well before, for the client's first byte is
 * noted when its call returns, and it may have been preempted there.
 */
static bool halves_fit(const struct correlator *correlator, const struct trace *trace,
		       const struct exchange *client)
{
	if (!trace || !trace->waiting)
		return false;
	return client->family != AF_UNIX || !trace->ended ||
	       trace->end_ns + correlator->options.preemption_ns >= client->request.start_ns;
}

/* Makes room by giving up what is oldest. */
static void make_room(struct correlator *correlator)
{
	struct trace *oldest = trace_oldest(&correlator->traces);

	if (!hashmap_full(&correlator->traces.traces) || !oldest)
		return;
	if (oldest->waiting)
		correlator->counters.early++;
	trace_settle(correlator, oldest);
	trace_remove(&correlator->traces, oldest);
}

/* The request names its caller: that holds unless the other end is found between the two. */
static void server_called(struct correlator *correlator, struct exchange *exchange,
			  struct trace *trace)
{
	const struct trace_context *context = &exchange->context.carried;
	struct caller_key key = { .pid = exchange->pid };
	struct caller *caller;

	memcpy(trace->place.trace_id, context->trace_id, TRACE_ID_LEN);
	memcpy(trace->place.parent_id, &context->span_id, SPAN_ID_LEN);
	trace->place.evidence = describe_evidence_name(exchange->context.evidence);
	/* only what a head says can be handed on */
	if (!exchange->context.head_span_id)
		return;
	memcpy(key.span_id, &exchange->context.head_span_id, SPAN_ID_LEN);
	caller = hashmap_put(&correlator->callers, &key, NULL);
	if (!caller)
		return;
	memcpy(caller->trace_id, exchange->trace_id, TRACE_ID_LEN);
	memcpy(caller->span_id, exchange->span_id, SPAN_ID_LEN);
	if (caller->open++)
		caller->shared = true;
	exchange->has_caller = true;
	memcpy(exchange->caller_id, key.span_id, SPAN_ID_LEN);
}

/* Its span, and those of what is done for it, carry the tracestate on. */
static void state_take(const struct exchange *exchange, struct trace *trace)
{
	char text[TRACE_STATE_MAX];
	size_t len = trace_state_of(exchange, text);

	/* without memory they go without it */
	if (len > 0)
		trace->state = strndup(text, len);
}

/* Is the other end's record to be waited for? */
static bool server_waits(struct correlator *correlator, const struct exchange *exchange,
			 struct trace *trace)
{
	if (!peer_may_be_local(exchange))
		return false;
	trace->conn = exchange->conn;
	trace->peers = untraced_peers(&correlator->untraced, exchange);
	if (!untraced_is(&correlator->untraced, exchange, trace->peers))
		return true;
	correlator->counters.untraced++;
	return false;
}

/* Finds the exchange's other end, or lets the trace wait for it. */
static void server_meet(struct correlator *correlator, const struct exchange *exchange,
			struct trace *trace)
{
	struct exchange_key key = key_of(exchange);
	bool waits = server_waits(correlator, exchange, trace);
	struct half *half = waits ? hashmap_put(&correlator->halves, &key, NULL)
				  : hashmap_get(&correlator->halves, &key);
	struct exchange *client = half ? half->client : NULL;

	if (client) {
		hashmap_drop(&correlator->halves, half);
		client->awaits_server = false;
		trace_join(correlator, trace, client);
	} else if (!waits) {
		trace_settle(correlator, trace);
	} else if (half) {
		memcpy(half->server, trace->entry, SPAN_ID_LEN);
		trace->awaits = key;
		trace->awaited = true;
	}
}

static void server_started(struct correlator *correlator, struct exchange *exchange)
{
	struct trace *trace;

	make_room(correlator);
	trace = trace_add(&correlator->traces, exchange->span_id);
	if (!trace)
		return;
	memcpy(trace->place.trace_id, exchange->trace_id, TRACE_ID_LEN);
	trace->place.flags = exchange->trace_flags;
	trace->start_ns = exchange->request.start_ns;
	trace->plain = exchange->context.use != CONTEXT_TAKEN;
	sdk_server_started(trace, exchange);
	if (!trace->plain) {
		server_called(correlator, exchange, trace);
		state_take(exchange, trace);
	}
	server_meet(correlator, exchange, trace);
}

/* The process passes on the context that it received: the span is one of its own. */
static void client_pass_on(struct exchange *exchange, const struct caller *caller)
{
	const struct trace_context *context = &exchange->context.carried;
	const void *trace_id = caller->trace_id;
	const void *parent_id = caller->span_id;

	if (caller->shared) {
		/* what the kernel side knows is better; else the caller's span is an ancestor for
		 * sure */
		if (!id_is_zero(exchange->parent_id))
			return;
		trace_id = context->trace_id;
		parent_id = &context->span_id;
		exchange->trace_flags = context->flags;
	}
	memcpy(exchange->trace_id, trace_id, TRACE_ID_LEN);
	memcpy(exchange->parent_id, parent_id, SPAN_ID_LEN);
	exchange->evidence = EVIDENCE_HEADER;
}

/*
 * A client request that carries context already: its span stands for the caller's span of that id.
 * If the process only passes on what it received, the span is one of its own, under the server
 * request.
 */
static void client_adopt(struct correlator *correlator, struct exchange *exchange)
{
	const struct trace_context *context = &exchange->context.carried;
	struct caller_key key = { .pid = exchange->pid };
	const struct caller *caller;
	struct trace *trace;
	const uint8_t *trace_id = exchange->trace_id;
	bool strays;

	memcpy(key.span_id, &context->span_id, SPAN_ID_LEN);
	caller = hashmap_get(&correlator->callers, &key);
	if (caller) {
		client_pass_on(exchange, caller);
		return;
	}
	/* the caller was named by a TCP option: the head came over a connection that is not
	   understood, and is handed on */
	if (exchange->evidence == EVIDENCE_TCP_OPTION &&
	    memcmp(trace_id, context->trace_id, TRACE_ID_LEN) == 0)
		return;
	trace = exchange_trace(correlator, exchange);
	if (trace)
		trace_id = trace_root(trace)->place.trace_id;
	strays = memcmp(trace_id, context->trace_id, TRACE_ID_LEN) != 0;
	if (strays && trace)
		sdk_call_strays(trace, context);
	/* a thread may say that it is in the very span that it sends */
	if (strays || memcmp(exchange->parent_id, &context->span_id, SPAN_ID_LEN) == 0) {
		memset(exchange->parent_id, 0, SPAN_ID_LEN);
		exchange->evidence = EVIDENCE_NONE;
	}
	exchange->adopted = true;
	memcpy(exchange->trace_id, context->trace_id, TRACE_ID_LEN);
	memcpy(exchange->span_id, &context->span_id, SPAN_ID_LEN);
	exchange->trace_flags = context->flags;
}

static void client_started(struct correlator *correlator, struct exchange *exchange)
{
	struct exchange_key key = key_of(exchange);
	struct trace *caller;
	struct half *half;
	bool created;

	if (peer_may_be_local(exchange))
		untraced_not(&correlator->untraced,
			     untraced_peers(&correlator->untraced, exchange));
	if (exchange->context.use == CONTEXT_CARRIED)
		client_adopt(correlator, exchange);
	caller = exchange_trace(correlator, exchange);
	if (caller && !exchange->adopted)
		sdk_call_started(caller, exchange);
	half = hashmap_put(&correlator->halves, &key, &created);
	if (!half)
		return;
	if (!created && !half->client) {
		struct trace *trace = trace_find(&correlator->traces, half->server);

		if (halves_fit(correlator, trace, exchange)) {
			hashmap_drop(&correlator->halves, half);
			trace_join(correlator, trace, exchange);
			return;
		}
	}
	half->client = exchange;
	exchange->awaits_server = true;
}

void correlator_started(struct correlator *correlator, struct exchange *exchange)
{
	correlator->counters.invalid_context += exchange->context.refused;
	if (exchange->role == ROLE_SERVER)
		server_started(correlator, exchange);
	else
		client_started(correlator, exchange);
}

/* A trace that is over and changes nothing in spans that may still come need not be remembered. */
static void trace_forget_plain(struct correlator *correlator, struct trace *trace)
{
	if (trace->plain && trace->ended && !trace->waiting && trace->fate == FATE_KEPT)
		trace_remove(&correlator->traces, trace);
}

/* Nobody may find the exchange any more. `trace`: its span's. */
static void exchange_forget(struct correlator *correlator, const struct exchange *exchange,
			    struct trace *trace)
{
	struct exchange_key key = key_of(exchange);
	struct half *half;

	if (exchange->role == ROLE_CLIENT) {
		if (!exchange->awaits_server)
			return;
		half = hashmap_get(&correlator->halves, &key);
		if (half && half->client == exchange)
			hashmap_drop(&correlator->halves, half);
		return;
	}
	if (trace) {
		trace->ended = true;
		trace->end_ns = exchange->response.end_ns ? exchange->response.end_ns
							  : exchange->request.end_ns;
	}
	if (exchange->has_caller) {
		struct caller_key caller_key = { .pid = exchange->pid };
		struct caller *caller;

		memcpy(caller_key.span_id, exchange->caller_id, SPAN_ID_LEN);
		caller = hashmap_get(&correlator->callers, &caller_key);
		if (caller && --caller->open == 0)
			hashmap_drop(&correlator->callers, caller);
	}
}

/* Does the trace's tree wait? Makes room for one more span that does. */
static bool must_hold(struct correlator *correlator, struct trace *trace)
{
	struct trace *root = trace ? trace_root(trace) : NULL;

	if (!root || !root->waiting)
		return false;
	if (correlator->counters.held < correlator->options.held_spans)
		return true;
	correlator->counters.early++;
	trace_settle(correlator, root);
	return false;
}

static void hold(struct correlator *correlator, struct trace *trace,
		 const struct span_builder *builder)
{
	struct span *span = span_new(builder);

	if (!span) {
		correlator->counters.no_memory++;
		return;
	}
	trace_hold(trace, span);
	correlator->counters.held++;
}

void correlator_finished(struct correlator *correlator, struct exchange *exchange,
			 struct span_builder *builder)
{
	struct trace *trace = exchange_trace(correlator, exchange);
	struct span *span = &builder->span;
	bool held;

	exchange_forget(correlator, exchange, trace);
	if (sdk_takes_client(exchange)) {
		correlator->counters.left++;
		return;
	}
	if (trace)
		trace->sdk |= exchange->sdk;
	memcpy(span->trace_id, exchange->trace_id, TRACE_ID_LEN);
	memcpy(span->span_id, exchange->span_id, SPAN_ID_LEN);
	memcpy(span->parent_id, exchange->parent_id, SPAN_ID_LEN);
	span->flags = exchange->trace_flags | SPAN_FLAG_HAS_IS_REMOTE;
	describe_context(exchange, trace, builder);
	held = must_hold(correlator, trace);
	describe_evidence(exchange, trace, held, builder);
	if (held) {
		hold(correlator, trace, builder);
		return;
	}
	span_settle(correlator, span, trace);
	if (trace)
		trace_forget_plain(correlator, trace);
}

void correlator_dropped(struct correlator *correlator, const struct exchange *exchange)
{
	exchange_forget(correlator, exchange, exchange_trace(correlator, exchange));
}

/* A server request whose other end did not show up. */
static void trace_give_up(struct correlator *correlator, struct trace *trace)
{
	correlator->counters.unjoined++;
	if (trace->awaited)
		untraced_waited(&correlator->untraced, trace->conn, trace->peers, trace->start_ns);
	trace_settle(correlator, trace);
	trace_forget_plain(correlator, trace);
}

/* Forgets traces of which no more spans are to be expected. */
static void sweep(struct correlator *correlator, uint64_t now_ns)
{
	struct trace *trace = trace_oldest(&correlator->traces);

	if (now_ns < correlator->next_sweep_ns)
		return;
	correlator->next_sweep_ns = now_ns + TRACE_SWEEP_NS;
	/* one that began later has not ended earlier */
	while (trace && trace->start_ns + TRACE_LINGER_NS < now_ns) {
		struct trace *younger = trace_younger(trace);

		if (!trace->waiting && trace->ended && trace->end_ns + TRACE_LINGER_NS < now_ns)
			trace_remove(&correlator->traces, trace);
		trace = younger;
	}
}

void correlator_tick(struct correlator *correlator, uint64_t now_ns)
{
	struct trace *trace;

	while ((trace = trace_oldest_waiting(&correlator->traces)) &&
	       trace->start_ns + correlator->options.join_window_ns <= now_ns)
		trace_give_up(correlator, trace);
	sweep(correlator, now_ns);
}

bool correlator_waiting(const struct correlator *correlator)
{
	return correlator->traces.n_waiting > 0;
}

void correlator_drain(struct correlator *correlator)
{
	for (struct trace *trace = trace_oldest(&correlator->traces); trace;
	     trace = trace_younger(trace))
		trace_settle(correlator, trace);
}

const struct correlate_counters *correlator_counters(const struct correlator *correlator)
{
	return &correlator->counters;
}

int correlator_new(const struct correlate_options *options, struct correlator **ret_correlator)
{
	struct correlator *correlator = calloc(1, sizeof(*correlator));
	int r;

	if (!correlator)
		return -ENOMEM;
	correlator->options = *options;
	untraced_init(&correlator->untraced);
	r = trace_table_init(&correlator->traces, options->traces);
	if (r == 0)
		r = hashmap_init(&correlator->halves, sizeof(struct exchange_key),
				 sizeof(struct half), options->traces * 2);
	if (r == 0)
		r = hashmap_init(&correlator->callers, sizeof(struct caller_key),
				 sizeof(struct caller), options->traces);
	if (r < 0) {
		correlator_free(correlator);
		return r;
	}
	*ret_correlator = correlator;
	return 0;
}

struct correlator *correlator_free(struct correlator *correlator)
{
	if (!correlator)
		return NULL;
	trace_table_clear(&correlator->traces);
	hashmap_clear(&correlator->halves);
	hashmap_clear(&correlator->callers);
	free(correlator);
	return NULL;
}
