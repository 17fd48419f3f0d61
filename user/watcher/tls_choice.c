/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/tls_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attach/library.h"
#include "base/clock.h"
#include "discover/probe_place.h"

static double us(uint64_t ns)
{
	return (double)ns / NS_PER_US;
}

void tls_choose(const struct config *config, struct tls_choice *ret_choice)
{
	bool on = config->tls == CONFIG_TLS_ON;
	struct tls_choice choice = { .on = on, .stepped = on };
	uint64_t emulated = 0, stepped = 0;
	int r = 0;

	if (config->tls == CONFIG_TLS_AUTO) {
		r = library_trap_ns(true, &stepped);
		emulated = stepped;
		if (r == 0 && PROBE_PLACE_KNOWN)
			r = library_trap_ns(false, &emulated);
		choice.stepped = r == 0 && stepped <= TLS_TRAP_MAX_NS;
		choice.on = r == 0 && emulated <= TLS_TRAP_MAX_NS;
	}
	if (r < 0)
		snprintf(choice.reason, sizeof(choice.reason),
			 "what a probe costs on this host cannot be measured: %s", strerror(-r));
	else if (config->tls == CONFIG_TLS_AUTO && !choice.on)
		snprintf(choice.reason, sizeof(choice.reason),
			 "a probe costs %.1f us on this host, more than %.1f", us(emulated),
			 us(TLS_TRAP_MAX_NS));
	else if (config->tls == CONFIG_TLS_AUTO && !choice.stepped)
		snprintf(choice.reason, sizeof(choice.reason),
			 "on this host a probe costs %.1f us where the processor has to step over "
			 "it, more than %.1f, and %.1f elsewhere",
			 us(stepped), us(TLS_TRAP_MAX_NS), us(emulated));
	*ret_choice = choice;
}
