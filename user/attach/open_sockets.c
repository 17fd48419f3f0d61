/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/open_sockets.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"

int open_sockets_reach(int program, struct open_sockets *counts)
{
	_cleanup_close_ int link = -1, iterator = -1;
	struct open_sockets here = {};
	char told[4096];
	ssize_t n;

	link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
	if (link < 0)
		return -errno;
	iterator = bpf_iter_create(link);
	if (iterator < 0)
		return -errno;
	while ((n = read(iterator, told, sizeof(told))) > 0)
		for (ssize_t i = 0; i < n; i++)
			*(told[i] == '+' ? &here.reached : &here.refused) += 1;
	if (n < 0)
		return -errno;
	counts->reached += here.reached;
	counts->refused += here.refused;
	return here.refused && !here.reached ? -EOPNOTSUPP : 0;
}
