/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/attach/fake_kernel.h"

#include "base/clock.h"
#include "bpf/abi/context.h"

/* --- what follows from the checks --- */

#define CHECKS_MAX 6

/* Outcomes of checks in a mode, as letters: o k, w rong, b roken, s kipped. */
static const struct {
	const char *full, *early, *option;
	enum wire_mode mode;
	bool tcp_option;
	const char *reason, *option_reason; /* a part of it */
} decisions[] = {
	{ "ooo", "", "o", WIRE_FULL, true, "", "" },
	{ "oso", "", "w", WIRE_FULL, false, "", "option 0" },
	{ "oow", "ooo", "o", WIRE_EARLY_LEAVE, true, "full 2", "" },
	{ "oww", "oos", "b", WIRE_EARLY_LEAVE, false, "full 1", "option 0" },
	{ "oow", "owo", "o", WIRE_OFF, true, "full 2: reason; when leaving early, early 1", "" },
	/* the test itself failed: nothing is known, and nothing is done */
	{ "oob", "ooo", "o", WIRE_OFF, true, "full 2", "" },
	{ "wob", "ooo", "o", WIRE_OFF, true, "full 2", "" },
	{ "wo", "ob", "", WIRE_OFF, false, "early 1", "" },
	/* nothing was checked, or nothing but what this host does not have */
	{ "", "", "", WIRE_OFF, false, "", "" },
	{ "ss", "", "o", WIRE_OFF, true, "", "" },
	{ "", "", "o", WIRE_OFF, true, "", "" },
};

static void add_checks(struct selftest *test, enum wire_mode mode, bool option, const char *text)
{
	static const char *const names[][CHECKS_MAX] = {
		[WIRE_OFF] = { "option 0" },
		[WIRE_FULL] = { "full 0", "full 1", "full 2" },
		[WIRE_EARLY_LEAVE] = { "early 0", "early 1", "early 2" },
	};

	for (size_t i = 0; text[i]; i++) {
		struct selftest_check *check = &test->checks[test->n_checks++];

		*check = (struct selftest_check){ .mode = mode, .option = option };
		check->name = names[option ? WIRE_OFF : mode][i];
		check->outcome = text[i] == 'o'	  ? CHECK_OK
				 : text[i] == 'w' ? CHECK_WRONG
				 : text[i] == 'b' ? CHECK_BROKEN
						  : CHECK_SKIPPED;
		if (check->outcome != CHECK_OK)
			snprintf(check->reason, sizeof(check->reason), "reason");
	}
}

static void expect_text(size_t row, const char *got, const char *expected)
{
	if (!strstr(got, expected) || (!*expected && *got))
		fail_msg("decision %zu: '%s' instead of '%s'", row, got, expected);
}

static void test_decisions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
		struct selftest test = {};

		add_checks(&test, WIRE_FULL, false, decisions[i].full);
		add_checks(&test, WIRE_EARLY_LEAVE, false, decisions[i].early);
		add_checks(&test, decisions[i].mode, true, decisions[i].option);
		selftest_decide(&test);
		if (test.mode != decisions[i].mode || test.tcp_option != decisions[i].tcp_option)
			fail_msg("decision %zu: %s, option %d", i, wire_mode_name(test.mode),
				 test.tcp_option);
		expect_text(i, test.reason, decisions[i].reason);
		expect_text(i, test.option_reason, decisions[i].option_reason);
	}
}

/* A reason that is as long as it may be does no harm. */
static void test_long_reasons(void **state)
{
	struct selftest test = {};

	(void)state;
	add_checks(&test, WIRE_FULL, false, "ow");
	add_checks(&test, WIRE_EARLY_LEAVE, false, "ow");
	for (size_t i = 0; i < test.n_checks; i++)
		memset(test.checks[i].reason, 'x', SELFTEST_REASON_MAX - 1);
	selftest_decide(&test);
	assert_int_equal(test.mode, WIRE_OFF);
	assert_int_equal(strlen(test.reason), SELFTEST_REASON_MAX - 1);
}

/* --- the test, on a kernel that has one fault --- */

static const struct {
	const char *what;
	enum fault fault;
	enum wire_mode mode;
	bool tcp_option;
	const char *reason;
} faults[] = {
	{ "none", FAULT_NONE, WIRE_FULL, true, "" },
	{ "no IPv6", FAULT_NO_IPV6, WIRE_FULL, true, "" },
	{ "no option", FAULT_NO_OPTION, WIRE_FULL, false, "" },
	{ "FIONREAD", FAULT_UNREAD, WIRE_EARLY_LEAVE, true, "FIONREAD: unread bytes: 0, and 200" },
	{ "MSG_PEEK", FAULT_PEEK, WIRE_EARLY_LEAVE, true, "MSG_PEEK" },
	{ "a stall", FAULT_STALL, WIRE_EARLY_LEAVE, true, "nothing came in time" },
	{ "one header only", FAULT_FIRST_ONLY, WIRE_EARLY_LEAVE, true,
	  "request 2 of a connection got there without a header" },
	{ "a changed byte", FAULT_BYTE, WIRE_EARLY_LEAVE, true, "bytes have changed" },
	{ "a changed byte, ever", FAULT_BYTE_EVER, WIRE_OFF, true, "bytes have changed" },
	{ "FIONREAD, ever", FAULT_UNREAD_EVER, WIRE_OFF, true, "leaving early, FIONREAD" },
	{ "sockets stay", FAULT_STAYS, WIRE_OFF, true, "has not left" },
	{ "sockets hear", FAULT_HEARS, WIRE_OFF, true, "the server speaks first" },
	{ "no header", FAULT_NO_HEADER, WIRE_OFF, true, "without a header" },
	{ "two headers", FAULT_TWO_HEADERS, WIRE_OFF, true, "a request: bytes have changed" },
	{ "not enrolled", FAULT_NOT_ENROLLED, WIRE_OFF, true, "another program" },
	{ "nothing can be set", FAULT_SET, WIRE_OFF, false, "not permitted" },
	{ "no sockets", FAULT_SOCKETS, WIRE_OFF, false, "Too many open files" },
	{ "no loopback", FAULT_NO_LOOPBACK, WIRE_OFF, false, "127.0.0.1: Cannot assign" },
};

static void run_with(enum fault fault, bool headers, bool tcp_option, struct selftest *test)
{
	const struct selftest_options options = {
		.kernel = fake_kernel,
		.propagators = PROPAGATOR_TRACECONTEXT,
		.headers = headers,
		.tcp_option = tcp_option,
	};

	memset(&fake, 0, sizeof(fake));
	fake.fault = fault;
	selftest_run(&options, test);
}

static int descriptors(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void test_faults(void **state)
{
	int before = descriptors();

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct selftest test;

		run_with(faults[i].fault, true, true, &test);
		if (test.mode != faults[i].mode || test.tcp_option != faults[i].tcp_option ||
		    !strstr(test.reason, faults[i].reason) ||
		    (!faults[i].reason[0] && test.reason[0]))
			fail_msg("%s: %s (%s), option %d (%s)", faults[i].what,
				 wire_mode_name(test.mode), test.reason, test.tcp_option,
				 test.option_reason);
		assert_int_equal(descriptors(), before);
		/* nobody is tested any more */
		assert_false(fake.tested);
	}
}

static void test_not_wanted(void **state)
{
	struct selftest test;

	(void)state;
	run_with(FAULT_NONE, false, false, &test);
	assert_int_equal(test.mode, WIRE_OFF);
	assert_false(test.tcp_option);
	assert_int_equal(test.n_checks, 0);
	run_with(FAULT_NONE, false, true, &test);
	assert_int_equal(test.mode, WIRE_OFF);
	assert_true(test.tcp_option);
	assert_int_equal(test.n_checks, 1);
	run_with(FAULT_NONE, true, false, &test);
	assert_int_equal(test.mode, WIRE_FULL);
	assert_false(test.tcp_option);
	assert_string_equal(test.option_reason, "");
}

/* What moves much is tried only where all else is well, and what stalls ends the mode. */
static void test_effort(void **state)
{
	struct selftest test;
	size_t whole;

	(void)state;
	run_with(FAULT_NONE, true, true, &test);
	whole = test.n_checks;
	assert_in_range(whole, 10, SELFTEST_CHECKS_MAX / 2);
	run_with(FAULT_UNREAD, true, true, &test);
	assert_in_range(test.n_checks, whole + 1, 2 * whole - 2);
	run_with(FAULT_STALL, true, false, &test);
	assert_in_range(test.n_checks, whole, whole + 1);
	assert_in_range(test.ns, 0, 8 * NS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions), cmocka_unit_test(test_long_reasons),
		cmocka_unit_test(test_faults),	  cmocka_unit_test(test_not_wanted),
		cmocka_unit_test(test_effort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
