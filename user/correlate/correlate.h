/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From exchanges to traces: joins the two ends of an exchange that both lie on this host, honours
 * context that came with a request, and gives every span its final ids.
 *
 * The kernel makes ids as requests pass, and on loopback the receiver's record can come before the
 * sender's: whether a server request starts a trace or continues one is sometimes known only later.
 * Until then its trace is *waiting*, and so are the spans that end in it. A trace settles when the
 * other end's record comes, or when the join window has passed.
 */
#ifndef WEFT_CORRELATE_CORRELATE_H
#define WEFT_CORRELATE_CORRELATE_H

#include "conn/exchange.h"
#include "span/span.h"

struct correlator;

struct correlate_options {
	uint64_t join_window_ns; /* how long a server request waits for the other end's record */
	uint64_t preemption_ns;	 /* how long a thread may be kept between a call's work and its end
				  */
	size_t traces;		 /* traces that are remembered at a time */
	size_t held_spans;	 /* spans that may wait at a time */
	/* Called with each span, once, when its ids are final; the span ends when it returns. */
	void (*settled)(void *context, struct span *span);
	void *context;
};

struct correlate_counters {
	uint64_t joined;   /* server requests whose other end was found */
	uint64_t unjoined; /* server requests that waited for it in vain */
	uint64_t untraced; /* server requests that did not wait, for nobody traces the other end */
	uint64_t held;	   /* spans that wait now */
	uint64_t early;	   /* traces settled before their window had passed: too many waited */
	uint64_t invalid_context; /* fields that carry context and are malformed or doubled */
	uint64_t not_sampled;	  /* spans dropped: the caller's context says so */
	uint64_t left;		  /* spans dropped: the SDK of their process makes them */
	uint64_t no_memory;	  /* spans dropped */
};

/* -ENOMEM, -EINVAL. */
int correlator_new(const struct correlate_options *options, struct correlator **ret_correlator);

/* The exchange's request is there: finds its place in a trace, and may change its ids and times. */
void correlator_started(struct correlator *correlator, struct exchange *exchange);

/*
 * The exchange has ended and `builder` describes it: sets ids, flags and the evidence of its
 * parent, then hands the span on, at once or, frozen, when its trace has settled.
 */
void correlator_finished(struct correlator *correlator, struct exchange *exchange,
			 struct span_builder *builder);

/* The exchange has ended and makes no span. */
void correlator_dropped(struct correlator *correlator, const struct exchange *exchange);

/* Settles what has waited long enough, as of `now_ns` on the records' clock. */
void correlator_tick(struct correlator *correlator, uint64_t now_ns);

/* True: a tick is due in a while, for something waits. */
bool correlator_waiting(const struct correlator *correlator);

/* Settles everything. */
void correlator_drain(struct correlator *correlator);

const struct correlate_counters *correlator_counters(const struct correlator *correlator);

/* Frees what waits without handing it on; NULL is accepted. Returns NULL. */
struct correlator *correlator_free(struct correlator *correlator);

#endif
