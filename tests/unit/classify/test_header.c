/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attach/inserted.h"
#include "lib/header.h"

#define B3_TOO	  (PROPAGATOR_TRACECONTEXT | PROPAGATOR_B3 << PROPAGATOR_BITS)
#define ALL_THREE (B3_TOO | PROPAGATOR_B3MULTI << 2 * PROPAGATOR_BITS)
#define NOT_FIRST (PROPAGATOR_JAEGER | PROPAGATOR_TRACECONTEXT << PROPAGATOR_BITS)

/* What the kernel side makes room for is as long as what the self-test expects. */
static void test_room(void **state)
{
	static const uint64_t propagators[] = {
		0,
		PROPAGATOR_TRACECONTEXT,
		PROPAGATOR_B3,
		PROPAGATOR_B3MULTI,
		B3_TOO,
		ALL_THREE,
		NOT_FIRST,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(propagators) / sizeof(propagators[0]); i++)
		assert_int_equal(fields_len(propagators[i]), inserted_field_length(propagators[i]));
}

static void test_frame_length(void **state)
{
	uint8_t frame[4] = { 0, 0, 0, 1 };

	(void)state;
	frame_length_write(frame, 0x123456);
	assert_int_equal(frame[0], 0x12);
	assert_int_equal(frame[1], 0x34);
	assert_int_equal(frame[2], 0x56);
	assert_int_equal(frame[3], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_frame_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
