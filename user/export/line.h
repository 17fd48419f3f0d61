/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A span as one line for people: local time, service, kind, name, status, duration, trace, and the
 * path where the name does not show it.
 *
 *   12:34:56.789  shop              SERVER    GET /users/{id}           200   1.23 ms  4bf9...
 * /users/7
 */
#ifndef WEFT_EXPORT_LINE_H
#define WEFT_EXPORT_LINE_H

#include "span/span.h"

/* The longest line with its newline. Below PIPE_BUF, so that a pipe takes it whole or not at all.
 */
#define LINE_MAX_LEN 2048

struct line {
	uint64_t start_ns; /* Unix time */
	uint64_t duration_ns;
	enum span_kind kind;
	enum span_status status;
	uint16_t http_status; /* 0: none */
	uint8_t trace_id[TRACE_ID_LEN];
	struct view service;
	struct view name;
	struct view error_type; /* empty: none */
	struct view path;	/* empty: none */
};

/* Views are the span's and its resource's. */
void line_of_span(const struct span *span, struct line *ret_line);

/*
 * Writes the line with its newline and without NUL; returns its length. Long texts are cut with an
 * ellipsis. Whatever could steer a terminal (control characters, C1 among them, directional marks)
 * and whatever is not UTF-8 comes out as U+FFFD.
 */
size_t line_format(const struct line *line, bool colour, char text[static LINE_MAX_LEN]);

/* Whether lines on this descriptor may have colours: a terminal, and neither NO_COLOR nor
 * TERM=dumb. */
bool line_colour(int fd);

#endif
