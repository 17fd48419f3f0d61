/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes of odd kinds that make requests, and check every byte of the answers:
 *
 *   odd get PORT FIRST COUNT         plainly, on one connection
 *   odd strict PORT FIRST COUNT      the same under seccomp's strict mode
 *   odd storm PORT FIRST COUNT N     a process for each request, N at a time; every other one
 *                                    executes a program, and every fourth does so from a thread
 *   odd traced COMMAND...            runs it and all its children under ptrace, call by call
 *   odd pid NUMBER COMMAND...        runs it as the process of that number
 *
 * The path is /chain/N, the answer's body N. Ends with 0 if all was right.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX 4096

static const char *self;

/* exit(3) makes calls that the strict mode ends a process for. */
static _Noreturn void end(int status)
{
	for (;;)
		syscall(SYS_exit, status);
}

static int open_connection(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (void *)&address, sizeof(address)) < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Where the body begins, once the answer is complete; NULL: not yet. */
static const char *answer_body(char *answer, size_t used)
{
	char *body, *length;

	answer[used] = 0;
	body = strstr(answer, "\r\n\r\n");
	length = strstr(answer, "Content-Length: ");
	if (!body || !length || strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
		return NULL;
	body += 4;
	return used - (size_t)(body - answer) == strtoul(length + 16, NULL, 10) ? body : NULL;
}

/* 0, or -1: the answer is another one. */
static int request(int fd, unsigned int number)
{
	static char text[ANSWER_MAX], wanted[16];
	const char *body = NULL;
	size_t used = 0;
	int len =
		snprintf(text, sizeof(text), "GET /chain/%u HTTP/1.1\r\nHost: odd\r\n\r\n", number);

	snprintf(wanted, sizeof(wanted), "%u", number);
	if (write(fd, text, (size_t)len) != len)
		return -1;
	while (!body) {
		ssize_t n = read(fd, text + used, sizeof(text) - 1 - used);

		if (n <= 0)
			return -1;
		used += (size_t)n;
		body = answer_body(text, used);
	}
	return strcmp(body, wanted) ? -1 : 0;
}

static _Noreturn void requests(int port, unsigned int first, unsigned int count, int strict)
{
	int fd = open_connection(port);

	if (fd < 0 || (strict && prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0))
		end(1);
	for (unsigned int n = first; n < first + count; n++)
		if (request(fd, n) < 0)
			end(1);
	end(0);
}

struct one {
	int port;
	unsigned int number;
};

static void *execute(void *context)
{
	const struct one *one = context;
	char port[16], number[16];

	snprintf(port, sizeof(port), "%d", one->port);
	snprintf(number, sizeof(number), "%u", one->number);
	execl(self, self, "get", port, number, "1", NULL);
	end(1);
}

/* One process of the storm. */
static _Noreturn void drop(int port, unsigned int number)
{
	struct one one = { port, number };
	pthread_t thread;

	if (number % 2 == 0)
		requests(port, number, 1, 0);
	if (number % 4 == 3 && pthread_create(&thread, NULL, execute, &one) == 0)
		pause();
	execute(&one);
	end(1);
}

static int reap(void)
{
	int status;

	return wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) ? 1 : 0;
}

static int storm(int port, unsigned int first, unsigned int count, unsigned int at_once)
{
	unsigned int running = 0;
	int wrong = 0;

	for (unsigned int n = first; n < first + count; n++) {
		pid_t child;

		if (running == at_once) {
			wrong += reap();
			running--;
		}
		child = fork();
		if (child == 0)
			drop(port, n);
		if (child < 0)
			wrong++;
		else
			running++;
	}
	while (running-- > 0)
		wrong += reap();
	if (wrong)
		fprintf(stderr, "odd: %d of %u requests went wrong\n", wrong, count);
	return wrong ? 1 : 0;
}

/* Lets a stopped tracee go on, with the signal that it was stopped for. */
static void go_on(pid_t pid, int status)
{
	int number = WSTOPSIG(status);

	if (number == (SIGTRAP | 0x80) || status >> 16 || number == SIGSTOP)
		number = 0;
	ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)number);
}

static int traced(char **command)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int status, result = 1;
	pid_t child = fork(), pid;

	if (child == 0) {
		raise(SIGSTOP);
		execvp(command[0], command);
		_exit(127);
	}
	if (ptrace(PTRACE_SEIZE, child, NULL, (void *)options) < 0)
		return 1;
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			if (pid == child && WSTOPSIG(status) == SIGSTOP)
				kill(child, SIGCONT);
			go_on(pid, status);
		} else if (pid == child) {
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
		}
	}
	return result;
}

static int as_pid(pid_t number, char **command)
{
	struct clone_args arguments = { .exit_signal = SIGCHLD,
					.set_tid = (uintptr_t)&number,
					.set_tid_size = 1 };
	int status;
	long child = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (child < 0) {
		fprintf(stderr, "odd: clone3 as %d: %s\n", number, strerror(errno));
		return 77;
	}
	if (child == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	if (waitpid((pid_t)child, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 3 ? argv[1] : "";
	unsigned int first = argc > 3 ? (unsigned int)strtoul(argv[3], NULL, 10) : 0;
	unsigned int count = argc > 4 ? (unsigned int)strtoul(argv[4], NULL, 10) : 0;

	self = argv[0];
	alarm(100);
	if (!strcmp(kind, "traced"))
		return traced(argv + 2);
	if (!strcmp(kind, "pid"))
		return as_pid((pid_t)strtol(argv[2], NULL, 10), argv + 3);
	if (!strcmp(kind, "storm") && argc == 6)
		return storm(atoi(argv[2]), first, count, (unsigned int)strtoul(argv[5], NULL, 10));
	if ((!strcmp(kind, "get") || !strcmp(kind, "strict")) && argc == 5)
		requests(atoi(argv[2]), first, count, !strcmp(kind, "strict"));
	fprintf(stderr, "usage: see the head of odd.c\n");
	return 2;
}
