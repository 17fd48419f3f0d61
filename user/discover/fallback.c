/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/process.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/config.h"
#include "discover/facts.h"
#include "discover/info.h"
#include "discover/text.h"

static int take_command(struct process_facts *facts, const struct process_event *event)
{
	size_t len = event->args_len < sizeof(event->args) ? event->args_len : sizeof(event->args);

	facts->command_file.data = malloc(len + 1);
	if (!facts->command_file.data)
		return -ENOMEM;
	memcpy(facts->command_file.data, event->args, len);
	facts->command_file.data[len] = '\0';
	facts->command_file.len = len;
	facts->command_file.cut = len == sizeof(event->args);
	facts_split_command(facts);
	return 0;
}

/* The kernel cuts the name that it keeps of a program. */
static bool is_same_program(struct view name, struct view comm)
{
	return view_equal(name, comm) ||
	       (comm.len == WEFT_COMM_LEN - 1 && view_starts_with(name, comm));
}

/*
 * The first argument is what the program was called by: usually its path. The kernel's name wins
 * over one that does not agree with it, unless that is an interpreter: then the kernel's is the
 * script's. Without arguments there is only the name of some thread: no executable.
 */
static int take_executable(struct process_facts *facts)
{
	struct view first = command_line_arg(&facts->command, 0);
	struct view comm = view_of(facts->stat.comm);

	if (first.len == 0)
		return 0;
	if (runtime_of_executable(first) == RUNTIME_NATIVE && comm.len > 0 &&
	    !is_same_program(text_basename(first), comm))
		first = comm;
	facts->executable = strndup(first.data, first.len);
	return facts->executable ? 0 : -ENOMEM;
}

int process_describe_gone(const struct process_options *options, const struct process_event *event,
			  struct process_info *ret_info)
{
	_cleanup_facts_ struct process_facts facts = PROCESS_FACTS_INIT;
	int r;

	facts.proc = options->proc;
	facts.stat.parent_pid = (pid_t)event->parent_pid;
	memcpy(facts.stat.comm, event->comm, sizeof(event->comm));
	facts.stat.comm[sizeof(event->comm)] = '\0';
	r = take_command(&facts, event);
	if (r == 0)
		r = take_executable(&facts);
	if (r < 0)
		return r;
	runtime_read(-1, view_of(facts.executable), (struct view){ 0 }, &facts.runtime);
	return info_describe(&facts, options, (pid_t)event->pid, ret_info);
}
