/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "discover/probe_place.h"

#if defined(__x86_64__)

#define READS (PROBE_PLACE_ARGS_3 | PROBE_PLACE_STACK)

/* Beginnings of functions, as distributions have compiled them. */
static const struct {
	const char *what;
	uint32_t kept;
	uint8_t len;
	uint8_t code[20];
	int advance; /* -1: there is none */
} samples[] = {
	{ "push rbx", READS, 1, { 0x53 }, 0 },
	{ "push r15", READS, 2, { 0x41, 0x57 }, 0 },
	{ "endbr64; push rbp", READS, 5, { 0xf3, 0x0f, 0x1e, 0xfa, 0x55 }, 4 },
	/* gnutls_record_send: xor r8d,r8d; xor ecx,ecx; jmp */
	{ "a tail call",
	  PROBE_PLACE_ARGS_3,
	  10,
	  { 0x45, 0x31, 0xc0, 0x31, 0xc9, 0xe9, 1, 2, 3, 4 },
	  5 },
	{ "the same, of four arguments",
	  PROBE_PLACE_ARGS_4,
	  10,
	  { 0x45, 0x31, 0xc0, 0x31, 0xc9, 0xe9, 1, 2, 3, 4 },
	  -1 },
	{ "sub rsp,8; push", PROBE_PLACE_ARGS_4, 5, { 0x48, 0x83, 0xec, 8, 0x53 }, 4 },
	{ "the same, where returns are wanted",
	  PROBE_PLACE_ARGS_4 | PROBE_PLACE_STACK,
	  5,
	  { 0x48, 0x83, 0xec, 8, 0x53 },
	  -1 },
	{ "call", READS, 5, { 0xe8, 1, 2, 3, 4 }, -1 },
	/* cmp dword [rdi],0; push */
	{ "a comparison", READS, 4, { 0x83, 0x3f, 0, 0x53 }, 3 },
	{ "cmp rdi,0 changes nothing", READS, 5, { 0x48, 0x83, 0xff, 0, 0x53 }, 4 },
	{ "add rdi,0 may", READS, 5, { 0x48, 0x83, 0xc7, 0, 0x53 }, -1 },
	{ "mov rax,fs:0x28; push",
	  READS,
	  10,
	  { 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, 0x53 },
	  9 },
	{ "mov [rsp+8],rax; push", READS, 6, { 0x48, 0x89, 0x44, 0x24, 8, 0x53 }, 5 },
	{ "lea rax,[rip+4]; push", READS, 8, { 0x48, 0x8d, 0x05, 4, 0, 0, 0, 0x53 }, 7 },
	{ "mov eax,1; push", READS, 6, { 0xb8, 1, 0, 0, 0, 0x53 }, 5 },
	{ "mov rax,1; push", READS, 11, { 0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0, 0x53 }, 10 },
	{ "mov edx,1", READS, 6, { 0xba, 1, 0, 0, 0, 0x53 }, -1 },
	{ "mov r10d,1; push", READS, 7, { 0x41, 0xba, 1, 0, 0, 0, 0x53 }, 6 },
	{ "movsxd rdx,edx", READS, 4, { 0x48, 0x63, 0xd2, 0x53 }, -1 },
	{ "mov dh,al", READS, 3, { 0x88, 0xc6, 0x53 }, -1 },
	{ "test edx,edx; js", READS, 4, { 0x85, 0xd2, 0x78, 0x2f }, -1 },
	{ "ret", READS, 1, { 0xc3 }, -1 },
	{ "pause", READS, 3, { 0xf3, 0x90, 0x53 }, -1 },
	{ "push with a size", READS, 2, { 0x66, 0x50 }, -1 },
	/* Go: cmp rsp,[r14+16]; jbe; push rbp */
	{ "Go, small frame", PROBE_PLACE_GO, 7, { 0x49, 0x3b, 0x66, 0x10, 0x76, 5, 0x55 }, 6 },
	{ "Go, far jump",
	  PROBE_PLACE_GO,
	  11,
	  { 0x49, 0x3b, 0x66, 0x10, 0x0f, 0x86, 1, 2, 3, 4, 0x55 },
	  10 },
	/* lea r12,[rsp-88]; cmp r12,[r14+16]; jbe; sub rsp,88 */
	{ "Go, without a frame pointer",
	  PROBE_PLACE_GO,
	  15,
	  { 0x4c, 0x8d, 0x64, 0x24, 0xa8, 0x4d, 0x3b, 0x66, 0x10, 0x76, 5, 0x48, 0x83, 0xec, 0x58 },
	  9 },
};

/* As much of it as there is, in a buffer that ends there. */
static struct probe_place place_of(const uint8_t *code, size_t len, uint32_t kept)
{
	uint8_t *copy = malloc(len + !len);
	struct probe_place place;

	assert_non_null(copy);
	memcpy(copy, code, len);
	place = probe_place(copy, len, kept);
	free(copy);
	return place;
}

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct probe_place place =
			place_of(samples[i].code, samples[i].len, samples[i].kept);

		print_message("%s\n", samples[i].what);
		assert_int_equal(place.stepped, samples[i].advance < 0);
		assert_int_equal(place.advance, samples[i].advance < 0 ? 0 : samples[i].advance);
	}
}

/* What is cut off anywhere is read within its bounds. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		for (size_t len = 0; len < samples[i].len; len++) {
			struct probe_place place = place_of(samples[i].code, len, samples[i].kept);

			assert_true(place.advance < len || len == 0);
			assert_true(!place.stepped || place.advance == 0);
		}
}

static void test_call(void **state)
{
	/* push rbx; sub rsp,8; call +0x100 */
	static const uint8_t passes[] = { 0x53, 0x48, 0x83, 0xec, 8, 0xe8, 0, 1, 0, 0 };
	/* mov rdx,rsi; call */
	static const uint8_t changes[] = { 0x48, 0x89, 0xf2, 0xe8, 0, 1, 0, 0 };
	uint64_t target = 0;

	(void)state;
	assert_true(probe_place_call(passes, sizeof(passes), PROBE_PLACE_ARGS_4, 0x1000, &target));
	assert_int_equal(target, 0x1000 + sizeof(passes) + 0x100);
	assert_false(probe_place_call(changes, sizeof(changes), PROBE_PLACE_ARGS_4, 0, &target));
	for (size_t len = 0; len < sizeof(passes); len++)
		assert_false(probe_place_call(passes, len, PROBE_PLACE_ARGS_4, 0, &target));
}

#else

static void test_none(void **state)
{
	static const uint8_t code[PROBE_PLACE_CODE_MAX];
	struct probe_place place = probe_place(code, sizeof(code), 0);
	uint64_t target;

	(void)state;
	assert_true(place.stepped);
	assert_int_equal(place.advance, 0);
	assert_false(probe_place_call(code, sizeof(code), 0, 0, &target));
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_call),
#else
		cmocka_unit_test(test_none),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
