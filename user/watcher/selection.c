/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/selection.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool selection_is_all(const struct config *config)
{
	return config->pids.n == 0 && config->exes.n == 0;
}

static bool executable_matches(const char *glob, const char *executable)
{
	const char *name = strrchr(executable, '/');

	if (!strchr(glob, '/') && name)
		executable = name + 1;
	return fnmatch(glob, executable, 0) == 0;
}

bool selection_matches(const struct config *config, pid_t pid, const char *executable)
{
	if (selection_is_all(config))
		return true;
	for (size_t i = 0; i < config->pids.n; i++)
		if (config->pids.items[i] == (uint32_t)pid)
			return true;
	for (size_t i = 0; executable && i < config->exes.n; i++)
		if (executable_matches(config->exes.items[i], executable))
			return true;
	return false;
}

int selection_apply(const struct config *config, struct loader *loader,
		    const struct process_info *info, bool noted)
{
	struct process_config entry = { .unit = info->unit_kind };
	struct process_config known;
	int r;
	bool selected = selection_matches(config, info->pid, info->executable);

	/* a child of a chosen process stays chosen: the kernel side has seen to it on fork */
	if (loader_process_get(loader, (uint32_t)info->pid, &known) == 0)
		selected |= !!(known.flags & PROCESS_F_SELECTED);
	if (!selected)
		return 0;
	if (selection_is_all(config) && info->unit_kind == UNIT_THREAD && !noted)
		return 0;
	entry.flags = PROCESS_F_SELECTED | (noted ? PROCESS_F_NOTED : 0);
	if (info->has_thread_context) {
		entry.flags |= PROCESS_F_THREAD_CONTEXT;
		entry.thread_context = info->thread_context;
	}
	/* the kernel side has noted it, unless it has seen its end since */
	r = noted ? loader_process_renew(loader, (uint32_t)info->pid, entry)
		  : loader_process_set(loader, (uint32_t)info->pid, entry);
	return r < 0 ? r : 1;
}

bool selection_has(const struct config *config, const struct loader *loader, pid_t pid)
{
	struct process_config known;

	if (loader_process_get(loader, (uint32_t)pid, &known) == 0)
		return known.flags & PROCESS_F_SELECTED;
	return selection_is_all(config);
}

bool selection_is_weft(pid_t pid)
{
	struct stat own, other;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat("/proc/self/exe", &own) == 0 && stat(path, &other) == 0 &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

int selection_enrols(struct loader *loader, pid_t pid)
{
	return loader_process_set(loader, (uint32_t)pid,
				  (struct process_config){ .flags = PROCESS_F_NOTED |
								    PROCESS_F_ENROLS });
}

int selection_exclude(struct loader *loader, pid_t pid)
{
	struct process_config entry = { .flags = PROCESS_F_NOTED }, known;

	if (loader_process_get(loader, (uint32_t)pid, &known) == 0)
		entry.flags |= known.flags & PROCESS_F_ENROLS;
	return loader_process_set(loader, (uint32_t)pid, entry);
}
