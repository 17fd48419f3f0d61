/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "conn/tls_names.h"

#define RANDOM "0123456789abcdef0123456789abcdef"
/* Up to the length of the extensions: a session of four bytes, two suites, no compression. */
#define START	   "\x01\x00\x01\x00\x03\x03" RANDOM "\x04sess\x00\x04\x13\x01\x13\x02\x01\x00"
#define OTHER	   "\x00\x2b\x00\x03\x02\x03\x04"
#define NAME_SHOP  "\x00\x00\x00\x11\x00\x0f\x00\x00\x0cshop.example"
#define HELLO_SHOP START "\x00\x1c" OTHER NAME_SHOP

static struct view name_of(struct view bytes, int result)
{
	struct view name = {};

	assert_int_equal(tls_hello_name(bytes, &name), result);
	return name;
}

static void test_name(void **state)
{
	struct view name = name_of(VIEW(HELLO_SHOP), 0);

	(void)state;
	assert_true(view_equal(name, VIEW("shop.example")));
	assert_true(view_equal(name_of(VIEW(HELLO_SHOP "more"), 0), VIEW("shop.example")));
	name_of(VIEW(START "\x00\x07" OTHER), -ENOENT);
	name_of(VIEW(START "\x00\x00"), -ENOENT);
	name_of(VIEW(START), -ENOENT);
}

/* Wherever the bytes end, nothing is made up. */
static void test_cut(void **state)
{
	struct view whole = VIEW(HELLO_SHOP);

	(void)state;
	for (size_t len = 0; len < whole.len; len++) {
		struct view name;
		char bytes[sizeof(HELLO_SHOP)];
		int r;

		memcpy(bytes, whole.data, len);
		r = tls_hello_name((struct view){ .data = bytes, .len = len }, &name);
		assert_true(r == -ENODATA || r == -ENOENT);
	}
}

static void test_no_hello(void **state)
{
	(void)state;
	name_of(VIEW("\x02\x00\x01\x00\x03\x03" RANDOM), -EBADMSG);
	/* no name has such bytes, or is so short */
	name_of(VIEW(START "\x00\x0a\x00\x00\x00\x06\x00\x04\x00\x00\x01\n"), -EBADMSG);
	name_of(VIEW(START "\x00\x09\x00\x00\x00\x05\x00\x03\x00\x00\x00"), -EBADMSG);
	/* of another kind than a host's */
	name_of(VIEW(START "\x00\x0a\x00\x00\x00\x06\x00\x04\x01\x00\x01x"), -EBADMSG);
	/* an extension that is longer than what is there */
	name_of(VIEW(START "\x00\x1c\x00\x2b\xff\xff"), -ENODATA);
}

static void test_connections(void **state)
{
	struct tls_names *names;

	(void)state;
	assert_int_equal(tls_names_new(100, &names), 0);
	assert_int_equal(tls_names_get(names, 1).len, 0);
	for (uint64_t conn = 1; conn <= 1000; conn++) {
		tls_names_hello(names, conn, VIEW(HELLO_SHOP));
		tls_names_hello(names, conn, VIEW(HELLO_SHOP));
		assert_true(view_equal(tls_names_get(names, conn), VIEW("shop.example")));
	}
	assert_int_equal(tls_names_get(names, 900).len, 0);
	assert_true(view_equal(tls_names_get(names, 901), VIEW("shop.example")));
	tls_names_hello(names, 2000, VIEW(START));
	assert_int_equal(tls_names_get(names, 2000).len, 0);
	names = tls_names_free(names);
	assert_null(names);
	assert_null(tls_names_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_no_hello),
		cmocka_unit_test(test_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
