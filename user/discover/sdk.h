/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a process looks as if an OpenTelemetry SDK in it exported spans, before it is seen to do
 * so: exports come in batches, and until the first one weft would double what the SDK makes. Only
 * what leaves little doubt counts, for spans that are left to an SDK which sends none are lost.
 */
#ifndef WEFT_DISCOVER_SDK_H
#define WEFT_DISCOVER_SDK_H

#include "discover/facts.h"

/* What tells of it, a constant for people; NULL: nothing. */
const char *sdk_sign(const struct process_facts *facts);

/*
 * The variable that tells an SDK where to send spans, a constant; NULL: there is none. Alone it is
 * no sign, for it is often given to a whole pod or shell; but a process that has it and sends trace
 * context of its own making uses it, too.
 */
const char *sdk_exporter(const struct process_facts *facts);

#endif
