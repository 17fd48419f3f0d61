/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline without kernel, loop and network: records made by hand go through all its rooms and
 * come out encoded. What is to be measured happens within replay_turn(), so that callgrind can be
 * told to count there alone; its counts do not depend on the machine's load.
 *
 *   replay [--exchanges N] [--codec json|protobuf] [--heads short|long] [--alone]
 *
 * The records are those of a load generator and a server on one host, 32 connections with
 * keep-alive: each exchange is seen at both ends, and makes two spans. --alone: only the server is
 * traced.
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
#include "lib/records.h"
#include "pipeline/flow.h"

#define CONNECTIONS    32
#define EXCHANGE_NS    100000 /* 10,000 of them a second */
#define TURN_EXCHANGES 200    /* and the ring is read every 20 ms */
#define TURN_RECORDS   (4 * TURN_EXCHANGES)
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

struct replay {
	struct flow flow;
	struct batch_queue queue;
	struct export_counters counters;
	struct bytes line;
	struct bytes scratch;
	bool protobuf;
	bool alone;
	const char *request_head;
	unsigned long exchanges;
	unsigned long done;
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
};

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
	uint16_t client = (uint16_t)(CLIENT_PORT + end->number % CONNECTIONS);

	memcpy(tuple->local_ip, loopback.ip, sizeof(loopback.ip));
	memcpy(tuple->remote_ip, loopback.ip, sizeof(loopback.ip));
	tuple->local_port = end->role == ROLE_CLIENT ? client : SERVER_PORT;
	tuple->remote_port = end->role == ROLE_CLIENT ? SERVER_PORT : client;
}

static void record_add(struct replay *replay, const struct end *end, enum event_type type)
{
	struct record *record = &replay->records[replay->n_records++];
	bool request = type == EVENT_REQUEST;
	struct record_facts facts = {
		.type = type,
		.message = request ? MESSAGE_REQUEST : MESSAGE_RESPONSE,
		.flags = EVENT_F_HEAD_END | EVENT_F_END,
		.conn = end->number % CONNECTIONS * 2 + end->role,
		.exchange = (uint32_t)(end->number / CONNECTIONS + 1),
		.pid = end->role == ROLE_CLIENT ? CLIENT_PID : SERVER_PID,
		.time_ns = end->time_ns,
		.end_ns = end->time_ns + 1,
		.body_bytes = request ? 0 : 512,
		.head = request ? replay->request_head : HEAD_RESPONSE,
		.role = end->role,
		.family = AF_INET,
		.status = 200,
		.join = { .client = end->number + 1, .server = end->number + 2 },
	};

	record_make(record, &facts);
	if (request) {
		fill_ids((struct event_request *)record->bytes, end);
		fill_tuple(&((struct event_request *)record->bytes)->tuple, end);
	}
}

/* Client and server run in turns, each through what is ready: a quarter of the connections. */
static void group_add(struct replay *replay, unsigned long n)
{
	static const struct {
		enum conn_role role;
		enum event_type type;
	} steps[] = {
		{ ROLE_CLIENT, EVENT_REQUEST },
		{ ROLE_SERVER, EVENT_REQUEST },
		{ ROLE_SERVER, EVENT_RESPONSE },
		{ ROLE_CLIENT, EVENT_RESPONSE },
	};

	for (size_t step = 0; step < sizeof(steps) / sizeof(steps[0]); step++) {
		if (replay->alone && steps[step].role == ROLE_CLIENT)
			continue;
		for (unsigned long i = 0; i < n; i++) {
			struct end end = { replay->done + i, steps[step].role,
					   replay->now_ns + i * EXCHANGE_NS + step * 1000 };

			record_add(replay, &end, steps[step].type);
		}
	}
	replay->done += n;
	replay->now_ns += n * EXCHANGE_NS;
}

static void turn_make(struct replay *replay)
{
	replay->n_records = 0;
	for (unsigned long i = 0; i < TURN_EXCHANGES; i += CONNECTIONS / 4)
		group_add(replay, CONNECTIONS / 4);
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
	while (replay->done < replay->exchanges) {
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
	double n = (double)replay->done;

	printf("exchanges %lu\nspans %llu\nbytes_per_span %.0f\ncpu_ns_per_exchange %.0f\n"
	       "heap_kib %zu\n",
	       replay->done, (unsigned long long)out->accepted,
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

static int parse(struct replay *replay, int argc, char **argv)
{
	static const struct option options[] = {
		{ "exchanges", required_argument, NULL, 'n' },
		{ "codec", required_argument, NULL, 'c' },
		{ "heads", required_argument, NULL, 'h' },
		{ "alone", no_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	replay->exchanges = 20000;
	replay->request_head = HEAD_REQUEST "\r\n";
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'n')
			replay->exchanges = strtoul(optarg, NULL, 10);
		else if (option == 'c')
			replay->protobuf = strcmp(optarg, "protobuf") == 0;
		else if (option == 'h' && strcmp(optarg, "long") == 0)
			replay->request_head = HEAD_REQUEST HEAD_BROWSER "\r\n";
		else if (option == 'a')
			replay->alone = true;
		else if (option == '?')
			return -1;
	}
	return 0;
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
	flow_clear(&replay.flow);
	batch_queue_clear(&replay.queue);
	bytes_free(&replay.line);
	bytes_free(&replay.scratch);
	sd_event_unref(loop);
	return 0;
}
