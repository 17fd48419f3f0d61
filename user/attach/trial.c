/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/trial.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "attach/inserted.h"
#include "attach/trial_messages.h"

const char trial_request[] = MESSAGE_REQUEST;
const size_t trial_request_len = sizeof(MESSAGE_REQUEST) - 1;

#define ANSWER_HEAD_LEN (sizeof(MESSAGE_ANSWER_HEAD) - 1)

_Static_assert(ANSWER_HEAD_LEN + MESSAGE_ANSWER_BODY == ANSWER_BYTES, "the answer is whole");

int bench_init(struct bench *bench, const struct selftest_options *options)
{
	uint32_t random = 0x9e3779b9;

	*bench = (struct bench){
		.options = options,
		.pattern = malloc(PATTERN_PERIOD + PATTERN_RUN),
		.room = malloc(PATTERN_RUN),
	};
	if (!bench->pattern || !bench->room) {
		bench_clear(bench);
		return -ENOMEM;
	}
	for (size_t i = 0; i < PATTERN_PERIOD; i++) {
		random = random * 1664525 + 1013904223;
		bench->pattern[i] = (char)(random >> 24);
	}
	bench->pattern[0] = 0x16; /* no message of a protocol that is looked for starts so */
	for (size_t i = PATTERN_PERIOD; i < PATTERN_PERIOD + PATTERN_RUN; i++)
		bench->pattern[i] = bench->pattern[i - PATTERN_PERIOD];
	memcpy(bench->answer, bench->pattern, sizeof(bench->answer));
	memcpy(bench->answer, MESSAGE_ANSWER_HEAD, ANSWER_HEAD_LEN);
	return 0;
}

void bench_clear(struct bench *bench)
{
	free(bench->pattern);
	free(bench->room);
	bench->pattern = NULL;
	bench->room = NULL;
}

int trial_fail(struct trial *trial, int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(trial->reason, sizeof(trial->reason), format, arguments);
	va_end(arguments);
	return r;
}

static const char *error_text(int r)
{
	switch (-r) {
	case ETIME:
		return "nothing came in time";
	case EBADMSG:
		return "bytes have changed";
	case ENODATA:
		return "the stream has ended too soon";
	case EMSGSIZE:
		return "there are more bytes than were sent";
	default:
		return strerror(-r);
	}
}

int trial_fail_errno(struct trial *trial, int r, const char *what)
{
	return trial_fail(trial, r, "%s: %s", what, error_text(r));
}

int trial_fail_broken(struct trial *trial, int r, const char *what)
{
	trial->broken = true;
	return trial_fail_errno(trial, r, what);
}

void trial_note(struct trial *trial, const char *what, long long value)
{
	if (trial->n_notes < TRIAL_NOTES_MAX)
		trial->notes[trial->n_notes++] = (struct note){ what, value };
}

void trial_note_unread(struct trial *trial, const char *what)
{
	int n = 0;

	trial_note(trial, what, ioctl(trial->pair.client, FIONREAD, &n) < 0 ? -errno : n);
}

/* What a request's bytes may have gained on their way, and how that is found. */
struct hearing {
	const char *text;
	size_t len;
	size_t gain;	 /* all that may be added */
	size_t frame_at; /* of the frame that has grown, SIZE_MAX: the text is lines */
};

static int find_gain(const struct hearing *hearing, const char *got, size_t len, __u64 propagators)
{
	if (hearing->frame_at == SIZE_MAX)
		return inserted_find(hearing->text, hearing->len, got, len, propagators);
	return inserted_find_field(hearing->text, hearing->len, hearing->frame_at, got, len,
				   propagators);
}

static int hear(struct trial *trial, const struct hearing *hearing)
{
	const struct pair *pair = &trial->pair;
	size_t more = hearing->gain;
	char got[1024];
	int r;

	if (hearing->len + more > sizeof(got))
		return trial_fail_broken(trial, -ENOBUFS, "receiving a request");
	r = pair_receive(pair, pair->server, got, hearing->len);
	if (r == 0 && memcmp(got, hearing->text, hearing->len) == 0)
		more = 0;
	else if (r == 0)
		r = pair_receive(pair, pair->server, got + hearing->len, more);
	if (r == 0)
		r = find_gain(hearing, got, hearing->len + more,
			      trial->bench->options->propagators);
	if (r < 0)
		return trial_fail_errno(trial, r, "a request");
	trial->pair.server_due += (size_t)r;
	if (r > 0)
		trial->headers |= 1u << trial->asked;
	trial->asked++;
	return 0;
}

int trial_hear(struct trial *trial, const char *text, size_t len)
{
	const struct hearing hearing = {
		.text = text,
		.len = len,
		.gain = inserted_length(trial->bench->options->propagators),
		.frame_at = SIZE_MAX,
	};

	return hear(trial, &hearing);
}

int trial_hear_frame(struct trial *trial, const char *text, size_t len, size_t frame_at)
{
	const struct hearing hearing = {
		.text = text,
		.len = len,
		.gain = inserted_field_length(trial->bench->options->propagators),
		.frame_at = frame_at,
	};

	return hear(trial, &hearing);
}

int trial_look_at_membership(struct trial *trial)
{
	const struct selftest_kernel *kernel = &trial->bench->options->kernel;
	bool enrolled;

	if (trial->ordinary || trial->mode == WIRE_OFF)
		return 0;
	enrolled = kernel->enrolled(kernel->context, trial->cookie);
	if (enrolled && trial->mode == WIRE_EARLY_LEAVE)
		return trial_fail(trial, -EBUSY, "the socket has not left after its request");
	if (!enrolled && trial->mode == WIRE_FULL)
		return trial_fail(trial, -ENOENT, "the socket has left after a request");
	return 0;
}

int trial_hear_first(struct trial *trial, const char *text, size_t len)
{
	int r = trial_hear(trial, text, len);

	return r < 0 ? r : trial_look_at_membership(trial);
}

int trial_ask(struct trial *trial)
{
	struct pair *pair = &trial->pair;
	int r = pair_send(pair, pair->client, trial_request, trial_request_len, 0);

	if (r < 0)
		return trial_fail_errno(trial, r, "sending a request");
	return trial_hear_first(trial, trial_request, trial_request_len);
}

int trial_send_text(struct trial *trial, int from, const char *data, size_t n)
{
	struct pair *pair = &trial->pair;
	int r = pair_send(pair, from, data, n, 0);

	if (r == 0)
		r = pair_arrive(pair, from == pair->client ? pair->server : pair->client);
	return r < 0 ? trial_fail_errno(trial, r, "sending") : 0;
}

int trial_take_text(struct trial *trial, int fd, const char *data, size_t n)
{
	int r = pair_receive(&trial->pair, fd, trial->bench->room, n);

	if (r == 0 && memcmp(trial->bench->room, data, n) != 0)
		r = -EBADMSG;
	return r < 0 ? trial_fail_errno(trial, r, "receiving") : 0;
}

int trial_send(struct trial *trial, int from, size_t n)
{
	return trial_send_text(trial, from, trial->bench->pattern, n);
}

int trial_take(struct trial *trial, int fd, size_t at, size_t n)
{
	return trial_take_text(trial, fd, trial->bench->pattern + at, n);
}

int trial_answer(struct trial *trial)
{
	return trial_send_text(trial, trial->pair.server, trial->bench->answer, ANSWER_BYTES);
}

int trial_take_answer(struct trial *trial, size_t at, size_t n)
{
	return trial_take_text(trial, trial->pair.client, trial->bench->answer + at, n);
}

static int answer_and_take(struct trial *trial)
{
	int r = trial_answer(trial);

	return r < 0 ? r : trial_take_answer(trial, 0, ANSWER_BYTES);
}

int trial_exchange(struct trial *trial)
{
	int r = trial_ask(trial);

	return r < 0 ? r : answer_and_take(trial);
}

int trial_exchange_in_pieces(struct trial *trial)
{
	const size_t half = trial_request_len / 2;
	struct pair *pair = &trial->pair;
	int r = pair_send(pair, pair->client, trial_request, half, 0);

	if (r == 0)
		r = pair_send(pair, pair->client, trial_request + half, trial_request_len - half,
			      0);
	if (r < 0)
		return trial_fail_errno(trial, r, "sending a request in pieces");
	r = trial_hear(trial, trial_request, trial_request_len);
	return r < 0 ? r : answer_and_take(trial);
}

int trial_part(struct trial *trial)
{
	const struct pair *pair = &trial->pair;
	int r;

	shutdown(pair->client, SHUT_WR);
	r = pair_receive_end(pair, pair->server);
	if (r < 0)
		return trial_fail_errno(trial, r, "the end of what the client has sent");
	shutdown(pair->server, SHUT_WR);
	r = pair_receive_end(pair, pair->client);
	return r < 0 ? trial_fail_errno(trial, r, "the end of what the server has sent") : 0;
}

/* Treated as the mode says from its first segment on. */
static int open_tested(struct trial *trial, int listener, uint64_t deadline_ns)
{
	const struct selftest_kernel *kernel = &trial->bench->options->kernel;
	socklen_t len = sizeof(trial->cookie);
	int r = kernel->set(kernel->context, trial->mode, !trial->ordinary);

	if (r < 0)
		return trial_fail_broken(trial, r, "telling the kernel side");
	r = pair_open(&trial->pair, listener, deadline_ns);
	if (r < 0)
		return trial_fail_broken(trial, r, "a connection over loopback");
	if (getsockopt(trial->pair.client, SOL_SOCKET, SO_COOKIE, &trial->cookie, &len) < 0)
		r = trial_fail_broken(trial, -errno, "SO_COOKIE");
	else if (!trial->ordinary && trial->mode != WIRE_OFF &&
		 !kernel->enrolled(kernel->context, trial->cookie))
		r = trial_fail(
			trial, -EBUSY,
			"its socket could not be enrolled: does another program own sockets?");
	if (r < 0)
		pair_close(&trial->pair);
	return r;
}

int trial_check_headers(struct trial *trial, const struct trial_kind *kind)
{
	uint32_t wanted = trial->ordinary ? 0 : kind->headers[trial->mode];
	uint32_t wrong = wanted ^ trial->headers;
	int first = __builtin_ffs((int)wrong);

	if (!wrong)
		return 0;
	return trial_fail(trial, -EBADMSG, "request %d of a connection got there %s", first,
			  wanted & 1u << (first - 1) ? "without a header" : "with a header");
}

int trial_run(struct trial *trial, const struct trial_kind *kind, int listener,
	      uint64_t deadline_ns)
{
	int r = open_tested(trial, listener, deadline_ns);

	if (r < 0)
		return r;
	r = kind->run(trial);
	pair_close(&trial->pair);
	return r;
}
