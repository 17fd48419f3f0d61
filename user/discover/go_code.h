/* SPDX-License-Identifier: Apache-2.0 */
/* The code of one Go function: where it returns, by the table of how far its stack pointer is. */
#ifndef WEFT_DISCOVER_GO_CODE_H
#define WEFT_DISCOVER_GO_CODE_H

#include "discover/go_function.h"
#include "discover/go_module.h"

/*
 * `deltas`: where the module's table of them has those of the function. Fills in entry and returns;
 * errors are those of a function's `result`.
 */
int go_code_returns(const struct go_image *image, const struct go_module *module,
		    const struct go_place *place, uint32_t deltas,
		    struct go_function *ret_function);

#endif
