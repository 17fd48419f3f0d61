/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/peer.h"

#include <string.h>
#include <sys/socket.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
static const uint8_t loopback[16] = { [15] = 1 };

/* Loopback, private and link-local ranges: a container's or another process' end may be on this
 * host. */
static bool address_may_be_local(const struct conn_address *address)
{
	const uint8_t *ip = address->ip;

	if (memcmp(ip, mapped, sizeof(mapped)) != 0)
		return (ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) ||
		       memcmp(ip, loopback, sizeof(loopback)) == 0;
	ip += sizeof(mapped);
	return ip[0] == 127 || ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
	       (ip[0] == 192 && ip[1] == 168) || (ip[0] == 169 && ip[1] == 254) ||
	       (ip[0] == 100 && (ip[1] & 0xc0) == 64);
}

bool peer_may_be_local(const struct exchange *exchange)
{
	return exchange->family == AF_UNIX || address_may_be_local(&exchange->remote) ||
	       memcmp(exchange->local.ip, exchange->remote.ip, sizeof(exchange->local.ip)) == 0;
}
