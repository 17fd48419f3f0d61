/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How context gets out of this host, as the self-test has settled it with the programs that are
 * attached.
 */
#ifndef WEFT_ATTACH_PROPAGATION_H
#define WEFT_ATTACH_PROPAGATION_H

#include <jansson.h>

#include "attach/loader.h"
#include "attach/selftest.h"

/* Hooks of the surface "context out" that these knobs have no use for: loader_options.hooks_off. */
uint32_t propagation_hooks_off(const struct weft_knobs *knobs);

/*
 * Makes the self-test and sets the mode that it has settled. The programs are attached and tracing
 * has not begun; it still has not afterwards, and what the test has raised is not counted. If there
 * is nothing that may be done to requests, the surface is detached. -errno: the kernel side cannot
 * be told.
 */
int propagation_settle(struct loader *loader, const struct surface_state state[SURFACE_MAX],
		       const struct weft_knobs *knobs, struct selftest *ret_test);

/* Must the programs be loaded again, without the TCP option, for it alone does not work? */
bool propagation_without_option(const struct selftest *test, const struct weft_knobs *knobs);

/*
 * {"mode", "tcp_option", "reason", "option_reason", "ms", "checks": [{"check", "mode", "outcome",
 * "reason", "ms"}]}. NULL: no memory.
 */
json_t *propagation_json(const struct selftest *test);

#endif
