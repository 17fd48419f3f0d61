/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "classify/tls.h"

static void test_starts(void **state)
{
	static const struct {
		uint8_t bytes[6];
		uint32_t len;
		int starts;
	} rows[] = {
		{ { 22, 3, 1, 2, 0, 1 }, 6, 1 },    /* ClientHello */
		{ { 22, 3, 3, 0, 122, 2 }, 5, 1 },  /* ServerHello */
		{ { 23, 3, 3, 0, 30, 0 }, 6, 1 },   /* in the middle of a connection */
		{ { 22, 3, 1, 2, 0, 1 }, 4, 0 },    /* not all of the header */
		{ { 23, 3, 3, 0x48, 1, 0 }, 6, 0 }, /* longer than a record can be */
		{ { 23, 3, 3, 0, 0, 0 }, 6, 0 },    /* nothing in it */
		{ { 23, 3, 5, 0, 30, 0 }, 6, 0 },   /* no such version */
		{ { 20, 3, 3, 0, 1, 1 }, 6, 0 },    /* nothing begins with these */
		{ { 'G', 'E', 'T', ' ', '/', ' ' }, 6, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(tls_starts(rows[i].bytes, rows[i].len), rows[i].starts);
}

static void test_record_len(void **state)
{
	static const uint8_t longest[5] = { 23, 3, 3, 0x48, 0 }, longer[5] = { 23, 3, 3, 0x48, 1 };
	static const uint8_t alert[5] = { 21, 3, 3, 0, 2 }, other[5] = { 25, 3, 3, 0, 2 };

	(void)state;
	assert_int_equal(tls_record_len(longest), TLS_RECORD_MAX);
	assert_int_equal(tls_record_len(longer), 0);
	assert_int_equal(tls_record_len(alert), 2);
	assert_int_equal(tls_record_len(other), 0);
}

/* What of a write is in a record of that length. */
static void test_fragment(void **state)
{
	static const struct {
		uint32_t size, len, fragment;
	} rows[] = {
		{ 100, 117, 100 },		   /* TLS 1.3 */
		{ 100, 124, 100 },		   /* 1.2 with GCM */
		{ 100, 116, 100 },		   /* with ChaCha20 */
		{ 16384, 16401, 16384 },	   /* the largest */
		{ 100, 100 + TLS_ADDED_MAX, 100 }, /* with all the padding that there is */
		{ 100, 101 + TLS_ADDED_MAX, 0 },   /* another one's */
		{ 16385, 16401, 16384 },	   /* the first of two */
		{ 1000000, 16408, 16384 },
		{ 1000000, 4113, 4096 }, /* smaller records were asked for */
		{ 100, 19, 0 },		 /* an alert */
		{ 100, 3, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(tls_fragment(rows[i].size, rows[i].len), rows[i].fragment);
}

/* The same where what the cipher adds is known. */
static void test_fragment_exact(void **state)
{
	static const struct {
		uint32_t size, len, added, fragment;
	} rows[] = {
		{ 100, 117, 17, 100 },
		{ 3000, 1203, 17, 1186 },
		{ 40000, 16401, 17, 16384 },
		{ 40000, 1210, 24, 1186 },
		{ 100, 19, 17, 0 },
		{ 100, 17, 17, 0 },
		{ 100, 101 + TLS_ADDED_MAX, 17, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(tls_fragment_exact(rows[i].size, rows[i].len, rows[i].added),
				 rows[i].fragment);
}

#define SESSION_LEN 32
#define CIPHER	    (TLS_HELLO_SESSION + 1 + SESSION_LEN)
#define EXTENSIONS  (TLS_HELLO_SESSION + 1 + SESSION_LEN + 5)

/* A ServerHello of TLS 1.2 with one extension before what is added; its length. */
static uint32_t hello(struct piece *piece, const uint8_t *extension, uint32_t len)
{
	static const uint8_t other[] = { 0xff, 1, 0, 1, 0 };

	memset(piece, 0, sizeof(*piece));
	piece->data[0] = TLS_SERVER_HELLO;
	piece->data[4] = 3;
	piece->data[5] = 3;
	piece->data[TLS_HELLO_SESSION] = SESSION_LEN;
	piece->data[CIPHER] = 0x13;
	piece->data[CIPHER + 1] = 2;
	memcpy(piece->data + EXTENSIONS, other, sizeof(other));
	memcpy(piece->data + EXTENSIONS + sizeof(other), extension, len);
	return EXTENSIONS + sizeof(other) + len;
}

static void test_version(void **state)
{
	static const uint8_t supported[] = { 0, 43, 0, 2, 3, 4 }, later[] = { 0, 43, 0, 2, 3, 5 };
	struct piece piece;
	uint32_t len;

	(void)state;
	len = hello(&piece, supported, sizeof(supported));
	assert_int_equal(tls_hello_version(&piece, len), TLS_VERSION_1_3);
	assert_int_equal(tls_hello_cipher(&piece, len), 0x1302);
	assert_int_equal(tls_hello_cipher(&piece, CIPHER + 2), 0x1302);
	assert_int_equal(tls_hello_cipher(&piece, CIPHER + 1), 0);
	/* what the end cuts off is not read */
	assert_int_equal(tls_hello_version(&piece, len - 1), TLS_VERSION_1_2);
	assert_int_equal(tls_hello_version(&piece, TLS_HELLO_SESSION), TLS_VERSION_NONE);
	len = hello(&piece, supported, 0);
	assert_int_equal(tls_hello_version(&piece, len), TLS_VERSION_1_2);
	len = hello(&piece, later, sizeof(later));
	assert_int_equal(tls_hello_version(&piece, len), TLS_VERSION_UNKNOWN);
	/* a ClientHello names what it offers, and settles nothing */
	piece.data[0] = 1;
	assert_int_equal(tls_hello_version(&piece, len), TLS_VERSION_NONE);
	assert_int_equal(tls_hello_cipher(&piece, len), 0);
}

/* Whatever lengths it names. */
static void test_version_of_garbage(void **state)
{
	struct piece piece;

	(void)state;
	for (uint32_t byte = 0; byte < 256; byte++) {
		memset(&piece, (int)byte, sizeof(piece));
		piece.data[0] = TLS_SERVER_HELLO;
		for (uint32_t len = 0; len <= PIECE_MAX; len += 7) {
			assert_true(tls_hello_version(&piece, len) < TLS_VERSION_MAX);
			tls_hello_cipher(&piece, len);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts),	 cmocka_unit_test(test_record_len),
		cmocka_unit_test(test_fragment), cmocka_unit_test(test_fragment_exact),
		cmocka_unit_test(test_version),	 cmocka_unit_test(test_version_of_garbage),
	};

	return cmocka_run_group_tests_name("classify/tls", tests, NULL, NULL);
}
