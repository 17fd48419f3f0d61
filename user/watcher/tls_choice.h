/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what TLS carries is looked for: as the configuration says, or as this host bears it. */
#ifndef WEFT_WATCHER_TLS_CHOICE_H
#define WEFT_WATCHER_TLS_CHOICE_H

#include <stdbool.h>

#include "config/config.h"

/*
 * What a probe at a function may cost, for CONFIG_TLS_AUTO. A small exchange meets three to seven
 * of them at each end: so much is a few percent of what TLS itself costs there. Bare metal and most
 * guests need 0.3 to 1.5 us; guests that are left at each step ten times that, but only for those.
 */
#define TLS_TRAP_MAX_NS 3000

struct tls_choice {
	bool on;
	bool stepped;	  /* also where the processor has to step: discover/probe_place.h */
	char reason[160]; /* why not, in words; empty: both are on, or nobody asked for it */
};

void tls_choose(const struct config *config, struct tls_choice *ret_choice);

#endif
