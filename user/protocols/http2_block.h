/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of one direction's header blocks, piece by piece as records bring them: what is their
 * own (length, padding, priority) is taken off, the rest is decoded. RFC 9113 section 6.2, 6.6,
 * 6.10.
 */
#ifndef WEFT_PROTOCOLS_HTTP2_BLOCK_H
#define WEFT_PROTOCOLS_HTTP2_BLOCK_H

#include "protocols/http2_hpack.h"

struct http2_block_reader {
	struct hpack hpack;
	uint32_t left;	  /* of the frame's payload */
	uint32_t skip;	  /* bytes of the payload before the block's */
	uint32_t padding; /* at its end */
	bool pad_due;	  /* the next byte says how much padding there is */
	bool broken;	  /* the rest of this block cannot be decoded */
};

/* Between blocks: what comes next begins one. `exact`: it is the first of its direction. */
int http2_block_reset(struct http2_block_reader *reader, nghttp2_mem *memory, bool exact);

/*
 * Takes the bytes of a piece; the block ends with it if `final`. -EBADMSG: they are no frames of a
 * block, or cannot be decoded: http2_block_reset() is due once the block is over.
 */
int http2_block_read(struct http2_block_reader *reader, struct view piece, bool final,
		     hpack_field *field, void *context);

void http2_block_clear(struct http2_block_reader *reader);

#endif
