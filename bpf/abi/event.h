/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Records of the `events` ring buffer, kernel to pipeline. Every record starts with
 * struct event_header. Times are CLOCK_MONOTONIC nanoseconds. A *message* is one request or one
 * response; an *exchange* is the pair, numbered per connection from 1 as requests are seen.
 *
 * A message is reported by its head (EVENT_REQUEST or EVENT_RESPONSE), by EVENT_HEAD_MORE for each
 * further piece of a head that came in several pieces, and by EVENT_END once its last byte has
 * passed. A message that is complete within the call that brought its head carries EVENT_F_END on
 * the head record instead, and no EVENT_END follows. Body bytes are counted, never copied.
 *
 * Where exchanges interleave on a connection, their number is their stream's. A message may have
 * more than one head there: further ones of a response are EVENT_RESPONSE, of a request
 * EVENT_HEAD_MORE. A head that belongs to no exchange has number 0, and counts for what it does to
 * the compression of those that follow.
 */
#ifndef WEFT_ABI_EVENT_H
#define WEFT_ABI_EVENT_H

#include "context.h"
#include "types.h"

enum event_type {
	EVENT_REQUEST = 1,
	EVENT_RESPONSE,
	EVENT_HEAD_MORE,
	EVENT_END,
	EVENT_CLOSE,
	EVENT_RESET,
	EVENT_TLS_HELLO,
	EVENT_TYPE_MAX,
};

enum protocol_id {
	PROTOCOL_UNKNOWN,
#define PROTOCOL(constant, name) PROTOCOL_##constant,
#include "protocols.def"
#undef PROTOCOL
	PROTOCOL_ID_MAX,
	PROTOCOL_FIRST = PROTOCOL_UNKNOWN + 1,
};

enum message_kind {
	MESSAGE_REQUEST,
	MESSAGE_RESPONSE,
};

enum conn_role {
	ROLE_UNKNOWN,
	ROLE_CLIENT,
	ROLE_SERVER,
};

/* The version of TLS that a message came in. */
enum tls_version {
	TLS_VERSION_NONE, /* in the clear */
	TLS_VERSION_UNKNOWN,
	TLS_VERSION_1_0,
	TLS_VERSION_1_1,
	TLS_VERSION_1_2,
	TLS_VERSION_1_3,
	TLS_VERSION_MAX,
};

/* How the parent of a request was found (attribute weft.parent.evidence). */
enum parent_evidence {
	EVIDENCE_NONE,
	EVIDENCE_HEADER,
	EVIDENCE_TCP_OPTION,
	EVIDENCE_SAME_HOST,
	EVIDENCE_UNIT,
	EVIDENCE_EVENT_LOOP,
	EVIDENCE_THREAD_CONTEXT,
	EVIDENCE_MAX,
};

/* event_header.flags */
#define EVENT_F_END	  (1 << 0) /* the message ended with this record */
#define EVENT_F_HEAD_END  (1 << 1) /* the head is complete with this record */
#define EVENT_F_TRUNCATED (1 << 2) /* bytes of the head were left out: capture limit */
#define EVENT_F_UPGRADE	  (1 << 3) /* the connection is opaque after this message */
#define EVENT_F_INTERIM	  (1 << 4) /* a 1xx response: the final one follows */
#define EVENT_F_BLIND	  (1 << 5) /* framing was lost: body sizes and the end are not exact */
/* Heads that are compressed by what earlier ones of their direction have said: */
#define EVENT_F_FIRST (1 << 6) /* there is no earlier one */
#define EVENT_F_GAP   (1 << 7) /* earlier ones are missing */

struct event_header {
	__u8 type;     /* enum event_type */
	__u8 protocol; /* enum protocol_id */
	__u8 message;  /* enum message_kind */
	__u8 flags;    /* EVENT_F_* */
	__u32 size;    /* of the whole record, bytes */
	__u64 time_ns; /* first byte of the piece that is reported */
	__u64 conn;    /* socket cookie: unique while the host is up */
	__u32 exchange;
	__u32 pid; /* thread group id, initial pid namespace */
};

/*
 * Identity of one exchange at both ends of its connection. TCP: sequence number of the request's
 * first byte and the first sequence number of the other direction; the same at both ends, through
 * address translation. Where exchanges interleave: the first sequence number of the client's
 * direction, and the stream in the upper half. Unix: a name of each of the two sockets, client's
 * first.
 */
struct join_key {
	__u64 client;
	__u64 server;
};

/* What became of the context that a request carried. */
enum context_use {
	CONTEXT_UNUSED,	 /* it carried none */
	CONTEXT_TAKEN,	 /* servers: the request's parent and trace are those */
	CONTEXT_FOREIGN, /* servers: its sender is not trusted, the request starts a trace */
	CONTEXT_CARRIED, /* clients: the program sent it */
};

/* The context that came with a request, by its head or by a TCP option. */
struct event_context {
	struct trace_context carried;
	__u64 head_span_id; /* the span that the head names, 0: none; what is handed on names it too
			     */
	__u8 use;	    /* enum context_use */
	__u8 evidence;	    /* enum parent_evidence: where it stood */
	__u8 refused;	    /* malformed or doubled values in the head */
	__u8 settled; /* this record says it for the request: its head has ended, or is cut here */
	__u8 pad[4];
};

/* The two ends of a connection; all zero but netns for unix sockets. */
struct conn_tuple {
	__u8 local_ip[16]; /* IPv6, or IPv4 mapped (::ffff:a.b.c.d) */
	__u8 remote_ip[16];
	__u16 local_port; /* host byte order */
	__u16 remote_port;
	__u32 netns; /* inode number of the network namespace */
};

struct event_request {
	struct event_header header;
	__u8 trace_id[WEFT_TRACE_ID_LEN];
	__u8 span_id[WEFT_SPAN_ID_LEN];
	__u8 parent_id[WEFT_SPAN_ID_LEN]; /* zero: no parent known in the kernel */
	struct join_key join;
	struct conn_tuple tuple;
	__u16 family;  /* AF_INET, AF_INET6, AF_UNIX */
	__u8 role;     /* enum conn_role */
	__u8 evidence; /* enum parent_evidence for parent_id */
	__u32 tid;
	__u32 head_len;	  /* bytes of head[] */
	__u8 trace_flags; /* TRACE_FLAG_*: as decided for this span */
	__u8 tls;	  /* enum tls_version */
	__u16 tls_cipher; /* of IANA's registry of cipher suites, 0: not known */
	__u64 body_bytes; /* seen so far, without framing */
	__u64 end_ns;	  /* last byte seen so far */
	struct event_context context;
	char comm[WEFT_COMM_LEN];
	__u8 head[];
};

struct event_response {
	struct event_header header;
	__u64 body_bytes;
	__u64 end_ns;
	__u16 status; /* three digits, 0 if unreadable */
	__u8 early;   /* the request's record is still to come: another thread sends it */
	__u8 pad;
	__u32 head_len;
	__u32 messages; /* that the body has had so far, if it is made of such, each with its length
			   before it */
	__u32 pad2;
	__u8 head[];
};

struct event_head_more {
	struct event_header header;
	__u64 body_bytes;
	__u64 end_ns;
	__u32 head_len;
	__u32 messages;
	__u8 trace_flags; /* these two: of requests, if context.settled */
	__u8 pad[7];
	struct event_context context;
	__u8 head[];
};

struct event_end {
	struct event_header header; /* time_ns: last byte of the message */
	__u64 body_bytes;
	__u32 messages;
	__u32 pad;
};

/*
 * The connection ended while exchange `exchange` (the oldest one without a whole answer) and
 * younger ones were open; 0: all that there are, or none. With EVENT_F_BLIND it goes on, but their
 * answers were not understood.
 */
struct event_close {
	struct event_header header;
	__u64 body_bytes; /* of the response, so far */
	__u64 end_ns;	  /* last response byte, 0: none */
	__s32 error;	  /* errno of the socket, 0: orderly */
	__u32 pad;
};

/* One end has given the exchange up; its connection goes on. */
struct event_reset {
	struct event_header header; /* message: whose direction it came in */
	__u32 code;		    /* as the protocol has it */
	__u32 younger;		    /* 1: and all that have begun after it */
};

/*
 * A connection begins to carry TLS: the client's ClientHello, as much of its record as one piece
 * holds. Of no protocol and no exchange; what the connection carries is of the same `conn`.
 */
struct event_tls_hello {
	struct event_header header;
	__u32 head_len;
	__u32 pad;
	__u8 head[];
};

/* A whole record never exceeds this. */
#define EVENT_HEAD_PIECE_MAX 2048
#define EVENT_SIZE_MAX	     (EVENT_HEAD_PIECE_MAX + 256)

_Static_assert(sizeof(struct event_header) == 32, "ABI");
_Static_assert(sizeof(struct join_key) == 16, "ABI");
_Static_assert(sizeof(struct event_context) == 48, "ABI");
_Static_assert(sizeof(struct conn_tuple) == 40, "ABI");
_Static_assert(sizeof(struct event_request) == 216, "ABI");
_Static_assert(sizeof(struct event_response) == 64, "ABI");
_Static_assert(sizeof(struct event_head_more) == 112, "ABI");
_Static_assert(sizeof(struct event_end) == 48, "ABI");
_Static_assert(sizeof(struct event_close) == 56, "ABI");
_Static_assert(sizeof(struct event_reset) == 40, "ABI");
_Static_assert(sizeof(struct event_tls_hello) == 40, "ABI");

#endif
