/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of attributes as they were before the semantic conventions became stable, beside the stable
 * ones, for who asks for both: OTEL_SEMCONV_STABILITY_OPT_IN, "rpc/dup". `rpc.method` is named
 * alike in both, and stays the stable one.
 */
#ifndef WEFT_PROCESS_OLDER_NAMES_H
#define WEFT_PROCESS_OLDER_NAMES_H

#include "process/processor.h"

extern const struct processor_ops processor_older_names;

#endif
