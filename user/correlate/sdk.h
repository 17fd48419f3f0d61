/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are instrumented with an OpenTelemetry SDK, which makes and exports spans of its
 * own. weft must not show the same request twice, and must not tear a trace apart that only it
 * holds together. It knows of its own spans and of the context on the wire, not of the SDK's spans.
 *
 * - A client request that carries a context of the process' own making: the SDK has a span of that
 *   very id. Left to it; the other end's parent is that id anyway.
 * - A client request without one: the SDK does not know the library that sends. weft's span stays.
 * - A server request that came with a context in its head: the SDK has seen it too, and made its
 *   span under the same caller. Left to it. What weft keeps below it moves up to that caller, an
 *   ancestor for sure; the SDK's span itself is not known from the wire. Unless a call that was
 *   made for the request has shown that the SDK works for it in another trace.
 * - A server request whose caller weft alone knows (same host, TCP option): the SDK has started a
 *   trace of its own. weft's span stays, for without it the caller's trace would end in nothing.
 *   The two traces are two views of the request; the one has a link to the other where a call
 *   showed which it is.
 * - A server request without a caller: the SDK has started a trace, and weft's would be the same
 *   one again. Left to it, unless a span of weft's hangs under it, which would lose its root.
 */
#ifndef WEFT_CORRELATE_SDK_H
#define WEFT_CORRELATE_SDK_H

#include "conn/exchange.h"
#include "correlate/trace.h"

/* What the trace's server request shows when it comes. */
void sdk_server_started(struct trace *trace, const struct exchange *exchange);

/* A call has begun under the trace's server span, and carries no context of the process' own. */
void sdk_call_started(struct trace *trace, const struct exchange *exchange);

/* A call that is made for it carries one of another trace. */
void sdk_call_strays(struct trace *trace, const struct trace_context *context);

/* Is the client's span left to the SDK of its process? */
bool sdk_takes_client(const struct exchange *exchange);

/*
 * Is the trace's server span left to the SDK? The first answer stands, for spans go out that rely
 * on it; it wants the trace's place settled.
 */
bool sdk_takes_server(struct trace *trace);

#endif
