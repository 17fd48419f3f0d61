/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/tls_library.h"

static void test_names(void **state)
{
	static const char *const libraries[] = { "/usr/lib/libssl.so.3", "/a/libssl-1ab2.so.1.1",
						 "libgnutls.so.30", "/usr/bin/node",
						 "/usr/lib/libssl3.so" };
	static const char *const others[] = {
		"/usr/lib/libcrypto.so.3", "/a/libssl/x.so", "", "[vdso]",
		"/usr/lib/libnss3.so",	   "/usr/bin/nodes"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		assert_true(tls_library_named(view_of(libraries[i])));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(tls_library_named(view_of(others[i])));
}

static void test_not_one(void **state)
{
	_cleanup_close_ int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int text = open("README.md", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct tls_library library;

	(void)state;
	assert_int_equal(tls_library_read(self, NULL, &library), -ENOENT);
	assert_int_equal(tls_library_read(text, NULL, &library), -EBADMSG);
	assert_int_equal(tls_library_read(empty, NULL, &library), -EBADMSG);
}

/* A library as this process has it loaded, its file, and the file's copy. */
struct loaded {
	void *handle;
	char path[512];
};

static int load(struct loaded *loaded)
{
	struct link_map *map;

	loaded->handle = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
	if (!loaded->handle)
		loaded->handle = dlopen("libssl.so.1.1", RTLD_NOW | RTLD_LOCAL);
	if (!loaded->handle || dlinfo(loaded->handle, RTLD_DI_LINKMAP, &map) != 0)
		return -ENOENT;
	snprintf(loaded->path, sizeof(loaded->path), "%s", map->l_name);
	return 0;
}

/* Is there such code in the library, as it is loaded? */
static void assert_code_at(const struct loaded *loaded, int fd, const struct tls_function *function)
{
	const uint8_t *there = dlsym(loaded->handle, function->name);
	uint8_t code[16];

	assert_int_equal(pread(fd, code, sizeof(code), (off_t)function->offset), sizeof(code));
	if (!there) { /* it has no name there: what both of its callers call */
		assert_false(function->stepped);
		return;
	}
	/* at the beginning, or not far from it */
	for (size_t i = 0; i < 64; i++)
		if (memcmp(there + i, code, sizeof(code)) == 0)
			return;
	fail_msg("%s is not there", function->name);
}

/* Where a function is said to be lies what the dynamic linker finds under its name. */
static void test_places(void **state)
{
	struct tls_library library;
	struct loaded loaded;
	_cleanup_close_ int fd = -1;

	(void)state;
	if (load(&loaded) < 0)
		skip(); /* OpenSSL is not installed */
	fd = open(loaded.path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(tls_library_read(fd, NULL, &library), 0);
	assert_string_equal(library.name, "OpenSSL");
	assert_true(library.n_functions >= 2);
	for (size_t i = 0; i < library.n_functions; i++)
		assert_code_at(&loaded, fd, &library.functions[i]);
	dlclose(loaded.handle);
}

/* A file that is changed anywhere in its headers and tables is refused, or read within bounds. */
static void test_broken(void **state)
{
	enum {
		SIZE = 1 << 16
	};
	char path[] = "/tmp/weft-test-XXXXXX";
	uint8_t *bytes = malloc(SIZE);
	struct tls_library library;
	struct loaded loaded;
	_cleanup_close_ int from = -1, to = -1;
	ssize_t n;

	(void)state;
	if (load(&loaded) < 0) {
		free(bytes);
		skip();
	}
	from = open(loaded.path, O_RDONLY | O_CLOEXEC);
	to = mkstemp(path);
	assert_true(from >= 0 && to >= 0);
	unlink(path);
	n = read(from, bytes, SIZE);
	assert_int_equal(n, SIZE);
	for (size_t at = 0; at < 1024; at++) {
		bytes[at] ^= 0xff;
		assert_int_equal(pwrite(to, bytes, SIZE, 0), SIZE);
		tls_library_read(to, NULL, &library);
		bytes[at] ^= 0xff;
	}
	free(bytes);
	dlclose(loaded.handle);
}

/* Go's library is within each program; there is one where Go is installed. */
static void test_go(void **state)
{
	static const char *const paths[] = { "/usr/local/go/bin/go", "/usr/lib/go/bin/go",
					     "/usr/bin/go" };
	_cleanup_close_ int fd = -1;
	struct tls_library library;
	size_t returns = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && fd < 0; i++)
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		skip(); /* Go is not installed there */
	assert_int_equal(tls_library_read(fd, NULL, &library), 0);
	assert_string_equal(library.name, "Go");
	assert_true(library.direct);
	assert_int_equal(library.functions[0].kind, TLS_FUNCTION_GO_WRITE);
	assert_int_equal(library.functions[1].kind, TLS_FUNCTION_GO_READ);
	for (size_t i = 2; i < library.n_functions; i++) {
		assert_int_equal(library.functions[i].kind, TLS_FUNCTION_GO_RETURN);
		returns++;
	}
	assert_true(returns >= 1);
}

struct seen {
	int program, named, other;
	int hinted; /* of the last */
};

static void count(void *context, enum tls_file why, int fd, struct view path)
{
	struct seen *seen = context;

	assert_true(fd >= 0);
	assert_int_equal(tls_library_named(path), why == TLS_FILE_NAMED);
	seen->program += why == TLS_FILE_PROGRAM;
	seen->named += why == TLS_FILE_NAMED;
	seen->other += why == TLS_FILE_OTHER;
	if (why == TLS_FILE_OTHER)
		seen->hinted += tls_library_hinted(fd) == 0;
}

static void test_scan(void **state)
{
	struct loaded loaded;
	struct seen quiet = { 0 }, speaks = { 0 };

	(void)state;
	assert_int_equal(tls_library_scan("/proc", 0x7fffffff, true, count, &quiet), -ESRCH);
	if (load(&loaded) < 0)
		skip();
	/* links of map_files may be followed with capabilities only */
	if (geteuid() != 0)
		skip();
	assert_true(tls_library_scan("/proc", getpid(), false, count, &quiet) >= 1);
	assert_true(quiet.named >= 1);
	assert_int_equal(quiet.program, 0);
	assert_int_equal(quiet.other, 0);
	assert_int_equal(tls_library_scan("/proc", getpid(), true, count, &speaks),
			 quiet.named + 1);
	assert_int_equal(speaks.program, 1);
	/* this program, which has those names to look for them, and the C library at least */
	assert_true(speaks.other >= 2);
	assert_int_equal(speaks.hinted, 1);
	dlclose(loaded.handle);
}

static void test_hinted(void **state)
{
	struct loaded loaded;
	_cleanup_close_ int fd = -1, text = open("README.md", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(tls_library_hinted(text), -EBADMSG);
	if (load(&loaded) < 0)
		skip();
	fd = open(loaded.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(tls_library_hinted(fd), 0);
	dlclose(loaded.handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_not_one),
		cmocka_unit_test(test_places), cmocka_unit_test(test_broken),
		cmocka_unit_test(test_scan),   cmocka_unit_test(test_go),
		cmocka_unit_test(test_hinted),
	};

	return cmocka_run_group_tests_name("discover/tls_library", tests, NULL, NULL);
}
