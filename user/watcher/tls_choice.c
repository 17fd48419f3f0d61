/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/tls_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attach/library.h"
#include "base/clock.h"

void tls_choose(const struct config *config, struct tls_choice *ret_choice)
{
	struct tls_choice choice = { .on = config->tls == CONFIG_TLS_ON };
	uint64_t ns;
	int r;

	if (config->tls == CONFIG_TLS_AUTO) {
		r = library_trap_ns(&ns);
		choice.on = r == 0 && ns <= TLS_TRAP_MAX_NS;
		if (r < 0)
			snprintf(choice.reason, sizeof(choice.reason),
				 "what a probe costs on this host cannot be measured: %s",
				 strerror(-r));
		else if (!choice.on)
			snprintf(choice.reason, sizeof(choice.reason),
				 "a probe costs %.1f us on this host, more than %.1f",
				 (double)ns / NS_PER_US, (double)TLS_TRAP_MAX_NS / NS_PER_US);
	}
	*ret_choice = choice;
}
