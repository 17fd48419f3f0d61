/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of connections whose heads are compressed: a decoder for each direction, and
 * where in a frame it is. Bounded in number and in memory; the connection that was silent for
 * longest is forgotten, and what it says later is known in part.
 */
#ifndef WEFT_PROTOCOLS_HTTP2_HEADS_H
#define WEFT_PROTOCOLS_HTTP2_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "ingest/decode.h"

#define HTTP2_CONNECTIONS_MAX 4096
#define HTTP2_MEMORY_MAX      ((size_t)32 << 20) /* of all decoders together */

struct http2_heads;

struct http2_heads_counters {
	uint64_t connections; /* that are remembered now */
	uint64_t forgotten;   /* given up for others' sake */
	uint64_t broken;      /* blocks that could not be decoded */
	size_t memory;	      /* bytes that decoders have now */
};

/* -ENOMEM. */
int http2_heads_new(const struct config *config, struct http2_heads **ret_heads);

/* protocol.h: unpack(). */
bool http2_heads_unpack(struct http2_heads *heads, union event *event);

const struct http2_heads_counters *http2_heads_counters(const struct http2_heads *heads);

/* NULL is accepted. Returns NULL. */
struct http2_heads *http2_heads_free(struct http2_heads *heads);

#endif
