/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/cleanup.h"
#include "discover/process.h"
#include "discover/procfs.h"
#include "discover/runtime.h"

int process_identify(const struct process_options *options, pid_t pid,
		     struct process_info *ret_info)
{
	_cleanup_close_ int dir = -1;
	_cleanup_free_ char *executable = NULL;
	struct runtime_facts facts = {};
	struct view path;
	int r = procfs_open(options->proc, pid, &dir);

	if (r == 0)
		r = procfs_readlink(dir, "exe", &executable);
	if (r < 0)
		return r == -ENOMEM ? r : -ESRCH;
	path = view_of(executable);
	runtime_read(dir, path, VIEW(""), &facts);
	*ret_info = (struct process_info){
		.pid = pid,
		.runtime = facts.runtime,
		.unit_kind = runtime_unit(facts.runtime, path),
		.executable = TAKE_PTR(executable),
	};
	return 0;
}
