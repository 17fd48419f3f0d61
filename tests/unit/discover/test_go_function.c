/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/go_function.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "go_file.h"

static const struct go_kind kinds[] = {
	{ EM_X86_64, GO_MAGIC_1_17, false },  { EM_X86_64, GO_MAGIC_1_18, false },
	{ EM_X86_64, GO_MAGIC_1_20, false },  { EM_X86_64, GO_MAGIC_1_20, true },
	{ EM_AARCH64, GO_MAGIC_1_18, false }, { EM_AARCH64, GO_MAGIC_1_20, false },
	{ EM_AARCH64, GO_MAGIC_1_20, true },
};

#if defined(__x86_64__)
#define GO_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define GO_MACHINE EM_AARCH64
#endif

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct go_kind x86 = { EM_X86_64, GO_MAGIC_1_20, false };
static const struct go_kind arm = { EM_AARCH64, GO_MAGIC_1_20, false };

static int find_in(const void *bytes, size_t size, uint16_t machine,
		   struct go_function *ret_function)
{
	static const char *const names[] = { GO_NAME };
	int fd = memfd_create("image", MFD_CLOEXEC);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	r = go_functions_find(fd, machine, names, 1, ret_function);
	close(fd);
	return r;
}

static int find(const struct go_file *file, const struct go_kind *kind,
		struct go_function *ret_function)
{
	return find_in(file, sizeof(*file), kind->machine, ret_function);
}

/* What becomes of the function with some byte of the file changed. */
static int result_with(const struct go_kind *kind, size_t at, uint8_t byte)
{
	struct go_file file;
	struct go_function function = { 0 };
	int r;

	go_file_init(&file, kind);
	file.bytes[at] = byte;
	r = find(&file, kind, &function);
	return r < 0 ? r : function.result;
}

static void check_read(const struct go_function *function, const struct go_kind *kind)
{
	const struct go_sample *sample = go_sample_of(kind->machine);

	assert_int_equal(function->result, 0);
	assert_int_equal(function->entry, GO_READ_AT);
	assert_int_equal(function->n_returns, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(function->returns[i], GO_READ_AT + sample->returns[i]);
}

static void test_found(void **state)
{
	struct go_file file;
	struct go_function function;

	(void)state;
	for (size_t i = 0; i < N_KINDS; i++) {
		go_file_init(&file, &kinds[i]);
		assert_int_equal(find(&file, &kinds[i], &function), 0);
		check_read(&function, &kinds[i]);
	}
}

/* A linker may put the table among other data, and the module may be in another section. */
static void test_other_sections(void **state)
{
	struct go_file file;
	struct go_function function;

	(void)state;
	go_file_init(&file, &x86);
	memcpy(file.bytes + GO_STRINGS_AT, "\0.data.rel.ro\0.data\0.rela.dyn\0.shstrtab", 40);
	file.bytes[GO_SECTIONS_AT + GO_SECTION_MODULE * sizeof(Elf64_Shdr)] = 14;
	go_put(&file,
	       GO_SECTIONS_AT + GO_SECTION_TABLE * sizeof(Elf64_Shdr) +
		       offsetof(Elf64_Shdr, sh_addr),
	       GO_BASE + 0x208, 8);
	go_put(&file,
	       GO_SECTIONS_AT + GO_SECTION_TABLE * sizeof(Elf64_Shdr) +
		       offsetof(Elf64_Shdr, sh_offset),
	       0x208, 8);
	go_put(&file,
	       GO_SECTIONS_AT + GO_SECTION_TABLE * sizeof(Elf64_Shdr) +
		       offsetof(Elf64_Shdr, sh_size),
	       GO_TABLE_END - 0x208, 8);
	assert_int_equal(find(&file, &x86, &function), 0);
	check_read(&function, &x86);
}

static void test_several(void **state)
{
	static const char *const names[] = { "main.last", "main.none", GO_NAME, "main.mai",
					     GO_NAME };
	struct go_function functions[5];
	struct go_file file;
	int fd = memfd_create("image", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	go_file_init(&file, &x86);
	assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
	assert_int_equal(go_functions_find(fd, EM_X86_64, names, 5, functions), 0);
	assert_int_equal(functions[0].result, 0);
	assert_int_equal(functions[0].entry, GO_READ_AT + GO_CODE_LEN);
	assert_int_equal(functions[1].result, -ENOENT);
	assert_int_equal(functions[1].entry, 0);
	check_read(&functions[2], &x86);
	assert_int_equal(functions[3].result, -ENOENT);
	check_read(&functions[4], &x86);
	assert_int_equal(go_functions_find(fd, EM_X86_64, names, 0, functions), -EINVAL);
	assert_int_equal(go_functions_find(fd, EM_X86_64, names, GO_FUNCTIONS_MAX + 1, functions),
			 -EINVAL);
	assert_int_equal(go_functions_find(fd, EM_386, names, 1, functions), -EINVAL);
	close(fd);
}

static void test_none(void **state)
{
	struct go_file file;
	struct go_function function;

	(void)state;
	assert_int_equal(result_with(&x86, GO_NAMES_AT + 12, 'x'), -ENOENT);
	/* a name that no function has, as it was inlined everywhere */
	assert_int_equal(result_with(&x86, GO_ABOUT_AT + GO_ABOUT_LEN + 4, 0), -ENOENT);
	/* no section of Go's, or no sections */
	assert_int_equal(result_with(&x86, GO_STRINGS_AT + 1, 'x'), -ENOENT);
	go_file_init(&file, &x86);
	go_put(&file, offsetof(Elf64_Ehdr, e_shoff), 0, 8);
	assert_int_equal(find(&file, &x86, &function), -ENOENT);
}

/* Files of other versions, and functions that no probes may be set in. */
static void test_unsupported(void **state)
{
	static const struct go_kind arm_old = { EM_AARCH64, GO_MAGIC_1_17, false };
	static const struct go_kind left = { EM_X86_64, GO_MAGIC_1_17, true };
	struct go_file file;
	struct go_function function;

	(void)state;
	assert_int_equal(result_with(&x86, GO_TABLE_AT, 0xfb), -EOPNOTSUPP);
	assert_int_equal(result_with(&x86, GO_TABLE_AT, 0xf2), -EOPNOTSUPP);
	go_file_init(&file, &arm_old);
	assert_int_equal(find(&file, &arm_old, &function), -EOPNOTSUPP);
	/* addresses of functions that the loader is to fill in */
	go_file_init(&file, &left);
	memset(file.bytes + GO_LIST_AT, 0, 8);
	assert_int_equal(find(&file, &left, &function), -EOPNOTSUPP);
	/* assembly; what moves the stack pointer at will; two of one name */
	assert_int_equal(result_with(&x86, GO_ABOUT_AT + GO_ABOUT_LEN + 41, 4), -EOPNOTSUPP);
	assert_int_equal(result_with(&x86, GO_ABOUT_AT + GO_ABOUT_LEN + 41, 2), -EOPNOTSUPP);
	assert_int_equal(result_with(&x86, GO_ABOUT_AT + 4, 10), -EOPNOTSUPP);
	/* Go 1.16, which has the header of 1.17: mov rcx, fs:... */
	assert_int_equal(result_with(&x86, GO_READ_AT, 0x64), -EOPNOTSUPP);
	assert_int_equal(result_with(&arm, GO_READ_AT, 0x10), -EOPNOTSUPP);
}

/* Code at the places of returns that is none, or that hides what it is. */
static void test_code(void **state)
{
	static const struct {
		const struct go_kind *kind;
		uint8_t at, byte;
	} samples[] = {
		{ &x86, 18, 0xe9 }, /* a jump elsewhere */
		{ &x86, 18, 0xcc }, { &x86, 25, 0xe9 }, { &x86, 24, 0x91 },
		{ &x86, 26, 0xc3 }, /* no end that is known */
		{ &x86, 27, 0xc3 }, { &x86, 29, 0x20 }, { &x86, 31, 0xe9 },
		{ &x86, 42, 0x1e }, { &x86, 44, 0xe9 }, { &x86, 45, 0xd3 },
		{ &arm, 24, 0xc1 }, { &arm, 32, 0xc1 }, { &arm, 39, 0x14 },
		{ &arm, 43, 0xd4 }, { &arm, 44, 0xf4 },
	};
	struct go_file file;
	struct go_function function;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (result_with(samples[i].kind, GO_READ_AT + samples[i].at, samples[i].byte) !=
		    -EOPNOTSUPP)
			fail_msg("byte %d of sample %zu", samples[i].at, i);
	/* one more return, where the table has none: a constant perhaps */
	go_file_init(&file, &arm);
	go_put(&file, GO_READ_AT + 48, 0xd65f03c0, 4);
	assert_int_equal(find(&file, &arm, &function), 0);
	assert_int_equal(function.result, -EOPNOTSUPP);
	/* the end may be a return, and nothing */
	go_file_init(&file, &arm);
	memset(file.bytes + GO_READ_AT + 36, 0, 28);
	assert_int_equal(find(&file, &arm, &function), 0);
	check_read(&function, &arm);
	go_file_init(&file, &x86);
	file.bytes[GO_DELTAS_AT + 16] = 2;
	assert_int_equal(find(&file, &x86, &function), 0);
	check_read(&function, &x86);
}

/* Go's own program for the purpose, stripped or not, if there is one. */
static void test_real_program(void **state)
{
	static const char *const paths[] = { "/usr/local/go/bin/go", "/usr/lib/go/bin/go",
					     "/usr/bin/go" };
	static const char *const names[] = { GO_NAME, "crypto/tls.(*Conn).Write" };
	const uint16_t machine = GO_MACHINE;
	struct go_function functions[2];
	uint8_t code[4];
	int fd = -1;

	(void)state;
	for (size_t i = 0; fd < 0 && i < sizeof(paths) / sizeof(paths[0]); i++)
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		skip();
	assert_int_equal(go_functions_find(fd, machine, names, 2, functions), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(functions[i].result, 0);
		assert_true(functions[i].n_returns > 1);
		for (size_t k = 0; k < functions[i].n_returns; k++) {
			assert_int_equal(pread(fd, code, 4, (off_t)functions[i].returns[k]), 4);
			assert_true(machine == EM_X86_64 ? code[0] == 0xc3 : code[3] == 0xd6);
		}
	}
	close(fd);
}

static void put_deltas(struct go_file *file, const uint8_t *deltas, size_t len)
{
	memset(file->bytes + GO_DELTAS_AT, 0, GO_LIST_AT - GO_DELTAS_AT);
	memcpy(file->bytes + GO_DELTAS_AT, deltas, len);
}

static void test_deltas(void **state)
{
	static const struct {
		uint8_t deltas[12];
		int expected;
	} samples[] = {
		{ { 0, 2, 46, 0 }, -EOPNOTSUPP },			/* no frame */
		{ { 0, 2, 7, 16, 39, 0 }, -EOPNOTSUPP },		/* no return */
		{ { 0, 2, 7, 16, 11, 15, 2, 16, 26, 0 }, -EOPNOTSUPP }, /* more than a return */
		{ { 0, 2, 0 }, -EBADMSG },
		{ { 0, 0 }, -EBADMSG },
		{ { 0, 2, 65, 0 }, -EBADMSG },	    /* beyond the function */
		{ { 0, 2, 7, 3, 1, 0 }, -EBADMSG }, /* below the stack pointer at the entry */
		{ { 0, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0 }, -EBADMSG },
		{ { 0, 2, 0xff, 0xff, 0xff, 0xff, 0x1f, 0 }, -EBADMSG },
		{ { 0, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0 }, -EBADMSG },
	};
	struct go_file file;
	struct go_function function;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		go_file_init(&file, &x86);
		put_deltas(&file, samples[i].deltas, sizeof(samples[i].deltas));
		assert_int_equal(find(&file, &x86, &function), 0);
		assert_int_equal(function.result, samples[i].expected);
		assert_int_equal(function.entry, 0);
		assert_int_equal(function.n_returns, 0);
	}
	/* no table, and one that is not there */
	assert_int_equal(result_with(&x86, GO_ABOUT_AT + GO_ABOUT_LEN + 16, 0), -EBADMSG);
	assert_int_equal(result_with(&x86, GO_ABOUT_AT + GO_ABOUT_LEN + 16, 0xff), -EBADMSG);
}

/* As many returns as there is room for, and one more. */
static void test_many_returns(void **state)
{
	uint8_t deltas[4 * (GO_RETURNS_MAX + 1) + 4];
	struct go_file file;
	struct go_function function;

	(void)state;
	for (size_t n = GO_RETURNS_MAX; n <= GO_RETURNS_MAX + 1; n++) {
		size_t len = 3;

		go_file_init(&file, &x86);
		/* as long as two: the third one has nothing */
		go_put(&file, GO_LIST_AT + 2 * 8, 3 * GO_CODE_LEN, 4);
		memset(file.bytes + GO_READ_AT + 4, 0xc3, 2 * GO_CODE_LEN - 4);
		memcpy(deltas, "\0\x02\x04", 3);
		for (size_t i = 0; i < n; i++, len += 4)
			memcpy(deltas + len, "\x10\x01\x0f\x01", 4);
		deltas[len++] = 0;
		put_deltas(&file, deltas, len);
		assert_int_equal(find(&file, &x86, &function), 0);
		assert_int_equal(function.result, n > GO_RETURNS_MAX ? -E2BIG : 0);
		assert_int_equal(function.n_returns, n > GO_RETURNS_MAX ? 0 : n);
	}
}

/* What no linker writes. */
static void test_malformed(void **state)
{
	struct go_function function;
	struct go_file file;

	(void)state;
	assert_int_equal(result_with(&x86, EI_CLASS, ELFCLASS32), -EBADMSG);
	assert_int_equal(result_with(&x86, EI_DATA, ELFDATA2MSB), -EBADMSG);
	assert_int_equal(result_with(&x86, offsetof(Elf64_Ehdr, e_shstrndx), 99), -EBADMSG);
	go_file_init(&file, &x86);
	assert_int_equal(find(&file, &arm, &function), -EBADMSG);
	/* the header: quantum, size of words, no functions, too many, tables that overlap */
	assert_int_equal(result_with(&x86, GO_TABLE_AT + 6, 4), -EBADMSG);
	assert_int_equal(result_with(&x86, GO_TABLE_AT + 7, 4), -EBADMSG);
	assert_int_equal(result_with(&x86, GO_TABLE_AT + 8, 0), -EBADMSG);
	assert_int_equal(result_with(&x86, GO_TABLE_AT + 8, 99), -EBADMSG);
	assert_int_equal(result_with(&x86, GO_TABLE_AT + 15, 1), -E2BIG);
	assert_int_equal(result_with(&x86, GO_TABLE_AT + 32, 0xff), -EBADMSG);
	assert_int_equal(result_with(&x86, GO_TABLE_AT + 64 + 1, 0xff), -EBADMSG);
	/* moduledata of other tables, or of other code */
	for (size_t word = 0; word < GO_MODULE_WORDS; word++) {
		static const bool checked[GO_MODULE_WORDS] = {
			[0] = true,  [1] = true,  [13] = true, [16] = true,
			[17] = true, [20] = true, [21] = true, [GO_WORD_CODE] = true,
		};

		if (checked[word])
			assert_int_equal(result_with(&x86, GO_MODULE_AT + 8 * word, 0x11),
					 -EBADMSG);
	}
	/* the list: not rising, beyond the end */
	assert_int_equal(result_with(&x86, GO_LIST_AT + 8 + 4, 1), -EBADMSG);
	assert_int_equal(result_with(&x86, GO_LIST_AT + 8 + 6, 1), -EBADMSG);
	assert_int_equal(result_with(&x86, GO_LIST_AT + 8 + 1, 1), -EBADMSG);
	assert_int_equal(find_in("#!/bin/sh\n", 10, EM_X86_64, &function), -EBADMSG);
	assert_int_equal(find_in("", 0, EM_X86_64, &function), -EBADMSG);
}

/* However much of it there is. */
static void test_every_cut(void **state)
{
	struct go_function function;
	struct go_file file;

	(void)state;
	for (size_t i = 0; i < N_KINDS; i += 3) {
		go_file_init(&file, &kinds[i]);
		for (size_t len = 0; len < GO_SECTIONS_AT + GO_N_SECTIONS * sizeof(Elf64_Shdr);
		     len++)
			assert_true(find_in(&file, len, kinds[i].machine, &function) < 0);
	}
}

/* Any byte may be anything: an answer, and never a place that is no return. */
static void test_hostile(void **state)
{
	static const uint8_t values[] = { 0x01, 0xff };
	const struct go_sample *sample = go_sample_of(EM_X86_64);
	struct go_function function = { 0 };
	struct go_file file;

	(void)state;
	go_file_init(&file, &x86);
	for (size_t at = 0; at < sizeof(file); at++) {
		uint8_t before = file.bytes[at];

		for (size_t i = 0; i < sizeof(values); i++) {
			file.bytes[at] = values[i];
			if (find(&file, &x86, &function) < 0 || function.result < 0)
				continue;
			for (size_t k = 0; k < function.n_returns; k++)
				assert_int_equal(file.bytes[function.returns[k]],
						 sample->code[sample->returns[0]]);
		}
		file.bytes[at] = before;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),	    cmocka_unit_test(test_other_sections),
		cmocka_unit_test(test_several),	    cmocka_unit_test(test_none),
		cmocka_unit_test(test_unsupported), cmocka_unit_test(test_code),
		cmocka_unit_test(test_deltas),	    cmocka_unit_test(test_many_returns),
		cmocka_unit_test(test_malformed),   cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_hostile),	    cmocka_unit_test(test_real_program),
	};

	return cmocka_run_group_tests_name("discover/go_function", tests, NULL, NULL);
}
