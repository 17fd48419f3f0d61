/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One check of the self-test on one connection: it uses the connection as applications do, and
 * notes what it sees. The same is noted on an ordinary connection, and the notes must be the same:
 * no expectation of the kernel is written down.
 */
#ifndef WEFT_ATTACH_TRIAL_H
#define WEFT_ATTACH_TRIAL_H

#include <stdint.h>

#include "attach/loopback.h"
#include "attach/selftest.h"

#define TRIAL_NOTES_MAX 64

/* From any place of its first period on, so many bytes of the pattern can be taken. */
#define PATTERN_PERIOD 65521
#define PATTERN_RUN    65536
#define ANSWER_BYTES   200

struct note {
	const char *what; /* a constant */
	long long value;
};

/* What all trials share. */
struct bench {
	const struct selftest_options *options;
	char *pattern; /* bytes that do not repeat themselves where a buffer or segment might */
	char *room;    /* PATTERN_RUN bytes to receive into */
	char answer[ANSWER_BYTES];
};

struct trial {
	const struct bench *bench;
	enum wire_mode mode;
	bool ordinary; /* nothing is done to this connection */
	struct pair pair;
	uint64_t cookie;    /* of the client's socket */
	unsigned int asked; /* requests that were sent */
	uint32_t headers;   /* bit n: request n got there with a header */
	size_t n_notes;
	struct note notes[TRIAL_NOTES_MAX];
	bool broken; /* it could not be made; otherwise, if it failed, the connection is wrong */
	char reason[SELFTEST_REASON_MAX];
};

enum trial_flags {
	TRIAL_F_HEAVY = 1 << 0, /* takes its time: only if all else is well */
	TRIAL_F_ALONE = 1 << 1, /* it knows what is right without an ordinary connection */
	TRIAL_F_IPV6 = 1 << 2,
	TRIAL_F_OPTION = 1 << 3, /* of the TCP option */
};

/* A check. It gives 0, or -errno with a reason in the trial if it came to no end. */
struct trial_kind {
	const char *name;
	int (*run)(struct trial *trial);
	unsigned int flags; /* TRIAL_F_* */
	/* requests that must get a header, by mode: bit n stands for the connection's request n */
	uint32_t headers[WIRE_EARLY_LEAVE + 1];
};

/* Every check, the light ones first. */
extern const struct trial_kind trial_kinds[];
extern const size_t n_trial_kinds;

/* -ENOMEM: nothing is kept then. */
int bench_init(struct bench *bench, const struct selftest_options *options);
void bench_clear(struct bench *bench);

/*
 * Opens the trial's connection and makes the check. 0, or -errno with a reason in the trial. Notes
 * and headers are left to be looked at; the connection is closed.
 */
int trial_run(struct trial *trial, const struct trial_kind *kind, int listener,
	      uint64_t deadline_ns);

/* Have those requests got a header that must, and no others? -EBADMSG. */
int trial_check_headers(struct trial *trial, const struct trial_kind *kind);

/* --- steps that checks are made of: 0, or -errno with a reason in the trial --- */

/* Sets the reason and gives `r` back. */
__attribute__((format(printf, 3, 4))) int trial_fail(struct trial *trial, int r, const char *format,
						     ...);

/* The same, of an error of `what`. */
int trial_fail_errno(struct trial *trial, int r, const char *what);

/* The same of what the test needs for itself: it says nothing of the connection. */
int trial_fail_broken(struct trial *trial, int r, const char *what);

/* Notes what was seen. */
void trial_note(struct trial *trial, const char *what, long long value);

/* Does FIONREAD on the client's end and notes what it says. */
void trial_note_unread(struct trial *trial, const char *what);

/* The server's end receives `text`, a request, with a header or without. */
int trial_hear(struct trial *trial, const char *text, size_t len);

/* The same, and the socket is in the state that its mode asks for once a request has left. */
int trial_hear_first(struct trial *trial, const char *text, size_t len);

/* The same of a message whose last frame, at `frame_at`, is the request. */
int trial_hear_frame(struct trial *trial, const char *text, size_t len, size_t frame_at);

/* These bytes go from an end to the other one, and are there. */
int trial_send_text(struct trial *trial, int from, const char *text, size_t n);

/* These bytes are received. */
int trial_take_text(struct trial *trial, int fd, const char *text, size_t n);

/* Is the socket in the state that its mode asks for once a request has left? */
int trial_look_at_membership(struct trial *trial);

/* A request of the client gets to the server's end. */
extern const char trial_request[];
extern const size_t trial_request_len;
int trial_ask(struct trial *trial);

/* The first `n` bytes of the pattern go from an end to the other one, and are there. */
int trial_send(struct trial *trial, int from, size_t n);

/* The server answers: ANSWER_BYTES are there, a whole response. */
int trial_answer(struct trial *trial);

/* The client receives the answer's bytes from `at` on. */
int trial_take_answer(struct trial *trial, size_t at, size_t n);

/* Receives the pattern's bytes from `at` on, at most PATTERN_RUN of them. */
int trial_take(struct trial *trial, int fd, size_t at, size_t n);

/* A whole exchange: asks, answers, takes the answer. */
int trial_exchange(struct trial *trial);

/* The same, with a request that comes in two messages. */
int trial_exchange_in_pieces(struct trial *trial);

/* Both ends have no more to say, and nothing more than was said has come. */
int trial_part(struct trial *trial);

/* --- checks that have a file of their own: trial_bytes.c, trial_frames.c --- */

int check_frames(struct trial *trial);
int check_splice(struct trial *trial);
int check_bulk(struct trial *trial);
int check_leaving(struct trial *trial);
int check_option(struct trial *trial);

#endif
