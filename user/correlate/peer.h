/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_CORRELATE_PEER_H
#define WEFT_CORRELATE_PEER_H

#include <stdbool.h>

#include "conn/exchange.h"

/* May the other end of the exchange's connection be on this host, too: worth waiting for? */
bool peer_may_be_local(const struct exchange *exchange);

#endif
