/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discover, with every allocation failing once: a process is described as far as memory goes, and
 * never without a name; or it is said that there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "../discover/elf_image.h"
#include "../discover/fake_proc.h"
#include "../discover/go_file.h"
#include "../discover/tls_image.h"
#include "bpf/abi/config.h"
#include "discover/go_function.h"
#include "discover/tls_library.h"
#include "discover/tls_stripped.h"
#include "lib/failing.h"

#define MAPS                                                                                       \
	"00001000-00002000 r-xp 00000000 fe:01 17  /usr/bin/node\n"                                \
	"00002000-00003000 rw-p 00000000 00:00 0  [anon:OTEL_CTX]\n"

/* A ProcessContext message: service.name, and that threads have a variable. */
#define MESSAGE                                                                                    \
	"\x0a\x1d\x0a\x1b\x0a\x0cservice.name\x12\x0b\x0a\x09published"                            \
	"\x12\x2a\x0a\x1athreadlocal.schema_version\x12\x0c\x0a\x06tls_v1"

static void write_memory(const struct fake *fake)
{
	struct {
		char signature[8];
		uint32_t version, size;
		uint64_t published_at_ns, payload;
	} header = { "OTEL_CTX", 2, sizeof(MESSAGE) - 1, 5, 0x2100 };
	int fd = open(fake_path(fake, "42/mem"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0x2000), sizeof(header));
	assert_int_equal(pwrite(fd, MESSAGE, sizeof(MESSAGE) - 1, 0x2100), sizeof(MESSAGE) - 1);
	close(fd);
}

static void check(const struct process_info *info)
{
	assert_non_null(info->service_name);
	assert_true(info->service_name[0] != '\0');
	assert_non_null(info->service_source);
	for (size_t i = 0; i < 2 * info->n_pairs; i++)
		assert_non_null(info->pairs[i]);
}

static void run(void *context)
{
	static const char *const configured[] = { "team", "pay" };
	const struct fake *fake = context;
	const struct process_options options = {
		.proc = fake->dir, .command_args = true, .resource = configured, .n_resource = 2
	};
	const struct process_event event = {
		.pid = 43, .parent_pid = 42, .comm = "gone", .args = "gone\0--now", .args_len = 11
	};
	struct process_info info = { 0 };
	int r = process_describe(&options, 42, &info);

	if (!(r == 0 || (r == -ENOMEM && failing_happened())))
		fail_msg("r %d happened %u", r, failing_happened());
	if (r == 0)
		check(&info);
	process_info_clear(&info);
	r = process_identify(&options, 42, &info);
	assert_true(r == 0 || (r == -ENOMEM && failing_happened()));
	process_info_clear(&info);
	r = process_describe_gone(&options, &event, &info);
	assert_true(r == 0 || (r == -ENOMEM && failing_happened()));
	if (r == 0)
		check(&info);
	process_info_clear(&info);
}

static void test_describe(void **state)
{
	struct elf_image image;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake_process(&fake, "/usr/bin/node");
	fake_write(&fake, "42/cmdline", TEXT("node\0--import\0x\0server.js\0"));
	fake_write(&fake, "42/environ",
		   TEXT("OTEL_RESOURCE_ATTRIBUTES=a=b,c=d\0NODE_OPTIONS=--require y\0"));
	fake_write(&fake, "42/cgroup", TEXT("0::/system.slice/shop.service\n"));
	fake_write(&fake, "42/maps", TEXT(MAPS));
	fake_write(&fake, "rootfs/srv/shop/package.json", TEXT("{\"name\": \"cart\"}"));
	fake_write(&fake, "rootfs/etc/os-release", TEXT("ID=debian\nVERSION_ID=\"12\"\n"));
	elf_image_init(&image);
	fake_write(&fake, "42/map_files/1000-2000", &image, sizeof(image));
	write_memory(&fake);
	every_allocation_fails(run, &fake);
	fake_clear(&fake);
}

static void run_go(void *context)
{
	static const char *const names[] = { GO_NAME };
	const int *fd = context;
	struct go_function function;
	int r = go_functions_find(*fd, EM_X86_64, names, 1, &function);

	assert_true((r == 0 && function.result == 0) || (r == -ENOMEM && failing_happened()));
}

/* One with its addresses in it, and one that leaves them to the loader. */
static void test_go_functions(void **state)
{
	struct go_kind kind = { .machine = EM_X86_64, .magic = GO_MAGIC_1_20 };
	struct go_file file;
	int fd = memfd_create("image", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	for (int i = 0; i < 2; i++) {
		kind.relocated = i > 0;
		go_file_init(&file, &kind);
		assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
		every_allocation_fails(run_go, &fd);
	}
	close(fd);
}

#if defined(__x86_64__) /* the sample's code */
static void run_nss(void *context)
{
	const int *fd = context;
	struct tls_library library;
	int r = tls_library_read(*fd, NULL, &library);

	assert_true((r == 0 && library.n_functions == 2) || (r == -ENOMEM && failing_happened()));
}

static void test_nss(void **state)
{
	int fd = open("tests/fuzz/corpus/tls_library/nss", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	every_allocation_fails(run_nss, &fd);
	close(fd);
}
#endif

static void run_stripped(void *context)
{
	const int *fd = context;
	struct tls_library library = { 0 };
	int r = tls_stripped_find(*fd, EM_X86_64, NULL, &library);

	assert_true((r == 0 && library.n_functions == 2) ||
		    (r == -ENOMEM && failing_happened() && library.n_functions == 0));
}

static void test_stripped(void **state)
{
	struct tls_kind kind = { .machine = EM_X86_64 };
	struct tls_image file;
	int fd = memfd_create("image", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	tls_image_init(&file, &kind, tls_boring_calls,
		       sizeof(tls_boring_calls) / sizeof(tls_boring_calls[0]));
	assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
	every_allocation_fails(run_stripped, &fd);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_go_functions),
#if defined(__x86_64__)
		cmocka_unit_test(test_nss),
#endif
		cmocka_unit_test(test_stripped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
