/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into weft: a machine that differs in one thing, named by WEFT_FAULT.
 *
 *   fionread   FIONREAD tells what is there, whatever the kernel says
 *   sockets    there are no descriptors for network sockets
 *   option     no context is found in TCP options
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static bool fault_is(const char *name)
{
	const char *fault = getenv("WEFT_FAULT");

	return fault && strcmp(fault, name) == 0;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*libc)(int, unsigned long, void *) = next("ioctl");
	static char room[1 << 16];
	va_list arguments;
	void *value;
	ssize_t n;
	int r;

	va_start(arguments, request);
	value = va_arg(arguments, void *);
	va_end(arguments);
	r = libc(fd, request, value);
	if (r < 0 || request != FIONREAD || !fault_is("fionread"))
		return r;
	n = recv(fd, room, sizeof(room), MSG_PEEK | MSG_DONTWAIT);
	*(int *)value = n > 0 ? (int)n : 0;
	return r;
}

int socket(int family, int type, int protocol)
{
	int (*libc)(int, int, int) = next("socket");

	if (fault_is("sockets") && (family == AF_INET || family == AF_INET6)) {
		errno = EMFILE;
		return -1;
	}
	return libc(family, type, protocol);
}

long syscall(long number, ...)
{
	long (*libc)(long, ...) = (long (*)(long, ...))next("syscall");
	long words[6];
	va_list arguments;

	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		words[i] = va_arg(arguments, long);
	va_end(arguments);
	if (number == SYS_bpf && words[0] == BPF_MAP_GET_NEXT_KEY && fault_is("option")) {
		errno = ENOENT;
		return -1;
	}
	return libc(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
