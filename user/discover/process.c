/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/process.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "discover/facts.h"
#include "discover/info.h"

void process_info_clear(struct process_info *info)
{
	free(info->executable);
	free(info->service_name);
	for (size_t i = 0; i < 2 * info->n_pairs; i++)
		free(info->pairs[i]);
	free(info->pairs);
	*info = (struct process_info){ 0 };
}

bool process_ended(const struct process_options *options, pid_t pid)
{
	_cleanup_close_ int dir = -1;
	struct procfs_stat stat;

	return procfs_open(options->proc, pid, &dir) < 0 || procfs_read_stat(dir, &stat) < 0 ||
	       stat.ending;
}

int process_describe(const struct process_options *options, pid_t pid,
		     struct process_info *ret_info)
{
	_cleanup_facts_ struct process_facts facts = PROCESS_FACTS_INIT;
	struct procfs_stat stat;
	int r = facts_read(&facts, options->proc, pid);

	if (r < 0)
		return r;
	/* What ended while it was read left some files empty: better none than half. */
	r = procfs_read_stat(facts.dir, &stat);
	if (r < 0)
		return r == -ENOMEM ? r : -ESRCH;
	return info_describe(&facts, options, pid, ret_info);
}
