/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What correlate writes into a span beside its ids.
 */
#ifndef WEFT_CORRELATE_DESCRIBE_H
#define WEFT_CORRELATE_DESCRIBE_H

#include "conn/exchange.h"
#include "correlate/trace.h"
#include "span/span.h"

/* The value of weft.parent.evidence, a constant; NULL: there is none. */
const char *describe_evidence_name(enum parent_evidence evidence);

/* What came with the request beyond its caller's ids. `trace`: the span's, NULL: it has none. */
void describe_context(const struct exchange *exchange, const struct trace *trace,
		      struct span_builder *builder);

/*
 * How the parent was found. A server span that is held may learn it until its trace settles: it has
 * the attribute in any case, empty as long as nothing is known.
 */
void describe_evidence(const struct exchange *exchange, const struct trace *trace, bool held,
		       struct span_builder *builder);

#endif
