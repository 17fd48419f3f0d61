// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * HTTP/2's walk: frame by frame, by their lengths. Header blocks leave as they are, each frame with
 * its header: what they say depends on all that came before in their direction, which user space
 * keeps. Only trace context is read here, too, for what is sent meanwhile. Payloads of DATA are
 * passed over and counted by stream, so that one record a message says how long it was: one for
 * each frame would cost more than what it tells.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "lib/flow.bpf.h"
#include "lib/pass.bpf.h"

#define FRAMES_PER_STEP 32  /* or parts of them: a header, a message's length, a message */
#define FILL_FRAME	128 /* most frames that matter are no longer than that */
#define FILL_BLOCK	(PIECE_MAX - FLOW_CARRY_MAX)
/* Of a header block that leaves the kernel: its compression is lost with the rest. */
#define BLOCK_MAX (64 << 10)

#define MESSAGE_PREFIX_LEN 5 /* struct body_messages */

static __always_inline struct stream_key stream_key_of(const struct conn *conn,
						       const struct flow *flow)
{
	return (struct stream_key){ .conn = conn->cookie, .stream = flow->http2.frame.stream };
}

/* NULL: it is not followed. */
static __always_inline struct stream *stream_find(const struct conn *conn, const struct flow *flow)
{
	struct stream_key key = stream_key_of(conn, flow);

	return conn->http2.open ? bpf_map_lookup_elem(&streams, &key) : NULL;
}

/* Counted at once: one thread may read, and another one write. */
static __always_inline void stream_delete(struct conn *conn, const struct flow *flow)
{
	struct stream_key key = stream_key_of(conn, flow);

	if (!bpf_map_delete_elem(&streams, &key))
		__sync_fetch_and_add(&conn->http2.open, -1);
}

/* A new stream, or the one whose answer was seen first. NULL: no room. */
static __always_inline struct stream *stream_make(struct conn *conn, const struct flow *flow)
{
	static const struct stream fresh;
	struct stream_key key = stream_key_of(conn, flow);
	struct stream *stream;

	if (!bpf_map_update_elem(&streams, &key, &fresh, BPF_NOEXIST))
		__sync_fetch_and_add(&conn->http2.open, 1);
	stream = bpf_map_lookup_elem(&streams, &key);
	if (!stream)
		stat_add(STAT_NO_STATE);
	return stream;
}

static __always_inline __u32 message_kind(const struct flow *flow)
{
	return flow->is_request ? MESSAGE_REQUEST : MESSAGE_RESPONSE;
}

/* The place of frames is lost: nothing more can be told of this connection. */
SUBPROGRAM int http2_lost(struct conn *conn, struct walk *walk)
{
	if (!conn || !walk)
		return STEP_STOP;
	stat_add(STAT_UNFRAMED);
	report_close(conn, walk, 0, EVENT_F_BLIND);
	conn->verdict = VERDICT_OPAQUE;
	return STEP_STOP;
}

/* The call brings something of the frame's stream, and perhaps of others. */
static __always_inline void stream_noted(struct conn *conn, const struct flow *flow)
{
	conn->mixed |= conn->touched && conn->touched != flow->http2.frame.stream;
	conn->touched = flow->http2.frame.stream;
}

/*
 * The call brings something of this stream: if of no other one, an event loop works for it from now
 * on. Where threads share the connection, `own` and `parent` are the sender's.
 */
static __always_inline void stream_touched(struct conn *conn, const struct walk *walk,
					   const struct flow *flow, const struct stream *stream)
{
	if (walk->dir != DIR_IN)
		return;
	stream_noted(conn, flow);
	if (!stream || conn->unit != UNIT_EVENT_LOOP)
		return;
	if (conn->role == ROLE_SERVER)
		conn->own = stream->ref;
	else
		conn->parent = stream->ref;
}

/*
 * The same of one that is not followed: what an event loop turns to, or a server's thread has read,
 * is nothing that is.
 */
static __always_inline void stream_turned_away(struct conn *conn, const struct walk *walk,
					       const struct flow *flow)
{
	if (walk->dir != DIR_IN)
		return;
	stream_noted(conn, flow);
	if (conn->role == ROLE_SERVER)
		conn->own.conn = 0;
	else if (conn->unit == UNIT_EVENT_LOOP)
		conn->parent.conn = 0;
	else
		return;
	/* of an event loop the end of the walk says so, where there are several */
	if (conn->unit != UNIT_UNKNOWN && !(conn->unit == UNIT_EVENT_LOOP && conn->mixed))
		context_pass(DIR_IN);
}

/* Frames of a stream that is not known. */
static __always_inline void stream_unknown(struct conn *conn, const struct walk *walk,
					   const struct flow *flow, enum stat_id stat)
{
	if (flow->http2.frame.stream > conn->http2.passed)
		stat_add(stat);
	stream_turned_away(conn, walk, flow);
}

/* The flow's message on its stream has ended. Non-zero: nobody waits for a record of it. */
SUBPROGRAM int stream_ended(struct conn *conn, struct walk *walk)
{
	struct stream *stream;
	struct flow *flow;
	__u32 kind;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	stream = stream_find(conn, flow);
	if (!stream)
		return -1;
	kind = message_kind(flow) & 1;
	stream->ended[kind] = 1;
	flow->body = stream->body[kind];
	flow->messages = stream->messages[kind].n;
	if (kind == MESSAGE_RESPONSE) {
		conn->answered++;
		if (conn->role == ROLE_SERVER)
			context_end_stream(conn, walk, stream);
	}
	if (!stream->ended[MESSAGE_REQUEST] || !stream->ended[MESSAGE_RESPONSE])
		return 0;
	stream_delete(conn, flow);
	/* the end of a request whose answer is over says nothing more */
	return kind == MESSAGE_REQUEST;
}

/* A message ends with the DATA frame that has just passed. */
SUBPROGRAM int http2_data_end(struct conn *conn, struct walk *walk)
{
	struct event_end *event;
	struct flow *flow;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	if (stream_ended(conn, walk))
		return 0;
	event = RECORD(walk, event_end);
	flow->exchange = flow->http2.frame.stream;
	end_init(event, conn, flow);
	return capture_emit(walk, sizeof(*event), 0);
}

/* RST_STREAM, whole in the piece. */
SUBPROGRAM int http2_reset(struct conn *conn, struct walk *walk)
{
	struct event_reset *event;
	struct stream *stream;
	struct flow *flow;
	int open;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	stream = stream_find(conn, flow);
	if (!stream)
		return 0;
	open = !stream->ended[MESSAGE_RESPONSE];
	if (open) {
		conn->answered++;
		if (conn->role == ROLE_SERVER)
			context_end_stream(conn, walk, stream);
	}
	stream_delete(conn, flow);
	if (!open)
		return 0;
	event = RECORD(walk, event_reset);
	flow->exchange = flow->http2.frame.stream;
	header_init(&event->header, conn, flow, EVENT_RESET, walk->now_ns);
	event->code = http2_error_code(&walk->piece);
	event->younger = 0;
	return capture_emit(walk, sizeof(*event), 0);
}

/*
 * GOAWAY, its first bytes in the piece: of the client's streams that are younger than the one that
 * it names nothing was done, nor will be (section 6.8).
 */
SUBPROGRAM int http2_goaway(struct conn *conn, struct walk *walk)
{
	struct event_reset *event;
	struct flow *flow;
	__u32 last;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	last = http2_last_stream(&walk->piece);
	if (flow->is_request || last >= conn->http2.last_stream)
		return 0;
	event = RECORD(walk, event_reset);
	flow->exchange = last + 1;
	header_init(&event->header, conn, flow, EVENT_RESET, walk->now_ns);
	event->code = HTTP2_REFUSED_STREAM;
	event->younger = 1;
	return capture_emit(walk, sizeof(*event), 0);
}

/* Was the request that begins told of before it was sent? */
static __always_inline int block_told(const struct conn *conn, const struct walk *walk,
				      const struct flow *flow)
{
	const struct conn_heads *heads = &conn->heads;

	if (heads->seed && heads->tid == walk->tid)
		return flow->exchange == heads->first || heads_told(heads, flow->exchange);
	return conn->prepared && conn->turn_seq == flow->first_seq;
}

/* HEADERS of the client's direction: a new request, or the trailers of one. */
static __always_inline enum http2_block block_of_client(struct conn *conn, struct walk *walk,
							struct flow *flow)
{
	__u32 number = flow->http2.frame.stream;
	struct stream *stream;

	if (!(number & 1) || number <= conn->http2.last_stream) {
		if (stream_find(conn, flow))
			return HTTP2_BLOCK_TRAILERS;
		stream_unknown(conn, walk, flow, STAT_STREAM);
		return HTTP2_BLOCK_MUTE;
	}
	conn->http2.last_stream = number;
	flow->exchange = number;
	/* unless its answer was seen first */
	if (!block_told(conn, walk, flow) && stream_passes(conn) && !stream_find(conn, flow)) {
		conn->http2.passed = number;
		stat_add(STAT_REQUESTS_PASSED);
		stream_turned_away(conn, walk, flow);
		return HTTP2_BLOCK_MUTE;
	}
	stream = stream_make(conn, flow);
	if (!stream)
		return HTTP2_BLOCK_MUTE;
	conn->requests++;
	stat_add(STAT_REQUESTS);
	stream_touched(conn, walk, flow, NULL);
	__builtin_memset(&conn->fields, 0, sizeof(conn->fields));
	return HTTP2_BLOCK_REQUEST;
}

/* HEADERS of the server's direction. */
static __always_inline enum http2_block block_of_server(struct conn *conn, struct walk *walk,
							struct flow *flow)
{
	__u32 number = flow->http2.frame.stream;
	struct stream *stream = stream_find(conn, flow);

	flow->interim = 0;
	/* who sends the request has not come to tell of it yet: another thread */
	if (!stream && conn->role == ROLE_CLIENT && number & 1 &&
	    number > conn->http2.last_stream && conn->http2.exact) {
		stream = stream_make(conn, flow);
		if (stream)
			stream->early = 1;
	}
	if (!stream) {
		stream_unknown(conn, walk, flow, STAT_ORPHAN);
		return HTTP2_BLOCK_MUTE;
	}
	flow->mute = stream->early;
	flow->body = stream->body[MESSAGE_RESPONSE];
	flow->messages = stream->messages[MESSAGE_RESPONSE].n;
	stat_add(STAT_RESPONSES);
	stream_touched(conn, walk, flow, stream);
	return HTTP2_BLOCK_RESPONSE;
}

/* What was just begun becomes the stream's: whom it is for. */
static __always_inline void stream_begun(struct conn *conn, const struct walk *walk,
					 const struct flow *flow)
{
	struct stream *stream = stream_find(conn, flow);

	if (!stream)
		return;
	stream->reader_tid = walk->tid;
	stream->early = 0;
	stream->ref = conn->role == ROLE_SERVER ? conn->own : conn->parent;
}

/* A request: its record's fixed part, but for what is known at the end of its first piece. */
SUBPROGRAM int http2_request(struct conn *conn, struct walk *walk)
{
	struct event_request *event;

	if (!conn || !walk)
		return 0;
	event = RECORD(walk, event_request);
	request_record(conn, walk);
	context_receive(conn, walk, &event->context);
	if (event->context.use == CONTEXT_TAKEN) {
		context_place(event, &conn->own);
		*(__u64 *)event->parent_id = event->context.carried.span_id;
		event->evidence = event->context.evidence;
	}
	stream_begun(conn, walk, walk_flow(conn, walk));
	return 0;
}

/* Flags of a record: what is known of the ones before it in its direction. */
static __always_inline __u8 compression_flags(const struct conn *conn, struct flow *flow)
{
	__u8 flags = 0;

	if (!flow->http2.said)
		flags = conn->http2.exact ? EVENT_F_FIRST : EVENT_F_GAP;
	if (flow->http2.gap)
		flags = EVENT_F_GAP;
	return flags;
}

/* Writes the record for the piece's first `len` bytes. `begins`: the block does so with them. */
SUBPROGRAM int http2_emit(struct conn *conn, struct walk *walk, __u32 len, __u32 begins)
{
	struct flow *flow;
	__u8 flags, block;
	int lost;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	flags = compression_flags(conn, flow);
	block = flow->http2.block;
	if (!flow->http2.block_open && !flow->left) {
		flags |= EVENT_F_HEAD_END;
		if (flow->http2.block_ends)
			flags |= EVENT_F_END;
	}
	if (begins && block == HTTP2_BLOCK_REQUEST) {
		struct event_request *event = RECORD(walk, event_request);

		event->header.flags = flags;
		event->body_bytes = 0;
		event->end_ns = flow->last_ns;
		event->head_len = len;
		lost = capture_emit(walk, sizeof(*event), len);
		if (lost)
			stat_add(STAT_REQUESTS_LOST);
	} else if (begins && block == HTTP2_BLOCK_RESPONSE) {
		struct event_response *event = RECORD(walk, event_response);

		response_init(event, conn, flow, flags, len);
		event->early = flow->mute;
		lost = capture_emit(walk, sizeof(*event), len);
	} else {
		struct event_head_more *event = RECORD(walk, event_head_more);

		more_init(event, conn, flow, flags, len);
		lost = capture_emit(walk, sizeof(*event), len);
	}
	flow->http2.said = 1;
	flow->http2.gap = lost != 0;
	return 0;
}

/* A header block begins with the frame in the piece: whose is it? */
SUBPROGRAM int http2_block_begin(struct conn *conn, struct walk *walk)
{
	enum http2_block block = HTTP2_BLOCK_MUTE;
	struct flow *flow;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	flow->first_ns = walk->now_ns;
	flow->body = 0;
	flow->messages = 0;
	flow->mute = 0;
	flow->http2.block_len = 0;
	flow->http2.block_ends = 0;
	if (flow->http2.frame.type == HTTP2_HEADERS) {
		block = flow->is_request ? block_of_client(conn, walk, flow)
					 : block_of_server(conn, walk, flow);
		flow->http2.block_ends = flow->http2.frame.flags & HTTP2_F_END_STREAM;
	}
	flow->http2.block = block;
	flow->exchange = block == HTTP2_BLOCK_MUTE ? 0 : flow->http2.frame.stream;
	return block;
}

/*
 * What the block's bytes among the piece's first `out` say of trace context. Of one that is not a
 * request's head only the table is kept.
 */
static __always_inline void block_read(struct conn *conn, struct walk *walk, struct flow *flow,
				       __u32 out)
{
	const struct http2_frame *frame = &flow->http2.frame;
	int starts = flow->http2.inside == 1;
	__u32 at = starts ? http2_block_at(frame) : 0;
	__u32 padding = starts ? http2_padding(frame, &walk->piece) : 0;

	/* where the padding begins is not remembered */
	if (padding && flow->left)
		conn->http2.table.lost = 1;
	else if (flow->http2.block == HTTP2_BLOCK_REQUEST)
		http2_fields(&conn->http2.table, &conn->fields, &walk->piece, at, out - padding);
	else
		http2_fields(&conn->http2.table, &walk->fields, &walk->piece, at, out - padding);
	if (!flow->left && frame->flags & HTTP2_F_END_HEADERS)
		http2_block_ended(&conn->http2.table);
}

/*
 * A frame with the beginning of a block is in the piece, up to `out`: enum http2_effect of the
 * block on its direction's table, if all of it is there.
 */
SUBPROGRAM int http2_block_look(struct conn *conn, struct walk *walk, __u32 out)
{
	const struct http2_frame *frame;
	struct flow *flow;
	__u32 at;
	__u8 bare;

	if (!conn || !walk)
		return HTTP2_CHANGES;
	flow = walk_flow(conn, walk);
	frame = &flow->http2.frame;
	bare = flow->http2.bare;
	at = http2_block_at(frame);
	if (frame->type != HTTP2_HEADERS || frame->flags & HTTP2_F_PADDED) {
		flow->http2.bare = 0;
		return HTTP2_CHANGES;
	}
	flow->http2.bare = http2_bare(&walk->piece, at, bare);
	if (flow->left || !(frame->flags & HTTP2_F_END_HEADERS))
		return HTTP2_CHANGES;
	if (bare && flow->http2.bare)
		return HTTP2_INERT;
	return http2_effect(&walk->piece, at, out);
}

/* A block begins: need user space not hear of it? All before it is known there, or will not be. */
static __always_inline __u8 block_untold(const struct flow *flow, int effect)
{
	return flow->http2.block == HTTP2_BLOCK_MUTE && effect != HTTP2_CHANGES && flow->http2.said;
}

/* What refers to entries says nothing of context, where none of them does. */
static __always_inline int block_matters(const struct conn *conn, const struct flow *flow,
					 int effect)
{
	return flow->is_request && !flow->http2.untold &&
	       !(effect == HTTP2_REFERS && !conn->http2.table.any);
}

/* A piece of a header block, of which walk->kept bytes stand in the piece, and walk->got behind. */
SUBPROGRAM int http2_inside(struct conn *conn, struct walk *walk)
{
	struct flow *flow;
	__u32 kept, begins;
	__u64 out, want;
	int got, effect;

	if (!conn || !walk)
		return STEP_STOP;
	flow = walk_flow(conn, walk);
	kept = walk->kept;
	begins = 0;
	effect = HTTP2_CHANGES;
	/* the frame has begun with these bytes: they go along, header and all */
	want = flow->left < FILL_BLOCK ? flow->left : FILL_BLOCK;
	got = walk->got;
	if (want > kept + got && got < walk->len - walk->at) {
		got = capture_fill(walk, kept, walk_room(walk, want - kept));
		if (got <= 0)
			return http2_lost(conn, walk);
	}
	out = (__u64)kept + got;
	if (out > want)
		out = want;
	verify_here(out);
	if (out > FILL_BLOCK || out < kept)
		return STEP_STOP;
	walk->at += out - kept;
	flow->left -= out;
	flow->last_ns = walk->now_ns;
	if (flow->http2.inside == 1 && flow->http2.frame.type != HTTP2_CONTINUATION) {
		begins = 1;
		flow->first_seq = conn->family == AF_UNIX
					  ? 0
					  : walk_seq_at(conn, walk, walk->at - (__u32)out);
		http2_block_begin(conn, walk);
		effect = http2_block_look(conn, walk, out);
		flow->http2.untold = block_untold(flow, effect);
	}
	if (block_matters(conn, flow, effect))
		block_read(conn, walk, flow, out);
	if (begins && flow->http2.block == HTTP2_BLOCK_REQUEST)
		http2_request(conn, walk);
	flow->http2.inside = 2;
	if (!flow->left)
		flow->http2.block_open = !(flow->http2.frame.flags & HTTP2_F_END_HEADERS);
	flow->http2.block_len += out;
	/* behind a piece that is missing only the block's end is of use */
	if (flow->http2.block_len > BLOCK_MAX)
		flow->http2.gap = 1;
	if (flow->http2.gap && !begins)
		out = 0;
	if (!flow->http2.untold && (out || (!flow->left && !flow->http2.block_open)))
		http2_emit(conn, walk, out, begins);
	if (flow->left)
		return STEP_NEXT;
	flow->http2.inside = 0;
	if (!flow->http2.block_open && flow->http2.block_ends &&
	    flow->http2.block != HTTP2_BLOCK_MUTE)
		stream_ended(conn, walk);
	return STEP_NEXT;
}

/* Bytes of a body: what is left of a DATA frame's payload without its padding. */
static __always_inline __u32 data_length(const struct http2_frame *frame, const struct piece *piece,
					 __u32 n)
{
	__u32 padding;

	if (!(frame->flags & HTTP2_F_PADDED))
		return frame->length;
	/* the byte that says how many there are may be in another call: then they are counted in */
	padding = 1 + (n > HTTP2_HEADER_LEN ? piece->data[HTTP2_HEADER_LEN] : 0);
	return frame->length > padding ? frame->length - padding : 0;
}

/* A DATA frame begins, of which `n` bytes are in the piece. */
SUBPROGRAM int http2_data_begin(struct conn *conn, struct walk *walk, __u32 n)
{
	struct stream *stream;
	struct flow *flow;

	if (!conn || !walk)
		return 0;
	flow = walk_flow(conn, walk);
	stream = stream_find(conn, flow);
	if (!stream) {
		flow->http2.skip = 1;
		stream_unknown(conn, walk, flow, STAT_STREAM);
		return 0;
	}
	stream->body[message_kind(flow) & 1] += data_length(&flow->http2.frame, &walk->piece, n);
	stream_touched(conn, walk, flow, stream);
	return 0;
}

/* Some bytes of a body, `room` at most: a message's, or of what is before the next one. */
static __always_inline __u32 messages_step(struct walk *walk, struct body_messages *messages,
					   __u32 room)
{
	__u32 n = messages->left, want;
	int got;

	if (n) {
		n = n < room ? n : room;
		messages->left -= n;
		return n;
	}
	want = MESSAGE_PREFIX_LEN - messages->have;
	want = want < room ? want : room;
	got = capture_fill(walk, 0, want);
	if (got <= 0 || got > MESSAGE_PREFIX_LEN) {
		messages->off = 1;
		return room;
	}
	for (__u32 i = 0; i < MESSAGE_PREFIX_LEN; i++)
		if (i < got)
			messages->prefix = messages->prefix << 8 | walk->piece.data[i];
	messages->have += got;
	if (messages->have < MESSAGE_PREFIX_LEN)
		return got;
	messages->off = messages->prefix >> 33 != 0;
	messages->left = messages->prefix;
	messages->n += !messages->off;
	messages->have = 0;
	messages->prefix = 0;
	return got;
}

/* Bytes of the frame's payload that pass at once: of a body all that belong to one of its messages,
 * which are counted. */
static __always_inline __u32 payload_step(struct conn *conn, struct walk *walk, struct flow *flow)
{
	const struct http2_frame *frame = &flow->http2.frame;
	__u32 room = walk_room(walk, flow->left);
	struct body_messages *messages;
	struct stream *stream;

	/* behind the frame's header, and where nothing is padded */
	if (frame->type != HTTP2_DATA || flow->http2.skip || flow->left > frame->length ||
	    frame->flags & HTTP2_F_PADDED)
		return room;
	stream = stream_find(conn, flow);
	if (!stream)
		return room;
	messages = &stream->messages[message_kind(flow) & 1];
	return messages->off ? room : messages_step(walk, messages, room);
}

/* Bytes of a frame's payload that do not matter have passed: does anything end with them? */
static __always_inline int payload_pass(struct conn *conn, struct walk *walk, struct flow *flow)
{
	__u32 n = payload_step(conn, walk, flow);

	walk->at += n;
	flow->left -= n;
	flow->last_ns = walk->now_ns;
	if (!flow->left && flow->http2.frame.type == HTTP2_DATA && !flow->http2.skip &&
	    flow->http2.frame.flags & HTTP2_F_END_STREAM)
		http2_data_end(conn, walk);
	return STEP_NEXT;
}

/* The rest of the header of a frame whose payload is looked at for itself. */
static __always_inline int header_pass(struct walk *walk, struct flow *flow)
{
	__u32 n = flow->left - flow->http2.frame.length;

	walk->at += n;
	flow->left -= n;
	flow->last_ns = walk->now_ns;
	return STEP_NEXT;
}

/* A frame is due: reads its header, and passes over its payload or says that it matters. */
SUBPROGRAM int http2_frame(struct conn *conn, struct walk *walk)
{
	struct http2_frame *frame;
	struct flow *flow;
	__u32 kept, n;
	int got;

	if (!conn || !walk || walk->at >= walk->len)
		return STEP_STOP;
	flow = walk_flow(conn, walk);
	frame = &flow->http2.frame;
	walk->kept = walk->got = 0;
	if (flow->left)
		return flow->http2.inside ? STEP_INSIDE : payload_pass(conn, walk, flow);
	kept = flow_kept(flow, walk);
	got = capture_fill(walk, kept, walk_room(walk, FILL_FRAME));
	if (got <= 0) {
		stat_add(walk->no_buffer ? STAT_NO_BUFFER : STAT_UNREADABLE);
		return http2_lost(conn, walk);
	}
	n = kept + got;
	http2_frame_parse(&walk->piece, frame);
	if (n < HTTP2_HEADER_LEN || n < http2_frame_look(frame)) {
		flow_keep(flow, walk, 0, n);
		walk->at += got;
		return STEP_STOP;
	}
	flow->carry_len = 0;
	flow->is_request = flow_is_request(conn, walk);
	if (!http2_frame_fits(frame, flow->http2.block_open))
		return http2_lost(conn, walk);
	flow->left = HTTP2_HEADER_LEN + frame->length;
	flow->http2.inside = http2_is_block(frame->type);
	flow->http2.skip = 0;
	walk->kept = kept;
	walk->got = got;
	if (flow->http2.inside)
		return STEP_INSIDE;
	if (frame->type == HTTP2_DATA)
		http2_data_begin(conn, walk, n);
	else if (frame->type == HTTP2_RST_STREAM)
		http2_reset(conn, walk);
	else if (frame->type == HTTP2_GOAWAY)
		http2_goaway(conn, walk);
	/* what has come of it before this call has passed */
	flow->left -= kept;
	if (frame->type == HTTP2_DATA && frame->length && !flow->http2.skip)
		return header_pass(walk, flow);
	return payload_pass(conn, walk, flow);
}

/* The connection is known by what starts here. */
static __always_inline void http2_begin(struct conn *conn, struct walk *walk,
					enum http2_start start, __u32 kept)
{
	int request = start == HTTP2_PREFACE || start == HTTP2_REQUEST;

	conn->role = request == (walk->dir == DIR_OUT) ? ROLE_CLIENT : ROLE_SERVER;
	conn->verdict = VERDICT_TRACED;
	conn->framed = 1;
	conn->requests = conn->answered = 0;
	__builtin_memset(&conn->http2, 0, sizeof(conn->http2));
	/* the request of the upgrade is the first stream: RFC 7540 section 3.2 */
	conn->http2.last_stream = conn->upgraded;
	conn->http2.exact = start == HTTP2_PREFACE || start == HTTP2_SERVER_FIRST;
	conn->http2.table.lost = !conn->http2.exact;
	if (start == HTTP2_PREFACE && conn->family != AF_UNIX)
		conn->client_base = walk_seq(conn, walk) - kept;
}

/* Does the piece start with the head of an answer to a request that was seen? */
static __always_inline int answer_starts(const struct conn *conn, const struct walk *walk,
					 struct flow *flow, __u32 n)
{
	struct http2_frame *frame = &flow->http2.frame;

	if (conn->verdict != VERDICT_TRACED || n < HTTP2_HEADER_LEN)
		return 0;
	http2_frame_parse(&walk->piece, frame);
	return frame->type == HTTP2_HEADERS && frame->flags & HTTP2_F_END_HEADERS &&
	       frame->length && frame->length <= HTTP2_FRAME_USUAL && stream_find(conn, flow);
}

/* Nothing is known of this direction yet: what starts with the call? */
SUBPROGRAM int http2_recognise(struct conn *conn, struct walk *walk)
{
	enum http2_start start;
	struct flow *flow;
	__u32 kept;
	int got;

	if (!conn || !walk || walk->at >= walk->len)
		return STEP_STOP;
	flow = walk_flow(conn, walk);
	kept = flow_kept(flow, walk);
	got = capture_fill(walk, kept, walk_room(walk, FILL_FRAME));
	if (got <= 0)
		return STEP_OTHER;
	start = http2_classify(&walk->piece, kept + got, kept + walk->len - walk->at);
	if (start == HTTP2_MORE) {
		flow_keep(flow, walk, 0, kept + got);
		walk->at += got;
		return STEP_STOP;
	}
	if (start == HTTP2_NO && answer_starts(conn, walk, flow, kept + got))
		start = HTTP2_RESPONSE;
	if (start == HTTP2_NO || (conn->upgraded && start >= HTTP2_REQUEST))
		return STEP_OTHER;
	if (conn->verdict == VERDICT_UNDECIDED)
		http2_begin(conn, walk, start, kept);
	__builtin_memset(flow->state, 0, sizeof(flow->state));
	flow->http2.synced = 1;
	flow->misses = 0;
	if (start == HTTP2_PREFACE) {
		if (conn->family != AF_UNIX)
			conn->client_base = walk_seq(conn, walk) - kept;
		flow->carry_len = 0;
		walk->at += HTTP2_PREFACE_LEN - kept;
	}
	return STEP_NEXT;
}

/*
 * A direction that was not followed before: a connection that is met in its middle is in the middle
 * of a frame, as far as is known, until a call starts with what can be no other thing.
 */
static __always_inline int http2_meet(struct conn *conn, struct walk *walk, struct flow *flow)
{
	int step = http2_recognise(conn, walk);

	if (step != STEP_OTHER || conn->verdict != VERDICT_TRACED)
		return step;
	if (conn->http2.exact || ++flow->misses >= CONN_RESYNC_MAX)
		return http2_lost(conn, walk);
	flow->carry_len = 0;
	walk->at = walk->len;
	return STEP_STOP;
}

SUBPROGRAM int http2_step(struct conn *conn, struct walk *walk)
{
	struct flow *flow;
	int step = STEP_NEXT;

	if (!conn || !walk)
		return STEP_STOP;
	flow = walk_flow(conn, walk);
	if (!flow->http2.synced)
		return http2_meet(conn, walk, flow);
	for (__u64 i = 0; i < FRAMES_PER_STEP && step == STEP_NEXT; i++)
		step = http2_frame(conn, walk);
	return step;
}
