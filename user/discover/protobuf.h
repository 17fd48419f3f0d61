/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded reader of Protocol Buffers wire format (protobuf.dev, "Encoding"): one field after the
 * other out of a view, nothing allocated.
 */
#ifndef WEFT_DISCOVER_PROTOBUF_H
#define WEFT_DISCOVER_PROTOBUF_H

#include <stdint.h>

#include "base/view.h"

enum protobuf_type {
	PROTOBUF_VARINT = 0,
	PROTOBUF_FIXED64 = 1,
	PROTOBUF_BYTES = 2,
	PROTOBUF_FIXED32 = 5,
};

struct protobuf_field {
	uint32_t number;
	enum protobuf_type type;
	uint64_t value;	   /* the types that are numbers */
	struct view bytes; /* PROTOBUF_BYTES */
};

/*
 * Takes the next field. 1: `*ret_field` is set; 0: the message is at its end; -EBADMSG: it is cut,
 * or has groups or field number 0.
 */
int protobuf_next(struct view *message, struct protobuf_field *ret_field);

#endif
