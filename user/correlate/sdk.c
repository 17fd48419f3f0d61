/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/sdk.h"

#include <string.h>

void sdk_server_started(struct trace *trace, const struct exchange *exchange)
{
	trace->head_has_caller = exchange->context.head_span_id != 0;
}

/* What exports telemetry makes no span. */
void sdk_call_started(struct trace *trace, const struct exchange *exchange)
{
	if (!exchange->telemetry)
		trace->has_calls = true;
}

void sdk_call_strays(struct trace *trace, const struct trace_context *context)
{
	if (trace->strays)
		return;
	trace->strays = true;
	trace->other = *context;
}

bool sdk_takes_client(const struct exchange *exchange)
{
	return exchange->sdk && exchange->adopted;
}

static bool is_doubled(const struct trace *trace)
{
	static const uint8_t none[SPAN_ID_LEN];

	if (memcmp(trace->place.parent_id, none, SPAN_ID_LEN) == 0)
		return !trace->has_calls;
	return trace->head_has_caller && !trace->strays;
}

bool sdk_takes_server(struct trace *trace)
{
	if (trace->fate == FATE_OPEN)
		trace->fate = trace->sdk && is_doubled(trace) ? FATE_LEFT : FATE_KEPT;
	return trace->fate == FATE_LEFT;
}
