/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/choice.h"
#include "attach/loader.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define LINK_CREATE  28 /* BPF_LINK_CREATE */
#define MULTI_RETURN 1	/* BPF_F_UPROBE_MULTI_RETURN */
#define TRIAL_S	     2	/* that the child has */
#define TRIAL_DONE   77 /* what it ends with */
#define COST_CALLS   16 /* that are timed at a time */
#define COST_ROUNDS  4

static const char *const programs[LIBRARY_CALL_MAX] = {
	[LIBRARY_SEND] = "tls_send",
	[LIBRARY_RECV] = "tls_recv",
	[LIBRARY_RECV_AT] = "tls_recv_ex",
	[LIBRARY_RETURN] = "tls_received",
	[LIBRARY_GO_WRITE] = "go_tls_write",
	[LIBRARY_GO_READ] = "go_tls_read",
	[LIBRARY_GO_RETURN] = "go_tls_returned",
	[LIBRARY_RUST_WRITE] = "rust_tls_write",
	[LIBRARY_RUST_READ] = "rust_tls_read",
};

/* union bpf_attr as of Linux 6.6: the headers of older distributions do not know it. */
struct multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t link_flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t flags;
	uint32_t pid;
	uint32_t pad;
};

/* The file by its descriptor, whatever lies at its path by now. */
static void fd_path(int fd, char *path, size_t size)
{
	snprintf(path, size, "/proc/self/fd/%d", fd);
}

static bool is_of(enum library_call program, enum library_call call)
{
	if (program == LIBRARY_RETURN)
		return call == LIBRARY_RECV || call == LIBRARY_RECV_AT;
	return program == call;
}

/* All places of one program by one link. */
static int attach_multi(int prog_fd, enum library_call program, int fd,
			const struct library_probe *probes, size_t n, struct library_links *links)
{
	uint64_t offsets[LIBRARY_PROBES_MAX];
	struct multi_attr attr = { .prog_fd = (uint32_t)prog_fd, .attach_type = LIBRARY_MULTI };
	char path[32];
	long link;

	for (size_t i = 0; i < n; i++)
		if (is_of(program, probes[i].call))
			offsets[attr.cnt++] = probes[i].offset;
	if (!attr.cnt)
		return 0;
	fd_path(fd, path, sizeof(path));
	attr.path = (uint64_t)(uintptr_t)path;
	attr.offsets = (uint64_t)(uintptr_t)offsets;
	attr.flags = program == LIBRARY_RETURN ? MULTI_RETURN : 0;
	link = syscall(SYS_bpf, LINK_CREATE, &attr, sizeof(attr));
	if (link < 0)
		return -errno;
	links->fds[links->n++] = (int)link;
	return 0;
}

static int read_number(const char *path, const char *format, unsigned int *ret_number)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	return fscanf(file, format, ret_number) == 1 ? 0 : -EIO;
}

#define UPROBE_EVENTS "/sys/bus/event_source/devices/uprobe/"

/* `prog_fd`: negative: nothing is run there. */
static int attach_perf(int prog_fd, bool returns, int fd, uint64_t offset)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	unsigned int type = 0, bit = 0;
	char path[32];
	int event, r = read_number(UPROBE_EVENTS "type", "%u", &type);

	if (r == 0)
		r = read_number(UPROBE_EVENTS "format/retprobe", "config:%u", &bit);
	if (r < 0)
		return r;
	fd_path(fd, path, sizeof(path));
	attr.type = type;
	attr.config = returns ? 1ull << (bit & 63) : 0;
	attr.config1 = (uint64_t)(uintptr_t)path;
	attr.config2 = offset;
	event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -errno;
	if ((prog_fd >= 0 && ioctl(event, PERF_EVENT_IOC_SET_BPF, prog_fd) < 0) ||
	    ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0) {
		r = -errno;
		close(event);
		return r;
	}
	return event;
}

static int attach_each(int prog_fd, enum library_call program, int fd,
		       const struct library_probe *probes, size_t n, struct library_links *links)
{
	for (size_t i = 0; i < n; i++) {
		int event;

		if (!is_of(program, probes[i].call))
			continue;
		if (links->n == LIBRARY_LINKS_MAX)
			return -E2BIG;
		event = attach_perf(prog_fd, program == LIBRARY_RETURN, fd, probes[i].offset);
		if (event < 0)
			return event;
		links->fds[links->n++] = event;
	}
	return 0;
}

static bool has_call(enum library_call program, const struct library_probe *probes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_of(program, probes[i].call))
			return true;
	return false;
}

/* Returns first: no call is begun whose end is not seen. */
int library_attach(const struct loader *loader, bool multi, int fd,
		   const struct library_probe *probes, size_t n, struct library_links *ret_links)
{
	struct library_links links = { 0 };
	int r = n > LIBRARY_PROBES_MAX ? -E2BIG : 0;

	for (int i = LIBRARY_CALL_MAX - 1; r == 0 && i >= 0; i--) {
		int program;

		if (!has_call((enum library_call)i, probes, n))
			continue;
		program = loader_program_fd(loader, programs[i]);
		if (program < 0)
			r = program;
		else
			r = (multi ? attach_multi : attach_each)(program, (enum library_call)i, fd,
								 probes, n, &links);
	}
	if (r < 0) {
		library_detach(&links);
		return r;
	}
	*ret_links = links;
	return 0;
}

void library_detach(struct library_links *links)
{
	for (size_t i = 0; i < links->n; i++)
		close(links->fds[i]);
	links->n = 0;
}

/* --- the trial --- */

/* clang makes no copies of functions, and does not know the word for it. */
#if __has_attribute(noclone)
#define ONE_COPY noinline, noclone
#else
#define ONE_COPY noinline
#endif

/* What is probed: long enough for a breakpoint, and called by nobody else. */
__attribute__((ONE_COPY)) static int trial_function(volatile int *counter)
{
	int sum = 0;

	for (int i = 0; i < 3; i++)
		sum += ++*counter;
	return sum;
}

struct place {
	uintptr_t address;
	uint64_t offset;
};

static int find_place(struct dl_phdr_info *info, size_t size, void *context)
{
	struct place *place = context;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || place->address < start ||
		    place->address >= start + segment->p_filesz)
			continue;
		place->offset = place->address - start + segment->p_offset;
		return 1;
	}
	return 0;
}

/* The strictest filter that there is: nothing but the end. */
static int allow_nothing(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = { .len = sizeof(rules) / sizeof(rules[0]), .filter = rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0 ? -errno : 0;
}

static _Noreturn void trial_child(void)
{
	volatile int counter = 0;

	alarm(TRIAL_S);
	if (allow_nothing() < 0)
		_exit(1);
	_exit(trial_function(&counter) == 6 ? TRIAL_DONE : 1);
}

/* Does a process live that returns from the probed function under a filter? */
static int trial_run(char *reason)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		trial_child();
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == TRIAL_DONE)
		return 0;
	if (child > 0 && WIFSIGNALED(status))
		snprintf(reason, LOADER_REASON_MAX,
			 "on this kernel a process with a seccomp filter does not bear it (%s)",
			 strsignal(WTERMSIG(status)));
	else
		snprintf(reason, LOADER_REASON_MAX, "the trial of it could not be made");
	return -EOPNOTSUPP;
}

static const char *attach_error(int error)
{
	if (error == -EACCES || error == -EPERM)
		return "not allowed: this kernel wants CAP_SYS_ADMIN for it";
	return error == -EINVAL ? "this kernel does not know it" : strerror(-error);
}

/* Two instructions: one that kernels do themselves at a breakpoint, and one that they never do. */
extern const char trial_emulated[] __attribute__((visibility("hidden")));
extern const char trial_stepped[] __attribute__((visibility("hidden")));

__attribute__((ONE_COPY)) static void trial_places(void)
{
#if defined(__x86_64__)
	__asm__ volatile("trial_emulated: nop\n"
			 "trial_stepped: xorl %%eax, %%eax" ::
				 : "eax", "cc");
#elif defined(__aarch64__)
	__asm__ volatile("trial_emulated: nop\n"
			 "trial_stepped: mov w9, #0" ::
				 : "x9");
#endif
}

static uint64_t calls_ns(void)
{
	uint64_t begin = clock_monotonic_ns();

	for (int i = 0; i < COST_CALLS; i++)
		trial_places();
	return (clock_monotonic_ns() - begin) / COST_CALLS;
}

int library_trap_ns(bool stepped, uint64_t *ret_ns)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct place place = {
		.address = (uintptr_t)(stepped ? trial_stepped : trial_emulated),
	};
	_cleanup_close_ int event = -1;
	uint64_t least = UINT64_MAX;

	if (fd < 0 || dl_iterate_phdr(find_place, &place) != 1)
		return -ENOENT;
	event = attach_perf(-1, false, fd, place.offset);
	if (event < 0)
		return event;
	/* whatever else the processor does makes it more, and nothing less */
	for (int i = 0; i < COST_ROUNDS; i++) {
		uint64_t ns = calls_ns();

		least = ns < least ? ns : least;
	}
	*ret_ns = least;
	return 0;
}

int library_try(const struct loader *loader, enum library_call call, bool multi, char *reason)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct place place = { .address = (uintptr_t)&trial_function };
	struct library_links links;
	struct library_probe probe = { .call = call };
	int r;

	if (fd < 0 || dl_iterate_phdr(find_place, &place) != 1) {
		snprintf(reason, LOADER_REASON_MAX, "the trial of it could not be made");
		return -ENOENT;
	}
	probe.offset = place.offset;
	r = library_attach(loader, multi, fd, &probe, 1, &links);
	if (r < 0) {
		snprintf(reason, LOADER_REASON_MAX, "%s", attach_error(r));
		return r;
	}
	r = trial_run(reason);
	library_detach(&links);
	return r;
}
