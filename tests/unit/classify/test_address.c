/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "classify/address.h"

/* IPv4 as the kernel side keeps it: ::ffff:a.b.c.d. */
static void address_set(uint8_t ip[16], const char *text)
{
	memset(ip, 0, 16);
	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, ip), 1);
		return;
	}
	memset(ip + 10, 0xff, 2);
	assert_int_equal(inet_pton(AF_INET, text, ip + 12), 1);
}

static struct address_range range_of(const char *text, uint8_t bits)
{
	struct address_range range = { .bits = strchr(text, ':') ? bits : (uint8_t)(bits + 96) };

	address_set(range.ip, text);
	return range;
}

static bool is_in(const struct address_range *ranges, uint32_t n, const char *text)
{
	uint8_t ip[16] __attribute__((aligned(8)));

	address_set(ip, text);
	return address_in(ranges, n, ip);
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *range;
		uint8_t bits;
		const char *in, *out;
	} rows[] = {
		{ "10.0.0.0", 8, "10.255.255.255", "11.0.0.0" },
		{ "172.16.0.0", 12, "172.31.255.255", "172.32.0.0" },
		{ "192.168.1.2", 32, "192.168.1.2", "192.168.1.3" },
		{ "0.0.0.0", 0, "255.255.255.255", "::1" },
		{ "::1", 128, "::1", "::2" },
		{ "fc00::", 7, "fdff::1", "fe00::1" },
		{ "2001:db8::", 32, "2001:db8:ffff::", "2001:db9::" },
		{ "2001:db8::", 64, "2001:db8::1", "2001:db8:0:1::1" },
		{ "2001:db8::8000:0:0:0", 65, "2001:db8::8000:0:0:1", "2001:db8::7fff:0:0:1" },
		/* an IPv4 address is not in a range of IPv6, were it all of them but ::/0 */
		{ "8000::", 1, "ffff::", "255.0.0.1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address_range range = range_of(rows[i].range, rows[i].bits);

		assert_true(is_in(&range, 1, rows[i].in));
		assert_false(is_in(&range, 1, rows[i].out));
	}
}

/* For every length: an address that differs in the last bit of the prefix, and in the next one. */
static void test_every_length(void **state)
{
	uint8_t ip[16] __attribute__((aligned(8)));
	struct address_range range;

	(void)state;
	for (unsigned int bits = 0; bits <= 128; bits++) {
		range = (struct address_range){ .bits = (uint8_t)bits };
		memset(ip, 0, sizeof(ip));
		assert_true(address_in(&range, 1, ip));
		if (bits < 128) {
			ip[bits / 8] = (uint8_t)(0x80 >> bits % 8);
			assert_true(address_in(&range, 1, ip));
			ip[bits / 8] = 0;
		}
		if (bits > 0) {
			ip[(bits - 1) / 8] = (uint8_t)(0x80 >> (bits - 1) % 8);
			assert_false(address_in(&range, 1, ip));
		}
	}
}

static void test_lists(void **state)
{
	struct address_range ranges[CONFIG_RANGES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < CONFIG_RANGES_MAX + 1; i++) {
		ranges[i] = range_of("10.0.0.0", 32);
		ranges[i].ip[15] = (uint8_t)i;
	}
	assert_false(is_in(ranges, 0, "10.0.0.0"));
	assert_true(is_in(ranges, 1, "10.0.0.0"));
	assert_false(is_in(ranges, 1, "10.0.0.1"));
	assert_true(is_in(ranges, CONFIG_RANGES_MAX, "10.0.0.31"));
	/* more than a list holds are not looked at */
	assert_false(is_in(ranges, CONFIG_RANGES_MAX + 1, "10.0.0.32"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
