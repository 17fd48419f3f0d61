/* SPDX-License-Identifier: Apache-2.0 */
/* The check on a connection where exchanges interleave. */
#include "attach/trial.h"
#include "attach/trial_messages.h"

static const char opening[] = MESSAGE_HELLO MESSAGE_HEAD("\1") MESSAGE_HEAD("\3");
static const char answers[] = MESSAGE_SETTINGS MESSAGE_STATUS("\1") MESSAGE_STATUS("\3");
static const char third[] = MESSAGE_HEAD("\5");
static const char third_answer[] = MESSAGE_STATUS("\5");

/* What was asked ends with so many heads, each of which may have gained a header. */
static int hear_heads(struct trial *trial, const char *ask, size_t ask_len, size_t heads)
{
	const char *end = ask + ask_len;
	int r = 0;

	for (size_t left = heads; r == 0 && left > 0; left--) {
		const char *next = end - (left - 1) * MESSAGE_HEAD_LEN;
		size_t len = (size_t)(next - ask);

		r = trial_hear_frame(trial, ask, len, len - MESSAGE_HEAD_LEN);
		ask = next;
	}
	return r;
}

static int exchange(struct trial *trial, const char *ask, size_t ask_len, size_t heads,
		    const char *tell, size_t tell_len)
{
	struct pair *pair = &trial->pair;
	int r = pair_send(pair, pair->client, ask, ask_len, 0);

	if (r < 0)
		return trial_fail_errno(trial, r, "sending a request in a frame");
	r = hear_heads(trial, ask, ask_len, heads);
	if (r == 0)
		r = trial_send_text(trial, pair->server, tell, tell_len);
	trial_note_unread(trial, "unread bytes of an answer in frames");
	if (r == 0)
		r = trial_take_text(trial, pair->client, tell, tell_len);
	return r;
}

int check_frames(struct trial *trial)
{
	int r = exchange(trial, opening, sizeof(opening) - 1, 2, answers, sizeof(answers) - 1);

	if (r == 0)
		r = trial_look_at_membership(trial);
	if (r == 0)
		r = exchange(trial, third, sizeof(third) - 1, 1, third_answer,
			     sizeof(third_answer) - 1);
	return r < 0 ? r : trial_part(trial);
}
