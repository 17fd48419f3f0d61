/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a remote procedure call has ended: its status as gRPC numbers it, which Connect has taken
 * over with names of its own, and what stands for it where the call's own word is missing.
 */
#ifndef WEFT_PROTOCOLS_RPC_STATUS_H
#define WEFT_PROTOCOLS_RPC_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

#define RPC_STATUS_NONE (-1) /* not known */

enum rpc_status {
	RPC_OK,
	RPC_CANCELLED,
	RPC_UNKNOWN,
	RPC_INVALID_ARGUMENT,
	RPC_DEADLINE_EXCEEDED,
	RPC_NOT_FOUND,
	RPC_ALREADY_EXISTS,
	RPC_PERMISSION_DENIED,
	RPC_RESOURCE_EXHAUSTED,
	RPC_FAILED_PRECONDITION,
	RPC_ABORTED,
	RPC_OUT_OF_RANGE,
	RPC_UNIMPLEMENTED,
	RPC_INTERNAL,
	RPC_UNAVAILABLE,
	RPC_DATA_LOSS,
	RPC_UNAUTHENTICATED,
	RPC_STATUS_MAX,
};

/* "NOT_FOUND", or Connect's "not_found". The status is one. */
const char *rpc_status_name(int status, bool connect);

/* gRPC's name, as above; RPC_STATUS_NONE: it is none. */
int rpc_status_of_name(struct view name);

/* Is it an error at that end? Clients take all but OK for one. */
bool rpc_status_is_error(int status, bool client);

/* The number as it is on the wire, without leading zeroes. All of these may give RPC_STATUS_NONE.
 */
int rpc_status_parse(struct view text);

/* What a client takes for the status of a stream that was reset with this code (RFC 9113 section
 * 7). */
int rpc_status_of_reset(uint32_t code);

/* What a client takes for the status of an answer that is none of the call's own. */
int rpc_status_of_http(uint16_t http);

/* The status of a Connect error that came with this HTTP status: several have one in common. */
int rpc_status_of_connect(uint16_t http);

#endif
