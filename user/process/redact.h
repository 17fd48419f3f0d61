/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps secrets in URLs on the host. In url.query and in the query of url.full the value of every
 * parameter becomes "REDACTED" unless its name is on the list of kept ones; names and empty values
 * stay as they are. A piece without a name ("?12345", "?dGVzdA==") stays only if it reads like a
 * flag ("?wsdl"). In url.full the user information becomes "REDACTED:REDACTED@" and a fragment
 * "#REDACTED" (OpenTelemetry semantic conventions 1.44, "url.full").
 *
 * A result that does not fit is cut between two parameters and the span gets weft.truncated.
 */
#ifndef WEFT_PROCESS_REDACT_H
#define WEFT_PROCESS_REDACT_H

#include "process/processor.h"

/* A longer parameter name is taken for a value. */
#define REDACT_NAME_MAX 128

/* Parameters whose values are kept, by exact name as on the wire; see struct processor_options. */
struct redact_keys {
	const char *const *names;
	size_t n;
};

/*
 * Write the redacted text into `out` and return its length, at most `size`. *ret_cut tells whether
 * something was left out for want of room. Valid UTF-8 stays valid.
 */
size_t redact_query(struct view query, const struct redact_keys *kept, char *out, size_t size,
		    bool *ret_cut);
size_t redact_url(struct view url, const struct redact_keys *kept, char *out, size_t size,
		  bool *ret_cut);

extern const struct processor_ops processor_redact;

#endif
