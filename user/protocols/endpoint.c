/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/endpoint.h"

#include <arpa/inet.h>
#include <assert.h>
#include <sys/socket.h>

#include "protocols/tls_cipher.h"
#include "span/semconv.h"

static_assert(ENDPOINT_TEXT_MAX == INET6_ADDRSTRLEN, "room for every address");

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };
static const uint8_t unspecified[16];

/* inet_ntop() does it with printf: that took a twelfth of the time that a span takes. */
static struct view ipv4_text(const uint8_t ip[4], char buffer[ENDPOINT_TEXT_MAX])
{
	char *at = buffer;

	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		if (ip[i] >= 100)
			*at++ = (char)('0' + ip[i] / 100);
		if (ip[i] >= 10)
			*at++ = (char)('0' + ip[i] / 10 % 10);
		*at++ = (char)('0' + ip[i] % 10);
	}
	return (struct view){ .data = buffer, .len = (size_t)(at - buffer) };
}

struct view endpoint_text(const struct conn_address *address, char buffer[ENDPOINT_TEXT_MAX])
{
	if (memcmp(address->ip, unspecified, sizeof(unspecified)) == 0)
		return VIEW("");
	if (memcmp(address->ip, mapped_prefix, sizeof(mapped_prefix)) == 0)
		return ipv4_text(address->ip + sizeof(mapped_prefix), buffer);
	return view_of(inet_ntop(AF_INET6, address->ip, buffer, ENDPOINT_TEXT_MAX));
}

const struct conn_address *endpoint_server(const struct exchange *exchange)
{
	switch (exchange->role) {
	case ROLE_SERVER:
		return &exchange->local;
	case ROLE_CLIENT:
		return &exchange->remote;
	default:
		return NULL;
	}
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t end_ns(const struct exchange *exchange)
{
	uint64_t seen = later(exchange->request.end_ns, exchange->response.end_ns);
	bool whole = exchange->end == EXCHANGE_COMPLETE || exchange->end == EXCHANGE_UPGRADED;

	/* a server may answer before it has read all of the request */
	if (whole && exchange->response.end_ns)
		return exchange->response.end_ns;
	return later(seen, exchange->closed_ns);
}

static void describe_peer(const struct exchange *exchange, struct span_builder *builder)
{
	char buffer[ENDPOINT_TEXT_MAX];
	struct view peer = endpoint_text(&exchange->remote, buffer);

	if (exchange->family == AF_UNIX) {
		span_set_text(builder, ATTR_NETWORK_TRANSPORT, VIEW("unix"));
		return;
	}
	if (peer.len == 0)
		return;
	peer = span_text(builder, peer);
	span_set_text(builder, ATTR_NETWORK_PEER_ADDRESS, peer);
	span_set_int(builder, ATTR_NETWORK_PEER_PORT, exchange->remote.port);
	/* not from a Forwarded field: anybody can write one */
	if (exchange->role == ROLE_SERVER)
		span_set_text(builder, ATTR_CLIENT_ADDRESS, peer);
}

/* RFC 8446 and those before it. */
static void describe_tls(const struct exchange *exchange, struct span_builder *builder)
{
	static const char *const versions[] = {
		[TLS_VERSION_1_0] = "1.0",
		[TLS_VERSION_1_1] = "1.1",
		[TLS_VERSION_1_2] = "1.2",
		[TLS_VERSION_1_3] = "1.3",
	};

	const char *cipher;

	if (exchange->tls == TLS_VERSION_NONE)
		return;
	span_set_text(builder, ATTR_TLS_PROTOCOL_NAME, VIEW("tls"));
	if (exchange->tls < TLS_VERSION_MAX && versions[exchange->tls])
		span_set_text(builder, ATTR_TLS_PROTOCOL_VERSION, view_of(versions[exchange->tls]));
	cipher = tls_cipher_name(exchange->tls_cipher);
	if (cipher)
		span_set_text(builder, ATTR_TLS_CIPHER, view_of(cipher));
	if (exchange->tls_name.len > 0)
		span_set_text(builder, ATTR_TLS_CLIENT_SERVER_NAME, exchange->tls_name);
}

void endpoint_describe(const struct exchange *exchange, struct span_builder *builder)
{
	struct span *span = &builder->span;

	span->kind = exchange->role == ROLE_SERVER   ? SPAN_KIND_SERVER
		     : exchange->role == ROLE_CLIENT ? SPAN_KIND_CLIENT
						     : SPAN_KIND_INTERNAL;
	span->start_ns = exchange->request.start_ns ? exchange->request.start_ns
						    : exchange->response.start_ns;
	span->end_ns = later(span->start_ns, end_ns(exchange));
	describe_peer(exchange, builder);
	describe_tls(exchange, builder);
	if (exchange->tid)
		span_set_int(builder, ATTR_THREAD_ID, exchange->tid);
}

void endpoint_describe_end(const struct exchange *exchange, struct span_builder *builder)
{
	static const char *const errors[] = {
		[EXCHANGE_CLOSED] = "connection_closed",
		[EXCHANGE_RESET] = "connection_reset",
		[EXCHANGE_TIMEOUT] = "timeout",
		[EXCHANGE_LOST] = NULL,
	};
	const char *error = (size_t)exchange->end < sizeof(errors) / sizeof(errors[0])
				    ? errors[exchange->end]
				    : NULL;

	if (exchange->end == EXCHANGE_LOST)
		span_set_text(builder, ATTR_WEFT_END, VIEW("unknown"));
	if (!error)
		return;
	builder->span.status = SPAN_STATUS_ERROR;
	span_set_text(builder, ATTR_ERROR_TYPE, view_of(error));
}
