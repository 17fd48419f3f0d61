/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of an exchange's connection, as the spans of every protocol show them.
 */
#ifndef WEFT_PROTOCOLS_ENDPOINT_H
#define WEFT_PROTOCOLS_ENDPOINT_H

#include "conn/exchange.h"
#include "span/span.h"

/* Room for any address as text, with its NUL: INET6_ADDRSTRLEN. */
#define ENDPOINT_TEXT_MAX 46

/*
 * The address as text in `buffer`; IPv4 mapped into IPv6 is shown as IPv4. Empty for the
 * unspecified address: not known, or a unix socket's.
 */
struct view endpoint_text(const struct conn_address *address, char buffer[ENDPOINT_TEXT_MAX]);

/* The socket address of the end that serves. NULL: which end that is is not known. */
const struct conn_address *endpoint_server(const struct exchange *exchange);

/*
 * Sets kind, times and what the socket alone tells: network.peer.*, network.transport,
 * client.address on servers, thread.id.
 *
 * A server's span lasts from the first request byte received to the last response byte sent, a
 * client's from the first request byte sent to the last response byte received; without an end as
 * the framing says, up to the last thing that was seen.
 */
void endpoint_describe(const struct exchange *exchange, struct span_builder *builder);

/*
 * Sets status and error.type when the connection broke before the response ended, and weft.end when
 * its end was not seen.
 */
void endpoint_describe_end(const struct exchange *exchange, struct span_builder *builder);

#endif
