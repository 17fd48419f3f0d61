/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/protobuf.h"

#include <errno.h>

#include "fake_proc.h"

static void test_fields(void **state)
{
	struct view message = VIEW("\x08\x96\x01"	    /* 1: varint 150 */
				   "\x12\x02hi"		    /* 2: bytes */
				   "\x1d\x01\0\0\0"	    /* 3: fixed32 1 */
				   "\x21\x02\0\0\0\0\0\0\0" /* 4: fixed64 2 */
				   "\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"); /* 16: -1 */
	struct protobuf_field field;

	(void)state;
	assert_int_equal(protobuf_next(&message, &field), 1);
	assert_int_equal(field.number, 1);
	assert_int_equal(field.value, 150);
	assert_int_equal(protobuf_next(&message, &field), 1);
	assert_int_equal(field.number, 2);
	assert_true(view_equal(field.bytes, VIEW("hi")));
	assert_int_equal(protobuf_next(&message, &field), 1);
	assert_int_equal(field.type, PROTOBUF_FIXED32);
	assert_int_equal(field.value, 1);
	assert_int_equal(protobuf_next(&message, &field), 1);
	assert_int_equal(field.type, PROTOBUF_FIXED64);
	assert_int_equal(field.value, 2);
	assert_int_equal(protobuf_next(&message, &field), 1);
	assert_int_equal(field.number, 16);
	assert_true((int64_t)field.value == -1);
	assert_int_equal(protobuf_next(&message, &field), 0);
}

static void test_bad(void **state)
{
	static const struct view bad[] = {
		VIEW_INIT("\x08"),	 /* no value */
		VIEW_INIT("\x08\x96"),	 /* varint without an end */
		VIEW_INIT("\x12\x03hi"), /* longer than the message */
		VIEW_INIT("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* longer than memory */
		VIEW_INIT("\x1d\x01\0\0"),				   /* cut fixed32 */
		VIEW_INIT("\x0b"),					   /* group */
		VIEW_INIT("\x00\x01"),					   /* field 0 */
		VIEW_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* endless tag */
	};
	struct protobuf_field field;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct view message = bad[i];

		assert_int_equal(protobuf_next(&message, &field), -EBADMSG);
		assert_int_equal(message.len, bad[i].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests_name("discover/protobuf", tests, NULL, NULL);
}
