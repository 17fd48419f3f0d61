/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <arpa/inet.h>

#include "config/ranges.h"

/* The list as text: prefixes in the mapped form, "::ffff:a.b.c.d/96+n". */
static char *text_of(const struct ranges *ranges)
{
	char *text = NULL, one[INET6_ADDRSTRLEN];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < ranges->n; i++)
		fprintf(out, "%s%s/%d", i ? " " : "",
			inet_ntop(AF_INET6, ranges->items[i].ip, one, sizeof(one)),
			ranges->items[i].bits);
	fclose(out);
	return text;
}

static const char *parse(const char *list, struct ranges *ret_ranges)
{
	const char *fault = NULL;
	struct view item;

	*ret_ranges = (struct ranges){ 0 };
	while (!fault && list_next(&list, &item))
		fault = ranges_add(ret_ranges, item);
	return fault;
}

static void test_items(void **state)
{
	static const struct {
		const char *list, *ranges;
	} cases[] = {
		{ "10.0.0.0/8", "::ffff:10.0.0.0/104" },
		{ "192.168.1.2", "::ffff:192.168.1.2/128" },
		{ "0.0.0.0/0", "::ffff:0.0.0.0/96" },
		{ "2001:db8::/32, fe80::1", "2001:db8::/32 fe80::1/128" },
		{ "::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104" },
		{ "10.0.0.0/8,::ffff:10.0.0.0/104,10.0.0.0/8", "::ffff:10.0.0.0/104" },
		{ "all", "::/0" },
		{ "none", "" },
		{ "loopback", "::ffff:127.0.0.0/104 ::1/128" },
		{ "private", "::ffff:10.0.0.0/104 ::ffff:172.16.0.0/108 ::ffff:192.168.0.0/112 "
			     "fc00::/7" },
		{ "link-local", "::ffff:169.254.0.0/112 fe80::/10" },
		{ "private,cluster", "::ffff:10.0.0.0/104 ::ffff:172.16.0.0/108 "
				     "::ffff:192.168.0.0/112 fc00::/7 ::ffff:100.64.0.0/106" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ranges ranges;
		char *text;

		assert_null(parse(cases[i].list, &ranges));
		text = text_of(&ranges);
		assert_string_equal(text, cases[i].ranges);
		free(text);
	}
}

static void test_faults(void **state)
{
	static const char neither[] = "is neither an address nor a prefix nor a word";
	static const char length[] = "has a prefix length that is out of range";
	static const char alone[] = "is not alone, and none must be";
	static const struct {
		const char *list, *fault;
	} cases[] = {
		{ "", neither },
		{ "localhost", neither },
		{ "Loopback", neither },
		{ "10.0.0", neither },
		{ "10.0.0.0.0", neither },
		{ "10.0.0.0/8/8", length },
		{ "/8", neither },
		{ "fe80::1%lo", neither },
		{ "1234:1234:1234:1234:1234:1234:123.123.123.123/128000000000000", neither },
		{ "10.0.0.0/33", length },
		{ "10.0.0.0/", length },
		{ "10.0.0.0/-1", length },
		{ "10.0.0.0/ 8", length },
		{ "10.0.0.0/0x8", length },
		{ "::/129", length },
		{ "::/4294967297", length },
		{ "10.1.0.0/8", "has bits set behind its prefix length" },
		{ "2001:db8::1/64", "has bits set behind its prefix length" },
		{ "10.0.0.1/0", "has bits set behind its prefix length" },
		{ "10.0.0.1,none", alone },
		{ "none,10.0.0.1", alone },
		{ "none,none", alone },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ranges ranges;
		const char *fault = parse(cases[i].list, &ranges);

		if (!fault || strcmp(fault, cases[i].fault) != 0)
			fail_msg("'%s': %s", cases[i].list, fault ? fault : "no fault");
	}
}

static void test_full(void **state)
{
	struct ranges ranges = { 0 };
	char text[32];

	(void)state;
	for (int i = 0; i < CONFIG_RANGES_MAX; i++) {
		snprintf(text, sizeof(text), "10.0.0.%d", i);
		assert_null(ranges_add(&ranges, view_of(text)));
	}
	assert_null(ranges_add(&ranges, view_of("10.0.0.31")));
	assert_string_equal(ranges_add(&ranges, view_of("10.0.0.32")),
			    "is one too many: a list has room for 32 prefixes, and a word takes "
			    "several");
	assert_int_equal(ranges.n, CONFIG_RANGES_MAX);
}

/* Which item of the list it was, and what would be right. */
static void test_messages(void **state)
{
	static const char accepted[] = "; accepted: addresses, prefixes like 10.0.0.0/8, loopback, "
				       "private, link-local, cluster, all; or none";
	struct fixture fixture = { 0 };
	char flag[] = "--propagate-trust=10.0.0.0/8,public", expected[320];

	(void)state;
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(flag), LIST(), NULL), -22);
	snprintf(expected, sizeof(expected),
		 "--propagate-trust: '10.0.0.0/8,public' has 'public' in it, which is neither an "
		 "address nor a prefix nor a word%s",
		 accepted);
	assert_string_equal(fixture.messages.error, expected);
	assert_int_equal(fixture_load(&fixture, CONFIG_RUN, LIST(), LIST(),
				      "# one\npropagate:\n  to: [loopback, 10.0.0.1/8]\n"),
			 -22);
	snprintf(expected, sizeof(expected),
		 "3: propagate.to: '10.0.0.1/8' has bits set behind its prefix length%s", accepted);
	assert_string_equal(fixture_error(&fixture), expected);
	fixture_clear(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests_name("config/ranges", tests, NULL, NULL);
}
