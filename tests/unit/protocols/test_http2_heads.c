/* SPDX-License-Identifier: Apache-2.0 */
/* What comes of a head does not depend on where its bytes were cut into records. */
#include "fixture.h"

#include "conn/table.h"
#include "lib/http2_peer.h"
#include "lib/records.h"
#include "protocols/http2_heads.h"

#define FRAME_HEADER 9 /* the kernel side waits for it */
#define FRAME_MAX    512
#define HEADERS	     1
#define END_HEADERS  0x04

#define FIELDS_MAX  12
#define ANSWERS_MAX 3
#define HEAD_MAX    512

#define STREAM	   1
#define OWN_TRACE  0x11
#define OWN_PARENT 0x22

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"

#define PARENT(flags) "traceparent", "00-" TRACE "-" SPAN "-" flags
#define REFUSED	      "traceparent", "00-" TRACE "-0000000000000000-01"
#define B3_FIELDS     "x-b3-traceid", TRACE, "x-b3-spanid", SPAN, "x-b3-sampled", "0"

struct row {
	const char *what;
	/* names and values in turns */
	const char *request[FIELDS_MAX];
	const char *answers[ANSWERS_MAX][FIELDS_MAX];
	enum config_sampler sampler;
	enum conn_role role;
	/* what the kernel side has found without the head */
	enum context_use found;
	enum parent_evidence evidence;
	uint8_t decided;
	/* what comes of it */
	uint8_t flags;
	enum context_use use;
	enum parent_evidence said;
	uint8_t refused;
	uint16_t status;
};

#define OK	    .answers = { { ":status", "200" } }, .status = 200
#define SERVER	    .role = ROLE_SERVER, OK
#define OBEYS	    SERVER, .sampler = CONFIG_SAMPLER_PARENT_ALWAYS_ON
#define STRANGER    OBEYS, .found = CONTEXT_FOREIGN
#define CLIENT	    .role = ROLE_CLIENT, OK, .sampler = CONFIG_SAMPLER_PARENT_ALWAYS_ON
#define SAMPLED	    .decided = 1, .flags = 1
#define HEADER(as)  .use = as, .said = EVIDENCE_HEADER
#define OPTION(as)  .evidence = EVIDENCE_TCP_OPTION, .use = as, .said = EVIDENCE_TCP_OPTION
#define ANSWER(...) .request = { "a", "b" }, .role = ROLE_SERVER, .answers = { __VA_ARGS__ }

static const struct row rows[] = {
	{ "no context", { "a", "b" }, OBEYS, SAMPLED },
	{ "context", { PARENT("01") }, OBEYS, HEADER(CONTEXT_TAKEN), .flags = 1 },
	{ "the sender decides", { PARENT("00") }, OBEYS, HEADER(CONTEXT_TAKEN), .decided = 1 },
	{ "always_on", { PARENT("00") }, SERVER, HEADER(CONTEXT_TAKEN), SAMPLED },
	{ "always_off", { PARENT("01") }, SERVER, HEADER(CONTEXT_TAKEN) },
	{ "left open", { "b3", TRACE "-" SPAN }, OBEYS, HEADER(CONTEXT_TAKEN), SAMPLED },
	{ "context in fields", { B3_FIELDS }, OBEYS, HEADER(CONTEXT_TAKEN), .decided = 1 },
	{ "refused", { REFUSED }, OBEYS, SAMPLED, .refused = 1 },
	{ "two contexts", { PARENT("01"), PARENT("01") }, OBEYS, .refused = 1 },
	{ "stranger", { PARENT("00") }, STRANGER, HEADER(CONTEXT_FOREIGN), SAMPLED },
	{ "stranger without context", { "a", "b" }, STRANGER, SAMPLED },
	{ "stranger, refused", { REFUSED }, STRANGER, SAMPLED, .refused = 1 },
	{ "stranger's option", { "a", "b" }, STRANGER, OPTION(CONTEXT_FOREIGN), SAMPLED },
	{ "option", { "a", "b" }, OBEYS, .found = CONTEXT_TAKEN, OPTION(CONTEXT_TAKEN), SAMPLED },
	{ "option, refused",
	  { REFUSED },
	  OBEYS,
	  .found = CONTEXT_TAKEN,
	  OPTION(CONTEXT_TAKEN),
	  .refused = 1 },
	{ "the program's own", { PARENT("00") }, CLIENT, HEADER(CONTEXT_CARRIED), SAMPLED },
	{ "an error", ANSWER({ ":status", "500", "content-length", "3" }), .status = 500 },
	{ "interim, response, trailers",
	  ANSWER({ ":status", "103", "link", "a" }, { ":status", "404", "a", "b" },
		 { "grpc-status", "5", "a", "b" }),
	  .status = 404 },
	{ "interim at the end", ANSWER({ ":status", "103" }), .status = 103 },
	{ "trailers alone", ANSWER({ "grpc-status", "5", "a", "b" }) },
	{ "no status", ANSWER({ ":status", "20", "a", "b" }) },
	{ "status behind a field", ANSWER({ "a", "b", ":status", "200" }) },
};

/* An exchange, and its heads as they were kept. Holes are zero. */
struct outcome {
	unsigned int n_started;
	unsigned int n_finished;
	struct event_context context;
	struct event_context context_at_start;
	enum exchange_end end;
	enum parent_evidence evidence;
	uint16_t status;
	uint8_t trace_flags;
	uint8_t trace_flags_at_start;
	uint8_t trace_id[WEFT_TRACE_ID_LEN];
	uint8_t parent_id[WEFT_SPAN_ID_LEN];
	struct {
		uint64_t start_ns;
		bool complete;
		bool truncated;
		bool ended;
		uint32_t head_len;
		uint8_t head[HEAD_MAX];
	} messages[2]; /* by enum message_kind */
};

/* A connection, and where its frames are cut: records of `first` bytes, then of `step`. */
struct world {
	const struct row *row;
	size_t first;
	size_t step;
	void *state;
	struct conn_table *table;
	uint64_t now_ns;
	struct outcome outcome;
};

static void on_started(void *context, struct exchange *exchange)
{
	struct world *world = context;

	world->outcome.n_started++;
	world->outcome.context_at_start = exchange->context;
	world->outcome.trace_flags_at_start = exchange->trace_flags;
}

static void keep_message(struct outcome *outcome, enum message_kind kind,
			 const struct message *message)
{
	assert_in_range(message->head_len, 0, HEAD_MAX);
	outcome->messages[kind].start_ns = message->start_ns;
	outcome->messages[kind].complete = message->head_complete;
	outcome->messages[kind].truncated = message->truncated;
	outcome->messages[kind].ended = message->ended;
	outcome->messages[kind].head_len = message->head_len;
	if (message->head_len > 0)
		memcpy(outcome->messages[kind].head, message->head, message->head_len);
}

static void on_finished(void *context, struct exchange *exchange)
{
	struct world *world = context;
	struct outcome *outcome = &world->outcome;

	outcome->n_finished++;
	outcome->context = exchange->context;
	outcome->end = exchange->end;
	outcome->evidence = exchange->evidence;
	outcome->status = exchange->status;
	outcome->trace_flags = exchange->trace_flags;
	memcpy(outcome->trace_id, exchange->trace_id, sizeof(outcome->trace_id));
	memcpy(outcome->parent_id, exchange->parent_id, sizeof(outcome->parent_id));
	keep_message(outcome, MESSAGE_REQUEST, &exchange->request);
	keep_message(outcome, MESSAGE_RESPONSE, &exchange->response);
}

/* Each field is said in full, so that a block stands for itself: RFC 7541 section 6.2.2. */
static size_t block_put(uint8_t *to, const char *const *fields)
{
	size_t len = 0;

	for (; *fields; fields += 2) {
		to[len++] = 0;
		for (int i = 0; i < 2; i++) {
			size_t n = strlen(fields[i]);

			assert_in_range(n, 1, 126);
			to[len++] = (uint8_t)n;
			memcpy(to + len, fields[i], n);
			len += n;
		}
	}
	return len;
}

static size_t frame_put(uint8_t *to, enum message_kind message, const char *const *fields)
{
	uint8_t block[FRAME_MAX] = { 0x82, 0x84, 0x86 }; /* GET / http: RFC 7541 appendix A */
	size_t begun = message == MESSAGE_REQUEST ? 3 : 0;
	struct view payload = { .data = (const char *)block,
				.len = begun + block_put(block + begun, fields) };

	return http2_frame_put(to, HEADERS, END_HEADERS, STREAM, payload);
}

static void give(struct world *world, struct record *record, const uint8_t *piece, size_t len)
{
	struct event_header *header = (struct event_header *)record->bytes;
	union event event;

	header->protocol = PROTOCOL_HTTP2;
	header->size = (uint32_t)(record->size + len);
	memcpy(record->bytes + record->size, piece, len);
	assert_int_equal(event_decode(record->bytes, header->size, &event), 0);
	if (protocol_by_id(PROTOCOL_HTTP2)->unpack(world->state, &event))
		conn_table_event(world->table, event);
}

static void give_request(struct world *world, struct record *record, const uint8_t *piece,
			 size_t len)
{
	struct event_request *event = (struct event_request *)record->bytes;

	event->head_len = (uint32_t)len;
	event->trace_flags = world->row->decided;
	event->evidence = (uint8_t)world->row->evidence;
	event->context.settled = 1;
	event->context.use = (uint8_t)world->row->found;
	event->context.evidence = (uint8_t)world->row->evidence;
	if (world->row->evidence != EVIDENCE_NONE) {
		memset(event->context.carried.trace_id, OWN_TRACE, WEFT_TRACE_ID_LEN);
		memset(&event->context.carried.span_id, OWN_PARENT, WEFT_SPAN_ID_LEN);
	}
	give(world, record, piece, len);
}

/* As the kernel side does: the first piece of a block says what it is, the last one that it ends.
 */
static void give_piece(struct world *world, struct record_facts *facts, const uint8_t *piece,
		       size_t len)
{
	struct record record;

	facts->time_ns = world->now_ns++;
	record_make(&record, facts);
	if (facts->type == EVENT_REQUEST) {
		give_request(world, &record, piece, len);
		return;
	}
	if (facts->type == EVENT_RESPONSE)
		((struct event_response *)record.bytes)->head_len = (uint32_t)len;
	else
		((struct event_head_more *)record.bytes)->head_len = (uint32_t)len;
	give(world, &record, piece, len);
}

/* Gives the frame's length. `ends`: the message does, with it. */
static size_t give_frame(struct world *world, enum message_kind message, const char *const *fields,
			 bool first, bool ends)
{
	uint8_t frame[FRAME_HEADER + FRAME_MAX];
	size_t len = frame_put(frame, message, fields), n = world->first;
	struct record_facts facts = {
		.type = message == MESSAGE_REQUEST ? EVENT_REQUEST : EVENT_RESPONSE,
		.message = message,
		.flags = first ? EVENT_F_FIRST : 0,
		.conn = 7,
		.exchange = STREAM,
		.role = world->row->role,
		.family = AF_INET,
		.trace = OWN_TRACE,
		.parent = world->row->evidence == EVIDENCE_NONE ? 0 : OWN_PARENT,
	};

	world->now_ns = message == MESSAGE_REQUEST ? 1000 : 1000 * (2 + world->now_ns / 1000);
	for (size_t at = 0; at < len; at += n, n = world->step) {
		if (n > len - at)
			n = len - at;
		if (at + n == len)
			facts.flags |= EVENT_F_HEAD_END | (ends ? EVENT_F_END : 0);
		give_piece(world, &facts, frame + at, n);
		facts.type = EVENT_HEAD_MORE;
		facts.flags = 0;
	}
	return len;
}

/* One exchange, its frames cut so; gives the length of the longest one. */
static size_t run(const struct row *row, size_t first, size_t step, struct outcome *ret_outcome)
{
	const struct conn_limits limits = { 4, HEAD_MAX, HEAD_MAX };
	struct world world;
	const struct conn_callbacks callbacks = { on_started, on_finished, &world };
	const struct config config = {
		.propagators = { .n = 3,
				 .items = { PROPAGATOR_TRACECONTEXT, PROPAGATOR_B3,
					    PROPAGATOR_B3MULTI } },
		.sampler = row->sampler,
	};
	const struct protocol *http2 = protocol_by_id(PROTOCOL_HTTP2);
	size_t longest;

	memset(&world, 0, sizeof(world));
	world.row = row;
	world.first = first;
	world.step = step;
	assert_int_equal(http2->unpack_new(&config, &world.state), 0);
	assert_int_equal(conn_table_new(&limits, &callbacks, &world.table), 0);
	longest = give_frame(&world, MESSAGE_REQUEST, row->request, true, true);
	for (size_t i = 0; i < ANSWERS_MAX && row->answers[i][0]; i++) {
		bool ends = i + 1 == ANSWERS_MAX || !row->answers[i + 1][0];
		size_t len = give_frame(&world, MESSAGE_RESPONSE, row->answers[i], i == 0, ends);

		longest = len > longest ? len : longest;
	}
	conn_table_free(world.table);
	http2->unpack_free(world.state);
	memcpy(ret_outcome, &world.outcome, sizeof(*ret_outcome));
	return longest;
}

static void assert_row(const struct row *row, const struct outcome *outcome)
{
	uint8_t own[WEFT_TRACE_ID_LEN];
	bool joined = row->use == CONTEXT_TAKEN && row->said == EVIDENCE_HEADER;

	memset(own, OWN_TRACE, sizeof(own));
	assert_int_equal(outcome->n_started, 1);
	assert_int_equal(outcome->n_finished, 1);
	assert_int_equal(outcome->end, EXCHANGE_COMPLETE);
	assert_int_equal(outcome->context.use, row->use);
	assert_int_equal(outcome->context.evidence, row->said);
	assert_int_equal(outcome->context.refused, row->refused);
	assert_int_equal(outcome->trace_flags, row->flags);
	assert_int_equal(outcome->status, row->status);
	assert_int_equal(memcmp(outcome->trace_id, own, sizeof(own)) != 0, joined);
}

static void test_row(void **state)
{
	const struct row *row = *state;
	struct outcome whole, cut;
	size_t longest = run(row, FRAME_MAX, FRAME_MAX, &whole);

	assert_row(row, &whole);
	for (size_t at = FRAME_HEADER; at < longest; at++) {
		run(row, at, FRAME_MAX, &cut);
		assert_row(row, &cut);
		assert_memory_equal(&cut, &whole, sizeof(whole));
	}
	run(row, FRAME_HEADER, 1, &cut);
	assert_row(row, &cut);
	assert_memory_equal(&cut, &whole, sizeof(whole));
}

int main(void)
{
	struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0])] = {};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tests[i].name = rows[i].what;
		tests[i].test_func = test_row;
		tests[i].initial_state = (void *)&rows[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
