/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a BPF map that another program has made, and empties it of what it put there when its
 * standard input ends:
 *
 *   fillmap MAP-ID      prints "full after N" or, of a map that forgets what is old, "put N"
 *
 * Keys begin with numbers that no thread has. A map of sockets gets sockets of this program.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#define FIRST_KEY 0x40000000u /* above every thread's number: kernel.pid_max is less */
#define SIZE_MAX_ 8192
#define PORTS	  60000
#define SOCKETS	  15000 /* of one process, which may have no more than some descriptors */

static struct bpf_map_info info;
static int map;

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "fillmap: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void map_open(unsigned int id)
{
	union bpf_attr attr = { .map_id = id };

	map = (int)bpf(BPF_MAP_GET_FD_BY_ID, &attr);
	if (map < 0)
		die("the map");
	attr = (union bpf_attr){ .info = { .bpf_fd = (unsigned int)map,
					   .info_len = sizeof(info),
					   .info = (uintptr_t)&info } };
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
		die("what map it is");
	if (info.key_size > SIZE_MAX_ || info.value_size > SIZE_MAX_)
		exit(1);
}

static const void *key_of(uint32_t n)
{
	static unsigned char key[SIZE_MAX_];

	memset(key, 0xfe, info.key_size);
	n += FIRST_KEY;
	memcpy(key, &n, sizeof(n));
	return key;
}

/* A socket of which the kernel lets a map of sockets be made, bound to an address of its own. */
static int socket_make(uint32_t n)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(1024 + n % PORTS),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + n / PORTS) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (void *)&address, sizeof(address)) < 0)
		die("a socket");
	return fd;
}

static long put(uint32_t n)
{
	static unsigned char value[SIZE_MAX_];
	union bpf_attr attr = { .map_fd = (unsigned int)map,
				.key = (uintptr_t)key_of(n),
				.value = (uintptr_t)value };

	if (info.type == BPF_MAP_TYPE_SOCKHASH) {
		uint64_t fd = (uint64_t)socket_make(n);

		memcpy(value, &fd, sizeof(fd));
	}
	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

/* Entries from `first` on, at most so many. Gives the number of the first that was not made. */
static uint32_t put_all(uint32_t first, uint32_t most)
{
	uint32_t n = first;

	while (n < first + most && put(n) == 0)
		n++;
	if (n < first + most && errno != E2BIG && errno != ENOMEM)
		die("an entry");
	return n;
}

/* Sockets leave their map when they are closed: each process holds some. */
static uint32_t put_sockets(uint32_t first)
{
	int ends[2];
	uint32_t next = first;

	if (pipe(ends) < 0)
		die("a pipe");
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		next = put_all(first, SOCKETS);
		if (write(ends[1], &next, sizeof(next)) == sizeof(next))
			pause();
		_exit(1);
	}
	close(ends[1]);
	if (read(ends[0], &next, sizeof(next)) != sizeof(next))
		die("a process with sockets");
	close(ends[0]);
	return next;
}

static uint32_t fill(void)
{
	int forgets = info.type == BPF_MAP_TYPE_LRU_HASH;
	uint32_t most = forgets ? 2 * info.max_entries : info.max_entries + 1;
	uint32_t n = 0, before = 0;

	if (info.type == BPF_MAP_TYPE_SOCKHASH) {
		do {
			before = n;
			n = put_sockets(n);
		} while (n == before + SOCKETS);
	} else {
		n = put_all(0, most);
	}
	if (!forgets && n >= most) {
		fprintf(stderr, "fillmap: it takes more than it has room for\n");
		exit(1);
	}
	printf(forgets ? "put %u\n" : "full after %u\n", n);
	fflush(stdout);
	return n;
}

static void empty(uint32_t n)
{
	while (n-- > 0) {
		union bpf_attr attr = { .map_fd = (unsigned int)map, .key = (uintptr_t)key_of(n) };

		bpf(BPF_MAP_DELETE_ELEM, &attr);
	}
}

int main(int argc, char **argv)
{
	uint32_t n;
	char end;

	if (argc != 2) {
		fprintf(stderr, "usage: fillmap MAP-ID\n");
		return 2;
	}
	map_open((unsigned int)strtoul(argv[1], NULL, 10));
	n = fill();
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	empty(n);
	return 0;
}
