/* SPDX-License-Identifier: Apache-2.0 */
/* What a backend's answer to an OTLP/HTTP request means for its batch. */
#ifndef WEFT_EXPORT_OTLP_ANSWER_H
#define WEFT_EXPORT_OTLP_ANSWER_H

#include <stddef.h>

#include "export/bytes.h"

enum otlp_verdict {
	OTLP_ACCEPTED, /* except for `rejected` spans */
	OTLP_RETRY,
	OTLP_REJECTED,
	OTLP_TOO_LARGE, /* fewer spans at a time may be accepted */
};

#define OTLP_MESSAGE_MAX 256

struct otlp_answer {
	enum otlp_verdict verdict;
	uint64_t rejected;
	/* What the backend says about it, fit for a log line; empty: nothing. */
	char message[OTLP_MESSAGE_MAX];
};

/*
 * `status` is the HTTP status, `content_type` may be NULL. Retried are 429, 502, 503 and 504 and no
 * others, 413 is too large; a body that cannot be read changes nothing.
 */
void otlp_answer_read(long status, const char *content_type, struct view body,
		      struct otlp_answer *ret_answer);

/* What a person can do about the status: constant text, never NULL. */
const char *otlp_answer_advice(long status);

#endif
