/* SPDX-License-Identifier: Apache-2.0 */
/* Where probes are set for a library's functions, so that they cost as little as they can. */
#ifndef WEFT_DISCOVER_TLS_PLACES_H
#define WEFT_DISCOVER_TLS_PLACES_H

#include "discover/tls_library.h"

/*
 * Moves each function's place from its beginning to one where a probe costs less and sees the same,
 * and says which have none. OpenSSL's reads, and its writes, all go through one function that has
 * no name: where that is certain, it takes their place.
 */
void tls_places_settle(int fd, struct tls_library *library);

#endif
