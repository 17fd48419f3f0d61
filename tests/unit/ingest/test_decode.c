/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ingest/decode.h"
#include "lib/records.h"

static struct record record;

static struct event_header *header(void)
{
	return (struct event_header *)record.bytes;
}

static struct event_request *request(void)
{
	return (struct event_request *)record.bytes;
}

/* A right record of each type; those with heads have one. */
static void make(enum event_type type)
{
	const struct record_facts facts = {
		.type = type,
		.message = type == EVENT_REQUEST ? MESSAGE_REQUEST : MESSAGE_RESPONSE,
		.flags = EVENT_F_HEAD_END,
		.conn = 7,
		.exchange = 1,
		.head = type <= EVENT_HEAD_MORE || type == EVENT_TLS_HELLO
				? "GET / HTTP/1.1\r\n\r\n"
				: NULL,
		.role = ROLE_CLIENT,
	};

	record_make(&record, &facts);
}

/* In memory of just `size` bytes, so that a sanitizer sees a byte too many. */
static int decode_copy(size_t size)
{
	_cleanup_free_ void *copy = malloc(size ? size : 1);
	union event event = { .header = NULL };
	int r;

	assert_non_null(copy);
	if (size)
		memcpy(copy, record.bytes, size);
	r = event_decode(copy, size, &event);
	if (r == 0)
		assert_ptr_equal(event.header, copy);
	else
		assert_null(event.header);
	return r;
}

static void test_right(void **state)
{
	(void)state;
	for (int type = EVENT_REQUEST; type < EVENT_TYPE_MAX; type++) {
		make((enum event_type)type);
		assert_int_equal(decode_copy(record.size), 0);
		/* the ring may hand out more than the record */
		assert_int_equal(decode_copy(record.size + 7), 0);
	}
}

static void test_cut(void **state)
{
	(void)state;
	for (int type = EVENT_REQUEST; type < EVENT_TYPE_MAX; type++) {
		make((enum event_type)type);
		for (size_t size = 0; size < record.size; size++)
			assert_int_equal(decode_copy(size), -EBADMSG);
	}
}

/* A record that says itself that it is shorter than its fixed part, or than its head. */
static void test_size(void **state)
{
	(void)state;
	for (int type = EVENT_REQUEST; type < EVENT_TYPE_MAX; type++) {
		make((enum event_type)type);
		for (uint32_t size = 0; size < record.size; size++) {
			header()->size = size;
			assert_int_equal(decode_copy(record.size), -EBADMSG);
		}
		header()->size = UINT32_MAX;
		assert_int_equal(decode_copy(record.size), -EBADMSG);
	}
}

static void test_head_length(void **state)
{
	static const uint32_t lengths[] = { 0, 17, 19, 0x80000012, UINT32_MAX };

	(void)state;
	make(EVENT_REQUEST);
	assert_int_equal(request()->head_len, 18);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		request()->head_len = lengths[i];
		assert_int_equal(decode_copy(record.size), -EBADMSG);
	}
	make(EVENT_RESPONSE);
	((struct event_response *)record.bytes)->head_len++;
	assert_int_equal(decode_copy(record.size), -EBADMSG);
	make(EVENT_HEAD_MORE);
	((struct event_head_more *)record.bytes)->head_len--;
	assert_int_equal(decode_copy(record.size), -EBADMSG);
}

/* Records without a head have nothing behind their fixed part. */
static void test_no_head(void **state)
{
	(void)state;
	make(EVENT_END);
	header()->size += 8;
	assert_int_equal(decode_copy(record.size + 8), -EBADMSG);
	make(EVENT_CLOSE);
	header()->size += 1;
	assert_int_equal(decode_copy(record.size + 8), -EBADMSG);
}

static void test_enumerations(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		int expected;
	} rows[] = {
		{ offsetof(struct event_header, type), 0, -EBADMSG },
		{ offsetof(struct event_header, type), EVENT_TYPE_MAX, -EBADMSG },
		{ offsetof(struct event_header, type), 0xff, -EBADMSG },
		{ offsetof(struct event_header, protocol), PROTOCOL_UNKNOWN, -EBADMSG },
		{ offsetof(struct event_header, protocol), PROTOCOL_ID_MAX, -EBADMSG },
		{ offsetof(struct event_header, message), MESSAGE_RESPONSE, 0 },
		{ offsetof(struct event_header, message), MESSAGE_RESPONSE + 1, -EBADMSG },
		{ offsetof(struct event_header, flags), 0xff, 0 },
		{ offsetof(struct event_request, role), ROLE_UNKNOWN, -EBADMSG },
		{ offsetof(struct event_request, role), ROLE_SERVER, 0 },
		{ offsetof(struct event_request, role), ROLE_SERVER + 1, -EBADMSG },
		{ offsetof(struct event_request, evidence), EVIDENCE_MAX - 1, 0 },
		{ offsetof(struct event_request, evidence), EVIDENCE_MAX, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(EVENT_REQUEST);
		record.bytes[rows[i].offset] = rows[i].value;
		assert_int_equal(decode_copy(record.size), rows[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),	cmocka_unit_test(test_cut),
		cmocka_unit_test(test_size),	cmocka_unit_test(test_head_length),
		cmocka_unit_test(test_no_head), cmocka_unit_test(test_enumerations),
	};

	return cmocka_run_group_tests_name("ingest/decode", tests, NULL, NULL);
}
