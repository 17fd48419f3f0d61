/* SPDX-License-Identifier: Apache-2.0 */
/* What is given up cannot be had back: everything is tried in children of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pipeline/sandbox.h"

#define NOBODY 65534

/* Exit status of the function in a child, or -1: it was killed. */
static int in_child(bool (*function)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(function() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* cmocka's assertions belong to the parent: a child says what is wrong, and ends. */
static bool check(bool right, const char *what)
{
	if (!right)
		fprintf(stderr, "in the sandbox: %s (errno %d, %s)\n", what, errno,
			strerror(errno));
	return right;
}

/* --- descriptors --- */

/* Are the descriptors of the set bits open, and no others of the first 64? */
static bool are_open(uint64_t bits)
{
	for (int fd = 0; fd < 64; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (bits >> fd & 1))
			return false;
	return true;
}

/* In no order, with one twice, and one that is not open at all. */
static bool few_stay_open(void)
{
	int fds[] = { 40, -1, 7, 40, 12, 13, -1, 50 };

	for (int fd = 3; fd < 64; fd++)
		dup2(STDIN_FILENO, fd);
	close(50);
	if (!check(sandbox_keep_descriptors(fds, sizeof(fds) / sizeof(fds[0])) == 0, "keep"))
		return false;
	return check(are_open(7 | 1ull << 7 | 1ull << 12 | 1ull << 13 | 1ull << 40),
		     "others are open, or these are not");
}

static bool none_stays_open(void)
{
	int fds[1] = { -1 };

	dup2(STDIN_FILENO, 60);
	return check(sandbox_keep_descriptors(fds, 1) == 0, "keep") &&
	       check(are_open(7), "others than the standard ones are open");
}

static void test_descriptors(void **state)
{
	(void)state;
	assert_int_equal(in_child(few_stay_open), 0);
	assert_int_equal(in_child(none_stays_open), 0);
}

/* --- privileges --- */

/* Value of a field of /proc/self/status, without white space before it. */
static bool status_field(const char *name, char *value, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/status", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		size_t len = strlen(name);

		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(value, size, "%s", line + len + 1 + strspn(line + len + 1, " \t"));
		return true;
	}
	return false;
}

static bool status_is(const char *name, const char *expected)
{
	char value[256] = "", what[512];

	if (!status_field(name, value, sizeof(value)))
		return check(false, name);
	snprintf(what, sizeof(what), "%s is \"%s\", expected \"%s\"", name, value, expected);
	return check(strcmp(value, expected) == 0, what);
}

static bool nothing_left(void)
{
	static const char none[] = "0000000000000000";
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	bool right = true;

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		right &= status_is(sets[i], none);
	right &= status_is("Uid", "65534\t65534\t65534\t65534");
	right &= status_is("Gid", "65534\t65534\t65534\t65534");
	right &= status_is("Groups", "");
	return right & status_is("NoNewPrivs", "1");
}

static bool privileges_go(void)
{
	bool right = check(sandbox_drop_privileges(NOBODY, NOBODY) == 0, "drop");

	right &= nothing_left();
	right &= check(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0, "not dumpable");
	right &= check(setuid(0) < 0 && setgid(0) < 0, "root is not to be had back");
	right &= check(open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0, "root's files are not read");
	return right;
}

static bool keeps_nothing_as_root(void)
{
	bool right = check(sandbox_drop_privileges(0, 0) == 0, "drop");

	right &= status_is("CapEff", "0000000000000000");
	right &= status_is("CapPrm", "0000000000000000");
	return right & status_is("CapBnd", "0000000000000000");
}

static bool needs_privileges(void)
{
	return check(sandbox_drop_privileges(NOBODY, NOBODY) == 0, "drop") &&
	       check(sandbox_drop_privileges(NOBODY - 1, NOBODY) == -EPERM, "drop twice");
}

/* --- calls --- */

/* The arguments do no harm where the call is let through, and would give another error. */
static const struct forbidden {
	const char *name;
	long nr;
	long arguments[3];
} forbidden[] = {
	{ "execve", SYS_execve, { 0 } },
	{ "execveat", SYS_execveat, { -1 } },
	{ "ptrace", SYS_ptrace, { PTRACE_ATTACH, -1 } },
	{ "process_vm_readv", SYS_process_vm_readv, { -1 } },
	{ "process_vm_writev", SYS_process_vm_writev, { -1 } },
	{ "pidfd_getfd", SYS_pidfd_getfd, { -1, -1, 0 } },
	{ "kill", SYS_kill, { 1, 0 } },
	{ "bpf", SYS_bpf, { -1 } },
	{ "perf_event_open", SYS_perf_event_open, { 0 } },
	{ "io_uring_setup", SYS_io_uring_setup, { 0 } },
	{ "userfaultfd", SYS_userfaultfd, { -1 } },
	{ "mount", SYS_mount, { 0 } },
	{ "umount2", SYS_umount2, { 0, -1 } },
	{ "chroot", SYS_chroot, { 0 } },
	{ "pivot_root", SYS_pivot_root, { 0 } },
	{ "open_by_handle_at", SYS_open_by_handle_at, { -1, 0, 0 } },
	{ "unshare", SYS_unshare, { -1 } },
	{ "setns", SYS_setns, { -1 } },
	{ "clone(CLONE_NEWUSER)", SYS_clone, { CLONE_NEWUSER | CLONE_SIGHAND } },
	{ "clone(CLONE_NEWNET)", SYS_clone, { CLONE_NEWNET | CLONE_SIGHAND } },
	{ "init_module", SYS_init_module, { 0 } },
	{ "finit_module", SYS_finit_module, { -1 } },
	{ "kexec_load", SYS_kexec_load, { 0, 0, 0 } },
	{ "reboot", SYS_reboot, { 0 } },
	{ "setuid", SYS_setuid, { -1 } },
	{ "setresuid", SYS_setresuid, { -1, -1, -1 } },
	{ "capset", SYS_capset, { 0 } },
	{ "keyctl", SYS_keyctl, { -1 } },
	{ "personality", SYS_personality, { -1 } },
	{ "unlinkat", SYS_unlinkat, { -1, 0, 0 } },
	{ "fchmod", SYS_fchmod, { -1 } },
	{ "socket(AF_PACKET)", SYS_socket, { AF_PACKET, SOCK_RAW, 0 } },
	{ "socket(AF_VSOCK)", SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 } },
	{ "socket(AF_ALG)", SYS_socket, { AF_ALG, SOCK_SEQPACKET, 0 } },
	/* the kernel looks at half of the register only */
	{ "socket, upper bits", SYS_socket, { 1L << 32 | AF_PACKET, SOCK_RAW, 0 } },
	{ "ioctl(TIOCSTI)", SYS_ioctl, { -1, TIOCSTI, 0 } },
	{ "ioctl, upper bits", SYS_ioctl, { -1, 1L << 32 | TIOCSTI, 0 } },
	{ "ioctl(TIOCLINUX)", SYS_ioctl, { -1, TIOCLINUX, 0 } },
};

static bool calls_are_refused(void)
{
	bool right = true;

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		const struct forbidden *row = &forbidden[i];
		long r = syscall(row->nr, row->arguments[0], row->arguments[1], row->arguments[2],
				 0L, 0L, 0L);

		right &= check(r == -1 && errno == EPERM, row->name);
	}
	/* libraries then use clone */
	right &= check(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS, "clone3");
	return right;
}

static bool memory_works(void)
{
	char *block = malloc(8 << 20);
	bool right = check(block != NULL, "malloc");

	if (block)
		memset(block, 1, 8 << 20);
	free(block);
	return right;
}

static bool files_work(void)
{
	char byte = 'x';
	int ends[2];
	bool right = check(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	struct termios2 modes;

	right &= check(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1, "write");
	right &= check(fd >= 0 && read(fd, &byte, 1) == 1 && close(fd) == 0, "open");
	errno = 0;
	right &= check(!isatty(ends[0]) && errno == ENOTTY, "isatty");
	errno = 0;
	right &= check(ioctl(ends[0], TCGETS, &modes) < 0 && errno == ENOTTY, "TCGETS");
	errno = 0;
	right &= check(ioctl(ends[0], TCGETS2, &modes) < 0 && errno == ENOTTY, "TCGETS2");
	return right;
}

static bool sockets_work(void)
{
	struct addrinfo *found = NULL;
	int inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	int waiting = 0;
	bool right = check(inet >= 0, "socket(AF_INET)");

	right &= check(getsockname(inet, (struct sockaddr *)&address, &len) == 0, "getsockname");
	right &= check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0, "socket(AF_UNIX)");
	right &=
		check(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || errno == EAFNOSUPPORT,
		      "socket(AF_INET6)");
	inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	right &= check(ioctl(inet, FIONREAD, &waiting) == 0 && waiting == 0, "FIONREAD");
	right &= check(getaddrinfo("127.0.0.1", "80", NULL, &found) == 0, "getaddrinfo 127.0.0.1");
	freeaddrinfo(found);
	found = NULL;
	right &= check(getaddrinfo("localhost", "80", NULL, &found) == 0, "getaddrinfo localhost");
	freeaddrinfo(found);
	return right;
}

static void *thread_main(void *argument)
{
	*(bool *)argument = true;
	return argument;
}

/* libcurl resolves names in a thread. */
static bool threads_work(void)
{
	bool ran = false;
	pthread_t thread;

	return check(pthread_create(&thread, NULL, thread_main, &ran) == 0, "pthread_create") &&
	       check(pthread_join(thread, NULL) == 0 && ran, "pthread_join");
}

static bool waiting_works(void)
{
	const struct itimerspec soon = { .it_value = { .tv_nsec = 1000000 } };
	struct epoll_event event = { .events = EPOLLIN };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	return check(timerfd_settime(timer, 0, &soon, NULL) == 0, "timerfd") &&
	       check(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0, "epoll_ctl") &&
	       check(epoll_wait(epoll, &event, 1, 10000) == 1, "epoll_wait");
}

static bool work_goes_on(void)
{
	bool right = memory_works();

	right &= files_work();
	right &= sockets_work();
	right &= threads_work();
	return right & waiting_works();
}

/* As it stands, root or not: what is refused, the filter refuses. */
static bool filter_alone(void)
{
	bool right = check(sandbox_filter_calls() == 0, "filter");

	right &= status_is("Seccomp", "2");
	right &= calls_are_refused();
	return right & work_goes_on();
}

/* All of it, as the pipeline does it. */
static bool whole_sandbox(void)
{
	bool right = check(sandbox_drop_privileges(NOBODY, NOBODY) == 0, "drop") &&
		     check(sandbox_filter_calls() == 0, "filter");

	right &= nothing_left();
	right &= status_is("Seccomp", "2");
	right &= calls_are_refused();
	return right & work_goes_on();
}

/* --- the tests --- */

static void skip_unless_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skip: privileges can be given up by root only\n");
	skip();
}

static void test_privileges(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(in_child(privileges_go), 0);
	assert_int_equal(in_child(keeps_nothing_as_root), 0);
	assert_int_equal(in_child(needs_privileges), 0);
}

/* A call that fails this way by itself shows nothing: a host may refuse some, but not most. */
static bool calls_reach_the_kernel(void)
{
	size_t reached = 0;

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		const struct forbidden *row = &forbidden[i];
		long r = syscall(row->nr, row->arguments[0], row->arguments[1], row->arguments[2],
				 0L, 0L, 0L);

		reached += r != -1 || errno != EPERM;
	}
	return check(reached >= sizeof(forbidden) / sizeof(forbidden[0]) / 2,
		     "most calls are refused already");
}

static void test_calls(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(in_child(calls_reach_the_kernel), 0);
	assert_int_equal(in_child(filter_alone), 0);
}

static void test_both(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(in_child(whole_sandbox), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_privileges),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests_name("pipeline/sandbox", tests, NULL, NULL);
}
