/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this room share: an exchange between two hosts, as conn would have built it. */
#ifndef WEFT_TESTS_PROTOCOLS_FIXTURE_H
#define WEFT_TESTS_PROTOCOLS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conn/exchange.h"
#include "protocols/protocol.h"
#include "span/semconv.h"

#define FIXTURE_REQUEST_NS  1000u
#define FIXTURE_RESPONSE_NS 3000u
#define FIXTURE_CLOSED_NS   5000u
#define FIXTURE_LASTS_NS    500u

/* `ip` in either family, or NULL for a unix socket's. */
static inline struct conn_address fixture_address(const char *ip, uint16_t port)
{
	struct conn_address address = { .port = port };

	if (ip && strchr(ip, ':')) {
		assert_int_equal(inet_pton(AF_INET6, ip, address.ip), 1);
	} else if (ip) {
		address.ip[10] = address.ip[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, ip, address.ip + 12), 1);
	}
	return address;
}

/* The head lies on the heap in just its size: a sanitizer sees a byte too many. */
static inline void fixture_head(struct message *message, struct view head, uint64_t start_ns)
{
	message->start_ns = start_ns;
	message->end_ns = start_ns + FIXTURE_LASTS_NS;
	message->head = malloc(head.len ? head.len : 1);
	assert_non_null(message->head);
	if (head.len > 0)
		memcpy(message->head, head.data, head.len);
	message->head_len = message->head_cap = (uint32_t)head.len;
	message->head_complete = memmem(head.data, head.len, "\n\r\n", 3) != NULL;
	message->ended = true;
}

/* The client at 10.0.0.2:40000, the server at 10.0.0.1:8080; `response` may have no data. */
static inline struct exchange fixture_exchange(enum conn_role role, struct view request,
					       struct view response)
{
	struct conn_address client = fixture_address("10.0.0.2", 40000);
	struct conn_address server = fixture_address("10.0.0.1", 8080);
	struct exchange exchange = {
		.family = AF_INET,
		.role = role,
		.protocol = PROTOCOL_HTTP1,
		.pid = 70,
		.tid = 71,
		.local = role == ROLE_CLIENT ? client : server,
		.remote = role == ROLE_CLIENT ? server : client,
	};

	fixture_head(&exchange.request, request, FIXTURE_REQUEST_NS);
	if (response.data)
		fixture_head(&exchange.response, response, FIXTURE_RESPONSE_NS);
	return exchange;
}

static inline void fixture_clear(struct exchange *exchange)
{
	free(exchange->request.head);
	free(exchange->response.head);
}

static inline int fixture_describe(const struct exchange *exchange, struct span_builder *builder)
{
	span_builder_init(builder);
	return protocol_by_id(exchange->protocol)->describe(exchange, builder);
}

#endif
