/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "conn/table.h"
#include "lib/records.h"

#define SEEN_MAX 1024
#define HEAD_MAX 64

/* What the callbacks were told of an exchange. */
struct seen {
	uint64_t conn;
	uint32_t serial;
	enum exchange_end end;
	uint16_t status;
	uint64_t closed_ns;
	struct message request; /* without its head */
	struct message response;
	char request_head[HEAD_MAX];
	char response_head[HEAD_MAX];
	uint32_t reset_code;
	bool reset_by_server;
};

struct fixture {
	struct conn_table *table;
	unsigned int n_started;
	uint32_t started[SEEN_MAX];
	char started_head[HEAD_MAX]; /* of the last one, as it was then */
	unsigned int n_finished;
	struct seen finished[SEEN_MAX];
};

static void copy_head(char text[HEAD_MAX], const struct message *message)
{
	size_t len = message->head_len < HEAD_MAX ? message->head_len : HEAD_MAX - 1;

	if (len)
		memcpy(text, message->head, len);
	text[len] = '\0';
}

static void on_started(void *context, struct exchange *exchange)
{
	struct fixture *fixture = context;

	assert_true(fixture->n_started < SEEN_MAX);
	/* nothing starts when it is over, or twice */
	for (unsigned int i = 0; i < fixture->n_finished; i++)
		assert_false(fixture->finished[i].conn == exchange->conn &&
			     fixture->finished[i].serial == exchange->serial);
	fixture->started[fixture->n_started++] = exchange->serial;
	copy_head(fixture->started_head, &exchange->request);
}

static void on_finished(void *context, struct exchange *exchange)
{
	struct fixture *fixture = context;
	struct seen *seen = &fixture->finished[fixture->n_finished++];

	assert_true(fixture->n_finished <= fixture->n_started);
	*seen = (struct seen){
		.conn = exchange->conn,
		.serial = exchange->serial,
		.end = exchange->end,
		.status = exchange->status,
		.closed_ns = exchange->closed_ns,
		.request = exchange->request,
		.response = exchange->response,
		.reset_code = exchange->reset_code,
		.reset_by_server = exchange->reset_by_server,
	};
	copy_head(seen->request_head, &exchange->request);
	copy_head(seen->response_head, &exchange->response);
}

static int setup_limits(struct fixture *fixture, const struct conn_limits *limits)
{
	const struct conn_callbacks callbacks = { on_started, on_finished, fixture };

	memset(fixture, 0, sizeof(*fixture));
	return conn_table_new(limits, &callbacks, &fixture->table);
}

static int setup(void **state)
{
	static struct fixture fixture;
	const struct conn_limits limits = {
		.exchanges = 1024,
		.request_head = 32,
		.response_head = 16,
	};

	*state = &fixture;
	return setup_limits(&fixture, &limits);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	fixture->table = conn_table_free(fixture->table);
	return 0;
}

static void put(struct fixture *fixture, const struct record_facts *facts)
{
	static struct record record;
	union event event;

	record_make(&record, facts);
	assert_int_equal(event_decode(record.bytes, record.size, &event), 0);
	conn_table_event(fixture->table, event);
	/* the ring's memory is used again at once */
	memset(record.bytes, 0xee, sizeof(record.bytes));
}

#define PUT(fixture, ...) put(fixture, &(const struct record_facts){ __VA_ARGS__ })

static void put_request(struct fixture *fixture, uint64_t conn, uint32_t serial)
{
	PUT(fixture, .type = EVENT_REQUEST, .conn = conn, .exchange = serial,
	    .flags = EVENT_F_HEAD_END | EVENT_F_END, .head = "GET /", .role = ROLE_SERVER,
	    .time_ns = 100 * serial, .end_ns = 100 * serial);
}

static void put_response(struct fixture *fixture, uint64_t conn, uint32_t serial, uint16_t status)
{
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = conn,
	    .exchange = serial, .flags = EVENT_F_HEAD_END | EVENT_F_END, .head = "OK",
	    .status = status, .time_ns = 100 * serial + 50, .end_ns = 100 * serial + 60);
}

static void put_close(struct fixture *fixture, uint64_t conn, uint32_t serial, int error)
{
	PUT(fixture, .type = EVENT_CLOSE, .message = MESSAGE_RESPONSE, .conn = conn,
	    .exchange = serial, .error = error, .time_ns = 9000);
}

static const struct conn_counters *counters(const struct fixture *fixture)
{
	return conn_table_counters(fixture->table);
}

static void assert_finished(const struct fixture *fixture, unsigned int index, uint32_t serial,
			    enum exchange_end end)
{
	assert_true(index < fixture->n_finished);
	assert_int_equal(fixture->finished[index].serial, serial);
	assert_int_equal(fixture->finished[index].end, end);
}

/* --- messages --- */

static void test_one_record_each(void **state)
{
	struct fixture *fixture = *state;
	const struct seen *seen = &fixture->finished[0];

	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 1, .head = "POST /",
	    .flags = EVENT_F_HEAD_END | EVENT_F_END, .role = ROLE_SERVER, .time_ns = 10,
	    .end_ns = 20, .body_bytes = 5);
	assert_int_equal(fixture->n_started, 1);
	assert_int_equal(counters(fixture)->open, 1);
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .head = "HTTP/1.1 200", .flags = EVENT_F_HEAD_END | EVENT_F_END, .status = 200,
	    .time_ns = 30, .end_ns = 40, .body_bytes = 7);
	assert_int_equal(fixture->n_finished, 1);
	assert_finished(fixture, 0, 1, EXCHANGE_COMPLETE);
	assert_int_equal(seen->status, 200);
	assert_int_equal(seen->request.start_ns, 10);
	assert_int_equal(seen->request.end_ns, 20);
	assert_int_equal(seen->request.body_bytes, 5);
	assert_true(seen->request.head_complete);
	assert_true(seen->request.ended);
	assert_false(seen->request.truncated);
	assert_int_equal(seen->response.start_ns, 30);
	assert_int_equal(seen->response.end_ns, 40);
	assert_int_equal(seen->response.body_bytes, 7);
	assert_string_equal(seen->request_head, "POST /");
	assert_string_equal(seen->response_head, "HTTP/1.1 200");
	assert_int_equal(seen->closed_ns, 0);
	assert_int_equal(counters(fixture)->open, 0);
	assert_int_equal(counters(fixture)->exchanges, 1);
	assert_int_equal(counters(fixture)->unmatched, 0);
}

/* Who, where and which trace: all of it from the request's record. */
static struct exchange kept;

static void keep_started(void *context, struct exchange *exchange)
{
	(void)context;
	kept = *exchange;
}

static void ignore_finished(void *context, struct exchange *exchange)
{
	(void)context;
	(void)exchange;
}

static void test_facts(void **state)
{
	static const struct conn_callbacks callbacks = { keep_started, ignore_finished, NULL };
	const struct conn_limits limits = { .exchanges = 1, .request_head = 8, .response_head = 8 };
	static struct record record;
	struct event_request *event = (struct event_request *)record.bytes;
	struct conn_table *table;
	union event decoded;

	(void)state;
	assert_int_equal(conn_table_new(&limits, &callbacks, &table), 0);
	record_make(&record, &(const struct record_facts){ .type = EVENT_REQUEST,
							   .conn = 5,
							   .exchange = 3,
							   .pid = 44,
							   .flags = EVENT_F_HEAD_END,
							   .role = ROLE_CLIENT,
							   .family = AF_INET6,
							   .join = { 8, 9 },
							   .trace = 0xa1,
							   .span = 0xb2,
							   .parent = 0xc3,
							   .time_ns = 6 });
	memset(event->comm, 'c', sizeof(event->comm));
	memset(event->tuple.local_ip, 1, 16);
	memset(event->tuple.remote_ip, 2, 16);
	event->tuple.local_port = 80;
	event->tuple.remote_port = 9999;
	event->tuple.netns = 77;
	event->evidence = EVIDENCE_UNIT;
	assert_int_equal(event_decode(record.bytes, record.size, &decoded), 0);
	conn_table_event(table, decoded);
	assert_int_equal(kept.conn, 5);
	assert_int_equal(kept.serial, 3);
	assert_int_equal(kept.pid, 44);
	assert_int_equal(kept.tid, 45);
	assert_int_equal(kept.netns, 77);
	assert_int_equal(kept.family, AF_INET6);
	assert_int_equal(kept.protocol, PROTOCOL_HTTP1);
	assert_int_equal(kept.role, ROLE_CLIENT);
	assert_int_equal(kept.evidence, EVIDENCE_UNIT);
	assert_int_equal(kept.join.client, 8);
	assert_int_equal(kept.join.server, 9);
	assert_int_equal(kept.local.port, 80);
	assert_int_equal(kept.remote.port, 9999);
	assert_int_equal(kept.local.ip[15], 1);
	assert_int_equal(kept.remote.ip[0], 2);
	assert_int_equal(kept.trace_id[15], 0xa1);
	assert_int_equal(kept.span_id[7], 0xb2);
	assert_int_equal(kept.parent_id[0], 0xc3);
	/* a name of the full length has no NUL in the record */
	assert_string_equal(kept.comm, "cccccccccccccccc");
	conn_table_free(table);
}

static void test_bodies_end_later(void **state)
{
	struct fixture *fixture = *state;
	const struct seen *seen = &fixture->finished[0];

	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 1, .head = "PUT /",
	    .flags = EVENT_F_HEAD_END, .role = ROLE_SERVER, .time_ns = 10, .end_ns = 10);
	PUT(fixture, .type = EVENT_END, .message = MESSAGE_REQUEST, .conn = 1, .exchange = 1,
	    .time_ns = 25, .body_bytes = 1000);
	assert_int_equal(fixture->n_finished, 0);
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .head = "HTTP/1.1 200", .flags = EVENT_F_HEAD_END, .status = 200, .time_ns = 30,
	    .end_ns = 31, .body_bytes = 1);
	assert_int_equal(fixture->n_finished, 0);
	PUT(fixture, .type = EVENT_END, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .time_ns = 45, .body_bytes = 2000);
	assert_finished(fixture, 0, 1, EXCHANGE_COMPLETE);
	assert_int_equal(seen->request.body_bytes, 1000);
	assert_int_equal(seen->request.end_ns, 25);
	assert_true(seen->request.ended);
	assert_int_equal(seen->response.body_bytes, 2000);
	assert_int_equal(seen->response.start_ns, 30);
	assert_int_equal(seen->response.end_ns, 45);
	assert_true(seen->response.ended);
}

/* Some servers answer before they have read all; then the answer's end is the exchange's. */
static void test_response_before_request_end(void **state)
{
	struct fixture *fixture = *state;

	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 1, .head = "PUT /",
	    .flags = EVENT_F_HEAD_END, .role = ROLE_SERVER, .time_ns = 10, .end_ns = 10);
	put_response(fixture, 1, 1, 413);
	assert_finished(fixture, 0, 1, EXCHANGE_COMPLETE);
	assert_false(fixture->finished[0].request.ended);
	PUT(fixture, .type = EVENT_END, .message = MESSAGE_REQUEST, .conn = 1, .exchange = 1);
	assert_int_equal(fixture->n_finished, 1);
	assert_int_equal(counters(fixture)->unmatched, 1);
}

static void test_head_in_pieces(void **state)
{
	struct fixture *fixture = *state;
	const struct seen *seen = &fixture->finished[0];

	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 1, .head = "GET ",
	    .role = ROLE_SERVER, .time_ns = 10, .end_ns = 10);
	assert_int_equal(fixture->n_started, 0);
	PUT(fixture, .type = EVENT_HEAD_MORE, .conn = 1, .exchange = 1, .head = "/x ",
	    .time_ns = 11, .end_ns = 11);
	assert_int_equal(fixture->n_started, 0);
	PUT(fixture, .type = EVENT_HEAD_MORE, .conn = 1, .exchange = 1, .head = "HTTP/1.1",
	    .time_ns = 12, .end_ns = 13, .flags = EVENT_F_HEAD_END | EVENT_F_END);
	assert_int_equal(fixture->n_started, 1);
	assert_string_equal(fixture->started_head, "GET /x HTTP/1.1");

	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .head = "HTTP/1.1 ", .status = 200, .time_ns = 30, .end_ns = 30);
	PUT(fixture, .type = EVENT_HEAD_MORE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .head = "200", .flags = EVENT_F_HEAD_END | EVENT_F_END, .time_ns = 31, .end_ns = 32,
	    .body_bytes = 3);
	assert_finished(fixture, 0, 1, EXCHANGE_COMPLETE);
	assert_string_equal(seen->request_head, "GET /x HTTP/1.1");
	assert_int_equal(seen->request.start_ns, 10);
	assert_int_equal(seen->request.end_ns, 13);
	assert_string_equal(seen->response_head, "HTTP/1.1 200");
	assert_int_equal(seen->response.start_ns, 30);
	assert_int_equal(seen->response.end_ns, 32);
	assert_int_equal(seen->response.body_bytes, 3);
}

static void test_interim(void **state)
{
	struct fixture *fixture = *state;

	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 1, .head = "PUT /",
	    .flags = EVENT_F_HEAD_END, .role = ROLE_SERVER, .time_ns = 10, .end_ns = 10);
	for (int i = 0; i < 2; i++) {
		PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1,
		    .exchange = 1, .head = "HTTP/1.1 1", .status = 100, .time_ns = 15, .end_ns = 15,
		    .flags = EVENT_F_INTERIM);
		PUT(fixture, .type = EVENT_HEAD_MORE, .message = MESSAGE_RESPONSE, .conn = 1,
		    .exchange = 1, .head = "00", .time_ns = 16, .end_ns = 16,
		    .flags = EVENT_F_INTERIM | EVENT_F_HEAD_END | EVENT_F_END);
	}
	assert_int_equal(fixture->n_finished, 0);
	put_response(fixture, 1, 1, 201);
	assert_finished(fixture, 0, 1, EXCHANGE_COMPLETE);
	assert_int_equal(fixture->finished[0].status, 201);
	assert_int_equal(fixture->finished[0].response.start_ns, 150);
	assert_string_equal(fixture->finished[0].response_head, "OK");
}

static void test_upgrade(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 1);
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .status = 101, .time_ns = 150, .end_ns = 150,
	    .flags = EVENT_F_HEAD_END | EVENT_F_END | EVENT_F_UPGRADE);
	assert_finished(fixture, 0, 1, EXCHANGE_UPGRADED);
	/* the same when the head came in pieces */
	put_request(fixture, 2, 2);
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 2, .exchange = 2,
	    .status = 101, .time_ns = 250, .end_ns = 250);
	PUT(fixture, .type = EVENT_HEAD_MORE, .message = MESSAGE_RESPONSE, .conn = 2, .exchange = 2,
	    .flags = EVENT_F_HEAD_END | EVENT_F_END | EVENT_F_UPGRADE);
	assert_finished(fixture, 1, 2, EXCHANGE_UPGRADED);
}

static void test_head_limits(void **state)
{
	struct fixture *fixture = *state;
	const struct seen *seen = fixture->finished;

	/* 32 bytes of a request are kept, 16 of a response */
	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 1, .role = ROLE_SERVER,
	    .head = "0123456789012345678901234567890123456789", .flags = EVENT_F_HEAD_END,
	    .time_ns = 1);
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .head = "0123456789", .time_ns = 2);
	PUT(fixture, .type = EVENT_HEAD_MORE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .head = "0123456789", .time_ns = 3);
	PUT(fixture, .type = EVENT_HEAD_MORE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .head = "0123456789", .time_ns = 4, .flags = EVENT_F_END);
	assert_string_equal(seen[0].request_head, "01234567890123456789012345678901");
	assert_true(seen[0].request.truncated);
	assert_string_equal(seen[0].response_head, "0123456789012345");
	assert_true(seen[0].response.truncated);
	/* a head of just the limit is whole */
	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 2, .role = ROLE_SERVER,
	    .head = "01234567890123456789012345678901", .flags = EVENT_F_HEAD_END, .time_ns = 1);
	put_response(fixture, 1, 2, 200);
	assert_int_equal(strlen(seen[1].request_head), 32);
	assert_false(seen[1].request.truncated);
}

/* The kernel side's own limit ends the waiting for more of the head. */
static void test_truncated_in_kernel(void **state)
{
	struct fixture *fixture = *state;

	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 1, .head = "GET /",
	    .role = ROLE_SERVER, .time_ns = 10, .flags = EVENT_F_TRUNCATED);
	assert_int_equal(fixture->n_started, 1);
	PUT(fixture, .type = EVENT_HEAD_MORE, .conn = 1, .exchange = 1, .time_ns = 12,
	    .flags = EVENT_F_HEAD_END | EVENT_F_TRUNCATED);
	assert_int_equal(fixture->n_started, 1);
	put_response(fixture, 1, 1, 200);
	assert_true(fixture->finished[0].request.truncated);
	assert_true(fixture->finished[0].request.head_complete);
}

/* --- several at a time --- */

static void test_pipelining(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t serial = 1; serial <= 200; serial++)
		put_request(fixture, 1, serial);
	assert_int_equal(fixture->n_started, 200);
	assert_int_equal(counters(fixture)->open, 200);
	for (uint32_t serial = 1; serial <= 200; serial++) {
		put_response(fixture, 1, serial, (uint16_t)(200 + serial % 5));
		assert_finished(fixture, serial - 1, serial, EXCHANGE_COMPLETE);
		assert_int_equal(fixture->finished[serial - 1].status, 200 + serial % 5);
		assert_int_equal(fixture->finished[serial - 1].request.start_ns, 100 * serial);
	}
	assert_int_equal(counters(fixture)->open, 0);
	assert_int_equal(counters(fixture)->unmatched, 0);
}

/* Answers that come in another order than their requests: not HTTP/1, but no reason to fail. */
static void test_any_order(void **state)
{
	static const uint32_t orders[][3] = {
		{ 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 }, { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 },
	};
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		for (uint32_t serial = 1; serial <= 3; serial++)
			put_request(fixture, 100 + i, serial);
		for (unsigned int j = 0; j < 3; j++) {
			put_response(fixture, 100 + i, orders[i][j], 200);
			assert_finished(fixture, 3 * i + j, orders[i][j], EXCHANGE_COMPLETE);
		}
	}
	assert_int_equal(counters(fixture)->open, 0);
}

static void test_connections_are_apart(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 1);
	put_request(fixture, 2, 1);
	put_request(fixture, 1, 2);
	put_response(fixture, 2, 1, 404);
	assert_int_equal(fixture->finished[0].conn, 2);
	put_close(fixture, 1, 1, 0);
	assert_int_equal(fixture->n_finished, 3);
	assert_int_equal(fixture->finished[1].conn, 1);
	assert_int_equal(fixture->finished[2].conn, 1);
	put_close(fixture, 2, 2, 0);
	assert_int_equal(counters(fixture)->unmatched, 1);
}

/* --- ends --- */

static void test_close(void **state)
{
	static const struct {
		int error;
		uint8_t flags;
		enum exchange_end end;
	} rows[] = {
		{ 0, 0, EXCHANGE_CLOSED },	     { ECONNRESET, 0, EXCHANGE_RESET },
		{ EPIPE, 0, EXCHANGE_RESET },	     { ETIMEDOUT, 0, EXCHANGE_TIMEOUT },
		{ 0, EVENT_F_BLIND, EXCHANGE_LOST }, { ECONNRESET, EVENT_F_BLIND, EXCHANGE_LOST },
	};
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_request(fixture, 1, i + 1);
		PUT(fixture, .type = EVENT_CLOSE, .message = MESSAGE_RESPONSE, .conn = 1,
		    .exchange = i + 1, .error = rows[i].error, .flags = rows[i].flags,
		    .time_ns = 9000);
		assert_finished(fixture, i, i + 1, rows[i].end);
		assert_int_equal(fixture->finished[i].closed_ns, 9000);
		assert_int_equal(fixture->finished[i].response.start_ns, 0);
	}
}

/* What had come of the answer counts, for the exchange that the record names and for no other. */
static void test_close_within_response(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 1);
	put_request(fixture, 1, 2);
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .status = 200, .head = "OK", .flags = EVENT_F_HEAD_END, .time_ns = 150, .end_ns = 150);
	PUT(fixture, .type = EVENT_CLOSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .error = ECONNRESET, .time_ns = 9000, .end_ns = 8000, .body_bytes = 77);
	assert_finished(fixture, 0, 1, EXCHANGE_RESET);
	assert_int_equal(fixture->finished[0].response.end_ns, 8000);
	assert_int_equal(fixture->finished[0].response.body_bytes, 77);
	assert_finished(fixture, 1, 2, EXCHANGE_RESET);
	assert_int_equal(fixture->finished[1].response.end_ns, 0);
	assert_int_equal(fixture->finished[1].response.body_bytes, 0);
	assert_int_equal(counters(fixture)->open, 0);
}

/* --- lost records --- */

static void test_unknown_exchange(void **state)
{
	struct fixture *fixture = *state;

	put_response(fixture, 1, 1, 200);
	PUT(fixture, .type = EVENT_HEAD_MORE, .conn = 1, .exchange = 1, .head = "x");
	PUT(fixture, .type = EVENT_END, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1);
	put_close(fixture, 1, 1, 0);
	put_request(fixture, 1, 1);
	put_response(fixture, 1, 2, 200);
	assert_int_equal(counters(fixture)->unmatched, 5);
	assert_int_equal(fixture->n_finished, 0);
}

/* The answer's first record was lost: its end says that there was one, not what it was. */
static void test_lost_response(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 1);
	PUT(fixture, .type = EVENT_END, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .time_ns = 160, .body_bytes = 9);
	assert_finished(fixture, 0, 1, EXCHANGE_LOST);
	assert_int_equal(fixture->finished[0].response.end_ns, 160);
	put_request(fixture, 1, 2);
	PUT(fixture, .type = EVENT_HEAD_MORE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 2,
	    .head = "X: y", .time_ns = 155, .end_ns = 156, .flags = EVENT_F_HEAD_END | EVENT_F_END);
	assert_true(fixture->finished[1].response.truncated);
	assert_int_equal(fixture->finished[1].status, 0);
}

/* The answer's last record was lost: the close of the connection says it at last. */
static void test_lost_end(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 1);
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .status = 200, .head = "OK", .flags = EVENT_F_HEAD_END, .time_ns = 150, .end_ns = 151);
	put_request(fixture, 1, 2);
	put_response(fixture, 1, 2, 200);
	assert_finished(fixture, 0, 2, EXCHANGE_COMPLETE);
	put_request(fixture, 1, 3);
	PUT(fixture, .type = EVENT_CLOSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 3,
	    .error = ECONNRESET, .time_ns = 9000);
	assert_finished(fixture, 1, 1, EXCHANGE_LOST);
	assert_int_equal(fixture->finished[1].closed_ns, 0);
	assert_int_equal(fixture->finished[1].response.end_ns, 151);
	assert_finished(fixture, 2, 3, EXCHANGE_RESET);
	assert_int_equal(counters(fixture)->open, 0);
}

/* The request's record was lost, and the close names it: younger ones are closed all the same. */
static void test_lost_request_then_close(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 2);
	put_request(fixture, 1, 3);
	put_close(fixture, 1, 1, 0);
	assert_finished(fixture, 0, 2, EXCHANGE_CLOSED);
	assert_finished(fixture, 1, 3, EXCHANGE_CLOSED);
	assert_int_equal(counters(fixture)->unmatched, 0);
}

/* Serial numbers go on after the last one that fits. */
static void test_serial_wraps(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, UINT32_MAX);
	put_request(fixture, 1, 0);
	put_close(fixture, 1, UINT32_MAX, 0);
	assert_finished(fixture, 0, UINT32_MAX, EXCHANGE_CLOSED);
	assert_finished(fixture, 1, 0, EXCHANGE_CLOSED);
}

/* --- exchanges that interleave --- */

/* Of two threads the one that reads the answer may come first. */
static void test_early_response(void **state)
{
	struct fixture *fixture = *state;

	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 3,
	    .head = "OK", .flags = EVENT_F_HEAD_END, .status = 200, .early = true, .time_ns = 30);
	PUT(fixture, .type = EVENT_END, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 3,
	    .time_ns = 40, .body_bytes = 7);
	assert_int_equal(fixture->n_started, 0);
	assert_int_equal(counters(fixture)->exchanges, 0);
	put_request(fixture, 1, 3);
	assert_int_equal(fixture->n_started, 1);
	assert_finished(fixture, 0, 3, EXCHANGE_COMPLETE);
	assert_int_equal(fixture->finished[0].status, 200);
	assert_int_equal(fixture->finished[0].response.body_bytes, 7);
	assert_int_equal(counters(fixture)->open, 0);
	assert_int_equal(counters(fixture)->unmatched, 0);
	/* the same, with the answer still under way */
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 5,
	    .head = "OK", .flags = EVENT_F_HEAD_END, .status = 200, .early = true, .time_ns = 30);
	put_request(fixture, 1, 5);
	assert_int_equal(fixture->n_finished, 1);
	PUT(fixture, .type = EVENT_END, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 5);
	assert_finished(fixture, 1, 5, EXCHANGE_COMPLETE);
}

/* A server that will do nothing more of its connection's: those that it has begun go on. */
static void test_reset_of_younger(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 1);
	put_request(fixture, 1, 3);
	put_request(fixture, 2, 3);
	put_request(fixture, 1, 5);
	PUT(fixture, .type = EVENT_RESET, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 2,
	    .code = 7, .younger = true, .time_ns = 900);
	assert_int_equal(fixture->n_finished, 2);
	assert_finished(fixture, 0, 3, EXCHANGE_CANCELLED);
	assert_finished(fixture, 1, 5, EXCHANGE_CANCELLED);
	assert_int_equal(fixture->finished[1].reset_code, 7);
	assert_true(fixture->finished[1].reset_by_server);
	put_response(fixture, 1, 1, 200);
	assert_finished(fixture, 2, 1, EXCHANGE_COMPLETE);
	put_response(fixture, 2, 3, 200);
	assert_finished(fixture, 3, 3, EXCHANGE_COMPLETE);
	assert_int_equal(counters(fixture)->unmatched, 0);
}

/* Messages of a body are counted by the record that tells of its end. */
static void test_messages(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 1);
	PUT(fixture, .type = EVENT_END, .message = MESSAGE_REQUEST, .conn = 1, .exchange = 1,
	    .time_ns = 120, .messages = 3);
	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .status = 200, .head = "OK", .flags = EVENT_F_HEAD_END, .time_ns = 150);
	PUT(fixture, .type = EVENT_END, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 1,
	    .time_ns = 160, .messages = 5);
	assert_finished(fixture, 0, 1, EXCHANGE_COMPLETE);
	assert_int_equal(fixture->finished[0].request.messages, 3);
	assert_int_equal(fixture->finished[0].response.messages, 5);
}

/* The request's own record was lost: nobody is told of the rest. */
static void test_early_response_alone(void **state)
{
	struct fixture *fixture = *state;

	PUT(fixture, .type = EVENT_RESPONSE, .message = MESSAGE_RESPONSE, .conn = 1, .exchange = 3,
	    .head = "OK", .flags = EVENT_F_HEAD_END, .status = 200, .early = true, .time_ns = 30);
	put_close(fixture, 1, 0, 0);
	assert_int_equal(fixture->n_started, 0);
	assert_int_equal(fixture->n_finished, 0);
	assert_int_equal(counters(fixture)->unmatched, 1);
	assert_int_equal(counters(fixture)->open, 0);
}

static void test_reset(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 1);
	put_request(fixture, 1, 3);
	PUT(fixture, .type = EVENT_RESET, .message = MESSAGE_REQUEST, .conn = 1, .exchange = 3,
	    .code = 8, .time_ns = 77);
	assert_finished(fixture, 0, 3, EXCHANGE_CANCELLED);
	assert_int_equal(fixture->finished[0].closed_ns, 77);
	put_response(fixture, 1, 1, 200);
	assert_finished(fixture, 1, 1, EXCHANGE_COMPLETE);
}

/* Exchange 0: all of them, or none. */
static void test_close_of_all(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 3);
	put_request(fixture, 1, 1);
	put_request(fixture, 2, 1);
	put_close(fixture, 1, 0, 0);
	assert_int_equal(fixture->n_finished, 2);
	assert_finished(fixture, 0, 3, EXCHANGE_CLOSED);
	assert_finished(fixture, 1, 1, EXCHANGE_CLOSED);
	put_close(fixture, 1, 0, 0);
	assert_int_equal(counters(fixture)->unmatched, 0);
}

/* --- limits --- */

static void test_eviction(void **state)
{
	static struct fixture fixture;
	const struct conn_limits limits = { .exchanges = 4,
					    .request_head = 32,
					    .response_head = 32 };

	(void)state;
	assert_int_equal(setup_limits(&fixture, &limits), 0);
	for (uint32_t i = 1; i <= 4; i++)
		put_request(&fixture, 100 + i, 1);
	assert_int_equal(counters(&fixture)->evicted, 0);
	put_response(&fixture, 102, 1, 200);
	put_request(&fixture, 105, 1);
	assert_int_equal(counters(&fixture)->evicted, 0);
	put_request(&fixture, 106, 1);
	put_request(&fixture, 107, 1);
	assert_int_equal(counters(&fixture)->evicted, 2);
	assert_int_equal(counters(&fixture)->open, 4);
	assert_int_equal(fixture.n_finished, 3);
	assert_int_equal(fixture.finished[1].conn, 101);
	assert_int_equal(fixture.finished[1].end, EXCHANGE_LOST);
	assert_int_equal(fixture.finished[2].conn, 103);
	/* an evicted exchange's answer has nowhere to go */
	put_response(&fixture, 101, 1, 200);
	assert_int_equal(counters(&fixture)->unmatched, 1);
	assert_int_equal(counters(&fixture)->exchanges, 7);
	conn_table_free(fixture.table);
}

/* A head of which the rest never came is started when it is given up. */
static void test_eviction_starts(void **state)
{
	static struct fixture fixture;
	const struct conn_limits limits = { .exchanges = 1,
					    .request_head = 32,
					    .response_head = 32 };

	(void)state;
	assert_int_equal(setup_limits(&fixture, &limits), 0);
	PUT(&fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 1, .head = "GE",
	    .role = ROLE_SERVER, .time_ns = 1);
	assert_int_equal(fixture.n_started, 0);
	put_request(&fixture, 2, 1);
	assert_int_equal(fixture.n_started, 2);
	assert_finished(&fixture, 0, 1, EXCHANGE_LOST);
	conn_table_free(fixture.table);
}

/* One connection whose answers are all lost does not fill the table. */
static void test_connection_limit(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t serial = 1; serial <= 512 + 10; serial++)
		put_request(fixture, 1, serial);
	assert_int_equal(counters(fixture)->open, 512);
	assert_int_equal(counters(fixture)->evicted, 10);
	assert_finished(fixture, 0, 1, EXCHANGE_LOST);
	assert_finished(fixture, 9, 10, EXCHANGE_LOST);
	put_response(fixture, 1, 512 + 10, 200);
	assert_finished(fixture, 10, 512 + 10, EXCHANGE_COMPLETE);
}

static void test_drain(void **state)
{
	struct fixture *fixture = *state;

	put_request(fixture, 1, 1);
	put_request(fixture, 2, 7);
	put_request(fixture, 1, 2);
	conn_table_drain(fixture->table);
	assert_finished(fixture, 0, 1, EXCHANGE_LOST);
	assert_finished(fixture, 1, 7, EXCHANGE_LOST);
	assert_finished(fixture, 2, 2, EXCHANGE_LOST);
	assert_int_equal(counters(fixture)->open, 0);
	conn_table_drain(fixture->table);
	assert_int_equal(fixture->n_finished, 3);
}

/* Exchanges are used again: nothing of an earlier life shows, and open ones are freed (sanitizer).
 */
static void test_reuse(void **state)
{
	struct fixture *fixture = *state;

	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 1, .role = ROLE_SERVER,
	    .head = "0123456789012345678901234567890123456789", .body_bytes = 5, .time_ns = 1,
	    .flags = EVENT_F_HEAD_END | EVENT_F_END | EVENT_F_TRUNCATED);
	put_response(fixture, 1, 1, 500);
	PUT(fixture, .type = EVENT_REQUEST, .conn = 1, .exchange = 2, .role = ROLE_SERVER,
	    .head = "G", .time_ns = 1);
	put_close(fixture, 1, 2, 0);
	assert_string_equal(fixture->finished[1].request_head, "G");
	assert_string_equal(fixture->finished[1].response_head, "");
	assert_false(fixture->finished[1].request.truncated);
	assert_false(fixture->finished[1].request.ended);
	assert_false(fixture->finished[1].request.head_complete);
	assert_int_equal(fixture->finished[1].request.body_bytes, 0);
	assert_int_equal(fixture->finished[1].status, 0);
	put_request(fixture, 1, 3);
}

/* Large heads, and more exchanges at a time than are kept for later. */
static void test_much_at_a_time(void **state)
{
	static struct fixture fixture;
	static char piece[1501];
	const struct conn_limits limits = {
		.exchanges = 1024,
		.request_head = 4096,
		.response_head = 4096,
	};

	(void)state;
	assert_int_equal(setup_limits(&fixture, &limits), 0);
	memset(piece, 'x', sizeof(piece) - 1);
	for (unsigned int round = 0; round < 2; round++) {
		fixture.n_finished = fixture.n_started = 0;
		for (uint64_t conn = 1; conn <= 300; conn++) {
			PUT(&fixture, .type = EVENT_REQUEST, .conn = conn, .exchange = 1,
			    .head = piece, .role = ROLE_SERVER, .time_ns = 1);
			PUT(&fixture, .type = EVENT_HEAD_MORE, .conn = conn, .exchange = 1,
			    .head = piece, .flags = EVENT_F_HEAD_END);
		}
		for (uint64_t conn = 1; conn <= 300; conn++) {
			put_response(&fixture, conn, 1, 200);
			assert_int_equal(fixture.finished[conn - 1].request.head_len, 3000);
			assert_false(fixture.finished[conn - 1].request.truncated);
		}
	}
	assert_null(conn_table_free(fixture.table));
	assert_null(conn_table_free(NULL));
}

/* A connection's exchanges stay in their order while the table makes room for more of them. */
static void test_order_while_growing(void **state)
{
	static struct fixture fixture;
	const struct conn_limits limits = { .exchanges = 1024 };

	(void)state;
	assert_int_equal(setup_limits(&fixture, &limits), 0);
	for (uint32_t serial = 1; serial <= 3; serial++)
		for (uint64_t conn = 1; conn <= 100; conn++)
			PUT(&fixture, .type = EVENT_REQUEST, .conn = conn, .exchange = serial,
			    .flags = EVENT_F_HEAD_END, .role = ROLE_SERVER, .time_ns = 1);
	for (uint64_t conn = 1; conn <= 100; conn++) {
		const struct seen *finished = &fixture.finished[(conn - 1) * 3];

		PUT(&fixture, .type = EVENT_CLOSE, .conn = conn, .exchange = 1);
		assert_int_equal(fixture.n_finished, conn * 3);
		for (uint32_t i = 0; i < 3; i++) {
			assert_int_equal(finished[i].conn, conn);
			assert_int_equal(finished[i].serial, i + 1);
		}
	}
	assert_null(conn_table_free(fixture.table));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_record_each),
		cmocka_unit_test(test_facts),
		TEST(test_bodies_end_later),
		TEST(test_response_before_request_end),
		TEST(test_head_in_pieces),
		TEST(test_interim),
		TEST(test_upgrade),
		TEST(test_head_limits),
		TEST(test_truncated_in_kernel),
		TEST(test_pipelining),
		TEST(test_any_order),
		TEST(test_connections_are_apart),
		TEST(test_close),
		TEST(test_close_within_response),
		TEST(test_unknown_exchange),
		TEST(test_lost_response),
		TEST(test_lost_end),
		TEST(test_lost_request_then_close),
		TEST(test_serial_wraps),
		TEST(test_early_response),
		TEST(test_early_response_alone),
		TEST(test_reset_of_younger),
		TEST(test_messages),
		TEST(test_reset),
		TEST(test_close_of_all),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_eviction_starts),
		TEST(test_connection_limit),
		TEST(test_drain),
		TEST(test_reuse),
		cmocka_unit_test(test_much_at_a_time),
		cmocka_unit_test(test_order_while_growing),
	};

	return cmocka_run_group_tests_name("conn/table", tests, NULL, NULL);
}
