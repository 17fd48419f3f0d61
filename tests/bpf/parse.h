/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is done with a piece of a stream, in the kernel (parse.bpf.c) and on the host (parse.c). */
#ifndef WEFT_TESTS_BPF_PARSE_H
#define WEFT_TESTS_BPF_PARSE_H

#include "classify/http1.h"
#include "classify/http2.h"
#include "lib/header.h"

struct parse {
	__u64 order; /* of propagators, as in weft_knobs */
	__u32 len;
	struct piece piece;
	/* what comes out */
	__u32 start; /* enum http1_start */
	__u32 status;
	__u32 used;
	__s32 kind; /* enum context_kind */
	__s32 refused;
	__u32 chunk_used;
	struct http1_head head;
	struct context_fields fields;
	struct http1_chunk chunk;
	struct trace_context context;
	char text[HEADER_TRACEPARENT_LEN];
	/* the same bytes as frames, and behind the first of them as a header block in two pieces */
	char field[FIELD_TRACEPARENT_LEN];
	__u32 framed; /* enum http2_start */
	__s32 block_kind;
	__u32 fits;
	struct http2_frame frame;
	struct http2_table table;
	struct context_fields block;
	struct trace_context block_context;
};

static __always_inline void parse_frames(struct parse *parse, __u32 len)
{
	__u32 half = len / 2;

	parse->framed = http2_classify(&parse->piece, len, len);
	http2_frame_parse(&parse->piece, &parse->frame);
	parse->fits = http2_frame_fits(&parse->frame, 0);
	http2_fields(&parse->table, &parse->block, &parse->piece, 1, half);
	http2_fields(&parse->table, &parse->block, &parse->piece, half > 1 ? half : 1, len);
	http2_block_ended(&parse->table);
	parse->block_kind = context_resolve(&parse->block, parse->order, &parse->block_context);
	field_traceparent(parse->field, &parse->block_context);
}

static __always_inline void parse_run(struct parse *parse, __u32 len)
{
	parse->start = http1_classify(&parse->piece, len);
	parse->status = parse->start == HTTP1_RESPONSE ? http1_status(&parse->piece) : 0;
	parse->used = http1_scan(&parse->head, &parse->fields, &parse->piece, len,
				 parse->start == HTTP1_REQUEST);
	parse->kind = context_resolve(&parse->fields, parse->order, &parse->context);
	parse->refused = context_refused(&parse->fields, parse->order);
	parse->chunk_used = http1_chunk_line(&parse->chunk, &parse->piece, len);
	header_traceparent(parse->text, &parse->context);
	parse_frames(parse, len);
}

#endif
