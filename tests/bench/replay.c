/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline without kernel, loop and network: records made by hand go through all its rooms and
 * come out encoded. What is to be measured happens within replay_turn(), so that callgrind can be
 * told to count there alone; its counts do not depend on the machine's load.
 *
 *   replay [--exchanges N] [--protocol http1|http2|grpc] [--codec json|protobuf]
 *          [--heads short|long] [--alone]
 *
 * The records are those of a load generator and a server on one host: of HTTP/1 32 connections with
 * keep-alive, of HTTP/2 10 with 100 streams each, as h2load asks nginx, or a server of gRPC. Each
 * exchange is seen at both ends, and makes two spans. --heads: of HTTP/1. --alone: only the server
 * is traced.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "export/batch.h"
#include "export/otlp_encode.h"
#include "export/otlp_json.h"
#include "lib/http2_peer.h"
#include "lib/records.h"
#include "pipeline/flow.h"

#define EXCHANGE_NS    100000 /* 10,000 of them a second */
#define TURN_EXCHANGES 200    /* and the ring is read every 20 ms */
#define STEPS_MAX      8
#define TURN_RECORDS   (STEPS_MAX * TURN_EXCHANGES)
#define PEERS_MAX      10 /* connections of HTTP/2 */
#define FRAME_MAX      512
#define FRAME_HEADERS  1
#define CLIENT_PID     100
#define SERVER_PID     200
#define CLIENT_PORT    40000
#define SERVER_PORT    8080
#define HEAD_REQUEST   "GET /item/1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
#define HEAD_BROWSER                                                                               \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"   \
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"              \
	"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"                \
	"Referer: http://127.0.0.1:8080/cart?step=2\r\nConnection: keep-alive\r\n"                 \
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"                         \
	"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n"
#define HEAD_RESPONSE                                                                              \
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 25 Nov 2025 17:00:00 GMT\r\n"       \
	"Content-Type: text/plain\r\nContent-Length: 512\r\n"                                      \
	"Last-Modified: Tue, 25 Nov 2025 16:59:59 GMT\r\nConnection: keep-alive\r\n"               \
	"ETag: \"6745a1b2-200\"\r\nAccept-Ranges: bytes\r\n\r\n"

static const struct conn_address loopback = {
	.ip = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 },
};

/* A record that each exchange makes. */
struct step {
	enum conn_role role;
	enum event_type type;
	enum message_kind message;
	uint8_t flags;
	enum head {
		HEAD_NONE,
		HEAD_GET,
		HEAD_PAGE,
		HEAD_CALL,
		HEAD_CALL_ANSWER,
		HEAD_CALL_STATUS,
	} head; /* HTTP/2 */
};

#define WHOLE (EVENT_F_HEAD_END | EVENT_F_END)

/* Which programs ask each other, and how: `streams` exchanges are open on each connection. */
struct scenario {
	const char *name;
	enum protocol_id protocol;
	unsigned int connections;
	unsigned int streams;
	unsigned int group;	/* exchanges that a program takes up in one turn */
	size_t lag;		/* this many exchanges are open before the first one is answered */
	size_t n_request_steps; /* the others come when it is answered */
	size_t n_steps;
	struct step steps[STEPS_MAX];
};

static const struct scenario scenarios[] = {
	{ "http1",
	  PROTOCOL_HTTP1,
	  .connections = 32,
	  .streams = 1,
	  .group = 8,
	  .n_request_steps = 2,
	  .n_steps = 4,
	  .steps = {
		  { ROLE_CLIENT, EVENT_REQUEST, MESSAGE_REQUEST, WHOLE, HEAD_NONE },
		  { ROLE_SERVER, EVENT_REQUEST, MESSAGE_REQUEST, WHOLE, HEAD_NONE },
		  { ROLE_SERVER, EVENT_RESPONSE, MESSAGE_RESPONSE, WHOLE, HEAD_NONE },
		  { ROLE_CLIENT, EVENT_RESPONSE, MESSAGE_RESPONSE, WHOLE, HEAD_NONE },
	  } },
	{ "http2",
	  PROTOCOL_HTTP2,
	  .connections = 10,
	  .streams = 100,
	  .group = 100,
	  .lag = 1000,
	  .n_request_steps = 2,
	  .n_steps = 6,
	  .steps = {
		  { ROLE_CLIENT, EVENT_REQUEST, MESSAGE_REQUEST, WHOLE, HEAD_GET },
		  { ROLE_SERVER, EVENT_REQUEST, MESSAGE_REQUEST, WHOLE, HEAD_GET },
		  { ROLE_SERVER, EVENT_RESPONSE, MESSAGE_RESPONSE, EVENT_F_HEAD_END, HEAD_PAGE },
		  { ROLE_SERVER, EVENT_END, MESSAGE_RESPONSE, 0, HEAD_NONE },
		  { ROLE_CLIENT, EVENT_RESPONSE, MESSAGE_RESPONSE, EVENT_F_HEAD_END, HEAD_PAGE },
		  { ROLE_CLIENT, EVENT_END, MESSAGE_RESPONSE, 0, HEAD_NONE },
	  } },
	{ "grpc",
	  PROTOCOL_HTTP2,
	  .connections = 10,
	  .streams = 100,
	  .group = 100,
	  .lag = 1000,
	  .n_request_steps = 4,
	  .n_steps = 8,
	  .steps = {
		  { ROLE_CLIENT, EVENT_REQUEST, MESSAGE_REQUEST, EVENT_F_HEAD_END, HEAD_CALL },
		  { ROLE_CLIENT, EVENT_END, MESSAGE_REQUEST, 0, HEAD_NONE },
		  { ROLE_SERVER, EVENT_REQUEST, MESSAGE_REQUEST, EVENT_F_HEAD_END, HEAD_CALL },
		  { ROLE_SERVER, EVENT_END, MESSAGE_REQUEST, 0, HEAD_NONE },
		  { ROLE_SERVER, EVENT_RESPONSE, MESSAGE_RESPONSE, EVENT_F_HEAD_END,
		    HEAD_CALL_ANSWER },
		  { ROLE_SERVER, EVENT_RESPONSE, MESSAGE_RESPONSE, WHOLE, HEAD_CALL_STATUS },
		  { ROLE_CLIENT, EVENT_RESPONSE, MESSAGE_RESPONSE, EVENT_F_HEAD_END,
		    HEAD_CALL_ANSWER },
		  { ROLE_CLIENT, EVENT_RESPONSE, MESSAGE_RESPONSE, WHOLE, HEAD_CALL_STATUS },
	  } },
};

/* One direction of a connection of HTTP/2, as one end sees it. */
struct direction {
	struct http2_peer peer;
	uint8_t frame[FRAME_MAX];
};

struct replay {
	struct flow flow;
	struct batch_queue queue;
	struct export_counters counters;
	struct bytes line;
	struct bytes scratch;
	bool protobuf;
	bool alone;
	const char *request_head;
	const struct scenario *scenario;
	struct direction directions[PEERS_MAX][2][2]; /* by role, message */
	unsigned long exchanges;
	unsigned long done; /* they have begun, `lag` of them are not answered */
	uint64_t now_ns;
	uint64_t bytes;
	size_t n_records;
	struct record records[TURN_RECORDS];
};

/* --- where the spans go --- */

static void span_out(void *context, struct span *span)
{
	struct replay *replay = context;

	batch_queue_add(&replay->queue, span);
}

/* As export/file.c does it. */
static int json_out(struct replay *replay, const struct batch *batch)
{
	struct otlp_json_parts parts;

	if (otlp_json_gather(batch, &parts) < 0)
		return otlp_json_line(batch, &replay->line);
	replay->bytes += parts.size;
	bytes_empty(&replay->line);
	return 0;
}

static void batch_out(void *context)
{
	struct replay *replay = context;
	struct batch *batch;

	while ((batch = batch_queue_take(&replay->queue))) {
		int r = replay->protobuf
				? otlp_encode_request(batch, &replay->scratch, &replay->line)
				: json_out(replay, batch);

		replay->bytes += replay->line.len;
		batch_queue_settle(&replay->queue, batch, r == 0 ? SIZE_MAX : 0,
				   &replay->counters.dropped_no_memory);
	}
}

/* --- where the records come from --- */

/* Which exchange, as one of its ends sees it. */
struct end {
	unsigned long number;
	enum conn_role role;
	uint64_t time_ns;
	unsigned int connection;
	uint32_t serial;
};

static struct end end_of(const struct replay *replay, unsigned long number, enum conn_role role)
{
	const struct scenario *scenario = replay->scenario;
	unsigned long open = (unsigned long)scenario->streams * scenario->connections;
	unsigned long index = number / open * scenario->streams + number % scenario->streams;

	return (struct end){
		.number = number,
		.role = role,
		.connection = (unsigned int)(number / scenario->streams % scenario->connections),
		.serial = (uint32_t)(scenario->protocol == PROTOCOL_HTTP2 ? 2 * index : index) + 1,
	};
}

static void fill_ids(struct event_request *request, const struct end *end)
{
	uint64_t id = (end->number * 2 + end->role) * 0x9e3779b97f4a7c15ull;

	request->trace_flags = TRACE_FLAG_SAMPLED;
	memcpy(request->span_id, &id, sizeof(id));
	memcpy(request->trace_id, &id, sizeof(id));
	memcpy(request->trace_id + sizeof(id), &end->number, sizeof(end->number));
}

static void fill_tuple(struct conn_tuple *tuple, const struct end *end)
{
	uint16_t client = (uint16_t)(CLIENT_PORT + end->connection);

	memcpy(tuple->local_ip, loopback.ip, sizeof(loopback.ip));
	memcpy(tuple->remote_ip, loopback.ip, sizeof(loopback.ip));
	tuple->local_port = end->role == ROLE_CLIENT ? client : SERVER_PORT;
	tuple->remote_port = end->role == ROLE_CLIENT ? SERVER_PORT : client;
}

static struct view block_of(struct http2_peer *peer, enum head head)
{
	switch (head) {
	case HEAD_GET:
		return http2_peer_block(peer, ":method", "GET", ":path", "/item/1", ":scheme",
					"http", ":authority", "127.0.0.1:8080", "user-agent",
					"h2load nghttp2/1.52.0", NULL);
	case HEAD_PAGE:
		return http2_peer_block(peer, ":status", "200", "server", "nginx/1.22.1", "date",
					"Tue, 25 Nov 2025 17:00:00 GMT", "content-type",
					"text/plain", "content-length", "512", "last-modified",
					"Tue, 25 Nov 2025 16:59:59 GMT", "etag", "\"6745a1b2-200\"",
					"accept-ranges", "bytes", NULL);
	case HEAD_CALL:
		return http2_peer_block(peer, ":method", "POST", ":path", "/shop.Cart/Add",
					":scheme", "http", ":authority", "127.0.0.1:8080",
					"user-agent", "grpc-go/1.60.0", "content-type",
					"application/grpc", "te", "trailers", NULL);
	case HEAD_CALL_ANSWER:
		return http2_peer_block(peer, ":status", "200", "content-type", "application/grpc",
					NULL);
	default:
		return http2_peer_block(peer, "grpc-status", "0", "grpc-message", "", NULL);
	}
}

/* nginx keeps nothing in the connection's table: its heads are literals, each time. */
static size_t table_size(enum head head)
{
	return head == HEAD_PAGE ? 0 : 4096;
}

static void fill_frame(struct replay *replay, const struct end *end, const struct step *step,
		       struct record_facts *facts)
{
	struct direction *direction =
		&replay->directions[end->connection][end->role == ROLE_SERVER][step->message];

	if (!direction->peer.deflater) {
		http2_peer_init(&direction->peer, table_size(step->head));
		facts->flags |= EVENT_F_FIRST;
	}
	facts->head_len = http2_frame_put(direction->frame, FRAME_HEADERS, 0, end->serial,
					  block_of(&direction->peer, step->head));
	facts->head = (const char *)direction->frame;
}

static void record_add(struct replay *replay, const struct end *end, const struct step *step)
{
	struct record *record = &replay->records[replay->n_records++];
	bool request = step->message == MESSAGE_REQUEST;
	struct record_facts facts = {
		.type = step->type,
		.message = step->message,
		.flags = step->flags,
		.protocol = replay->scenario->protocol,
		.conn = end->connection * 2 + end->role,
		.exchange = end->serial,
		.pid = end->role == ROLE_CLIENT ? CLIENT_PID : SERVER_PID,
		.time_ns = end->time_ns,
		.end_ns = end->time_ns + 1,
		.body_bytes = request ? 0 : 512,
		.role = end->role,
		.family = AF_INET,
		.status = 200,
		.join = { .client = end->number + 1, .server = end->number + 2 },
	};

	if (step->head != HEAD_NONE)
		fill_frame(replay, end, step, &facts);
	else if (facts.protocol == PROTOCOL_HTTP1)
		facts.head = request ? replay->request_head : HEAD_RESPONSE;
	record_make(record, &facts);
	if (step->type == EVENT_REQUEST) {
		fill_ids((struct event_request *)record->bytes, end);
		fill_tuple(&((struct event_request *)record->bytes)->tuple, end);
	}
}

/* What has been open for longest is answered, and as much is asked, by each program in its turn. */
static void group_add(struct replay *replay)
{
	const struct scenario *scenario = replay->scenario;

	for (size_t i = 0; i < scenario->n_steps; i++) {
		const struct step *step = &scenario->steps[i];
		size_t lag = i < scenario->n_request_steps ? 0 : scenario->lag;

		if (replay->alone && step->role == ROLE_CLIENT)
			continue;
		for (unsigned long n = replay->done; n < replay->done + scenario->group; n++) {
			struct end end;

			if (n < lag || n - lag >= replay->exchanges)
				continue;
			end = end_of(replay, n - lag, step->role);
			end.time_ns = replay->now_ns + (n - replay->done) * EXCHANGE_NS + i * 1000;
			record_add(replay, &end, step);
		}
	}
	replay->done += scenario->group;
	replay->now_ns += scenario->group * EXCHANGE_NS;
}

static void turn_make(struct replay *replay)
{
	replay->n_records = 0;
	for (unsigned long i = 0; i < TURN_EXCHANGES; i += replay->scenario->group)
		group_add(replay);
}

/* --- the measurement --- */

/* One look at the ring, as pipeline.c takes it. By its name callgrind knows where to count. */
__attribute__((noinline)) void replay_turn(struct replay *replay);
void replay_turn(struct replay *replay)
{
	for (size_t i = 0; i < replay->n_records; i++)
		flow_record(&replay->flow, replay->records[i].bytes, replay->records[i].size);
	correlator_tick(replay->flow.correlator, replay->flow.record_ns);
}

static uint64_t replay_run(struct replay *replay)
{
	uint64_t spent = 0;

	replay->now_ns = NS_PER_SEC;
	while (replay->done < replay->exchanges + replay->scenario->lag) {
		uint64_t before;

		turn_make(replay);
		before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		replay_turn(replay);
		spent += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
	}
	return spent;
}

static void report(const struct replay *replay, uint64_t spent_ns)
{
	const struct export_counters *out = &replay->counters;
	double n = (double)replay->exchanges;

	printf("exchanges %lu\nspans %llu\nbytes_per_span %.0f\ncpu_ns_per_exchange %.0f\n"
	       "heap_kib %zu\n",
	       replay->exchanges, (unsigned long long)out->accepted,
	       (double)replay->bytes / (double)(out->exported ? out->exported : 1),
	       (double)spent_ns / n, mallinfo2().uordblks / 1024);
}

static int start(struct replay *replay, sd_event *loop)
{
	const struct config config = { .request_head = 8192, .response_head = 1024 };
	const struct export_options options = { .batch_delay_ns = 5 * NS_PER_SEC };
	int r;

	replay->queue = (struct batch_queue){
		.codec = replay->protobuf ? &otlp_codec : &otlp_json_codec,
		.counters = &replay->counters,
		.ready = batch_out,
		.owner = replay,
	};
	replay->flow.span = span_out;
	replay->flow.context = replay;
	r = batch_queue_init(&replay->queue, &options, loop);
	return r < 0 ? r : flow_init(&replay->flow, &config);
}

static const struct scenario *scenario_named(const char *name)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	return NULL;
}

static void directions_clear(struct replay *replay)
{
	for (size_t i = 0; i < PEERS_MAX * 4; i++) {
		struct direction *direction = &replay->directions[i / 4][i / 2 % 2][i % 2];

		if (direction->peer.deflater)
			http2_peer_clear(&direction->peer);
	}
}

static int parse(struct replay *replay, int argc, char **argv)
{
	static const struct option options[] = {
		{ "exchanges", required_argument, NULL, 'n' },
		{ "protocol", required_argument, NULL, 'p' },
		{ "codec", required_argument, NULL, 'c' },
		{ "heads", required_argument, NULL, 'h' },
		{ "alone", no_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	replay->exchanges = 20000;
	replay->request_head = HEAD_REQUEST "\r\n";
	replay->scenario = &scenarios[0];
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'n')
			replay->exchanges = strtoul(optarg, NULL, 10);
		else if (option == 'p')
			replay->scenario = scenario_named(optarg);
		else if (option == 'c')
			replay->protobuf = strcmp(optarg, "protobuf") == 0;
		else if (option == 'h' && strcmp(optarg, "long") == 0)
			replay->request_head = HEAD_REQUEST HEAD_BROWSER "\r\n";
		else if (option == 'a')
			replay->alone = true;
		else if (option == '?')
			return -1;
	}
	return replay->scenario ? 0 : -1;
}

int main(int argc, char **argv)
{
	static struct replay replay;
	sd_event *loop = NULL;

	if (parse(&replay, argc, argv) < 0)
		return 2;
	if (sd_event_new(&loop) < 0 || start(&replay, loop) < 0) {
		fprintf(stderr, "replay: cannot start the pipeline's rooms\n");
		return 1;
	}
	report(&replay, replay_run(&replay));
	directions_clear(&replay);
	flow_clear(&replay.flow);
	batch_queue_clear(&replay.queue);
	bytes_free(&replay.line);
	bytes_free(&replay.scratch);
	sd_event_unref(loop);
	return 0;
}
