/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes another process try a system call, through ptrace, and tells what became of it.
 *
 *   inject PID CALL     CALL: socket execve bpf ptrace open getpid
 *
 * Prints "CALL = RESULT", or "CALL: killed by signal N". The process goes on afterwards if it
 * lives.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

struct attempt {
	const char *name;
	long number;
	unsigned long arguments[3];
};

static const struct attempt attempts[] = {
	{ "socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
	{ "execve", SYS_execve, { 0, 0, 0 } },
	{ "bpf", SYS_bpf, { 0, 0, 0 } },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME, 0, 0 } },
	{ "open", SYS_openat, { -100ul, 0, 0 } },
	{ "getpid", SYS_getpid, { 0, 0, 0 } },
};

#if defined(__x86_64__)
static const unsigned char code[] = { 0x0f, 0x05, 0xcc }; /* syscall; int3 */

static void registers_set(struct user_regs_struct *regs, const struct attempt *attempt)
{
	regs->rax = attempt->number;
	regs->orig_rax = -1;
	regs->rdi = attempt->arguments[0];
	regs->rsi = attempt->arguments[1];
	regs->rdx = attempt->arguments[2];
}

#define PLACE(regs)  ((regs)->rip)
#define RESULT(regs) ((long)(regs)->rax)
#elif defined(__aarch64__)
static const unsigned char code[] = { 0x01, 0, 0, 0xd4, 0, 0, 0x20, 0xd4 }; /* svc 0; brk 0 */

static void registers_set(struct user_regs_struct *regs, const struct attempt *attempt)
{
	regs->regs[8] = attempt->number;
	for (int i = 0; i < 3; i++)
		regs->regs[i] = attempt->arguments[i];
}

#define PLACE(regs)  ((regs)->pc)
#define RESULT(regs) ((long)(regs)->regs[0])
#else
#error "inject.c knows x86_64 and aarch64 only"
#endif

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void registers(int request, pid_t pid, struct user_regs_struct *regs)
{
	struct iovec all = { regs, sizeof(*regs) };

	if (ptrace(request, pid, (void *)NT_PRSTATUS, &all) < 0)
		die("registers");
}

static unsigned long word_read(pid_t pid, unsigned long place)
{
	errno = 0;
	unsigned long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)place, NULL);

	if (errno)
		die("reading its memory");
	return word;
}

static void word_write(pid_t pid, unsigned long place, unsigned long word)
{
	if (ptrace(PTRACE_POKETEXT, pid, (void *)place, (void *)word) < 0)
		die("writing its memory");
}

/* Lets it run the code; how it stopped. */
static int run(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) < 0)
		die("running it");
	return status;
}

static void tell(const char *name, int status, long result)
{
	if (WIFSIGNALED(status))
		printf("%s: killed by signal %d\n", name, WTERMSIG(status));
	else if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSYS)
		printf("%s: killed by signal %d\n", name, SIGSYS);
	else
		printf("%s = %ld\n", name, result);
}

static void attempt_make(pid_t pid, const struct attempt *attempt)
{
	struct user_regs_struct saved, regs;
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) < 0)
		die("attaching");
	registers(PTRACE_GETREGSET, pid, &saved);
	regs = saved;
	unsigned long text = word_read(pid, PLACE(&saved)), patched = text;

	memcpy(&patched, code, sizeof(code));
	word_write(pid, PLACE(&saved), patched);
	registers_set(&regs, attempt);
	registers(PTRACE_SETREGSET, pid, &regs);
	status = run(pid);
	if (WIFSTOPPED(status)) {
		registers(PTRACE_GETREGSET, pid, &regs);
		word_write(pid, PLACE(&saved), text);
		registers(PTRACE_SETREGSET, pid, &saved);
		ptrace(PTRACE_DETACH, pid, NULL,
		       (void *)(long)(WSTOPSIG(status) == SIGSYS ? SIGSYS : 0));
	}
	tell(attempt->name, status, RESULT(&regs));
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc != 3) {
		fprintf(stderr, "usage: inject PID CALL\n");
		return 2;
	}
	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		if (strcmp(attempts[i].name, argv[2]) == 0) {
			attempt_make(atoi(argv[1]), &attempts[i]);
			return 0;
		}
	}
	fprintf(stderr, "inject: unknown call %s\n", argv[2]);
	return 2;
}
