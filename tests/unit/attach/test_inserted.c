/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attach/inserted.h"
#include "base/view.h"
#include "bpf/abi/context.h"

#define LINE	  "GET / HTTP/1.1\r\n"
#define REST	  "Host: a\r\n\r\n"
#define TRACE	  "0af7651916cd43dd8448eb211c80319c"
#define SPAN	  "b7ad6b7169203331"
#define PARENT	  "traceparent: 00-" TRACE "-" SPAN "-03\r\n"
#define SINGLE	  "b3: " TRACE "-" SPAN "-1\r\n"
#define MULTIPLE  "X-B3-TraceId: " TRACE "\r\nX-B3-SpanId: " SPAN "\r\nX-B3-Sampled: 1\r\n"
#define W3C	  PROPAGATOR_TRACECONTEXT
#define W3C_B3	  (PROPAGATOR_TRACECONTEXT | PROPAGATOR_B3 << PROPAGATOR_BITS)
#define ALL_THREE (W3C_B3 | PROPAGATOR_B3MULTI << 2 * PROPAGATOR_BITS)

static const struct {
	const char *what;
	const char *got;
	__u64 propagators;
	int expected;
} rows[] = {
	{ "nothing", LINE REST, W3C, 0 },
	{ "one line", LINE PARENT REST, W3C, sizeof(PARENT) - 1 },
	{ "another propagator's line", LINE SINGLE REST, W3C, -EBADMSG },
	{ "the line twice", LINE PARENT PARENT REST, W3C, -EBADMSG },
	{ "the line at the end", LINE "Host: a\r\n" PARENT "\r\n", W3C, -EBADMSG },
	{ "the line in front", PARENT LINE REST, W3C, -EBADMSG },
	{ "no hexadecimal digit", LINE "traceparent: 00-" TRACE "-" SPAN "-0g\r\n" REST, W3C,
	  -EBADMSG },
	{ "half a line", LINE "traceparent: 00-" TRACE "\r\n" REST, W3C, -EBADMSG },
	{ "a changed line", "PUT / HTTP/1.1\r\n" PARENT REST, W3C, -EBADMSG },
	{ "a changed rest", LINE PARENT "Host: b\r\n\r\n", W3C, -EBADMSG },
	{ "a missing end", LINE PARENT "Host: a\r\n", W3C, -EBADMSG },
	{ "two propagators", LINE SINGLE PARENT REST, W3C_B3,
	  sizeof(PARENT) - 1 + sizeof(SINGLE) - 1 },
	{ "the other way round", LINE PARENT SINGLE REST, W3C_B3,
	  sizeof(PARENT) - 1 + sizeof(SINGLE) - 1 },
	{ "one of two", LINE PARENT REST, W3C_B3, -EBADMSG },
	{ "one twice instead of two", LINE SINGLE SINGLE REST, W3C_B3, -EBADMSG },
	{ "three propagators", LINE MULTIPLE SINGLE PARENT REST, ALL_THREE,
	  sizeof(PARENT) - 1 + sizeof(SINGLE) - 1 + sizeof(MULTIPLE) - 1 },
	{ "none is written, and none is there", LINE REST, PROPAGATOR_XRAY, 0 },
	{ "none is written, and one is there", LINE PARENT REST, PROPAGATOR_JAEGER, -EBADMSG },
};

static void test_rows(void **state)
{
	static const char sent[] = LINE REST;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = inserted_find(sent, sizeof(sent) - 1, rows[i].got, strlen(rows[i].got),
				      rows[i].propagators);

		if (r != rows[i].expected)
			fail_msg("%s: %d instead of %d", rows[i].what, r, rows[i].expected);
	}
}

/* Whatever length of it arrives, it is never taken for whole. */
static void test_cut(void **state)
{
	static const char sent[] = LINE REST, got[] = LINE PARENT REST;

	(void)state;
	for (size_t len = 0; len < sizeof(got) - 1; len++) {
		char copy[sizeof(got)];
		int r;

		memcpy(copy, got, len);
		r = inserted_find(sent, sizeof(sent) - 1, copy, len, W3C);
		if (r != -EBADMSG)
			fail_msg("%zu bytes of it: %d", len, r);
	}
}

static void test_length(void **state)
{
	(void)state;
	assert_int_equal(inserted_length(PROPAGATOR_NONE), 0);
	assert_int_equal(inserted_length(PROPAGATOR_JAEGER), 0);
	assert_int_equal(inserted_length(W3C), sizeof(PARENT) - 1);
	assert_int_equal(inserted_length(ALL_THREE), sizeof(PARENT SINGLE MULTIPLE) - 1);
	/* a propagator that is not known, behind one that is */
	assert_int_equal(inserted_length(W3C | 15ull << 60), sizeof(PARENT) - 1);
}

/* A frame of four bytes behind nine that are another one's. */
#define BEFORE	   "\0\0\0\4\0\0\0\0\0"
#define FRAME(len) "\0\0" len "\1\5\0\0\0\1abcd"
#define FIELD                                                                                      \
	"\x10\x0btraceparent\x37"                                                                  \
	"00-" TRACE "-" SPAN "-03"
#define FIELD_B3                                                                                   \
	"\x10\x02"                                                                                 \
	"b3\x33" TRACE "-" SPAN "-1"
#define TEXT(string)                                                                               \
	{                                                                                          \
		string, sizeof(string) - 1                                                         \
	}

static const struct {
	const char *what;
	struct view got;
	__u64 propagators;
	int expected;
} field_rows[] = {
	{ "nothing", TEXT(BEFORE FRAME("\4")), W3C, 0 },
	{ "a field", TEXT(BEFORE FRAME("\x49") FIELD), W3C, sizeof(FIELD) - 1 },
	{ "two", TEXT(BEFORE FRAME("\x81") FIELD FIELD_B3), W3C_B3, sizeof(FIELD FIELD_B3) - 1 },
	{ "one of two", TEXT(BEFORE FRAME("\x49") FIELD), W3C_B3, -EBADMSG },
	{ "one that is not asked for", TEXT(BEFORE FRAME("\x3c") FIELD_B3), W3C, -EBADMSG },
	{ "a frame that does not tell", TEXT(BEFORE FRAME("\4") FIELD), W3C, -EBADMSG },
	{ "a frame that tells more", TEXT(BEFORE FRAME("\x4a") FIELD), W3C, -EBADMSG },
	{ "a frame that is longer, and no field", TEXT(BEFORE FRAME("\x49")), W3C, -EBADMSG },
	{ "a field in front of the frame", TEXT(BEFORE FIELD FRAME("\x49")), W3C, -EBADMSG },
	{ "a line", TEXT(BEFORE FRAME("\x4b") PARENT), W3C, -EBADMSG },
	{ "another frame before it", TEXT("\0\0\0\4\1\0\0\0\0" FRAME("\x49") FIELD), W3C,
	  -EBADMSG },
};

static void test_fields(void **state)
{
	static const char sent[] = BEFORE FRAME("\4");

	(void)state;
	for (size_t i = 0; i < sizeof(field_rows) / sizeof(field_rows[0]); i++) {
		int r = inserted_find_field(sent, sizeof(sent) - 1, sizeof(BEFORE) - 1,
					    field_rows[i].got.data, field_rows[i].got.len,
					    field_rows[i].propagators);

		if (r != field_rows[i].expected)
			fail_msg("%s: %d instead of %d", field_rows[i].what, r,
				 field_rows[i].expected);
	}
	assert_int_equal(inserted_find_field(sent, 4, 2, sent, 4, W3C), -EBADMSG);
	assert_int_equal(inserted_field_length(W3C_B3), sizeof(FIELD FIELD_B3) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
