/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/kprobe.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CALLS_AT_ONCE 4096	    /* the most that a kernel takes */
#define EVENT	      "weft/pid%d_" /* group, and the beginning of a name in it */

/* The process whose links they are; children that it leaves the links to clean up for it. */
static pid_t owner;

static const char *const tracefs[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

/* Adds or takes back one event, or more if `text` holds several lines. -errno. */
static int write_events(const char *directory, const char *text)
{
	char path[128];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/kprobe_events", directory);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* The number by which perf knows an event. -errno. */
static int event_id(const char *directory, const char *function)
{
	char path[256];
	_cleanup_fclose_ FILE *file = NULL;
	int id;

	snprintf(path, sizeof(path), "%s/events/" EVENT "%s/id", directory, owner, function);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	return fscanf(file, "%d", &id) == 1 ? id : -EIO;
}

/* Descriptor of the perf event for a function's returns. -errno. */
static int open_return(const char *directory, const char *function)
{
	struct perf_event_attr attribute = { .type = PERF_TYPE_TRACEPOINT,
					     .size = sizeof(attribute) };
	char event[256];
	int r, fd;

	owner = getpid();
	snprintf(event, sizeof(event), "r%d:" EVENT "%s %s", CALLS_AT_ONCE, owner, function,
		 function);
	r = write_events(directory, event);
	if (r < 0 && r != -EEXIST)
		return r;
	r = event_id(directory, function);
	if (r < 0)
		return r;
	attribute.config = (unsigned long long)r;
	/* the program runs on every CPU, whichever is named here */
	fd = (int)syscall(SYS_perf_event_open, &attribute, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static struct bpf_link *attach_return(struct bpf_program *program, const char *function)
{
	for (size_t i = 0; i < sizeof(tracefs) / sizeof(tracefs[0]); i++) {
		int fd = open_return(tracefs[i], function);
		struct bpf_link *link = fd < 0 ? NULL : bpf_program__attach_perf_event(program, fd);

		if (link)
			return link;
		if (fd >= 0)
			close(fd);
	}
	/* no tracefs: better few calls at a time than none */
	return bpf_program__attach_kprobe(program, true, function);
}

static bool is_return(const struct bpf_program *program)
{
	return strncmp(bpf_program__section_name(program), "kretprobe", 9) == 0;
}

bool kprobe_is(const struct bpf_program *program)
{
	return is_return(program) || strncmp(bpf_program__section_name(program), "kprobe", 6) == 0;
}

struct bpf_link *kprobe_attach(struct bpf_program *program, const char *function)
{
	/* there since Linux 4.17, where there are kprobes */
	if (access("/sys/bus/event_source/devices/kprobe", F_OK) < 0) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (is_return(program))
		return attach_return(program, function);
	return bpf_program__attach_kprobe(program, false, function);
}

/* Lines of kprobe_profile: the event's name without its group, hits, misses. */
uint64_t kprobe_missed(void)
{
	char path[128], line[512];
	_cleanup_fclose_ FILE *file = NULL;
	unsigned long long n;
	uint64_t missed = 0;
	int pid;

	snprintf(path, sizeof(path), "%s/kprobe_profile", tracefs[0]);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " pid%d_%*s %*u %llu", &pid, &n) == 2 && pid == owner)
			missed += n;
	return missed;
}

/* Is it an event of ours that nobody can be using? One in use stays: the kernel sees to that. */
static bool is_left_over(const char *line, char *ret_event, size_t size)
{
	const char *name = strstr(line, ":weft/pid");
	size_t len = name ? strcspn(name, " \n") : 0;
	int pid;

	if (!name || sscanf(name, ":" EVENT, &pid) != 1 || len >= size - 1)
		return false;
	snprintf(ret_event, size, "-%.*s", (int)len, name);
	return pid == owner || (kill(pid, 0) < 0 && errno == ESRCH);
}

static void clean(const char *directory)
{
	char path[128], line[512], event[128];
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/kprobe_events", directory);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (is_left_over(line, event, sizeof(event)))
			write_events(directory, event);
}

void kprobe_clean(void)
{
	for (size_t i = 0; i < sizeof(tracefs) / sizeof(tracefs[0]); i++)
		clean(tracefs[i]);
}
