/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the kernel side, checked before anybody reads them: type, sizes, and enumerations
 * within their ranges. Nothing else is interpreted here.
 */
#ifndef WEFT_INGEST_DECODE_H
#define WEFT_INGEST_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/event.h"

/* One record; `header` is the start of whichever member `type` names. Points into the ring buffer.
 */
union event {
	const struct event_header *header;
	const struct event_request *request;
	const struct event_response *response;
	const struct event_head_more *more;
	const struct event_end *end;
	const struct event_close *close;
	const struct event_reset *reset;
	const struct event_tls_hello *hello;
};

/*
 * Checks `size` bytes at `data` (8-byte aligned). 0: all fixed fields may be read, and head_len
 * bytes of head[]. -EBADMSG: not a record of this version.
 */
int event_decode(const void *data, size_t size, union event *ret_event);

#endif
