/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/command.h"
#include "watcher/watcher.h"

int cli_run(int argc, char **argv)
{
	_cleanup_(config_clear) struct config config = { 0 };
	char origin[256];
	int r = cli_load(&config, CONFIG_RUN, argc, argv);

	if (r != STATUS_OK)
		return r;
	if (config.disabled) {
		log_info("disabled by %s: nothing is traced",
			 config_origin_text(&config, "disabled", origin, sizeof(origin)));
		return STATUS_OK;
	}
	return watcher_run(&config, argc - 1, argv + 1);
}
