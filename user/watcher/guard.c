/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/guard.h"

#include <errno.h>
#include <linux/bpf.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/standard.h"
#include "pipeline/sandbox.h"
#include "watcher/privileges.h"
#include "watcher/selection.h"

#define RESTARTS_MAX 5

/* --- the process --- */

static const int allowed_calls[] = {
	SCMP_SYS(read),		SCMP_SYS(recvmsg),
	SCMP_SYS(close),	SCMP_SYS(membarrier),
	SCMP_SYS(nanosleep),	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(exit_group),	SCMP_SYS(exit),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
};

static const int allowed_commands[] = {
	BPF_MAP_UPDATE_ELEM,
	BPF_MAP_DELETE_ELEM,
	BPF_MAP_GET_NEXT_KEY,
};

static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < sizeof(allowed_calls) / sizeof(allowed_calls[0]); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
	for (size_t i = 0; r == 0 && i < sizeof(allowed_commands) / sizeof(allowed_commands[0]);
	     i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)allowed_commands[i]));
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

/* What ends the watcher and its terminal does not end this process. */
static void outlive(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

	setsid();
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_IGN);
}

/* 0: the descriptors have come; else the watcher is gone. */
static int receive(int socket, struct enrolment *ret_enrolment)
{
	char byte, control[CMSG_SPACE(sizeof(ret_enrolment->fds))] = "";
	struct iovec data = { &byte, sizeof(byte) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0)
		return -EPIPE;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_len != CMSG_LEN(sizeof(ret_enrolment->fds)))
		return -EBADMSG;
	memcpy(ret_enrolment->fds, CMSG_DATA(header), sizeof(ret_enrolment->fds));
	return 0;
}

static _Noreturn void guard_main(int socket)
{
	struct enrolment enrolment;
	char byte;

	prctl(PR_SET_NAME, "weft-guard");
	outlive();
	standard_leave();
	if (sandbox_keep_descriptors(&socket, 1) < 0 || privileges_only_bpf() < 0 ||
	    filter_calls() < 0 || receive(socket, &enrolment) < 0)
		_exit(1);
	while (read(socket, &byte, sizeof(byte)) > 0)
		;
	enrolment_end(&enrolment);
	_exit(0);
}

/* --- the watcher's side --- */

int guard_start(struct guard *guard)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		guard_main(ends[1]);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -EAGAIN;
	}
	guard->pid = pid;
	guard->socket = ends[0];
	return 0;
}

static int hand_over(const struct guard *guard)
{
	char byte = 0, control[CMSG_SPACE(sizeof(guard->enrolment.fds))] = "";
	struct iovec data = { &byte, sizeof(byte) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(guard->enrolment.fds));
	memcpy(CMSG_DATA(header), guard->enrolment.fds, sizeof(guard->enrolment.fds));
	return sendmsg(guard->socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int guard_arm(struct guard *guard, struct loader *loader)
{
	int r = loader_enrolment(loader, &guard->enrolment);

	if (r == 0)
		r = hand_over(guard);
	if (r == 0)
		r = selection_enrols(loader, getpid());
	if (r == 0)
		r = selection_enrols(loader, guard->pid);
	guard->loader = loader;
	guard->armed = r == 0;
	return r;
}

static void let_go(struct guard *guard)
{
	if (guard->socket >= 0)
		close(guard->socket);
	guard->socket = -1;
}

static int start_again(struct guard *guard)
{
	int r = ++guard->restarts > RESTARTS_MAX ? -EAGAIN : guard_start(guard);

	if (r == 0)
		r = guard_watch(guard, guard->loop, guard->on_end, guard->context);
	if (r == 0)
		r = guard_arm(guard, guard->loader);
	return r < 0 ? r : enrolment_resume(&guard->enrolment);
}

static int on_guard_end(sd_event_source *source, const siginfo_t *info, void *context)
{
	struct guard *guard = context;

	(void)source;
	guard->pid = 0;
	let_go(guard);
	if (guard->ending) {
		guard->on_end(guard->context);
		return 0;
	}
	if (start_again(guard) == 0) {
		log_warning("the guard was ended by signal %d and is started again",
			    info->si_code == CLD_EXITED ? 0 : info->si_status);
		return 0;
	}
	log_warning(
		"the guard ended and cannot be started again: requests carry no header any more");
	guard_end(guard);
	return 0;
}

int guard_watch(struct guard *guard, sd_event *loop, void (*on_end)(void *context), void *context)
{
	guard->loop = loop;
	guard->on_end = on_end;
	guard->context = context;
	guard->source = sd_event_source_unref(guard->source);
	return sd_event_add_child(loop, &guard->source, guard->pid, WEXITED, on_guard_end, guard);
}

void guard_end(struct guard *guard)
{
	guard->ending = true;
	let_go(guard);
	if (guard->armed && !guard->pid)
		enrolment_end(&guard->enrolment);
	guard->armed = false;
}

void guard_clear(struct guard *guard)
{
	guard->source = sd_event_source_unref(guard->source);
	let_go(guard);
}
