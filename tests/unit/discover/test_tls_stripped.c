/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/tls_stripped.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

#include "tls_image.h"

static const struct tls_kind kinds[] = {
	{ EM_X86_64, false },
	{ EM_X86_64, true },
	{ EM_AARCH64, false },
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define N(code) (sizeof(code) / sizeof((code)[0]))

static const struct tls_kind x86 = { EM_X86_64, false };

static int find(const struct tls_image *file, uint16_t machine, struct tls_library *ret_library)
{
	_cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, sizeof(*file)), sizeof(*file));
	*ret_library = (struct tls_library){ .build_id = "ab" };
	return tls_stripped_find(fd, machine, NULL, ret_library);
}

static int find_code(const struct tls_kind *kind, const struct tls_code *code, size_t n,
		     struct tls_library *ret_library)
{
	struct tls_image file;

	tls_image_init(&file, kind, code, n);
	return find(&file, kind->machine, ret_library);
}

static int result_of(const struct tls_code *code, size_t n)
{
	struct tls_library library;
	int r = find_code(&x86, code, n, &library);

	for (size_t i = 0; i < N_KINDS; i++)
		assert_int_equal(find_code(&kinds[i], code, n, &library), r);
	if (r < 0)
		assert_int_equal(library.n_functions, 0);
	return r;
}

struct expected {
	enum tls_function_kind kind;
	size_t function;
};

static void check(const char *name, const struct tls_code *code, size_t n,
		  const struct expected *expected, size_t n_expected)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		struct tls_library library;

		assert_int_equal(find_code(&kinds[i], code, n, &library), 0);
		assert_string_equal(library.name, name);
		assert_string_equal(library.build_id, "ab");
		assert_int_equal(library.n_functions, n_expected);
		for (size_t k = 0; k < n_expected; k++) {
			assert_int_equal(library.functions[k].kind, expected[k].kind);
			assert_int_equal(library.functions[k].offset, TLS_AT(expected[k].function));
		}
	}
}

static void test_openssl(void **state)
{
	static const struct expected inner[] = { { TLS_FUNCTION_RECV_AT, 1 },
						 { TLS_FUNCTION_SEND, 3 } };
	static const struct expected outer[] = { { TLS_FUNCTION_RECV, 1 },
						 { TLS_FUNCTION_SEND, 2 } };

	(void)state;
	check("OpenSSL", tls_openssl_3, N(tls_openssl_3), inner, 2);
	check("OpenSSL", tls_openssl_1, N(tls_openssl_1), inner, 2);
	check("OpenSSL", tls_openssl_1_0, N(tls_openssl_1_0), outer, 2);
}

/* The inner one is a part of SSL_read, of SSL_read_ex, and stands for itself. */
static void test_openssl_inlined(void **state)
{
	static const struct tls_code code[] = {
		TLS_3(TLS_READ, TLS_TEXT_IS(2, TLS_READ_INTERNAL)),
		TLS_3(TLS_READ_INTERNAL),
		TLS_3(TLS_READ_INTERNAL),
		TLS_3(TLS_WRITE, TLS_TEXT_IS(2, TLS_WRITE_INTERNAL)),
	};
	static const struct expected expected[] = { { TLS_FUNCTION_RECV, 0 },
						    { TLS_FUNCTION_RECV_AT, 1 },
						    { TLS_FUNCTION_RECV_AT, 2 },
						    { TLS_FUNCTION_SEND, 3 } };

	(void)state;
	check("OpenSSL", code, N(code), expected, 4);
}

static void test_boringssl(void **state)
{
	static const struct expected within[] = { { TLS_FUNCTION_SEND, 3 },
						  { TLS_FUNCTION_RECV, 4 } };
	static const struct expected calls[] = { { TLS_FUNCTION_SEND, 4 },
						 { TLS_FUNCTION_RECV, 3 } };

	(void)state;
	check("BoringSSL", tls_boring, N(tls_boring), within, 2);
	check("BoringSSL", tls_boring_calls, N(tls_boring_calls), calls, 2);
}

/* What is not certain is not found. */
static void test_openssl_doubt(void **state)
{
	static const struct tls_code two[] = { TLS_3(TLS_READ_INTERNAL), TLS_3(TLS_READ_INTERNAL),
					       TLS_3(TLS_READ, TLS_CALLS(0)),
					       TLS_3(TLS_WRITE_INTERNAL),
					       TLS_3(TLS_WRITE, TLS_CALLS(3)) };
	static const struct tls_code not_called[] = { TLS_3(TLS_READ_INTERNAL), TLS_3(TLS_READ),
						      TLS_3(TLS_WRITE_INTERNAL),
						      TLS_3(TLS_WRITE, TLS_CALLS(2)) };
	static const struct tls_code one_way[] = { TLS_3(TLS_READ_INTERNAL),
						   TLS_3(TLS_READ, TLS_CALLS(0)) };
	static const struct tls_code part[] = { { .part = true,
						  .steps = { TLS_TEXT_IS(2, TLS_READ_INTERNAL),
							     TLS_TEXT_IS(0, TLS_FILE_C) } },
						TLS_3(TLS_READ, TLS_CALLS(0)),
						TLS_3(TLS_WRITE_INTERNAL),
						TLS_3(TLS_WRITE, TLS_CALLS(2)) };
	/* a list of names, as a program has that looks them up */
	static const struct tls_code names[] = {
		{ .steps = { TLS_TEXT_IS(1, TLS_READ_INTERNAL), TLS_TEXT_IS(1, TLS_FILE_C) } },
		{ .steps = { TLS_TEXT_IS(1, TLS_READ), TLS_CALLS(0) } },
		{ .steps = { TLS_TEXT_IS(1, TLS_WRITE_INTERNAL), TLS_TEXT_IS(1, TLS_FILE_C) } },
		{ .steps = { TLS_TEXT_IS(1, TLS_WRITE), TLS_CALLS(2) } },
	};
	static const struct tls_code twice[] = { TLS_1(223), TLS_1(208), TLS_1(223) };
	/* SSL_write_ex would be missing */
	static const struct tls_code half[] = { TLS_1(523), TLS_1(223, TLS_CALLS(0)), TLS_1(208) };
	/* numbers of lines, where OpenSSL 3 passes them */
	static const struct tls_code lines[] = {
		{ .steps = { TLS_NUMBER_IS(1, 223), TLS_TEXT_IS(0, TLS_FILE_C) } },
		{ .steps = { TLS_NUMBER_IS(1, 208), TLS_TEXT_IS(0, TLS_FILE_C) } },
	};

	(void)state;
	assert_int_equal(result_of(two, N(two)), -ENOENT);
	assert_int_equal(result_of(not_called, N(not_called)), -ENOENT);
	assert_int_equal(result_of(one_way, N(one_way)), -ENOENT);
	assert_int_equal(result_of(part, N(part)), -ENOENT);
	assert_int_equal(result_of(names, N(names)), -ENOENT);
	assert_int_equal(result_of(twice, N(twice)), -ENOENT);
	assert_int_equal(result_of(half, N(half)), -ENOENT);
	assert_int_equal(result_of(lines, N(lines)), -ENOENT);
}

static void test_boringssl_doubt(void **state)
{
	static const struct tls_code two_writes[] = { TLS_IMPL, TLS_PEEK(), TLS_BORING_WRITE,
						      TLS_BORING_WRITE };
	static const struct tls_code alike[] = {
		{ .steps = { TLS_B(66) } }, TLS_IMPL, TLS_PEEK(), TLS_PEEK(), TLS_BORING_WRITE
	};
	static const struct tls_code three[] = {
		{ .steps = { TLS_B(66) } },
		TLS_IMPL,
		TLS_PEEK(),
		{ .len = 0x50, .steps = { TLS_CALLS(1), TLS_B(66) } },
		{ .len = 0x58, .steps = { TLS_CALLS(1), TLS_B(66) } },
		TLS_BORING_WRITE
	};
	static const struct tls_code nobody[] = {
		{ .steps = { TLS_B(66) } }, TLS_IMPL, TLS_PEEK(), TLS_BORING_WRITE
	};
	static const struct tls_code two_callers[] = { { .steps = { TLS_B(66) } },
						       TLS_IMPL,
						       TLS_PEEK(),
						       { .steps = { TLS_CALLS(2) } },
						       { .steps = { TLS_CALLS(2) } },
						       TLS_BORING_WRITE };

	(void)state;
	assert_int_equal(result_of(two_writes, N(two_writes)), -ENOENT);
	assert_int_equal(result_of(alike, N(alike)), -ENOENT);
	assert_int_equal(result_of(three, N(three)), -ENOENT);
	assert_int_equal(result_of(nobody, N(nobody)), -ENOENT);
	assert_int_equal(result_of(two_callers, N(two_callers)), -ENOENT);
}

/* Two libraries in one file: neither. */
static void test_both(void **state)
{
	static const struct tls_code code[] = {
		TLS_1(208),
		TLS_IMPL,
		TLS_PEEK(),
		TLS_BORING_WRITE,
		{ .len = 0x60, .steps = { TLS_CALLS(1), TLS_B(66) } },
		TLS_1(223),
	};

	(void)state;
	assert_int_equal(result_of(code, N(code)), -ENOENT);
}

static void test_hinted(void **state)
{
	struct tls_image file;
	_cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(tls_stripped_hinted(fd, EM_X86_64), -EBADMSG);
	tls_image_init(&file, &x86, tls_openssl_3, N(tls_openssl_3));
	assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
	assert_int_equal(tls_stripped_hinted(fd, EM_X86_64), 0);
	assert_int_equal(tls_stripped_hinted(fd, EM_AARCH64), -EBADMSG);
	/* another file's name ends like that, and "…lib.c" */
	file.bytes[TLS_TEXTS_AT + 6] = 'x';
	file.bytes[TLS_TEXTS_AT + TLS_TEXT_LEN + 27] = 'x';
	assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
	assert_int_equal(tls_stripped_hinted(fd, EM_X86_64), -ENOENT);
}

static int find_cached(const struct tls_image *file, uint16_t machine, struct tls_cache *cache,
		       struct tls_library *ret_library)
{
	_cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, sizeof(*file)), sizeof(*file));
	*ret_library = (struct tls_library){ .build_id = "ab" };
	return tls_stripped_find(fd, machine, cache, ret_library);
}

/* A file that says to be another one has no say in what is found in that: here, all say so. */
static void test_cache(void **state)
{
	static const struct {
		const struct tls_code *code;
		size_t n;
	} samples[] = {
		{ tls_openssl_3, N(tls_openssl_3) },	   { tls_openssl_1, N(tls_openssl_1) },
		{ tls_openssl_1_0, N(tls_openssl_1_0) },   { tls_boring, N(tls_boring) },
		{ tls_boring_calls, N(tls_boring_calls) }, { tls_openssl_3, 3 },
	};
	static struct tls_cache cache;
	struct tls_library with, without;
	struct tls_image file;

	(void)state;
	for (size_t i = 0; i < N_KINDS * N(samples) * 2; i++) {
		const struct tls_kind *kind = &kinds[i % N_KINDS];
		size_t k = i / N_KINDS % N(samples);
		int r;

		tls_image_init(&file, kind, samples[k].code, samples[k].n);
		r = find(&file, kind->machine, &without);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(find_cached(&file, kind->machine, &cache, &with), r);
			assert_memory_equal(&with, &without, sizeof(with));
		}
	}
}

/* What is known of a file is where it is looked for: elsewhere nothing is read. */
static void test_cache_used(void **state)
{
	static struct tls_cache cache;
	struct tls_library library;
	struct tls_image file;

	(void)state;
	tls_image_init(&file, &x86, tls_openssl_3, N(tls_openssl_3));
	assert_int_equal(find_cached(&file, EM_X86_64, &cache, &library), 0);
	assert_non_null(tls_cache_find(&cache, "ab", sizeof(file)));
	assert_null(tls_cache_find(&cache, "ab", sizeof(file) - 1));
	assert_null(tls_cache_find(&cache, "ac", sizeof(file)));
	assert_null(tls_cache_find(&cache, "", sizeof(file)));
	/* sections are what the whole file is looked through by */
	tls_put(&file, TLS_SECTIONS_AT + sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size), 8, 8);
	assert_int_equal(find(&file, EM_X86_64, &library), -ENOENT);
	assert_int_equal(find_cached(&file, EM_X86_64, &cache, &library), 0);
	/* a function that is no more: what there is is looked for again */
	tls_put(&file, TLS_AT(1), 0, 8);
	assert_int_equal(find_cached(&file, EM_X86_64, &cache, &library), -ENOENT);
}

/* Any byte that is changed: refused, or one of the functions that there are. */
static void test_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_KINDS; i++)
		for (size_t at = 0; at < TLS_IMAGE_SIZE; at++) {
			struct tls_library library;
			struct tls_image file;

			tls_image_init(&file, &kinds[i], tls_openssl_3, N(tls_openssl_3));
			file.bytes[at] ^= 0xff;
			if (find(&file, kinds[i].machine, &library) < 0)
				continue;
			assert_int_equal(library.functions[0].kind, TLS_FUNCTION_RECV_AT);
			assert_int_equal(library.functions[0].offset, TLS_AT(1));
			assert_int_equal(library.functions[1].offset, TLS_AT(3));
		}
}

/* Cut short anywhere. */
static void test_short(void **state)
{
	struct tls_library library;
	struct tls_image file;
	_cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);

	(void)state;
	tls_image_init(&file, &x86, tls_boring, N(tls_boring));
	assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
	for (off_t len = sizeof(file) - 1; len >= 0; len--) {
		assert_int_equal(ftruncate(fd, len), 0);
		assert_true(tls_stripped_find(fd, EM_X86_64, NULL, &library) < 0);
	}
}

/* The oldest file goes; one that is known already takes no other's place. */
static void test_cache_full(void **state)
{
	static struct tls_cache cache;
	static struct tls_hints hints;

	(void)state;
	for (uint64_t i = 0; i < TLS_CACHE_FILES; i++)
		tls_cache_add(&cache, "ab", i, &hints);
	hints.n_functions = 7;
	tls_cache_add(&cache, "ab", 3, &hints);
	tls_cache_add(&cache, "", 100, &hints);
	tls_cache_add(NULL, "ab", 100, &hints);
	assert_non_null(tls_cache_find(&cache, "ab", 0));
	assert_int_equal(tls_cache_find(&cache, "ab", 3)->n_functions, 7);
	tls_cache_add(&cache, "ac", 3, &hints);
	assert_null(tls_cache_find(&cache, "ab", 0));
	assert_non_null(tls_cache_find(&cache, "ab", 1));
	assert_non_null(tls_cache_find(&cache, "ac", 3));
	assert_null(tls_cache_find(NULL, "ac", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openssl),		cmocka_unit_test(test_openssl_inlined),
		cmocka_unit_test(test_boringssl),	cmocka_unit_test(test_openssl_doubt),
		cmocka_unit_test(test_boringssl_doubt), cmocka_unit_test(test_both),
		cmocka_unit_test(test_hinted),		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_short),		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_used),	cmocka_unit_test(test_cache_full),
	};

	return cmocka_run_group_tests_name("discover/tls_stripped", tests, NULL, NULL);
}
