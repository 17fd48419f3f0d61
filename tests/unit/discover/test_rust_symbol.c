/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "base/cleanup.h"
#include "discover/rust_symbol.h"
#include "discover/tls_library.h"

/* As rustc 1.95 has written them: of rustls 0.21 and 0.23, in both ways of mangling. */
static const char *const encrypts[] = {
	"_ZN95_$LT$rustls..tls12..cipher..GcmMessageEncrypter$u20$as$u20$rustls..cipher.."
	"MessageEncrypter$GT$7encrypt17h580592816c048344E",
	"_ZN89_$LT$rustls..tls13..Tls13MessageEncrypter$u20$as$u20$rustls..cipher.."
	"MessageEncrypter$GT$7encrypt17h8e780b90cbe50b5fE",
	"_ZN122_$LT$rustls..crypto..ring..tls12..ChaCha20Poly1305MessageEncrypter$u20$as$u20$"
	"rustls..crypto..cipher..MessageEncrypter$GT$7encrypt17h995d1bb583af5deaE",
	"_ZN111_$LT$rustls..crypto..ring..tls13..Tls13MessageEncrypter$u20$as$u20$rustls..crypto.."
	"cipher..MessageEncrypter$GT$7encrypt17had69d5082b5f1098E.llvm.9012385225876642649",
	"_RNvXs2_NtNtNtCscwmbPMg72Ip_6rustls6crypto4ring5tls13NtB5_21Tls13MessageEncrypterNtNtB9_"
	"6cipher16MessageEncrypter7encrypt",
	"_RNvXs3_NtNtNtCscwmbPMg72Ip_6rustls6crypto4ring5tls12NtB5_"
	"32ChaCha20Poly1305MessageEncrypterNtNtB9_6cipher16MessageEncrypter7encrypt.llvm.1775",
};

static const char *const handles[] = {
	"_ZN141_$LT$rustls..client..tls13..ExpectTraffic$u20$as$u20$rustls..common_state..State$LT$"
	"rustls..client..client_conn..ClientConnectionData$GT$$GT$6handle17hdbb65f28f07d3fb5E",
	"_ZN141_$LT$rustls..server..tls12..ExpectTraffic$u20$as$u20$rustls..common_state..State$LT$"
	"rustls..server..server_conn..ServerConnectionData$GT$$GT$6handle17h1d13a358c3d3ad78E",
	"_RNvXs9_NtNtCscwmbPMg72Ip_6rustls6client5tls13NtB5_13ExpectTrafficINtNtB9_12common_state"
	"5StateNtNtB7_11client_conn20ClientConnectionDataE6handle",
};

static const char *const others[] = {
	"",
	"_ZN",
	"_R",
	"SSL_write",
	"encrypt",
	"MessageEncrypter7encrypt",
	"_ZN92_$LT$rustls..cipher..InvalidMessageEncrypter$u20$as$u20$rustls..cipher.."
	"MessageEncrypter$GT$7encrypt17h930c7aac53cd8babE.llvm.1766884353639346358",
	"_RNvXsb_NtNtCscwmbPMg72Ip_6rustls6crypto6cipherNtB5_23InvalidMessageEncrypterNtB5_"
	"16MessageEncrypter7encrypt.llvm.17754060051363027947",
	"_ZN111_$LT$rustls..crypto..ring..tls13..Tls13MessageEncrypter$u20$as$u20$rustls..crypto.."
	"cipher..MessageEncrypter$GT$21encrypted_payload_len17h4c28b9571eff867aE",
	"_ZN111_$LT$othertls..crypto..ring..tls13..Tls13MessageEncrypter$u20$as$u20$othertls.."
	"MessageEncrypter$GT$7encrypt17had69d5082b5f1098E",
	"_ZN138_$LT$rustls..client..tls13..ExpectQuicTraffic$u20$as$u20$rustls..common_state..State"
	"$LT$rustls..client..client_conn..ClientConnectionData$GT$$GT$6handle17h0123456789abcdefE",
	"_ZN100_$LT$rustls..client..tls13..ExpectTraffic$u20$as$u20$rustls..conn..kernel.."
	"KernelState$GT$25handle_new_session_ticket17h0123456789abcdefE",
	"_RNvXs9_NtNtCscwmbPMg72Ip_6rustls6client5tls13NtB5_13ExpectTrafficINtNtB9_12common_state"
	"5StateNtNtB7_11client_conn20ClientConnectionDataE6handles",
	"_RNCNvXs9_NtNtCscwmbPMg72Ip_6rustls6client5tls13NtB7_13ExpectTrafficINtNtBb_12common_state"
	"5StateNtNtB9_11client_conn20ClientConnectionDataE6handle0Bb_",
};

static void assert_all(const char *const *names, size_t n, enum rust_symbol symbol)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(rust_symbol_of(names[i]), symbol);
}

#define ASSERT_ALL(names, symbol) assert_all(names, sizeof(names) / sizeof(names[0]), symbol)

static void test_names(void **state)
{
	(void)state;
	ASSERT_ALL(encrypts, RUST_SYMBOL_ENCRYPT);
	ASSERT_ALL(handles, RUST_SYMBOL_HANDLE);
	ASSERT_ALL(others, RUST_SYMBOL_OTHER);
}

/* This program has such functions itself. */
__attribute__((used, noinline)) static int sum(volatile const int *numbers) __asm__(
	"_ZN89_$LT$rustls..tls13..Tls13MessageEncrypter$u20$as$u20$rustls..cipher.."
	"MessageEncrypter$GT$7encrypt17h8e780b90cbe50b5fE");
__attribute__((used, noinline)) static int product(volatile const int *numbers) __asm__(
	"_RNvXs9_NtNtCscwmbPMg72Ip_6rustls6client5tls13NtB5_13ExpectTrafficINtNtB9_"
	"12common_state5StateNtNtB7_11client_conn20ClientConnectionDataE6handle");

static int sum(volatile const int *numbers)
{
	return numbers[0] + numbers[1] + numbers[2];
}

static int product(volatile const int *numbers)
{
	return numbers[0] * numbers[1] * numbers[2];
}

static void test_program(void **state)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	static volatile const int numbers[] = { 1, 2, 3 };
	struct tls_library library;

	(void)state;
	assert_int_equal(sum(numbers), product(numbers));
	assert_int_equal(tls_library_read(fd, NULL, &library), 0);
	assert_string_equal(library.name, "rustls");
	assert_true(library.direct);
	assert_int_equal(library.n_functions, 2);
	for (size_t i = 0; i < library.n_functions; i++)
		assert_true(library.functions[i].kind == TLS_FUNCTION_RUST_WRITE ||
			    library.functions[i].kind == TLS_FUNCTION_RUST_READ);
	assert_int_not_equal(library.functions[0].kind, library.functions[1].kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_program),
	};

	return cmocka_run_group_tests_name("discover/rust_symbol", tests, NULL, NULL);
}
