/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compression of header fields of one direction of a connection (HPACK, RFC 7541), which
 * libnghttp2 undoes.
 *
 * A decoder that has seen its direction from the start is *exact*. One that has not is *blind*: its
 * table is filled with entries without a name, so that what refers to fields of before the start is
 * known to be unknown. References count from the youngest entry, so those to what was seen since
 * are right all the same; and when the peer empties its table, nothing unknown is left.
 */
#ifndef WEFT_PROTOCOLS_HTTP2_HPACK_H
#define WEFT_PROTOCOLS_HTTP2_HPACK_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

/* The largest table that a peer may use. Ours obeys the sizes that the peer's blocks announce, so
 * SETTINGS need not be read. */
#define HPACK_TABLE_MAX 65536

struct hpack {
	nghttp2_hd_inflater *inflater; /* NULL: no memory was had for it */
};

/* A field of a block; an empty name: it is not known. Views last for the call. */
typedef void hpack_field(void *context, struct view name, struct view value);

/* Starts anew. -ENOMEM: the decoder has nothing, and will say nothing. */
int hpack_reset(struct hpack *hpack, nghttp2_mem *memory, bool exact);

/*
 * Decodes the next bytes of a block, the last ones with `final`. -EBADMSG: they are no such block,
 * or were compressed by what is not known: hpack_reset() is due.
 */
int hpack_read(struct hpack *hpack, struct view bytes, bool final, hpack_field *field,
	       void *context);

/* Accepts a zeroed struct. */
void hpack_clear(struct hpack *hpack);

#endif
