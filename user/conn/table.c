/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "conn/entries.h"

/*
 * Open on one connection. Of those that follow each other the kernel side follows 256, and more are
 * open when records were lost; streams that interleave may be more.
 */
#define CONNECTION_EXCHANGES_MAX 512

struct conn_table {
	struct conn_limits limits;
	struct conn_callbacks callbacks;
	struct conn_counters counters;
	struct entries entries;
	size_t n_early; /* exchanges of which only the response is known so far */
};

static struct entry *entry_of(struct exchange *exchange)
{
	return (struct entry *)exchange;
}

/* The oldest open exchange of a connection, NULL: none. */
static struct entry *connection_first(const struct conn_table *table, uint64_t conn)
{
	const struct connection *connection = entries_connection(&table->entries, conn);

	return connection ? connection_oldest(connection) : NULL;
}

static struct exchange *exchange_find(const struct conn_table *table,
				      const struct event_header *header)
{
	struct entry *entry = entries_find(&table->entries, header->conn, header->exchange);

	return entry ? &entry->exchange : NULL;
}

static void exchange_start(struct conn_table *table, struct exchange *exchange)
{
	if (entry_of(exchange)->started)
		return;
	entry_of(exchange)->started = true;
	table->callbacks.started(table->callbacks.context, exchange);
}

static void exchange_finish(struct conn_table *table, struct exchange *exchange,
			    enum exchange_end end)
{
	struct entry *entry = entry_of(exchange);

	exchange->end = end;
	/* its request may still come */
	if (entry->early && (end == EXCHANGE_COMPLETE || end == EXCHANGE_CANCELLED))
		return;
	if (!entry->early)
		exchange_start(table, exchange);
	entries_remove(&table->entries, entry);
	table->counters.open = table->entries.n;
	if (entry->early) {
		table->counters.unmatched++;
		table->n_early--;
	} else {
		table->callbacks.finished(table->callbacks.context, exchange);
	}
	if (entry->lent)
		exchange->response = entry->response;
	entries_give(&table->entries, entry);
}

/* Appends captured bytes of a head, as many as the limit lets in. */
static void message_append(struct message *message, const uint8_t *bytes, uint32_t len,
			   uint32_t max)
{
	uint32_t room = max > message->head_len ? max - message->head_len : 0;

	if (len > room) {
		len = room;
		message->truncated = true;
	}
	if (len == 0)
		return;
	if (message->head_len + len > message->head_cap) {
		uint32_t want = (message->head_len + len + 511) & ~511u;
		uint8_t *grown = realloc(message->head, want);

		if (!grown) {
			message->truncated = true;
			return;
		}
		message->head = grown;
		message->head_cap = want;
	}
	memcpy(message->head + message->head_len, bytes, len);
	message->head_len += len;
}

/*
 * The head of the response that ends the exchange need not be copied: whoever reads it does so
 * before the record is gone, and most need not be read at all.
 */
static void response_lend(struct entry *entry, const struct event_response *event, uint32_t max)
{
	struct message *message = &entry->exchange.response;

	entry->response = *message;
	entry->lent = true;
	message->head = (uint8_t *)event->head;
	message->head_len = event->head_len < max ? event->head_len : max;
	message->truncated |= event->head_len > max;
}

/* What every record of a head says. */
static void message_update(struct message *message, const struct event_header *header,
			   uint64_t body_bytes, uint32_t messages, uint64_t end_ns)
{
	if (!message->start_ns)
		message->start_ns = header->time_ns;
	message->end_ns = end_ns;
	message->body_bytes = body_bytes;
	message->messages = messages;
	message->head_complete |= !!(header->flags & EVENT_F_HEAD_END);
	message->truncated |= !!(header->flags & EVENT_F_TRUNCATED);
	message->ended |= !!(header->flags & EVENT_F_END);
}

static void exchange_fill(struct exchange *exchange, const struct event_request *event)
{
	exchange->conn = event->header.conn;
	exchange->serial = event->header.exchange;
	exchange->pid = event->header.pid;
	exchange->protocol = event->header.protocol;
	exchange->tid = event->tid;
	exchange->netns = event->tuple.netns;
	exchange->family = event->family;
	exchange->role = event->role;
	exchange->tls = event->tls;
	exchange->tls_cipher = event->tls_cipher;
	exchange->evidence = event->evidence;
	exchange->join = event->join;
	exchange->local.port = event->tuple.local_port;
	exchange->remote.port = event->tuple.remote_port;
	memcpy(exchange->local.ip, event->tuple.local_ip, sizeof(exchange->local.ip));
	memcpy(exchange->remote.ip, event->tuple.remote_ip, sizeof(exchange->remote.ip));
	memcpy(exchange->trace_id, event->trace_id, sizeof(exchange->trace_id));
	memcpy(exchange->span_id, event->span_id, sizeof(exchange->span_id));
	memcpy(exchange->parent_id, event->parent_id, sizeof(exchange->parent_id));
	exchange->trace_flags = event->trace_flags;
	exchange->context = event->context;
	memcpy(exchange->comm, event->comm, WEFT_COMM_LEN);
	exchange->comm[WEFT_COMM_LEN] = 0;
}

/* The end of an exchange that is given up will not be seen, or it is too late for it. */
static void exchange_evict(struct conn_table *table, struct exchange *exchange)
{
	table->counters.evicted++;
	exchange_finish(table, exchange, EXCHANGE_LOST);
}

/* Room for one more exchange on a connection: in the table, and in the connection's own list. */
static void make_room(struct conn_table *table, uint64_t conn)
{
	const struct connection *connection = entries_connection(&table->entries, conn);

	if (connection && connection->n >= CONNECTION_EXCHANGES_MAX)
		exchange_evict(table, &connection_oldest(connection)->exchange);
	if (table->entries.n >= table->limits.exchanges && entries_oldest(&table->entries))
		exchange_evict(table, &entries_oldest(&table->entries)->exchange);
}

/* An open exchange of which nothing is known but its place. NULL: no memory. */
static struct exchange *exchange_open(struct conn_table *table, const struct event_header *header)
{
	struct entry *entry;

	make_room(table, header->conn);
	entry = entries_add(&table->entries, header->conn, header->exchange);
	if (!entry)
		return NULL;
	table->counters.open = table->entries.n;
	return &entry->exchange;
}

/* A response whose request is told of by another thread, which has not come to it yet. */
static struct exchange *exchange_open_early(struct conn_table *table,
					    const struct event_response *event)
{
	struct exchange *exchange = exchange_open(table, &event->header);

	if (exchange) {
		entry_of(exchange)->early = true;
		table->n_early++;
	}
	return exchange;
}

/* The exchange of a request: a new one, unless its response was there first. */
static struct exchange *exchange_of_request(struct conn_table *table,
					    const struct event_request *event)
{
	struct exchange *exchange = NULL;

	if (table->n_early)
		exchange = exchange_find(table, &event->header);
	if (!exchange || !entry_of(exchange)->early)
		return exchange_open(table, &event->header);
	table->n_early--;
	return exchange;
}

static void request_event(struct conn_table *table, const struct event_request *event)
{
	struct exchange *exchange = exchange_of_request(table, event);
	bool answered;

	if (!exchange) {
		table->counters.no_memory++;
		return;
	}
	answered = entry_of(exchange)->early && exchange->response.ended;
	entry_of(exchange)->early = false;
	exchange_fill(exchange, event);
	table->counters.exchanges++;
	message_append(&exchange->request, event->head, event->head_len,
		       table->limits.request_head);
	message_update(&exchange->request, &event->header, event->body_bytes, 0, event->end_ns);
	if (event->header.flags & (EVENT_F_HEAD_END | EVENT_F_TRUNCATED))
		exchange_start(table, exchange);
	if (answered)
		exchange_finish(table, exchange, exchange->end);
}

static void response_event(struct conn_table *table, struct exchange *exchange,
			   const struct event_response *event)
{
	struct entry *entry = entry_of(exchange);

	if (event->header.flags & EVENT_F_INTERIM)
		return;
	if (!entry->early)
		exchange_start(table, exchange);
	exchange->status = event->status;
	if (event->header.flags & EVENT_F_END && !entry->early && !exchange->response.head_len)
		response_lend(entry, event, table->limits.response_head);
	else
		message_append(&exchange->response, event->head, event->head_len,
			       table->limits.response_head);
	message_update(&exchange->response, &event->header, event->body_bytes, event->messages,
		       event->end_ns);
	if (event->header.flags & EVENT_F_END)
		exchange_finish(table, exchange,
				event->header.flags & EVENT_F_UPGRADE ? EXCHANGE_UPGRADED
								      : EXCHANGE_COMPLETE);
}

/* What has come of a head that came in pieces settles what context the request has. */
static void context_update(struct exchange *exchange, const struct event_head_more *event)
{
	exchange->context = event->context;
	exchange->trace_flags = event->trace_flags;
	if (event->context.use != CONTEXT_TAKEN)
		return;
	memcpy(exchange->trace_id, event->context.carried.trace_id, sizeof(exchange->trace_id));
	memcpy(exchange->parent_id, &event->context.carried.span_id, sizeof(exchange->parent_id));
	exchange->evidence = event->context.evidence;
}

static void more_event(struct conn_table *table, struct exchange *exchange,
		       const struct event_head_more *event)
{
	bool request = event->header.message == MESSAGE_REQUEST;
	struct message *message = request ? &exchange->request : &exchange->response;

	if (event->header.flags & EVENT_F_INTERIM)
		return;
	/* the record of the head's beginning was lost */
	if (!message->start_ns)
		message->truncated = true;
	message_append(message, event->head, event->head_len,
		       request ? table->limits.request_head : table->limits.response_head);
	message_update(message, &event->header, event->body_bytes, event->messages, event->end_ns);
	if (request && event->context.settled)
		context_update(exchange, event);
	if (request && event->header.flags & (EVENT_F_HEAD_END | EVENT_F_TRUNCATED))
		exchange_start(table, exchange);
	if (!request && event->header.flags & EVENT_F_END)
		exchange_finish(table, exchange,
				event->header.flags & EVENT_F_UPGRADE ? EXCHANGE_UPGRADED
								      : EXCHANGE_COMPLETE);
}

static void end_event(struct conn_table *table, struct exchange *exchange,
		      const struct event_end *event)
{
	bool request = event->header.message == MESSAGE_REQUEST;
	struct message *message = request ? &exchange->request : &exchange->response;

	message->body_bytes = event->body_bytes;
	message->messages = event->messages;
	message->end_ns = event->header.time_ns;
	message->ended = true;
	if (!request)
		exchange_finish(table, exchange,
				message->start_ns ? EXCHANGE_COMPLETE : EXCHANGE_LOST);
}

/*
 * The connection is gone: so are all exchanges that wait on it. Older ones than the record names
 * had their answer; its end was lost.
 */
static void close_event(struct conn_table *table, const struct event_close *event)
{
	enum exchange_end end = event->header.flags & EVENT_F_BLIND ? EXCHANGE_LOST
				: event->error == 0		    ? EXCHANGE_CLOSED
				: event->error == ETIMEDOUT	    ? EXCHANGE_TIMEOUT
								    : EXCHANGE_RESET;
	struct entry *entry = connection_first(table, event->header.conn);

	if (!entry && event->header.exchange)
		table->counters.unmatched++;
	while (entry) {
		struct entry *next = entry_after(entry);
		struct exchange *exchange = &entry->exchange;
		bool older = event->header.exchange &&
			     (int32_t)(exchange->serial - event->header.exchange) < 0;

		if (exchange->serial == event->header.exchange && event->end_ns &&
		    exchange->response.start_ns) {
			exchange->response.body_bytes = event->body_bytes;
			exchange->response.end_ns = event->end_ns;
		}
		if (!older)
			exchange->closed_ns = event->header.time_ns;
		exchange_finish(table, exchange, older ? EXCHANGE_LOST : end);
		entry = next;
	}
}

static void reset_event(struct conn_table *table, struct exchange *exchange,
			const struct event_reset *event)
{
	exchange->closed_ns = event->header.time_ns;
	exchange->reset_code = event->code;
	exchange->reset_by_server = event->header.message == MESSAGE_RESPONSE;
	exchange_finish(table, exchange, EXCHANGE_CANCELLED);
}

/* The same of all exchanges of the connection from that one on. */
static void reset_all_event(struct conn_table *table, const struct event_reset *event)
{
	struct entry *entry = connection_first(table, event->header.conn);

	while (entry) {
		struct entry *next = entry_after(entry);

		if ((int32_t)(entry->exchange.serial - event->header.exchange) >= 0)
			reset_event(table, &entry->exchange, event);
		entry = next;
	}
}

void conn_table_event(struct conn_table *table, union event event)
{
	struct exchange *exchange;

	if (event.header->type == EVENT_REQUEST) {
		request_event(table, event.request);
		return;
	}
	if (event.header->type == EVENT_CLOSE) {
		close_event(table, event.close);
		return;
	}
	if (event.header->type == EVENT_RESET && event.reset->younger) {
		reset_all_event(table, event.reset);
		return;
	}
	exchange = exchange_find(table, event.header);
	if (!exchange && event.header->type == EVENT_RESPONSE && event.response->early)
		exchange = exchange_open_early(table, event.response);
	if (!exchange) {
		table->counters.unmatched++;
		return;
	}
	switch (event.header->type) {
	case EVENT_RESPONSE:
		response_event(table, exchange, event.response);
		break;
	case EVENT_HEAD_MORE:
		more_event(table, exchange, event.more);
		break;
	case EVENT_END:
		end_event(table, exchange, event.end);
		break;
	case EVENT_RESET:
		reset_event(table, exchange, event.reset);
		break;
	}
}

void conn_table_drain(struct conn_table *table)
{
	while (entries_oldest(&table->entries))
		exchange_finish(table, &entries_oldest(&table->entries)->exchange, EXCHANGE_LOST);
}

const struct conn_counters *conn_table_counters(const struct conn_table *table)
{
	return &table->counters;
}

int conn_table_new(const struct conn_limits *limits, const struct conn_callbacks *callbacks,
		   struct conn_table **ret_table)
{
	struct conn_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->limits = *limits;
	table->callbacks = *callbacks;
	if (entries_init(&table->entries) < 0) {
		conn_table_free(table);
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

struct conn_table *conn_table_free(struct conn_table *table)
{
	if (!table)
		return NULL;
	entries_clear(&table->entries);
	free(table);
	return NULL;
}
