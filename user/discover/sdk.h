/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a process looks as if an OpenTelemetry SDK in it exported spans, before it is seen to do
 * so: exports come in batches, and until the first one weft would double what the SDK makes. Only
 * what leaves little doubt counts, for spans that are left to an SDK which sends none are lost. A
 * destination in the environment alone is no sign: it is often given to a whole pod or shell.
 */
#ifndef WEFT_DISCOVER_SDK_H
#define WEFT_DISCOVER_SDK_H

#include "discover/facts.h"

/* What tells of it, a constant for people; NULL: nothing. */
const char *sdk_sign(const struct process_facts *facts);

#endif
