/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with the parts of an SDK that others read: it publishes a process context, and for each
 * of its threads the span that is active (OTEP 4719 and 4947). It has no SDK, exports nothing and
 * sends no context with its requests.
 *
 *	threadctx PORT COUNT [LIBRARY]
 *
 * Two threads make COUNT requests each of 127.0.0.1:PORT, once a line has come on standard input:
 * GET /ctx/NUMBER, each in a span of its own, every third one in none. Each is told on standard
 * output: NUMBER TRACE SPAN, or NUMBER alone. The thread's variable is the program's own, unless a
 * library is named (threadctx_lib.c), which is loaded.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 2

struct record {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t valid;
	uint8_t flags;
	uint16_t attributes_size;
} __attribute__((packed));

#ifdef OWN_VARIABLE
__attribute__((visibility("default"))) __thread struct record *otel_thread_ctx_v1;

static void set_own(void *record)
{
	otel_thread_ctx_v1 = record;
}

static void (*variable_set)(void *record) = set_own;
#else
static void (*variable_set)(void *record);
#endif

/* ProcessContext { attributes { "threadlocal.schema_version": "tls_v1" } } */
static const char context[] = "\x12\x26\x0a\x1athreadlocal.schema_version"
			      "\x12\x08\x0a\x06tls_v1";

struct header {
	char signature[8];
	uint32_t version, size;
	uint64_t published, payload;
};

static int port;
static int count;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void publish_process(void)
{
	int fd = memfd_create("OTEL_CTX", MFD_CLOEXEC);
	struct header *header;

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		fail("memfd");
	header = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (header == MAP_FAILED)
		fail("mmap");
	*header = (struct header){ .signature = { 'O', 'T', 'E', 'L', '_', 'C', 'T', 'X' },
				   .version = 2,
				   .size = sizeof(context) - 1,
				   .published = 1,
				   .payload = (uint64_t)(uintptr_t)context };
}

static void ask(int fd, const char *path)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	size_t got = 0;

	if (write(fd, text, (size_t)n) != n)
		fail("write");
	/* answers have a Content-Length and less than ten bytes */
	while (got < sizeof(text) - 1) {
		ssize_t more = read(fd, text + got, sizeof(text) - 1 - got);
		const char *length, *body;

		if (more <= 0)
			fail("read");
		got += (size_t)more;
		text[got] = '\0';
		length = strcasestr(text, "content-length: ");
		body = strstr(text, "\r\n\r\n");
		if (body && length && strlen(body + 4) >= strtoul(length + 16, NULL, 10))
			return;
	}
}

static int reach(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connect");
	return fd;
}

static void tell(int number, const struct record *record)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%d ", number);

	for (size_t i = 0; record && i < sizeof(record->trace_id); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x", record->trace_id[i]);
	n += snprintf(text + n, sizeof(text) - (size_t)n, " ");
	for (size_t i = 0; record && i < sizeof(record->span_id); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x", record->span_id[i]);
	puts(text);
}

/* A span of its own, or none: by the pointer, or by the record's word, as the OTEP leaves it. */
static void enter(struct record *record, int number)
{
	memset(record->trace_id, number % 255 + 1, sizeof(record->trace_id));
	memset(record->span_id, number % 253 + 1, sizeof(record->span_id));
	memcpy(record->trace_id, &number, sizeof(number));
	memcpy(record->span_id, &number, sizeof(number));
	record->flags = 1;
	record->valid = number % 3 != 1;
	variable_set(number % 3 == 2 && number % 2 ? NULL : record);
}

static bool is_inside(int number)
{
	return number % 3 == 0 || (number % 3 == 2 && number % 2 == 0);
}

static void *work(void *argument)
{
	int first = *(int *)argument * count, fd = reach();
	struct record record = { 0 };
	char path[64];

	for (int number = first; number < first + count; number++) {
		enter(&record, number);
		snprintf(path, sizeof(path), "/ctx/%d", number);
		ask(fd, path);
		tell(number, is_inside(number) ? &record : NULL);
	}
	close(fd);
	return NULL;
}

static void load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	*(void **)&variable_set = dlsym(library, "variable_set");
	if (!variable_set)
		fail("variable_set");
}

int main(int argc, char **argv)
{
	static int numbers[THREADS] = { 0, 1 };
	pthread_t threads[THREADS];
	int fd;

	if (argc < 3)
		return 2;
	port = atoi(argv[1]);
	count = atoi(argv[2]);
	if (argc > 3)
		load(argv[3]);
	variable_set(NULL);
	publish_process();
	fd = reach();
	ask(fd, "/warm/0");
	if (getchar() == EOF)
		return 1;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, &numbers[i]) != 0)
			return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	close(fd);
	return 0;
}
