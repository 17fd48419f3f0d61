/* SPDX-License-Identifier: Apache-2.0 */
/* The check on a connection where exchanges interleave. */
#include "attach/trial.h"
#include "attach/trial_messages.h"

static const char opening[] = MESSAGE_HELLO MESSAGE_HEAD("\1");
static const char answer[] = MESSAGE_SETTINGS MESSAGE_STATUS("\1");
static const char second[] = MESSAGE_HEAD("\3");
static const char second_answer[] = MESSAGE_STATUS("\3");

static int exchange(struct trial *trial, const char *ask, size_t ask_len, const char *tell,
		    size_t tell_len)
{
	struct pair *pair = &trial->pair;
	int r = pair_send(pair, pair->client, ask, ask_len, 0);

	if (r < 0)
		return trial_fail_errno(trial, r, "sending a request in a frame");
	r = trial_hear_frame(trial, ask, ask_len, ask_len - MESSAGE_HEAD_LEN);
	if (r == 0)
		r = trial_send_text(trial, pair->server, tell, tell_len);
	trial_note_unread(trial, "unread bytes of an answer in frames");
	if (r == 0)
		r = trial_take_text(trial, pair->client, tell, tell_len);
	return r;
}

int check_frames(struct trial *trial)
{
	int r = exchange(trial, opening, sizeof(opening) - 1, answer, sizeof(answer) - 1);

	if (r == 0)
		r = trial_look_at_membership(trial);
	if (r == 0)
		r = exchange(trial, second, sizeof(second) - 1, second_answer,
			     sizeof(second_answer) - 1);
	return r < 0 ? r : trial_part(trial);
}
