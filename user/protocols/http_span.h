/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of HTTP requests, whatever version of the protocol carried them: OpenTelemetry semantic
 * conventions 1.44, "HTTP spans". A version's own file reads the heads; what it finds goes in here.
 */
#ifndef WEFT_PROTOCOLS_HTTP_SPAN_H
#define WEFT_PROTOCOLS_HTTP_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"
#include "conn/exchange.h"
#include "span/span.h"

/* Views are of bytes from the wire, any value; empty: not known, or not there. */
struct http_facts {
	struct view method; /* as sent; never empty */
	struct view version;
	struct view scheme;  /* empty: the target has none (CONNECT) */
	bool scheme_implied; /* it is not in the target: over TLS it is another one */
	struct view host;    /* without port, brackets and user information */
	uint16_t port;	     /* 0: not said */
	struct view path;
	struct view query; /* without the question mark */
	struct view user_agent;
	int64_t request_body;  /* bytes; -1: there is none, or it is not known */
	int64_t response_body; /* the same */
	uint16_t status;       /* 0: no response */
	bool truncated;	       /* a part of the request's head is missing */
};

/*
 * Takes "userinfo@host:port" (RFC 3986 section 3.2) apart; user information is dropped, an IPv6
 * address loses its brackets. A missing port is 0. 0, or -EBADMSG: it is not an authority.
 */
int http_authority_parse(struct view authority, struct view *ret_host, uint16_t *ret_port);

/* The port that a URL of this scheme need not name; 0: none is known. */
uint16_t http_default_port(struct view scheme);

/*
 * Sets server.address and server.port: what the request says of them, and the socket's address
 * where it says nothing. `host` may be empty, `port` 0.
 */
void http_span_describe_server(const struct exchange *exchange, struct view host, uint16_t port,
			       struct span_builder *builder);

/* Writes the whole span but for what is the caller's (protocols/protocol.h). */
void http_span_describe(const struct exchange *exchange, const struct http_facts *facts,
			struct span_builder *builder);

#endif
