/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process is: runtime, service name and resource attributes, read from /proc and from the
 * process' own memory. Runs in the watcher, with its capabilities; everything that it reads is
 * written by somebody else and bounded.
 */
#ifndef WEFT_DISCOVER_PROCESS_H
#define WEFT_DISCOVER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/abi/config.h"

enum runtime {
	RUNTIME_NATIVE,
	RUNTIME_GO,
	RUNTIME_PYTHON,
	RUNTIME_NODE,
	RUNTIME_JAVA,
	RUNTIME_DOTNET,
	RUNTIME_RUBY,
	RUNTIME_PHP,
	RUNTIME_PERL,
	RUNTIME_MAX,
};

/*
 * What handles a request in this process, so far as the kernel side can tell it apart
 * (bpf/abi/config.h, enum unit_kind, has the same values).
 */
struct process_info {
	pid_t pid;
	pid_t parent_pid;
	uint64_t start_ticks; /* field 22 of /proc/PID/stat: tells pids apart that were used again
			       */
	enum runtime runtime;
	uint8_t unit_kind;
	char *executable; /* path as the process sees it */
	char *service_name;
	const char *sdk;      /* constant: what shows that an SDK exports spans; NULL: nothing */
	const char *exporter; /* constant: the variable that says where one would; NULL: none */
	bool has_thread_context;
	struct tls_place thread_context; /* where its SDK says which span a thread is in */
	const char *service_source; /* constant: "process context", "OTEL_SERVICE_NAME", "script"
				       ... */
	char **pairs;		    /* resource attributes: key, value, key, value ... all heap */
	size_t n_pairs;		    /* pairs, not strings */
};

struct process_options {
	const char *proc;	     /* "/proc", or a test's own tree */
	bool command_args;	     /* process.command_args is wanted */
	const char *const *resource; /* attributes from the configuration: key, value ... */
	size_t n_resource;	     /* strings: two for each pair */
};

/* Constant name for people and for process.runtime.name: "python", "go" ... */
const char *runtime_name(enum runtime runtime);

/*
 * Reads what there is to know of `pid`. Parts that cannot be read are left out; the service name is
 * always set (at worst "unknown_service:<executable>"). -ESRCH: there is no such process, or it
 * ended meanwhile; -ENOMEM.
 */
int process_describe(const struct process_options *options, pid_t pid,
		     struct process_info *ret_info);

/*
 * The quick part of process_describe(): pid, executable, unit kind, and the runtime so far as the
 * executable alone tells it; the rest stays empty. -ESRCH: no such process, or a kernel thread;
 * -ENOMEM.
 */
int process_identify(const struct process_options *options, pid_t pid,
		     struct process_info *ret_info);

/* Has the process ended, all its threads, or is it about to? */
bool process_ended(const struct process_options *options, pid_t pid);

/*
 * Describes a process that was gone before it could be read, from what the kernel side kept of it
 * (bpf/abi/config.h): its name, its parent and the beginning of its command line. -ENOMEM.
 */
int process_describe_gone(const struct process_options *options, const struct process_event *event,
			  struct process_info *ret_info);

/* Frees what the info owns and zeroes it. */
void process_info_clear(struct process_info *info);

#endif
