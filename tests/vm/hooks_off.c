/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into a daemon for tests with -Wl,--wrap: turns hooks off, so that the later ones of a
 * surface are tested on kernels where the first would do. HOOKS_OFF=0:1,0:2 is surface 0, hooks 1,
 * 2. WIRE_FULL=1: requests get headers as on kernels that do not break FIONREAD, for programs that
 * do not ask for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach/loader.h"
#include "attach/selftest.h"

int __real_loader_new(const struct loader_options *options, struct surface_state *ret_state,
		      struct loader **ret_loader);
int __wrap_loader_new(const struct loader_options *options, struct surface_state *ret_state,
		      struct loader **ret_loader);

int __wrap_loader_new(const struct loader_options *options, struct surface_state *ret_state,
		      struct loader **ret_loader)
{
	struct loader_options fewer = *options;
	const char *text = getenv("HOOKS_OFF");
	unsigned int surface, hook;

	while (text && sscanf(text, "%u:%u", &surface, &hook) == 2) {
		if (surface < SURFACE_MAX && hook < SURFACE_HOOKS_MAX)
			fewer.hooks_off[surface] |= 1u << hook;
		text = strchr(text, ',');
		text = text ? text + 1 : NULL;
	}
	return __real_loader_new(&fewer, ret_state, ret_loader);
}

void __real_selftest_run(const struct selftest_options *options, struct selftest *ret_test);
void __wrap_selftest_run(const struct selftest_options *options, struct selftest *ret_test);

void __wrap_selftest_run(const struct selftest_options *options, struct selftest *ret_test)
{
	__real_selftest_run(options, ret_test);
	if (getenv("WIRE_FULL") && ret_test->mode == WIRE_EARLY_LEAVE)
		ret_test->mode = WIRE_FULL;
}
