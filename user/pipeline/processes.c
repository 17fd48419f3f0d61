/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/processes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hashmap.h"
#include "base/utf8.h"
#include "protocols/protocol.h"

/* A process that is gone is remembered for spans that are still to come, and for `weft ps`. */
#define GONE_LINGER_NS (10 * NS_PER_SEC)

struct process {
	struct resource *resource;
	char *runtime;
	char *unit;
	char *service_source;
	char *executable;
	char *sdk;	/* what the watcher has seen of an SDK; empty: nothing */
	char *exporter; /* the variable that tells one where to send spans; empty: none */
	bool exports;	/* sends spans over OTLP, as far as is known its own */
	bool collects;	/* takes in telemetry */
	bool traces;	/* sends trace context of its own making */
	bool told;	/* by the watcher; else made up from the command's name */
	uint64_t gone_ns;
	uint64_t heard; /* turn in which it was told or seen last */
	uint64_t server_spans;
	uint64_t client_spans;
	uint32_t protocols; /* bit by enum protocol_id */
};

struct processes {
	struct hashmap by_pid; /* uint32_t -> struct process */
	uint64_t next_sweep_ns;
	uint64_t turn;
	bool join;
};

static void process_clear(struct process *process)
{
	resource_unref(process->resource);
	free(process->runtime);
	free(process->unit);
	free(process->service_source);
	free(process->executable);
	free(process->sdk);
	free(process->exporter);
	*process = (struct process){};
}

int processes_new(size_t max, bool join, struct processes **ret_processes)
{
	struct processes *processes = calloc(1, sizeof(*processes));
	int r;

	if (!processes)
		return -ENOMEM;
	r = hashmap_init_inner(&processes->by_pid, sizeof(uint32_t), sizeof(struct process), max);
	if (r < 0) {
		free(processes);
		return r;
	}
	processes->join = join;
	*ret_processes = processes;
	return 0;
}

void processes_join(struct processes *processes, bool join)
{
	processes->join = join;
}

/* Forgets processes that have been gone for a while; all that are gone when there is no room. */
static void sweep(struct processes *processes, bool full)
{
	struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
	uint64_t now = clock_monotonic_ns();
	const void *key;
	void *value;

	if (!full && now < processes->next_sweep_ns)
		return;
	processes->next_sweep_ns = now + NS_PER_SEC;
	while (hashmap_next(&processes->by_pid, &cursor, &key, &value)) {
		struct process *process = value;
		uint32_t pid = *(const uint32_t *)key;

		if (!process->gone_ns || (!full && process->gone_ns + GONE_LINGER_NS > now))
			continue;
		process_clear(process);
		hashmap_delete(&processes->by_pid, &pid);
	}
}

/* Every process lives, as far as is known: the one that was not heard of for longest goes. */
static void evict(struct processes *processes)
{
	struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
	struct process *oldest = NULL;
	uint32_t pid = 0;
	const void *key;
	void *value;

	while (hashmap_next(&processes->by_pid, &cursor, &key, &value)) {
		struct process *process = value;

		if (oldest && oldest->heard <= process->heard)
			continue;
		oldest = process;
		pid = *(const uint32_t *)key;
	}
	if (!oldest)
		return;
	process_clear(oldest);
	hashmap_delete(&processes->by_pid, &pid);
}

static struct process *process_put(struct processes *processes, uint32_t pid)
{
	struct process *process = hashmap_get(&processes->by_pid, &pid);

	if (process)
		return process;
	sweep(processes, hashmap_full(&processes->by_pid));
	if (hashmap_full(&processes->by_pid))
		evict(processes);
	return hashmap_put(&processes->by_pid, &pid, NULL);
}

/* A copy as valid UTF-8: the watcher passes on what others wrote, and JSON takes nothing else. */
static char *copy_text(const char *string)
{
	struct view text = view_of(string);
	size_t size = utf8_repair_bound(text);
	char *copy = malloc(size + 1);

	if (copy)
		copy[utf8_repair(text, copy, size)] = '\0';
	return copy;
}

#define PAIRS_MAX (2 * RESOURCE_ATTRIBUTES_MAX)

/* What was seen of the number's last process, or of its last program, is not this one's. */
static void process_renew(struct process *process, const char *executable)
{
	bool other = process->executable && strcmp(process->executable, executable) != 0;

	if (process->gone_ns)
		process->server_spans = process->client_spans = process->protocols = 0;
	if (process->gone_ns || other)
		process->exports = process->collects = process->traces = false;
	process->gone_ns = 0;
}

/* Replaces a text of the process by a copy of what the watcher says. */
static void text_set(char **text, const char *string)
{
	free(*text);
	*text = copy_text(string);
}

static int process_fill(struct process *process, const struct channel_message *message)
{
	size_t cursor = 0;
	const char *runtime = channel_message_next(message, &cursor);
	const char *unit = channel_message_next(message, &cursor);
	const char *source = channel_message_next(message, &cursor);
	const char *executable = channel_message_next(message, &cursor);
	const char *sdk = channel_message_next(message, &cursor);
	const char *exporter = channel_message_next(message, &cursor);
	const char *pairs[PAIRS_MAX];
	struct resource *resource;
	size_t n = 0;
	int r;

	if (!exporter)
		return -EBADMSG;
	while (n < PAIRS_MAX && (pairs[n] = channel_message_next(message, &cursor)))
		n++;
	r = resource_new(message->header.pid, pairs, n / 2, &resource);
	if (r < 0)
		return r;
	process_renew(process, executable);
	resource_unref(process->resource);
	process->resource = resource;
	text_set(&process->runtime, runtime);
	text_set(&process->unit, unit);
	text_set(&process->service_source, source);
	text_set(&process->executable, executable);
	text_set(&process->sdk, sdk);
	text_set(&process->exporter, exporter);
	process->told = true;
	return 0;
}

int processes_told(struct processes *processes, const struct channel_message *message)
{
	struct process *process;

	if (message->header.type == CHANNEL_PROCESS_GONE) {
		process = hashmap_get(&processes->by_pid, &message->header.pid);
		if (process)
			process->gone_ns = clock_monotonic_ns();
		return 0;
	}
	process = process_put(processes, message->header.pid);
	if (!process)
		return -ENOMEM;
	process->heard = ++processes->turn;
	return process_fill(process, message);
}

/* All that is known of a process that the watcher has not described. */
static int process_guess(struct process *process, const struct exchange *exchange)
{
	char service[sizeof("unknown_service:") + WEFT_COMM_LEN];
	char pid[16];
	const char *pairs[] = { "service.name", service, "process.pid", pid };

	snprintf(service, sizeof(service), "unknown_service:%s", exchange->comm);
	snprintf(pid, sizeof(pid), "%u", exchange->pid);
	return resource_new(exchange->pid, pairs, 2, &process->resource);
}

void processes_telemetry(struct processes *processes, const struct exchange *exchange)
{
	struct process *process = process_put(processes, exchange->pid);

	if (!process)
		return;
	process->heard = ++processes->turn;
	if (exchange->role == ROLE_SERVER)
		process->collects = true;
	else if (exchange->telemetry == TELEMETRY_SPANS)
		process->exports = true;
}

void processes_traces(struct processes *processes, const struct exchange *exchange)
{
	struct process *process = process_put(processes, exchange->pid);

	if (!process)
		return;
	process->heard = ++processes->turn;
	process->traces = true;
}

/* What tells that the process has an SDK, which exports spans of its own; NULL: nothing. */
static const char *process_sdk(const struct process *process)
{
	if (process->sdk && process->sdk[0])
		return process->sdk;
	if (process->exports && !process->collects)
		return "sends spans over OTLP";
	if (process->traces && process->exporter && process->exporter[0])
		return process->exporter;
	return NULL;
}

struct resource *processes_resource(struct processes *processes, struct exchange *exchange)
{
	struct process *process = process_put(processes, exchange->pid);

	if (!process || (!process->resource && process_guess(process, exchange) < 0))
		return NULL;
	process->heard = ++processes->turn;
	if (exchange->role == ROLE_SERVER)
		process->server_spans++;
	else
		process->client_spans++;
	process->protocols |= 1u << exchange->protocol;
	exchange->sdk = processes->join && process_sdk(process);
	return process->resource;
}

static json_t *protocols_json(uint32_t protocols)
{
	json_t *names = json_array();

	for (unsigned int id = 0; id < PROTOCOL_ID_MAX; id++) {
		const struct protocol *protocol = protocol_by_id(id);

		if (protocols & 1u << id && protocol)
			json_array_append_new(names, json_string(protocol->name));
	}
	return names;
}

/* The part that only the watcher knows; null while it has not said it. */
static json_t *process_json(uint32_t pid, const struct process *process, bool join)
{
	struct view service = process->resource ? process->resource->service_name : VIEW("");
	const char *sdk = process_sdk(process);

	return json_pack(
		"{s:I, s:s?, s:s%, s:s?, s:s?, s:s?, s:o, s:I, s:I, s:s?, s:s?, s:s, s:s?}", "pid",
		(json_int_t)pid, "runtime", process->runtime, "service", service.data, service.len,
		"service_source", process->service_source, "executable", process->executable,
		"unit", process->unit, "protocols", protocols_json(process->protocols),
		"server_spans", (json_int_t)process->server_spans, "client_spans",
		(json_int_t)process->client_spans, "sdk", sdk, "sdk_spans",
		sdk ? (join ? "left" : "kept") : NULL, "state",
		process->gone_ns ? "gone" : "traced", "reason",
		process->told ? NULL : "ended before it could be looked at");
}

json_t *processes_json(const struct processes *processes)
{
	struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
	json_t *list = json_array();
	const void *key;
	void *value;

	while (list && hashmap_next(&processes->by_pid, &cursor, &key, &value)) {
		const struct process *process = value;

		if (process->server_spans || process->client_spans)
			json_array_append_new(list, process_json(*(const uint32_t *)key, process,
								 processes->join));
	}
	return list;
}

struct processes *processes_free(struct processes *processes)
{
	struct hashmap_cursor cursor = HASHMAP_CURSOR_INIT;
	void *value;

	if (!processes)
		return NULL;
	while (hashmap_next(&processes->by_pid, &cursor, NULL, &value))
		process_clear(value);
	hashmap_clear(&processes->by_pid);
	free(processes);
	return NULL;
}
