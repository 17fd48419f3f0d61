/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_CONTROL_SPAN_JSON_H
#define WEFT_CONTROL_SPAN_JSON_H

#include <jansson.h>

#include "span/span.h"

/* The span as `tail` sends it (control/control.h). A new reference; NULL: no memory. */
json_t *span_json(const struct span *span);

#endif
