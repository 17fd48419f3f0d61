/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/eh_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

#include "tls_image.h"

static const struct tls_kind x86 = { EM_X86_64, false };

static const struct tls_code functions[] = {
	{ .len = 0x60 },
	{ .len = 0x30 },
	{ .part = true },
	{ .len = 0x60 },
};

#define LINE_AT(function)  (TLS_TABLE_AT + 12 + 8 * (function))
#define FRAME_AT(function) (TLS_FRAMES_AT + ((function) + 1) * TLS_FRAME_LEN)

static void init(struct tls_image *file)
{
	tls_image_init(file, &x86, functions, 4);
}

/* What is at an address, or why nothing can be said. */
static int find(const struct tls_image *file, uint64_t address, struct eh_function *ret_function)
{
	_cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);
	_cleanup_(go_image_close) struct go_image image = { 0 };
	struct eh_frame frame;
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, sizeof(*file)), sizeof(*file));
	r = go_image_open(fd, EM_X86_64, &image);
	if (r == 0)
		r = eh_frame_open(&image, &frame);
	return r < 0 ? r : eh_frame_find(&frame, TLS_BASE + address, ret_function);
}

static void check(const struct tls_image *file, uint64_t address, uint64_t start, uint64_t end)
{
	struct eh_function function;

	assert_int_equal(find(file, address, &function), 0);
	assert_int_equal(function.start, TLS_BASE + start);
	assert_int_equal(function.end, TLS_BASE + end);
}

static void test_functions(void **state)
{
	struct tls_image file;
	struct eh_function none;

	(void)state;
	init(&file);
	check(&file, TLS_AT(0), TLS_AT(0), TLS_AT(1));
	check(&file, TLS_AT(1) - 1, TLS_AT(0), TLS_AT(1));
	check(&file, TLS_AT(1) + 0x2f, TLS_AT(1), TLS_AT(1) + 0x30);
	check(&file, TLS_AT(4) - 1, TLS_AT(3), TLS_AT(4));
	assert_int_equal(find(&file, TLS_AT(0) - 1, &none), -ENOENT);
	assert_int_equal(find(&file, TLS_AT(1) + 0x30, &none), -ENOENT);
	assert_int_equal(find(&file, TLS_AT(4), &none), -ENOENT);
	/* it is jumped into */
	assert_int_equal(find(&file, TLS_AT(2), &none), -ENOENT);
}

/* With one byte of the file as it is not, how is the first function found? */
static int result_with(size_t at, uint8_t byte)
{
	struct tls_image file;
	struct eh_function function;

	init(&file);
	file.bytes[at] = byte;
	return find(&file, TLS_AT(0), &function);
}

static void test_forms(void **state)
{
	struct tls_image file;
	struct eh_function function;

	(void)state;
	/* the table: its version, and how it is written; how many there are */
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(result_with(TLS_TABLE_AT + i, 0x2b), -EOPNOTSUPP);
	assert_int_equal(result_with(TLS_TABLE_AT + 8, 0), -EBADMSG);
	assert_int_equal(result_with(TLS_TABLE_AT + 8, 200), -EBADMSG);
	assert_int_equal(result_with(TLS_TABLE_AT + 11, 1), -E2BIG);
	/* no such table */
	assert_int_equal(result_with(sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), PT_NOTE), -ENOENT);
	/* what all have in common: no length, a function's, its version, its letters */
	assert_int_equal(result_with(TLS_FRAMES_AT + 4, 1), -EBADMSG);
	assert_int_equal(result_with(TLS_FRAMES_AT + 8, 3), -EBADMSG);
	assert_int_equal(result_with(TLS_FRAMES_AT + 9, 'e'), -EOPNOTSUPP);
	assert_int_equal(result_with(TLS_FRAMES_AT + 10, 'S'), -EOPNOTSUPP);
	assert_int_equal(result_with(TLS_FRAMES_AT + 10, 0), -EOPNOTSUPP);
	assert_int_equal(result_with(TLS_FRAMES_AT + 16, 0x00), -EOPNOTSUPP);
	/* a function that begins elsewhere, or goes on into the next one */
	assert_int_equal(result_with(FRAME_AT(0) + 8, 0), -EBADMSG);
	assert_int_equal(result_with(FRAME_AT(0) + 12, 0x61), -EBADMSG);
	assert_int_equal(result_with(FRAME_AT(0) + 16, 0x80), -EBADMSG);
	assert_int_equal(result_with(FRAME_AT(0) + 16, 0x7f), -EBADMSG);
	/* of 64 bits */
	init(&file);
	tls_put(&file, FRAME_AT(0), UINT32_MAX, 4);
	assert_int_equal(find(&file, TLS_AT(0), &function), -EOPNOTSUPP);
}

/* C++: with a handler of exceptions. */
static void test_exceptions(void **state)
{
	static const uint8_t common[TLS_FRAME_LEN] = {
		TLS_FRAME_LEN - 4,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		1,
		'z',
		'P',
		'R',
		0,
		1,
		0x78,
		16,
		6,
		0x9b,
		1,
		2,
		3,
		4,
		0x1b,
	};
	struct tls_image file;
	struct eh_function none;

	(void)state;
	init(&file);
	memcpy(file.bytes + TLS_FRAMES_AT, common, sizeof(common));
	check(&file, TLS_AT(0), TLS_AT(0), TLS_AT(1));
	file.bytes[TLS_FRAMES_AT + 17] = 0x00;
	assert_int_equal(find(&file, TLS_AT(0), &none), -EOPNOTSUPP);
}

/* Any byte that is changed: refused, or within bounds, and it begins where it is told to. */
static void test_changed(void **state)
{
	struct tls_image file;
	struct eh_function function;

	(void)state;
	for (size_t at = 0; at < TLS_IMAGE_SIZE; at++)
		for (size_t i = 0; i < 4; i++) {
			init(&file);
			file.bytes[at] ^= 0x55;
			if (find(&file, TLS_AT(i), &function) < 0)
				continue;
			assert_true(function.start <= TLS_BASE + TLS_AT(i));
			assert_true(function.end > TLS_BASE + TLS_AT(i));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_changed),
	};

	return cmocka_run_group_tests_name("discover/eh_frame", tests, NULL, NULL);
}
