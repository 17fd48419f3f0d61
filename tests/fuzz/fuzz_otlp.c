/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes back from a backend, and what comes from traced programs to the terminal: the first
 * byte picks status and type, the rest is the body, and a name in a line. No message may hold
 * anything but printable ASCII, no line anything that steers a terminal.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "export/line.h"
#include "export/otlp_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(uint8_t choice, struct view body)
{
	static const long statuses[] = { 200, 400, 429, 503 };
	static const char *const types[] = {
		"application/x-protobuf",
		"text/plain",
		"application/json",
		NULL,
	};
	struct otlp_answer answer;

	otlp_answer_read(statuses[choice & 3], types[choice >> 2 & 3], body, &answer);
	if (strnlen(answer.message, OTLP_MESSAGE_MAX) == OTLP_MESSAGE_MAX)
		abort();
	for (const char *c = answer.message; *c; c++)
		if (*c < ' ' || *c > '~')
			abort();
	if (answer.rejected > 0 && answer.verdict != OTLP_ACCEPTED)
		abort();
}

static void check_line(uint8_t choice, struct view text)
{
	const struct line line = {
		.start_ns = (uint64_t)choice << 50,
		.duration_ns = (uint64_t)choice << 54,
		.kind = (enum span_kind)(choice & 7),
		.status = (enum span_status)(choice >> 3 & 3),
		.service = text,
		.name = text,
		.error_type = text,
		.path = view_from(text, choice),
	};
	char out[LINE_MAX_LEN];
	size_t len = line_format(&line, false, out);

	if (len == 0 || len > sizeof(out) || out[len - 1] != '\n')
		abort();
	if (!utf8_is_valid((struct view){ out, len }))
		abort();
	for (size_t i = 0; i < len - 1; i++) {
		uint8_t c = (uint8_t)out[i];

		/* C0, DEL; C1 is 0xc2 and one of 0x80 to 0x9f. */
		if (c < ' ' || c == 0x7f || (c == 0xc2 && (uint8_t)out[i + 1] < 0xa0))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest = { (const char *)data + 1, size - 1 };

	if (size == 0)
		return 0;
	check_answer(data[0], rest);
	check_line(data[0], rest);
	return 0;
}
