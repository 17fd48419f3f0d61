/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attach/propagation.h"
#include "bpf/abi/context.h"

#define MESSAGES (1u << 0) /* the hooks of "context out", in their order */
#define OPTION	 (1u << 1)

static void test_hooks_off(void **state)
{
	struct weft_knobs knobs = {
		.inject = INJECT_AUTO,
		.tcp_option = 1,
		.propagators = PROPAGATOR_TRACECONTEXT,
	};

	(void)state;
	assert_int_equal(propagation_hooks_off(&knobs), 0);
	/* nothing of these is written into requests */
	knobs.propagators = PROPAGATOR_JAEGER | PROPAGATOR_XRAY << PROPAGATOR_BITS;
	assert_int_equal(propagation_hooks_off(&knobs), MESSAGES);
	knobs.propagators |= PROPAGATOR_B3 << 2 * PROPAGATOR_BITS;
	assert_int_equal(propagation_hooks_off(&knobs), 0);
	knobs.tcp_option = 0;
	assert_int_equal(propagation_hooks_off(&knobs), OPTION);
	knobs.inject = INJECT_OFF;
	assert_int_equal(propagation_hooks_off(&knobs), MESSAGES | OPTION);
	assert_string_equal(surfaces[SURFACE_WIRE].hooks[0].programs[1].name, "wire_message");
	assert_null(surfaces[SURFACE_WIRE].hooks[1].programs[1].name);
}

/* The programs are loaded a second time only if that makes a difference. */
static void test_without_option(void **state)
{
	struct weft_knobs knobs = { .tcp_option = 1 };
	struct selftest test = { .mode = WIRE_FULL, .tcp_option = true };

	(void)state;
	assert_false(propagation_without_option(&test, &knobs));
	test.tcp_option = false;
	assert_true(propagation_without_option(&test, &knobs));
	test.mode = WIRE_OFF; /* the whole surface is off then */
	assert_false(propagation_without_option(&test, &knobs));
	test.mode = WIRE_EARLY_LEAVE;
	knobs.tcp_option = 0;
	assert_false(propagation_without_option(&test, &knobs));
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void test_json(void **state)
{
	struct selftest test = {
		.mode = WIRE_EARLY_LEAVE,
		.tcp_option = true,
		.reason = "FIONREAD: it is so",
		.ns = 12345678,
		.n_checks = 2,
		.checks = {
			{ "one", WIRE_FULL, false, CHECK_WRONG, "\"quoted\"", 1500000 },
			{ "two", WIRE_EARLY_LEAVE, false, CHECK_OK, "", 0 },
		},
	};
	json_t *root = propagation_json(&test), *checks = json_object_get(root, "checks");

	(void)state;
	assert_string_equal(text_of(root, "mode"), "early_leave");
	assert_true(json_is_true(json_object_get(root, "tcp_option")));
	assert_string_equal(text_of(root, "reason"), "FIONREAD: it is so");
	assert_true(json_is_null(json_object_get(root, "option_reason")));
	assert_true(json_number_value(json_object_get(root, "ms")) == 12.345);
	assert_int_equal(json_array_size(checks), 2);
	assert_string_equal(text_of(json_array_get(checks, 0), "check"), "one");
	assert_string_equal(text_of(json_array_get(checks, 0), "mode"), "full");
	assert_string_equal(text_of(json_array_get(checks, 0), "outcome"), "wrong");
	assert_string_equal(text_of(json_array_get(checks, 0), "reason"), "\"quoted\"");
	assert_string_equal(text_of(json_array_get(checks, 1), "outcome"), "ok");
	assert_true(json_is_null(json_object_get(json_array_get(checks, 1), "reason")));
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hooks_off),
		cmocka_unit_test(test_without_option),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
