/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/describe.h"

#include <string.h>

#include "correlate/trace_state.h"
#include "span/semconv.h"

const char *describe_evidence_name(enum parent_evidence evidence)
{
	static const char *const names[EVIDENCE_MAX] = {
		[EVIDENCE_HEADER] = "header",	      [EVIDENCE_TCP_OPTION] = "tcp_option",
		[EVIDENCE_SAME_HOST] = "same_host",   [EVIDENCE_UNIT] = "unit",
		[EVIDENCE_EVENT_LOOP] = "event_loop", [EVIDENCE_THREAD_CONTEXT] = "thread_context",
	};

	return evidence < EVIDENCE_MAX ? names[evidence] : NULL;
}

/* To the caller's span, which is not trusted, or to one that the SDK has made in another trace. */
static void link_set(const struct trace_context *context, struct view state,
		     struct span_builder *builder)
{
	struct span_link *link = span_set_link(builder);

	memcpy(link->trace_id, context->trace_id, TRACE_ID_LEN);
	memcpy(link->span_id, &context->span_id, SPAN_ID_LEN);
	link->flags = context->flags | SPAN_FLAG_HAS_IS_REMOTE | SPAN_FLAG_IS_REMOTE;
	link->trace_state = state;
}

void describe_context(const struct exchange *exchange, const struct trace *trace,
		      struct span_builder *builder)
{
	char text[TRACE_STATE_MAX];
	struct view state = { .data = text };

	switch (exchange->context.use) {
	case CONTEXT_FOREIGN:
		state.len = trace_state_of(exchange, text);
		link_set(&exchange->context.carried, span_text(builder, state), builder);
		break;
	case CONTEXT_CARRIED:
		state.len = trace_state_of(exchange, text);
		builder->span.trace_state = span_text(builder, state);
		break;
	default:
		if (trace && trace->state)
			builder->span.trace_state = span_text(builder, view_of(trace->state));
		if (trace && trace->strays && exchange->sdk && exchange->role == ROLE_SERVER)
			link_set(&trace->other, VIEW(""), builder);
	}
}

void describe_evidence(const struct exchange *exchange, const struct trace *trace, bool held,
		       struct span_builder *builder)
{
	const char *evidence = describe_evidence_name(exchange->evidence);

	if (exchange->role == ROLE_SERVER) {
		if (!held)
			evidence = trace ? trace->place.evidence : NULL;
		else if (!evidence)
			evidence = "";
	}
	if (evidence)
		span_set_text(builder, ATTR_WEFT_PARENT_EVIDENCE, view_of(evidence));
}
