/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/code_refs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

#define AT 0x401000 /* address of the code */

static const struct code_target targets[] = {
	{ 0x402000, 0x402000, 1 },
	{ 0x402010, 0x40201f, 2 },
};

static struct code_ref refs[4];

static struct code_scan scan_of(uint16_t machine, bool absolute)
{
	struct code_scan scan = { .machine = machine,
				  .absolute = absolute,
				  .targets = targets,
				  .n_targets = 2,
				  .refs = refs,
				  .refs_max = 4 };

	code_scan_begin(&scan);
	return scan;
}

static void check(size_t i, uint64_t at, unsigned int what, int argument)
{
	assert_int_equal(refs[i].at, at);
	assert_int_equal(refs[i].what, what);
	assert_int_equal(refs[i].argument, argument);
}

static void test_x86(void **state)
{
	static const uint8_t code[] = {
		0x48, 0x8d, 0x15, 0xf9, 0x0f, 0x00, 0x00, /* lea rdx, [rip+...]: 0x402000 */
		0x48, 0x8d, 0x3d, 0x0a, 0x10, 0x00, 0x00, /* 7: lea rdi: 0x402018 */
		0x4c, 0x8d, 0x05, 0xfb, 0x0f, 0x00, 0x00, /* 14: lea r8: 0x402010 */
		0x48, 0x8d, 0x0d, 0x04, 0x10, 0x00, 0x00, /* 21: lea rcx: 0x402020, behind it */
		0x48, 0x8d, 0x7d, 0xe4, 0x0f, 0x00, 0x00, /* 28: lea rdi, [rbp+...] */
		0xbe, 0x00, 0x20, 0x40, 0x00,		  /* 35: mov esi, 0x402000 */
		0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
	};
	struct code_scan scan = scan_of(EM_X86_64, false);
	int n;

	(void)state;
	n = code_scan_add(&scan, code, sizeof(code), AT);
	assert_int_equal(n, sizeof(code) - 6);
	assert_int_equal(scan.n_refs, 3);
	check(0, AT, 1, 2);
	check(1, AT + 7, 2, 0);
	check(2, AT + 14, 2, -1);
	scan = scan_of(EM_X86_64, true);
	assert_true(code_scan_add(&scan, code, sizeof(code), AT) > 0);
	assert_int_equal(scan.n_refs, 4);
	check(0, AT + 35, 1, 1);
	assert_int_equal(code_scan_add(&scan, code, 6, AT), 0);
	assert_int_equal(code_scan_add(&scan, code, sizeof(code), AT), -E2BIG);
}

/* However it is cut, as long as what is not done with is given again, each is found once. */
static void test_x86_pieces(void **state)
{
	uint8_t code[64];

	(void)state;
	memset(code, 0x90, sizeof(code));
	memcpy(code + 20, "\x48\x8d\x15\xe5\x0f\x00\x00\xbe\x00\x20\x40\x00", 12);
	for (size_t cut = 7; cut < sizeof(code); cut++) {
		struct code_scan scan = scan_of(EM_X86_64, true);
		int n = code_scan_add(&scan, code, cut, AT);

		assert_true(n > 0);
		assert_true(code_scan_add(&scan, code + n, sizeof(code) - (size_t)n,
					  AT + (uint64_t)n) >= 0);
		assert_int_equal(scan.n_refs, 2);
	}
}

static void scan_arm(const uint32_t *words, size_t n, size_t expected)
{
	struct code_scan scan = scan_of(EM_AARCH64, false);

	assert_int_equal(code_scan_add(&scan, (const uint8_t *)words, n * 4, AT), n * 4);
	assert_int_equal(scan.n_refs, expected);
}

/* As aarch64-linux-gnu-gcc 12 -O2 writes them. */
static void test_arm(void **state)
{
	static const uint32_t plain[] = {
		0xb0000002, /* adrp x2, 0x402000 */
		0xb0000000, /* adrp x0 */
		0x91000042, /* 8: add x2, x2, #0 */
		0x91004000, /* 12: add x0, x0, #16 */
		0x94000000, /* bl */
		0x91000041, /* add x1, x2, #0: the call may have changed it */
	};
	static const uint32_t kept[] = {
		0xb0000013, /* adrp x19 */
		0x91007273, /* 4: add x19, x19, #28 */
		0x94000000, /* bl */
		0xaa1303e3, /* 12: mov x3, x19 */
	};
	static const uint32_t anchor[] = {
		0xb0000002, /* adrp x2 */
		0x91000042, /* 4: add x2, x2, #0: where constants begin */
		0x91004042, /* 8: add x2, x2, #16 */
	};
	static const uint32_t near[] = { 0x10008002 /* adr x2, 0x402000 */ };

	(void)state;
	scan_arm(plain, 6, 2);
	check(0, AT + 8, 1, 2);
	check(1, AT + 12, 2, 0);
	scan_arm(kept, 4, 2);
	check(0, AT + 4, 2, -1);
	check(1, AT + 12, 2, 3);
	scan_arm(anchor, 3, 2);
	check(0, AT + 4, 1, -1);
	check(1, AT + 8, 2, 2);
	scan_arm(near, 1, 1);
	check(0, AT, 1, 2);
}

static void test_arm_lost(void **state)
{
	static const uint32_t written[] = {
		0xb0000002, /* adrp x2 */
		0xf9400022, /* ldr x2, [x1] */
		0x91000042, /* add x2, x2, #0 */
	};
	static const uint32_t pair[] = {
		0xb0000002, /* adrp x2 */
		0xa9400bc1, /* ldp x1, x2, [x30] */
		0x91000042, /* add x2, x2, #0 */
	};
	static const uint32_t left[] = {
		0xb0000002, /* adrp x2 */
		0xd65f03c0, /* ret */
		0x91000042, /* add x2, x2, #0 */
	};
	static const uint32_t far[] = {
		0xb0000002, /* adrp x2 */
		0x91400042, /* add x2, x2, #0, lsl #12 */
		0x91400442, /* add x2, x2, #1, lsl #12 */
		0xd0000003, /* adrp x3, 0x403000 */
		0x91000063, /* add x3, x3, #0 */
		0x9100007f, /* add sp, x3, #0 */
	};

	(void)state;
	scan_arm(written, 3, 0);
	scan_arm(pair, 3, 0);
	scan_arm(left, 3, 0);
	scan_arm(far, 6, 1);
	check(0, AT + 4, 1, -1);
}

static void test_calls(void **state)
{
	static const uint8_t x86[] = { 0x90, 0xe8, 0xfa, 0xff, 0xff, 0xff,
				       0xe9, 0xf5, 0xff, 0xff, 0xff };	      /* call AT, jmp AT */
	static const uint32_t arm[] = { 0xd503201f, 0x97ffffff, 0x17fffffe }; /* bl AT, b AT */

	(void)state;
	assert_int_equal(code_find_call(EM_X86_64, x86, sizeof(x86), AT, AT), 1);
	assert_int_equal(code_find_call(EM_X86_64, x86, sizeof(x86), AT, AT + 1), sizeof(x86));
	assert_int_equal(code_find_call(EM_X86_64, x86, 5, AT, AT), 5);
	assert_int_equal(code_find_call(EM_AARCH64, (const uint8_t *)arm, 12, AT, AT), 4);
	assert_int_equal(code_find_call(EM_AARCH64, (const uint8_t *)arm, 12, AT, AT + 4), 12);
	assert_int_equal(code_find_call(EM_AARCH64, (const uint8_t *)arm, 7, AT, AT), 7);
}

static void test_numbers(void **state)
{
	static const uint8_t x86[] = { 0xba, 0xe2, 0x00, 0x00, 0x00, 0xbe, 0x0b, 0x02, 0x00, 0x00 };
	static const uint32_t arm[] = { 0x52801c42, 0x52804161 }; /* mov w2, 226; mov w1, 523 */

	(void)state;
	assert_true(code_passes(EM_X86_64, x86, sizeof(x86), 2, 226));
	assert_true(code_passes(EM_X86_64, x86, sizeof(x86), 1, 523));
	assert_false(code_passes(EM_X86_64, x86, sizeof(x86), 1, 226));
	assert_false(code_passes(EM_X86_64, x86, sizeof(x86) - 1, 1, 523));
	assert_false(code_passes(EM_X86_64, x86, sizeof(x86), 4, 226));
	assert_true(code_passes(EM_AARCH64, (const uint8_t *)arm, 8, 2, 226));
	assert_true(code_passes(EM_AARCH64, (const uint8_t *)arm, 8, 1, 523));
	assert_false(code_passes(EM_AARCH64, (const uint8_t *)arm, 7, 1, 523));
	assert_false(code_passes(EM_AARCH64, (const uint8_t *)arm, 8, 2, 523));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86),   cmocka_unit_test(test_x86_pieces),
		cmocka_unit_test(test_arm),   cmocka_unit_test(test_arm_lost),
		cmocka_unit_test(test_calls), cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests_name("discover/code_refs", tests, NULL, NULL);
}
