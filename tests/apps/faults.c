/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into weft: a machine that differs in one thing, named by WEFT_FAULT.
 *
 *   fionread   FIONREAD tells what is there, whatever the kernel says
 *   sockets    there are no descriptors for network sockets
 *   option     no context is found in TCP options
 *   clock      the wall clock is a day ahead as soon as there is the file WEFT_FAULT_FILE
 *   memory     the pipeline gets no memory while there is that file
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

/* glibc's own names, for dlsym(3) allocates. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool memory_is_out(void)
{
	const char *file = getenv("WEFT_FAULT_FILE");
	char name[16] = "";

	return file && fault_is("memory") && prctl(PR_GET_NAME, name) == 0 &&
	       strcmp(name, "weft-pipeline") == 0 && access(file, F_OK) == 0;
}

void *malloc(size_t size)
{
	return memory_is_out() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return memory_is_out() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return memory_is_out() ? NULL : __libc_realloc(old, size);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	static int (*libc)(clockid_t, struct timespec *);
	const char *file = getenv("WEFT_FAULT_FILE");
	int r;

	if (!libc)
		libc = next("clock_gettime");
	r = libc(id, now);
	if (r == 0 && id == CLOCK_REALTIME && file && fault_is("clock") && access(file, F_OK) == 0)
		now->tv_sec += 24 * 60 * 60;
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
