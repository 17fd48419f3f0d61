/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/protocol.h"

#include <stddef.h>

static const struct protocol *const protocols[PROTOCOL_ID_MAX] = {
#define PROTOCOL(constant, name) [PROTOCOL_##constant] = &protocol_##constant,
#include "bpf/abi/protocols.def"
#undef PROTOCOL
};

const struct protocol *protocol_by_id(enum protocol_id id)
{
	return (unsigned int)id < PROTOCOL_ID_MAX ? protocols[id] : NULL;
}
