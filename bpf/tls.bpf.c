// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The walk over the bytes of a socket that carries TLS: from record to record. Of what they hold
 * nothing is to be seen here but the version.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "lib/flow.bpf.h"
#include "lib/tls_socket.bpf.h"

#define RECORDS_MAX 64	 /* in one call, of all kinds */
#define HELLO_MAX   1920 /* bytes of a hello that are looked at: some have a large key share */

static __always_inline __u32 bytes_left(const struct walk *walk, __u32 max)
{
	__u32 left = walk->len - walk->at;

	return left < max ? left : max;
}

/* Takes a record's header, or what there is of it. Non-zero: it is not whole. */
SUBPROGRAM int tls_header(struct conn *conn, struct walk *walk)
{
	struct tls_stream *stream;
	__u32 have;
	int got;

	if (!conn || !walk)
		return -1;
	stream = &conn->stream[walk->dir == DIR_OUT ? DIR_OUT : DIR_IN];
	have = stream->have;
	if (have >= TLS_HEADER_LEN)
		return -1;
	got = capture_fill(walk, 0, bytes_left(walk, TLS_HEADER_LEN - have));
	if (got <= 0) {
		stream->lost = 1;
		return -1;
	}
	for (__u32 i = 0; i < TLS_HEADER_LEN; i++)
		if (i >= have && i < have + got)
			stream->header[i] = piece_byte(&walk->piece, i - have);
	if (!have)
		stream->seq = walk_seq(conn, walk);
	walk->at += got;
	stream->have = have + got;
	return stream->have < TLS_HEADER_LEN;
}

/* The client's, of which as many bytes are in the piece: whose name it asks for is in there. */
static __always_inline void tell_hello(const struct conn *conn, struct walk *walk, __u32 len)
{
	struct event_tls_hello *event = RECORD(walk, event_tls_hello);

	__builtin_memset(event, 0, sizeof(*event));
	event->header.type = EVENT_TLS_HELLO;
	event->header.time_ns = walk->now_ns;
	event->header.conn = conn->cookie | TLS_INSIDE_COOKIE;
	event->head_len = len;
	walk->silent = conn->wire & WIRE_F_TEST;
	capture_emit(walk, sizeof(*event), len);
}

/* A handshake record begins: a ServerHello settles version and cipher. */
SUBPROGRAM int tls_hello(struct conn *conn, struct walk *walk)
{
	const struct tls_stream *stream;
	int got;

	if (!conn || !walk)
		return 0;
	stream = &conn->stream[walk->dir == DIR_OUT ? DIR_OUT : DIR_IN];
	got = capture_fill(walk, 0,
			   bytes_left(walk, stream->left < HELLO_MAX ? stream->left : HELLO_MAX));
	if (got <= 0)
		return 0;
	if (piece_byte(&walk->piece, 0) == TLS_CLIENT_HELLO) {
		tell_hello(conn, walk, got);
		return 0;
	}
	conn->tls_version = tls_hello_version(&walk->piece, got);
	conn->tls_cipher = tls_hello_cipher(&walk->piece, got);
	return 0;
}

/* Passes over the rest of the current record, as far as it is there. */
SUBPROGRAM int tls_skip(struct conn *conn, struct walk *walk)
{
	struct tls_stream *stream;
	__u32 n;

	if (!conn || !walk)
		return 0;
	stream = &conn->stream[walk->dir == DIR_OUT ? DIR_OUT : DIR_IN];
	if (conn->tls_version == TLS_VERSION_NONE && stream->header[0] == TLS_HANDSHAKE &&
	    stream->left == tls_record_len(stream->header))
		tls_hello(conn, walk);
	n = bytes_left(walk, stream->left);
	walk->at += n;
	stream->left -= n;
	if (!stream->left)
		stream->have = 0;
	return 0;
}

SUBPROGRAM int tls_next(struct conn *conn, struct walk *walk)
{
	struct tls_stream *stream;

	if (!conn || !walk)
		return 0;
	stream = &conn->stream[walk->dir == DIR_OUT ? DIR_OUT : DIR_IN];
	for (__u32 i = 0; i < 2 * RECORDS_MAX; i++) {
		if (walk->at >= walk->len || stream->lost)
			return 0;
		if (stream->left) {
			tls_skip(conn, walk);
			continue;
		}
		if (tls_header(conn, walk))
			return 0;
		stream->left = tls_record_len(stream->header);
		if (!stream->left)
			break;
		if (stream->header[0] == TLS_APPLICATION_DATA) {
			stream->len = stream->left;
			return 1;
		}
	}
	stat_add(STAT_TLS_RECORDS_LOST);
	stream->lost = 1;
	return 0;
}

/* What was settled for the request when its first segment left, before it was seen what it is. */
static __always_inline void tls_take_place(struct conn *inside, struct conn *conn)
{
	if (!conn->prepared)
		return;
	inside->own = conn->own;
	inside->parent = conn->parent;
	inside->unit = conn->unit;
	inside->wire |= conn->wire & WIRE_F_TOLD;
	inside->prepared = 1;
	conn->prepared = 0;
	conn->wire &= ~WIRE_F_TOLD;
}

/* How many of the next bytes of the call are in a record of `len` bytes. */
static __always_inline __u32 fragment(const struct conn *conn, const struct tls_call *call,
				      __u32 len)
{
	__u32 size = call->size - call->used;

	if (!conn->direct)
		return tls_fragment(size, len);
	return tls_fragment_exact(
		size, len, conn->tls_version == TLS_VERSION_1_3 ? TLS_ADDED_1_3 : TLS_ADDED_1_2);
}

SUBPROGRAM int tls_sends(struct conn *conn, struct unit *unit)
{
	const struct tls_stream *stream;
	struct tls_call *call;
	struct conn *inside;
	__u32 n;

	if (!conn || !unit)
		return 0;
	stream = &conn->stream[DIR_OUT];
	call = &unit->tls;
	n = fragment(conn, call, stream->len);
	if (!n)
		return 0;
	/* what writes all at once has a session for each key, and keys are changed */
	if (call->whole)
		n = call->size;
	else if (conn->session && conn->session != call->session)
		return 0;
	tls_note(&call->socket, conn);
	inside = tls_inside_make(&call->socket);
	if (!inside)
		return 0;
	tls_claim(call, conn);
	inside->inside_seq[DIR_OUT] = stream->seq;
	tls_take_place(inside, conn);
	call->used += n;
	if (call->used >= call->size)
		call->session = 0;
	return n;
}
