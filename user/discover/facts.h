/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that was read of one process, before anything is concluded from it.
 */
#ifndef WEFT_DISCOVER_FACTS_H
#define WEFT_DISCOVER_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"
#include "discover/attributes.h"
#include "discover/command_line.h"
#include "discover/container.h"
#include "discover/process_context.h"
#include "discover/procfs.h"
#include "discover/runtime.h"

struct process_facts {
	const char *proc;
	int dir; /* /proc/PID; -1: the process is gone */
	struct procfs_stat stat;
	char *executable; /* path; NULL: unknown */
	char *directory;  /* where the process works, as it sees it; NULL: unknown */
	struct procfs_file command_file;
	struct command_line command; /* views of command_file */
	bool titled;		     /* the command line is a title of the process' own making */
	struct procfs_file environ_file;
	struct container_facts container;
	struct runtime_facts runtime;
	struct process_context context;
	bool has_thread_context;
	struct tls_place thread_context;
	struct attributes environment; /* of OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES */
};

#define PROCESS_FACTS_INIT                                                                         \
	{                                                                                          \
		.dir = -1                                                                          \
	}

/*
 * Reads all facts of `pid` below `proc` into facts that PROCESS_FACTS_INIT made; what cannot be
 * read stays empty. -ESRCH: no such process. The caller clears the facts in any case.
 */
int facts_read(struct process_facts *facts, const char *proc, pid_t pid);

/* The same without memory, control group and attributes: just what names the program. */
int facts_read_program(struct process_facts *facts, const char *proc, pid_t pid);

/* Splits `facts->command_file` into the command line. */
void facts_split_command(struct process_facts *facts);

void facts_clear(struct process_facts *facts);

static inline struct view facts_environ(const struct process_facts *facts)
{
	return procfs_file_view(&facts->environ_file);
}

#define _cleanup_facts_ _cleanup_(facts_clear)

#endif
