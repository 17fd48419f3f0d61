/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/open_connections.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/open_sockets.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "discover/scan.h"
#include "pipeline/sandbox.h"

#define NAMESPACES_MAX 4096
/* However many there are: who ends weft must not wait for this process for long. */
#define TIME_MAX_S 5

struct walk {
	int program;
	uint32_t netns;
	struct open_sockets counts;
	size_t missed; /* namespaces that could not be entered */
	size_t n;
	ino_t seen[NAMESPACES_MAX];
};

/* True: it was not seen before, and is traced. */
static bool is_new(struct walk *walk, ino_t netns)
{
	if (walk->netns && netns != walk->netns)
		return false;
	for (size_t i = 0; i < walk->n; i++)
		if (walk->seen[i] == netns)
			return false;
	if (walk->n == NAMESPACES_MAX)
		return false;
	walk->seen[walk->n++] = netns;
	return true;
}

static int on_process(void *context, pid_t pid)
{
	struct walk *walk = context;
	_cleanup_close_ int fd = -1;
	struct stat stat;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) < 0 || !is_new(walk, stat.st_ino))
		return 0;
	if (setns(fd, CLONE_NEWNET) < 0)
		walk->missed++;
	else
		open_sockets_reach(walk->program, &walk->counts);
	return 0;
}

/* The own namespace comes first: it needs no right to be entered. */
static _Noreturn void walk_main(int program, uint32_t netns)
{
	static struct walk walk;
	struct stat stat_own;

	prctl(PR_SET_NAME, "weft-open");
	alarm(TIME_MAX_S);
	if (sandbox_keep_descriptors(&program, 1) < 0)
		_exit(1);
	walk.program = program;
	walk.netns = netns;
	if (stat("/proc/self/ns/net", &stat_own) == 0 && is_new(&walk, stat_own.st_ino))
		open_sockets_reach(program, &walk.counts);
	scan_processes("/proc", on_process, &walk);
	log_debug(
		"connections that were open already: %zu can carry context, %zu cannot; %zu network "
		"namespaces could not be entered",
		walk.counts.reached, walk.counts.refused, walk.missed);
	_exit(0);
}

int open_connections_start(int program, uint32_t netns, pid_t *ret_child)
{
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child == 0)
		walk_main(program, netns);
	*ret_child = child;
	return 0;
}
