/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel side inserts into a request: which bytes are to be expected, and no others. */
#ifndef WEFT_ATTACH_INSERTED_H
#define WEFT_ATTACH_INSERTED_H

#include <stddef.h>

#include "bpf/abi/config.h"

/* Bytes of one set of the header lines of these propagators (weft_knobs); 0: none is written. */
size_t inserted_length(__u64 propagators);

/*
 * How many bytes were inserted behind the first line of `sent` so that it became `got`: one set of
 * those lines, or nothing. -EBADMSG: anything else was done to it.
 */
int inserted_find(const char *sent, size_t sent_len, const char *got, size_t got_len,
		  __u64 propagators);

/* The same where the head is compressed, and stands in a frame. */
size_t inserted_field_length(__u64 propagators);

/*
 * The same where the frame at `frame_at`, with which `sent` ends, has grown by one set of fields at
 * its end, and says so.
 */
int inserted_find_field(const char *sent, size_t sent_len, size_t frame_at, const char *got,
			size_t got_len, __u64 propagators);

#endif
