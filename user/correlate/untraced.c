/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/untraced.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/hashmap.h"

/* So many requests in a row, for the record of one may be lost. */
#define VAIN_ENOUGH 3
/* How often a request waits all the same. */
#define LOOK_INTERVAL_NS NS_PER_SEC

void untraced_init(struct untraced *untraced)
{
	uint64_t seed[2];

	hashmap_seed(seed);
	untraced->seed = seed[0];
}

static uint64_t address_mix(uint64_t number, const struct conn_address *address)
{
	uint64_t words[2];

	memcpy(words, address->ip, sizeof(words));
	return hashmap_mix(hashmap_mix(number, words[0] ^ address->port), words[1]);
}

uint64_t untraced_peers(const struct untraced *untraced, const struct exchange *exchange)
{
	bool server = exchange->role == ROLE_SERVER;

	if (exchange->family == AF_UNIX)
		return hashmap_mix(hashmap_mix(untraced->seed, exchange->join.client),
				   exchange->join.server);
	return address_mix(address_mix(untraced->seed,
				       server ? &exchange->remote : &exchange->local),
			   server ? &exchange->local : &exchange->remote);
}

static struct untraced_connection *place_of(struct untraced *untraced, uint64_t peers)
{
	return &untraced->connections[peers & (UNTRACED_CONNECTIONS - 1)];
}

bool untraced_is(struct untraced *untraced, const struct exchange *exchange, uint64_t peers)
{
	struct untraced_connection *place = place_of(untraced, peers);

	if (place->vain < VAIN_ENOUGH || place->peers != peers || place->conn != exchange->conn)
		return false;
	if (exchange->request.start_ns < place->look_ns)
		return true;
	place->look_ns = exchange->request.start_ns + LOOK_INTERVAL_NS;
	return false;
}

void untraced_waited(struct untraced *untraced, uint64_t conn, uint64_t peers, uint64_t start_ns)
{
	struct untraced_connection *place = place_of(untraced, peers);

	if (place->peers != peers || place->conn != conn)
		*place = (struct untraced_connection){ .conn = conn, .peers = peers };
	if (place->vain < VAIN_ENOUGH && ++place->vain == VAIN_ENOUGH)
		place->look_ns = start_ns + LOOK_INTERVAL_NS;
}

void untraced_not(struct untraced *untraced, uint64_t peers)
{
	struct untraced_connection *place = place_of(untraced, peers);

	if (place->peers == peers)
		place->vain = 0;
}
