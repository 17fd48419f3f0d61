/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its response on one connection, as the kernel's records told it. Built by
 * conn/table.c, read by the protocols and by correlate. Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef WEFT_CONN_EXCHANGE_H
#define WEFT_CONN_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi/event.h"
#include "base/view.h"

enum exchange_end {
	EXCHANGE_COMPLETE,  /* the response ended as its framing says */
	EXCHANGE_CLOSED,    /* the connection ended in order, before the response did */
	EXCHANGE_RESET,	    /* ECONNRESET, EPIPE: the peer tore it down */
	EXCHANGE_TIMEOUT,   /* ETIMEDOUT: the peer stopped answering */
	EXCHANGE_UPGRADED,  /* 101, or 2xx to CONNECT: the rest belongs to another protocol */
	EXCHANGE_CANCELLED, /* an end of it has given it up; the connection goes on */
	EXCHANGE_LOST,	    /* records were lost: the end is not known */
};

/* Whether the request exports telemetry. */
enum telemetry {
	TELEMETRY_NONE,
	TELEMETRY_SPANS,
	TELEMETRY_OTHER, /* metrics, logs ... */
};

/* One side's message: its head as captured and what was counted of the rest. */
struct message {
	uint64_t start_ns;   /* first byte; 0: nothing of it was seen */
	uint64_t end_ns;     /* last byte seen */
	uint64_t body_bytes; /* without transfer coding's own bytes */
	uint32_t messages;   /* that the body has, if it is made of such */
	uint8_t *head;	     /* heap, owned */
	uint32_t head_len;
	uint32_t head_cap;
	bool head_complete;
	bool truncated; /* head bytes are missing: capture limit or lost record */
	bool ended;
};

/* One end of a connection. */
struct conn_address {
	uint8_t ip[16]; /* IPv6, or IPv4 mapped (::ffff:a.b.c.d); zero for unix sockets */
	uint16_t port;	/* host byte order */
};

struct exchange {
	uint64_t conn;
	uint32_t serial;
	uint32_t pid;
	uint32_t tid;
	uint32_t netns;
	uint16_t family;     /* AF_INET, AF_INET6, AF_UNIX */
	uint8_t tls;	     /* enum tls_version */
	uint16_t tls_cipher; /* of IANA's registry of cipher suites, 0: not known */
	uint16_t status;     /* of the response as the kernel read it; 0: none */
	enum protocol_id protocol;
	enum conn_role role;
	enum exchange_end end;
	enum parent_evidence evidence;
	uint32_t reset_code;  /* EXCHANGE_CANCELLED: as the protocol has it */
	bool reset_by_server; /* and who has done so */
	struct join_key join;
	struct conn_address local;
	struct conn_address remote;
	uint8_t trace_id[WEFT_TRACE_ID_LEN];
	uint8_t span_id[WEFT_SPAN_ID_LEN];
	uint8_t parent_id[WEFT_SPAN_ID_LEN];
	uint8_t trace_flags;	      /* W3C trace-flags */
	struct event_context context; /* that came with the request */
	char comm[WEFT_COMM_LEN + 1];
	struct view tls_name; /* that the client has asked for; set when the exchange has ended */
	/* the pipeline's, told to correlate */
	enum telemetry telemetry;
	bool sdk; /* spans that an SDK makes in this process are left to it */
	/* by correlate: span_id is the one of a context of the process' own making, which it sends
	 */
	bool adopted;
	/* correlate's own */
	bool awaits_server;		     /* its other end has not been found */
	bool has_caller;		     /* caller_id is set */
	uint8_t caller_id[WEFT_SPAN_ID_LEN]; /* the span that the request's context names */
	uint64_t closed_ns; /* when the connection ended before the response did, else 0 */
	struct message request;
	struct message response;
};

static inline struct view message_head(const struct message *message)
{
	return (struct view){ .data = (const char *)message->head, .len = message->head_len };
}

#endif
