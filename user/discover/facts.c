/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/environment.h"
#include "discover/text.h"
#include "discover/thread_context.h"

void facts_clear(struct process_facts *facts)
{
	cleanup_close(&facts->dir);
	free(facts->executable);
	free(facts->directory);
	procfs_file_clear(&facts->command_file);
	procfs_file_clear(&facts->environ_file);
	process_context_clear(&facts->context);
	attributes_clear(&facts->environment);
	*facts = (struct process_facts)PROCESS_FACTS_INIT;
}

void facts_split_command(struct process_facts *facts)
{
	command_line_split(procfs_file_view(&facts->command_file), facts->command_file.cut,
			   &facts->command);
	facts->titled = command_line_split_title(&facts->command);
}

/* /proc shows paths from the reader's root; a process in a chroot sees its own without the prefix.
 */
static void read_directory(struct process_facts *facts)
{
	_cleanup_free_ char *root = NULL, *directory = NULL;
	struct view inner;

	if (procfs_readlink(facts->dir, "cwd", &directory) < 0)
		return;
	inner = view_of(directory);
	if (procfs_readlink(facts->dir, "root", &root) == 0 && strcmp(root, "/") != 0 &&
	    view_starts_with(inner, view_of(root)))
		inner = view_from(inner, strlen(root));
	if (inner.len > 0 && inner.data[0] != '/')
		inner = view_of(directory);
	facts->directory = strndup(inner.len ? inner.data : "/", inner.len ? inner.len : 1);
}

static int read_executable(struct process_facts *facts, const char *proc, pid_t pid)
{
	int r = procfs_open(proc, pid, &facts->dir);

	if (r < 0)
		return r;
	facts->proc = proc;
	r = procfs_read_stat(facts->dir, &facts->stat);
	if (r == -ENOENT || r == -ESRCH)
		return -ESRCH;
	if (r < 0)
		return r;
	procfs_readlink(facts->dir, "exe", &facts->executable);
	runtime_read(facts->dir, view_of(facts->executable), (struct view){ 0 }, &facts->runtime);
	return 0;
}

/* A variable without its end is not known. */
static void read_environ(struct process_facts *facts)
{
	struct procfs_file *file = &facts->environ_file;

	if (procfs_read(facts->dir, "environ", PROCFS_ENVIRON_MAX, file) == 0 && file->cut)
		file->len = (size_t)(text_last_index(procfs_file_view(file), '\0') + 1);
}

int facts_read_program(struct process_facts *facts, const char *proc, pid_t pid)
{
	int r = read_executable(facts, proc, pid);

	if (r < 0)
		return r;
	read_directory(facts);
	read_environ(facts);
	procfs_read(facts->dir, "cmdline", PROCFS_COMMAND_MAX, &facts->command_file);
	facts_split_command(facts);
	return 0;
}

/* A service name of its own goes before one among the attributes (specification, "SDK
 * configuration"). */
static void read_environment(struct process_facts *facts)
{
	struct view variables = facts_environ(facts);
	struct view name = environment_get(variables, VIEW("OTEL_SERVICE_NAME"));

	if (name.len > 0)
		attributes_add(&facts->environment, VIEW("service.name"), name);
	environment_parse_attributes(environment_get(variables, VIEW("OTEL_RESOURCE_ATTRIBUTES")),
				     &facts->environment);
}

int facts_read(struct process_facts *facts, const char *proc, pid_t pid)
{
	_cleanup_procfs_file_ struct procfs_file cgroup = { 0 }, maps = { 0 };
	int r = facts_read_program(facts, proc, pid);

	if (r < 0)
		return r;
	read_environment(facts);
	procfs_read(facts->dir, "cgroup", PROCFS_CGROUP_MAX, &cgroup);
	container_read(procfs_file_view(&cgroup), &facts->container);
	if (procfs_read(facts->dir, "maps", PROCFS_MAPS_MAX, &maps) < 0)
		return 0;
	if (facts->runtime.runtime != RUNTIME_GO)
		runtime_read(facts->dir, view_of(facts->executable), procfs_file_view(&maps),
			     &facts->runtime);
	if (process_context_read(facts->dir, procfs_file_view(&maps), &facts->context) < 0)
		return 0;
	facts->has_thread_context = thread_context_find(facts->dir, procfs_file_view(&maps),
							&facts->context,
							&facts->thread_context) == 0;
	return 0;
}
