/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of remote procedure calls that travel over HTTP, whatever version of it: OpenTelemetry
 * semantic conventions 1.44, "RPC spans", "gRPC" and "Connect RPC".
 */
#ifndef WEFT_PROTOCOLS_RPC_SPAN_H
#define WEFT_PROTOCOLS_RPC_SPAN_H

#include "protocols/http_span.h"

enum rpc_form {
	RPC_NO_CALL,
	RPC_GRPC,
	RPC_GRPC_WEB,	    /* the status is in the body, but for answers without one */
	RPC_CONNECT,	    /* the HTTP status says how the call ended */
	RPC_CONNECT_STREAM, /* the end of the body does */
};

/* Fields of the two heads; empty: not there. */
struct rpc_facts {
	struct view content_type;    /* of the request */
	struct view connect_version; /* Connect-Protocol-Version */
	struct view grpc_timeout;    /* grpc-timeout */
	struct view connect_timeout; /* Connect-Timeout-Ms */
	struct view response_type;   /* Content-Type of the response */
	struct view grpc_status;     /* grpc-status, of the response's head or trailers */
};

/* What a request with that type may be, before its other fields are looked at. */
bool rpc_type_is_likely(struct view content_type);

enum rpc_form rpc_form_of(const struct http_facts *http, const struct rpc_facts *rpc);

/* Writes the whole span but for what is the caller's (protocols/protocol.h). */
void rpc_span_describe(const struct exchange *exchange, const struct http_facts *http,
		       const struct rpc_facts *rpc, enum rpc_form form,
		       struct span_builder *builder);

#endif
