/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/process_context.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "discover/procfs.h"
#include "fake_proc.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA	     0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

/* ProcessContext { resource { attributes { key: "service.name" value { string: "shop" } } ... } }
 */
#define NAME "\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04shop"
#define BOOL                                                                                       \
	"\x0a\x07\x0a\x01"                                                                         \
	"b"                                                                                        \
	"\x12\x02\x10\x01"
#define INT                                                                                        \
	"\x0a\x07\x0a\x01"                                                                         \
	"i"                                                                                        \
	"\x12\x02\x18\x2a"
#define DOUBLE                                                                                     \
	"\x0a\x0e\x0a\x01"                                                                         \
	"d"                                                                                        \
	"\x12\x09\x21\0\0\0\0\0\0\xf8\x3f"
#define LIST                                                                                       \
	"\x0a\x07\x0a\x01"                                                                         \
	"l"                                                                                        \
	"\x12\x02\x2a\x00"
#define RESOURCE NAME BOOL INT DOUBLE LIST
/* attributes of the context itself, which are none of the resource */
#define MORE "\x12\x07\x0a\x01x\x12\x02\x10\x01"

static const char payload[] = "\x0a\x43" RESOURCE MORE;
#define PAYLOAD_LEN (sizeof(payload) - 1)

_Static_assert(sizeof(RESOURCE) - 1 == 0x43, "length of the resource");

struct header {
	char signature[8];
	uint32_t version, size;
	uint64_t published, payload;
};

static struct header header_of(uint64_t payload_address)
{
	return (struct header){ .signature = { 'O', 'T', 'E', 'L', '_', 'C', 'T', 'X' },
				.version = 2,
				.size = PAYLOAD_LEN,
				.published = 1234,
				.payload = payload_address };
}

static void assert_payload(const struct process_context *context)
{
	const struct attributes *attributes = &context->resource;

	assert_int_equal(context->more.n, 1);
	assert_string_equal(attributes_get(&context->more, VIEW("x")), "true");
	assert_int_equal(attributes->n, 4);
	assert_string_equal(attributes_get(attributes, VIEW("service.name")), "shop");
	assert_string_equal(attributes_get(attributes, VIEW("b")), "true");
	assert_string_equal(attributes_get(attributes, VIEW("i")), "42");
	assert_string_equal(attributes_get(attributes, VIEW("d")), "1.5");
}

static void test_parse(void **state)
{
	struct process_context context = { 0 };

	(void)state;
	assert_int_equal(process_context_parse((struct view){ .data = payload, .len = PAYLOAD_LEN },
					       &context),
			 0);
	assert_payload(&context);
	process_context_clear(&context);
	assert_int_equal(process_context_parse(VIEW(""), &context), 0);
	/* A cut message adds nothing, wherever it is cut but between its two fields. */
	for (size_t len = 1; len < PAYLOAD_LEN; len++) {
		int r = process_context_parse((struct view){ .data = payload, .len = len },
					      &context);

		assert_int_equal(r, len == 0x45 ? 0 : -EBADMSG);
		assert_int_equal(context.resource.n, len == 0x45 ? 4 : 0);
		assert_int_equal(context.more.n, 0);
		process_context_clear(&context);
	}
}

/* A memory of one file: the header at 0x1000, the message at 0x2000. */
static int read_fake(const struct fake *fake, struct header header, const char *name)
{
	static char memory[0x3000];
	struct process_context context = { 0 };
	char maps[256];
	int dir, r;

	memset(memory, 0, sizeof(memory));
	memcpy(memory + 0x1000, &header, sizeof(header));
	memcpy(memory + 0x2000, payload, PAYLOAD_LEN);
	fake_write(fake, "42/mem", memory, sizeof(memory));
	assert_int_equal(procfs_open(fake->dir, 42, &dir), 0);
	snprintf(maps, sizeof(maps),
		 "00400000-00401000 r-xp 00000000 fe:01 17       /usr/bin/shop\n"
		 "00001000-00002000 r--p 00000000 00:00 0        %s\n",
		 name);
	r = process_context_read(dir, view_of(maps), &context);
	if (r == 0)
		assert_payload(&context);
	else
		assert_int_equal(context.resource.n + context.more.n, 0);
	process_context_clear(&context);
	close(dir);
	return r;
}

static void test_header(void **state)
{
	static const char *const names[] = { "[anon_shmem:OTEL_CTX]", "[anon:OTEL_CTX]",
					     "/memfd:OTEL_CTX (deleted)" };
	struct header good = header_of(0x2000), bad;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake_process(&fake, "/usr/bin/shop");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(read_fake(&fake, good, names[i]), 0);
	assert_int_equal(read_fake(&fake, good, "[anon:OTHER]"), -ENOENT);
	bad = good;
	bad.version = 3;
	assert_int_equal(read_fake(&fake, bad, names[0]), -EBADMSG);
	bad = good;
	bad.signature[0] = 'X';
	assert_int_equal(read_fake(&fake, bad, names[0]), -EBADMSG);
	bad = good;
	bad.published = 0;
	assert_int_equal(read_fake(&fake, bad, names[0]), -EAGAIN);
	bad = good;
	bad.size = PROCESS_CONTEXT_MAX + 1;
	assert_int_equal(read_fake(&fake, bad, names[0]), -E2BIG);
	bad = good;
	bad.payload = 0x20000;
	assert_int_equal(read_fake(&fake, bad, names[0]), -EFAULT);
	bad.payload = UINT64_MAX;
	assert_int_equal(read_fake(&fake, bad, names[0]), -EFAULT);
	fake_clear(&fake);
}

/* The child's part: publishes as the OTEP says, then tells so and waits. False: not possible here.
 */
static bool publish(bool with_memfd)
{
	int memfd = with_memfd ? memfd_create("OTEL_CTX", MFD_CLOEXEC) : -1;
	int flags = with_memfd ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS;
	struct header *header, whole = header_of((uint64_t)(uintptr_t)payload);

	if (with_memfd && (memfd < 0 || ftruncate(memfd, 4096) < 0))
		return false;
	header = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, memfd, 0);
	if (header == MAP_FAILED)
		return false;
	/* Names for memory need CONFIG_ANON_VMA_NAME. */
	if (!with_memfd && prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, header, 4096, "OTEL_CTX") < 0)
		return false;
	*header = whole;
	return true;
}

static void child_run(bool with_memfd, int out)
{
	char done = publish(with_memfd) ? 'y' : 'n';

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(out, &done, 1) == 1)
		pause();
	_exit(0);
}

static void assert_published(bool with_memfd)
{
	struct process_options options = { .proc = "/proc" };
	struct process_info info = { 0 };
	int pipes[2], r;
	char done = 0;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0)
		child_run(with_memfd, pipes[1]);
	assert_int_equal(read(pipes[0], &done, 1), 1);
	r = process_describe(&options, pid, &info);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(r, 0);
	if (done == 'n') {
		process_info_clear(&info);
		print_message("skipped: this kernel cannot name memory (CONFIG_ANON_VMA_NAME)\n");
		skip();
	}
	assert_string_equal(info.service_name, "shop");
	assert_string_equal(info.service_source, "process context");
	assert_string_equal(info_attribute(&info, "i"), "42");
	process_info_clear(&info);
}

static void test_memfd(void **state)
{
	(void)state;
	assert_published(true);
}

static void test_named_memory(void **state)
{
	(void)state;
	assert_published(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_memfd),
		cmocka_unit_test(test_named_memory),
	};

	return cmocka_run_group_tests_name("discover/process_context", tests, NULL, NULL);
}
