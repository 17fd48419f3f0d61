/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_CLI_TAIL_H
#define WEFT_CLI_TAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TAIL_LINE_MAX (256u << 10)

/* What came from the daemon and is not a whole line yet. */
struct tail {
	FILE *out;
	bool json; /* lines as they come */
	bool colour;
	uint64_t dropped; /* spans that the daemon left out, so far */
	char error[256];  /* the daemon's refusal */
	size_t len;
	char line[TAIL_LINE_MAX];
};

/* Prints the lines that these bytes complete. 0; -ECONNREFUSED with `error` set; -EBADMSG; -EFBIG.
 */
int tail_feed(struct tail *tail, const char *data, size_t size);

#endif
