/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/sandbox.h"

#include <asm/termbits.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int compare_descriptors(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int sandbox_keep_descriptors(int *fds, size_t n)
{
	int from = STDERR_FILENO + 1;

	qsort(fds, n, sizeof(*fds), compare_descriptors);
	for (size_t i = 0; i < n; i++) {
		if (fds[i] > from &&
		    close_range((unsigned int)from, (unsigned int)fds[i] - 1, 0) < 0)
			return -errno;
		if (fds[i] >= from)
			from = fds[i] + 1;
	}
	return close_range((unsigned int)from, ~0u, 0) < 0 ? -errno : 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (syscall(SYS_capset, &header, none) < 0)
		return -errno;
	return 0;
}

int sandbox_drop_privileges(uid_t uid, gid_t gid)
{
	int r;

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	/* uid 0 would keep them, and so may keep-caps bits that somebody set */
	r = drop_capabilities();
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* By purpose. Names that a kernel's or libseccomp's table lacks are passed over. */
static const char *const allowed_calls[] = {
	/* descriptors that are open, and files that libraries read (certificates, resolv.conf) */
	"read",
	"readv",
	"pread64",
	"preadv",
	"write",
	"writev",
	"pwrite64",
	"close",
	"close_range",
	"fstat",
	"fstat64",
	"newfstatat",
	"fstatat64",
	"stat",
	"stat64",
	"lstat",
	"statx",
	"lseek",
	"_llseek",
	"open",
	"openat",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getdents",
	"getdents64",
	"getcwd",
	"fcntl",
	"fcntl64",
	"dup",
	"dup2",
	"dup3",
	"pipe",
	"pipe2",
	"fsync",
	"fdatasync",
	"flock",
	"statfs",
	"fstatfs",
	"uname",
	/* sockets: export, the control socket, name resolution */
	"socketpair",
	"connect",
	"bind",
	"accept",
	"accept4",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	"shutdown",
	"getsockopt",
	"setsockopt",
	"getsockname",
	"getpeername",
	/* waiting */
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"poll",
	"ppoll",
	"ppoll_time64",
	"select",
	"pselect6",
	"_newselect",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_settime64",
	"timerfd_gettime",
	"eventfd",
	"eventfd2",
	"signalfd4",
	"nanosleep",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"restart_syscall",
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	/* time, identity of oneself, entropy */
	"clock_gettime",
	"clock_gettime64",
	"clock_getres",
	"gettimeofday",
	"time",
	"getrandom",
	"getpid",
	"gettid",
	"getppid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getresuid",
	"getresgid",
	"sysinfo",
	"getrusage",
	"times",
	"prlimit64",
	"getrlimit",
	"getcpu",
	"sched_getaffinity",
	/* memory */
	"brk",
	"mmap",
	"mmap2",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"membarrier",
	/* threads and signals of one's own */
	"set_robust_list",
	"rseq",
	"futex",
	"futex_time64",
	"futex_waitv",
	"sched_yield",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"sigaltstack",
	"tgkill",
	"exit",
	"exit_group",
	"prctl",
	"arch_prctl",
	"set_tid_address",
};

/* Namespaces: in a user namespace of its own a process has every capability again. */
#define CLONE_NEW_ALL                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

/* Calls that are allowed with some values of one argument only: argument & mask == value. */
static const struct argument_row {
	int call;
	unsigned int argument;
	scmp_datum_t mask;
	scmp_datum_t value;
} allowed_arguments[] = {
	/* the families that export and name resolution need: no raw and no packet sockets */
	{ SCMP_SYS(socket), 0, UINT32_MAX, AF_UNIX },
	{ SCMP_SYS(socket), 0, UINT32_MAX, AF_INET },
	{ SCMP_SYS(socket), 0, UINT32_MAX, AF_INET6 },
	{ SCMP_SYS(socket), 0, UINT32_MAX, AF_NETLINK },
	{ SCMP_SYS(clone), 0, CLONE_NEW_ALL, 0 },
	/* is it a terminal, how wide; how much is there; an interface's number. No TIOCSTI: typing
	 */
	{ SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS },
	{ SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS2 }, /* glibc 2.42 and later */
	{ SCMP_SYS(ioctl), 1, UINT32_MAX, TIOCGWINSZ },
	{ SCMP_SYS(ioctl), 1, UINT32_MAX, FIONREAD },
	{ SCMP_SYS(ioctl), 1, UINT32_MAX, FIONBIO },
	{ SCMP_SYS(ioctl), 1, UINT32_MAX, SIOCGIFINDEX },
};

static int allow_arguments(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(allowed_arguments) / sizeof(allowed_arguments[0]);
	     i++) {
		const struct argument_row *row = &allowed_arguments[i];
		const struct scmp_arg_cmp compare =
			SCMP_CMP(row->argument, SCMP_CMP_MASKED_EQ, row->mask, row->value);

		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, row->call, 1, &compare);
	}
	return r;
}

/* Its flags lie in memory, where a filter cannot look: without it, libraries use clone. */
static int refuse_clone3(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

int sandbox_filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < sizeof(allowed_calls) / sizeof(allowed_calls[0]); i++) {
		int nr = seccomp_syscall_resolve_name(allowed_calls[i]);

		if (nr == __NR_SCMP_ERROR)
			continue;
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0);
	}
	if (r == 0)
		r = allow_arguments(filter);
	if (r == 0)
		r = refuse_clone3(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
