/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * State of one connection in the kernel, and of one call on it. A probe fills a struct walk and
 * hands it with the connection's struct conn to conn_walk(), which takes the call's bytes apart
 * into messages and writes records.
 */
#ifndef WEFT_CONN_BPF_H
#define WEFT_CONN_BPF_H

#include "abi/config.h"
#include "abi/event.h"
#include "classify/http1.h"
#include "classify/http2.h"

#define AF_UNIX	 1
#define AF_INET	 2
#define AF_INET6 10

enum direction {
	DIR_IN,
	DIR_OUT,
};

/* Where in a message the next byte of a direction stands. */
enum flow_phase {
	FLOW_START, /* the first byte of a message is due */
	FLOW_HEAD,
	FLOW_BODY, /* `left` bytes to go */
	FLOW_CHUNK_SIZE,
	FLOW_CHUNK_DATA, /* `left` bytes to go, the final CRLF not counted in */
	FLOW_CHUNK_CRLF, /* `left` bytes of it to go */
	FLOW_TRAILER,
	FLOW_CLOSE, /* the body ends with the connection */
};

#define FLOW_CARRY_MAX 96
#define FLOW_STATE_MAX 40

/* One direction of a connection. */
struct flow {
	__u64 left;
	__u64 body;	/* body bytes of the current message so far */
	__u64 first_ns; /* first byte of the current message */
	__u64 last_ns;	/* its last byte so far */
	union {		/* as its protocol reads it */
#define PROTOCOL(constant, name) struct name##_flow name;
#include "abi/protocols.def"
#undef PROTOCOL
		__u64 state[FLOW_STATE_MAX / 8];
	};
	__u32 first_seq; /* TCP sequence number of the current message's first byte */
	__u32 exchange;
	__u32 head_sent; /* bytes of the head that were captured */
	__u32 messages;	 /* that the body has had so far, where it is made of such */
	__u16 status;
	__u8 phase;
	__u8 is_request;
	__u8 mute;   /* the message is walked and not reported */
	__u8 misses; /* calls in a row that did not start a message, saturating */
	__u8 carry_len;
	__u8 interim;  /* the current response is a 1xx */
	__u8 unframed; /* bytes have passed that were no message */
	__u8 settled;  /* the context of the current request is known */
	/* bytes of a line that has not ended, kept to be read together with what follows */
	__u8 carry[FLOW_CARRY_MAX];
};

/* What a step says: the walk ends, or takes the next step. */
enum step {
	STEP_STOP,
	STEP_NEXT,
	STEP_OTHER,  /* no message of this protocol starts here */
	STEP_INSIDE, /* goes on with NAME_inside(), of the protocol */
};

enum conn_verdict {
	VERDICT_UNDECIDED,
	VERDICT_TRACED,
	VERDICT_OPAQUE, /* another protocol: not looked at again */
};

#define TLS_HEADER_LEN 5 /* of a record: RFC 8446 section 5.1 */

/* One direction of a connection that carries TLS: where its records begin. */
struct tls_stream {
	/* a write that the socket had no room for, and that is to be called again: its arguments,
	   and what of it is in records already */
	__u64 resume_buf;
	__u32 resume_size;
	__u32 resume;
	__u32 left;		     /* bytes of the current record that have not passed */
	__u32 len;		     /* of the last record of application data, */
	__u32 seq;		     /* and the TCP sequence number that it began with */
	__u8 header[TLS_HEADER_LEN]; /* of a record, as far as it has passed */
	__u8 have;
	__u8 lost; /* where the next record begins is not known */
	__u8 pad;
};

enum conn_tls {
	TLS_NO,
	TLS_RECORDS, /* the socket's bytes are records of TLS */
	TLS_INSIDE,  /* the state of what they hold: its bytes come from the library's calls */
};

/* Of an exchange that is let pass, not followed. */
enum passing {
	PASSING_NONE,
	PASSING_ASKED, /* its request has begun */
	PASSING_ANSWERED,
};

#define CONN_MISSES_MAX                                                                            \
	4 /* calls that may be no message before an undecided connection is opaque */
#define CONN_RESYNC_MAX 64 /* the same on a connection that has carried messages */

#define CONN_OF_SDK (~0ULL) /* request_ref.conn: no request, but a span of the process' own SDK */

/* What both ends of a connection of this host call a request. */
struct notice_key {
	struct join_key join;
	__u64 serial; /* unix sockets; on TCP the join is of the request itself */
};

/* A server request in progress, as spans will name it. Ids are words here: cheaper to copy. */
struct request_ref {
	struct notice_key notice; /* with `late`: what may still say whose request this is, */
	__u64 after_ns;		  /* if it is younger */
	__u64 conn;		  /* cookie of the socket that it came in on, 0: none */
	__u64 trace_id[2];
	__u64 span_id;
	__u64 caller; /* the span that its head names, 0: none */
	__u8 flags;   /* TRACE_FLAG_* */
	__u8 adopted; /* taken from a TCP option, over bytes that are not understood */
	__u8 late;    /* its sender had said nothing yet */
	__u8 pad[5];
};

/* What the programs on the way out know of a connection: bits of conn.wire. */
#define WIRE_F_ALLOWED	(1 << 0)  /* context may be sent to this peer */
#define WIRE_F_ENROLLED (1 << 1)  /* its messages are seen before they leave */
#define WIRE_F_LEAVE	(1 << 2)  /* shall not be enrolled any more */
#define WIRE_F_PENDING	(1 << 3)  /* a call has been looked at, and has not ended */
#define WIRE_F_HEADER	(1 << 4)  /* the request that is on its way carries context in its head */
#define WIRE_F_TEST	(1 << 5)  /* of the self-test: nothing is reported */
#define WIRE_F_ACTIVE	(1 << 6)  /* this end has opened the connection */
#define WIRE_F_OPAQUE	(1 << 7)  /* its first message is of no protocol that is understood */
#define WIRE_F_PASSED	(1 << 8)  /* with WIRE_F_HEADER: the context is the one that came in */
#define WIRE_F_TOLD	(1 << 9)  /* the next request carries its context */
#define WIRE_F_LOCAL	(1 << 10) /* the other end is on this host: it is left a notice */
#define WIRE_F_OPTION	(1 << 11) /* the request's first segment carried an option */
#define WIRE_F_FRAMED	(1 << 12) /* as conn.framed, before its first message has been read */
#define WIRE_F_UNSEEN	(1 << 13) /* exchanges have passed: it may have been upgraded by one */

#define HEADS_MAX 128 /* request heads that may be given a header in one call */

/*
 * Requests that leave together, where exchanges interleave. The first one has the place that is
 * prepared, and all have its parent; the others' ids come of `seed` and their stream, so that the
 * walk finds those again that the heads were given.
 */
struct conn_heads {
	__u64 seed;		    /* 0: no such call is under way */
	__u64 told[HEADS_MAX / 64]; /* by heads_index(): its head carries context */
	__u32 first;		    /* stream of the first one */
	__u32 tid;		    /* thread that sends them */
};

/* Key: socket (socket storage), or its address where storage cannot be had. Deleted with the
 * socket. */
struct conn {
	struct flow flow[2]; /* by enum direction */
	__u64 cookie;
	__u64 self; /* unix sockets: what names this end and the other one at both of them */
	__u64 peer;
	union { /* as its protocol reads it */
#define PROTOCOL(constant, name) struct name##_conn name;
#include "abi/protocols.def"
#undef PROTOCOL
	};
	__u32 requests;	  /* exchanges begun: serial number of the last one */
	__u32 answered;	  /* exchanges whose final response has ended */
	__u32 seq_base;	  /* first sequence number of the server's direction */
	__u32 reader_tid; /* thread that read the current request (servers) */
	__u32 seen_seq;	  /* copied_seq as of the last receive: tells what splice took unseen */
	__u32 sent_seq;	  /* write_seq as of the last send by TCP's own functions: fexit */
	__u16 family;
	__u8 protocol; /* enum protocol_id; while undecided, the one that is tried next */
	__u8 passing;  /* enum passing */
	__u8 verdict;
	__u8 role;
	__u8 unit; /* enum unit_kind of the process, as of the last request */
	__u8 closed;
	__u8 fd_checked;
	__u8 opened_for;   /* `parent` was noted when the connection was opened, and not used yet */
	__u8 prepared;	   /* `own` is the place of the next request, not told yet */
	__u8 framed;	   /* exchanges interleave: each is a stream, and has a struct stream */
	__u8 upgraded;	   /* by a request: what comes next is another protocol than the first */
	__u8 mixed;	   /* the last read brought frames of more than one stream */
	__u8 turned;	   /* the opener: `turn_rcv` counts; the other end: it has spoken */
	__u16 wire;	   /* WIRE_F_* */
	__u32 opener;	   /* the process that opened the connection, as WIRE_F_ACTIVE says */
	__u32 inserted;	   /* bytes that the call under way has gained, */
	__u32 inserted_at; /* and the place of the first one behind them in what the program sent */
	__u32 framed_seq;  /* framed: write_seq as of the last send that was walked */
	__u32 client_base; /* framed: first sequence number of the client's direction */
	__u32 touched;	   /* framed: the stream that the last read brought frames of */
	__u32 turn_rcv;	   /* rcv_nxt when this end last began to speak */
	__u32 turn_seq;	   /* and the sequence number of its first byte */
	__u8 tls;	   /* enum conn_tls */
	__u8 tls_version;  /* enum tls_version */
	__u8 direct;	   /* TLS_RECORDS: struct tls_direct says of which session */
	__u8 walked;	   /* framed: bytes of the call that ends have been */
	__u16 tls_cipher;  /* of IANA's registry, 0: not known */
	__u16 pad4;
	struct conn_heads heads;     /* framed: of the call under way */
	__u64 address;		     /* of the struct sock, as a number to reckon with */
	__u64 session;		     /* TLS_RECORDS: the library's object, 0: not known */
	__u32 inside_seq[2];	     /* TLS_INSIDE: where the record of a call's bytes began */
	struct tls_stream stream[2]; /* TLS_RECORDS, by enum direction */
	struct conn_tuple tuple;
	struct context_fields fields; /* trace context in the head of the last request so far */
	struct request_ref own;	      /* the last request on this connection */
	struct request_ref parent;    /* clients: the server request that it was made for */
};

/* One of several exchanges that interleave on a connection. */
struct stream_key {
	__u64 conn;
	__u32 stream;
	__u32 pad;
};

/*
 * A body that is made of messages, each behind a byte that is 0 or 1 and four of its length: gRPC
 * over HTTP2 "Length-Prefixed-Message". Whether it is one is known in user space.
 */
struct body_messages {
	__u64 prefix; /* as much of it as has come */
	__u32 left;   /* of the current message */
	__u32 n;      /* that have begun */
	__u8 have;    /* bytes of the prefix */
	__u8 off;     /* it is none */
	__u8 pad[6];
};

struct stream {
	struct request_ref ref; /* servers: the request; clients: the one that it was made for */
	__u64 body[2];		/* body bytes so far, by enum message_kind */
	struct body_messages messages[2]; /* the same */
	__u32 reader_tid;		  /* thread that read the request (servers) */
	__u8 ended[2];			  /* by enum message_kind */
	__u8 early;			  /* the response was seen before the request */
	__u8 pad;
};

#define HEAD_ROOM	  256 /* of walk.room: the largest record without its head */
#define WALK_SEGMENTS_MAX 256

/* A run of a call's bytes in the program's memory, and where the next one is described. */
struct segment {
	__u64 base;
	__u64 len;
	__u64 start; /* its offset in the call */
	__u64 iov;   /* address of the next struct iovec */
	__u64 n_iov; /* segments behind this one */
};

/* Survey of a message: a frame that is to grow by a header, as it is. */
struct head_place {
	__u32 stream;
	__u16 at;
	__u16 len; /* without its own header */
	__u16 end; /* what is behind it */
	__u16 pad;
};

/* One call on a connection: where its bytes are in the program's memory, and how far they were
 * read. */
struct walk {
	__u64 sk; /* address of the struct sock */
	__u64 now_ns;
	struct segment seg;   /* holds the byte `at`, or lies before it */
	struct segment ahead; /* read by capture_fill(): may lie behind what is dealt with next */
	__u32 len;	      /* bytes that the call moved */
	__u32 at;	      /* bytes dealt with */
	__u32 got;	      /* bytes that capture_fill() has put into the piece */
	__u32 kept;	      /* bytes of earlier calls that stand before them */
	__u32 pid;
	__u32 tid;
	__u32 busy;
	__u8 dir;
	__u8 no_buffer; /* the bytes cannot be read */
	__u8 silent;	/* nothing is written to the ring buffer */
	__u8 in_kernel; /* the bytes lie in the kernel's memory */
	__u8 untimed;	/* calls on this processor since one was timed */
	__u8 pad[2];
	__u32 line_end;		 /* survey of a head: offset of what is to stand behind a header */
	__u32 place_max;	 /* how far into the message headers may stand */
	__u32 field_len;	 /* bytes that each head gains */
	__u32 heads_max;	 /* where exchanges interleave: heads that may be given a header */
	__u32 n_heads;		 /* that are to be given one, */
	__u32 moved_from;	 /* and, while they are: what has to move next, */
	__u32 moved_to;		 /* and where it goes */
	struct head_place frame; /* the last head that was surveyed */
	struct head_place heads[HEADS_MAX];
	union { /* and what its lines say */
#define PROTOCOL(constant, name) struct name##_flow name;
#include "abi/protocols.def"
#undef PROTOCOL
	};
	struct context_fields fields;
	/* a record's fixed part ends where piece.data starts */
	__u8 room[HEAD_ROOM] __attribute__((aligned(8)));
	struct piece piece;
};

/*
 * A global subprogram: the verifier looks at it once, with arguments of which it knows nothing but
 * their types, instead of once for each way to each call.
 */
#define SUBPROGRAM __attribute__((noinline))

/* One step of a walk, and what it leaves for later: of each protocol's own file. Give an enum step.
 */
#define PROTOCOL(constant, name)                                                                   \
	int name##_step(struct conn *conn, struct walk *walk);                                     \
	int name##_inside(struct conn *conn, struct walk *walk);
#include "abi/protocols.def"
#undef PROTOCOL

/*
 * Fills in the record of a new request, and finds its place in a trace. Its flow's first byte and
 * exchange are known.
 */
int request_record(struct conn *conn, struct walk *walk);

/* Writes the record for `len` bytes of a head that stand in the piece. */
int head_emit(struct conn *conn, struct walk *walk, __u32 len, __u32 flags);

/* Reports the end of a message that its head's record could not carry. */
int message_end(struct conn *conn, struct walk *walk);

/*
 * Exchanges from the oldest unanswered one on get no answer, or one that was not understood
 * (EVENT_F_BLIND).
 */
int report_close(struct conn *conn, struct walk *walk, int error, __u32 flags);

/* Takes the call's bytes apart: conn.bpf.c. */
int conn_walk(struct conn *conn, struct walk *walk);

/*
 * The same for bytes that cannot be read: a body passes by its count, and what else is among them
 * is lost. Little is verified for it.
 */
int conn_pass(struct conn *conn, struct walk *walk);

/*
 * Goes on to the next record of application data that begins in the call, on a connection that
 * carries TLS: tls.bpf.c. Zero: there is none.
 */
int tls_next(struct conn *conn, struct walk *walk);

/* The connection, or its reading side, is at its end: `error` is an errno or 0. */
int conn_finish(struct conn *conn, struct walk *walk, int error);

/*
 * Puts up to `want` bytes from walk->at on into the piece, behind `skip` bytes that stand there.
 * Gives the bytes read, or -EFAULT.
 */
int capture_fill(struct walk *walk, __u32 skip, __u32 want);

/* Writes a record: `fixed` bytes that end at the piece, and the piece's first `len` bytes. */
int capture_emit(struct walk *walk, __u32 fixed, __u32 len);

/* Ids of a new request: from the thread's current request, or new ones. `event` is filled in. */
int context_begin_client(struct conn *conn, struct walk *walk, struct event_request *event);
int context_begin_server(struct conn *conn, struct walk *walk, struct event_request *event);

/* Writes a request's ids and flags into its record. */
static __always_inline void context_place(struct event_request *event,
					  const struct request_ref *request)
{
	((__u64 *)event->trace_id)[0] = request->trace_id[0];
	((__u64 *)event->trace_id)[1] = request->trace_id[1];
	*(__u64 *)event->span_id = request->span_id;
	event->trace_flags = request->flags;
}

/* As it travels. `ret`: all zero. */
static __always_inline void context_of(struct trace_context *ret, const struct request_ref *request)
{
	ret->trace_id[0] = request->trace_id[0];
	ret->trace_id[1] = request->trace_id[1];
	ret->span_id = request->span_id;
	ret->flags = request->flags;
}

/* The same for the next request of a client's connection, before any byte of it has left. */
int context_prepare(struct conn *conn, __u32 pid, __u32 tid);

/* The same for another one of conn->heads, when that is done for the first: its own ids. */
int context_spread(struct conn *conn, __u32 stream);

/* Where a stream of conn->heads stands in its bits; HEADS_MAX or more: nowhere. */
static __always_inline __u32 heads_index(const struct conn_heads *heads, __u32 stream)
{
	return (stream - heads->first) / 2;
}

static __always_inline int heads_told(const struct conn_heads *heads, __u32 stream)
{
	__u32 i = heads_index(heads, stream);

	return i < HEADS_MAX && heads->told[i / 64 & (HEADS_MAX / 64 - 1)] >> i % 64 & 1;
}

static __always_inline void heads_tell(struct conn_heads *heads, __u32 stream)
{
	__u32 i = heads_index(heads, stream);

	heads->told[i / 64 & (HEADS_MAX / 64 - 1)] |= 1ULL << i % 64;
}

/*
 * The same for what is not understood: whose sake it is sent for, in `own`. Zero: it cannot be
 * told.
 */
int context_prepare_opaque(struct conn *conn, __u32 pid, __u32 tid);

/*
 * Process `pid` has opened the connection, or is seen to ask on it: whether context may be sent to
 * the other end, and by what means. `plain`: the socket is TCP's and no more.
 */
int peer_allow(struct conn *conn, __u32 pid, int plain);

/* A request's head is complete: what context came with it. A server takes it on. */
int context_receive(struct conn *conn, struct walk *walk, struct event_context *ret_context);

/*
 * Looks a message over that is about to leave: non-zero, it starts with the whole head of a request
 * that may be given a header. Its first line's end and its fields are in the walk then.
 */
int propagate_survey(struct walk *walk);

/* What propagate_framed() says of a message. */
enum framing {
	FRAMING_NO,    /* exchanges do not interleave on the connection that it opens */
	FRAMING_NEVER, /* they do, and none of this connection can be given a header any more */
	FRAMING_NONE,  /* no request in it can */
	FRAMING_FIT, /* `frame` and its end, `line_end`, are in the walk, with the head's fields */
};

/*
 * The same of a message of a connection on which exchanges interleave, or that opens one: enum
 * framing, of the first request in it.
 */
int propagate_framed(struct conn *conn, struct walk *walk);

/*
 * The head that was found is conn->heads.first. Goes on to others that leave with it. Those that
 * are to be given a header, walk->heads_max at most, are in walk->heads then; conn->heads says of
 * all of them that they have one, or context of their own.
 */
int propagate_others(struct conn *conn, struct walk *walk);

/* Instead of how many bytes a message has gained: such as could neither be written nor be taken
 * out again. */
#define INSERT_BROKEN (-1)
/* Bytes of a message that are looked at: a head that is longer leaves as it came. */
#define MESSAGE_LOOK_MAX (16384 + 256)
/* The same where exchanges interleave: gRPC's library for Go sends so much at once. */
#define MESSAGE_LOOK_FRAMED (2 * 16384 + 256)
/* Bytes that a message may gain. */
#define MESSAGE_GAIN_MAX (12 << 10)

/*
 * Gives a header to each of walk->heads, up to whose end, `line_end`, the message is in one piece.
 * Gives the bytes gained, 0, if the message is as it was, or INSERT_BROKEN. What it writes to
 * conn->own is the caller's to put right.
 */
int propagate_insert(struct sk_msg_md *msg, struct conn *conn, struct walk *walk);

/*
 * An exchange that is let pass goes on, on a connection of which the thread has read, or a request
 * of one is to be sent. Non-zero: the thread serves a request that is followed.
 */
int context_pass(__u32 dir);

/* Bytes were read on a connection that is not understood: a TCP option may name who is served. */
int context_adopt(struct conn *conn, struct walk *walk);

/* Bytes were sent on a connection that is not understood: perhaps the answer to what was adopted.
 */
int context_answer(struct conn *conn);

/* The answer to the connection's current server request has ended: nobody serves it any more. */
int context_end_server(struct conn *conn, struct walk *walk);

/* The answer to a request of many on its connection has ended. */
int context_end_stream(struct conn *conn, struct walk *walk, struct stream *stream);

/* The calling thread has read from the connection: an event loop now works for its request. */
int context_resume(struct conn *conn);

/* The calling thread, an event loop, opens the connection: notes the request that it does so for.
 */
int context_open(struct conn *conn);

#endif
