/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of remote procedure calls that travel over HTTP: OpenTelemetry semantic conventions 1.44,
 * "RPC spans" and "gRPC".
 */
#ifndef WEFT_PROTOCOLS_RPC_SPAN_H
#define WEFT_PROTOCOLS_RPC_SPAN_H

#include "protocols/http_span.h"

struct rpc_facts {
	struct view content_type; /* of the request */
	struct view status; /* the call's own, as on the wire: a number; empty: none was seen */
};

/* Is it a request of such a call? */
bool rpc_is_call(const struct http_facts *http, const struct rpc_facts *rpc);

/* Writes the whole span but for what is the caller's (protocols/protocol.h). */
void rpc_span_describe(const struct exchange *exchange, const struct http_facts *http,
		       const struct rpc_facts *rpc, struct span_builder *builder);

#endif
