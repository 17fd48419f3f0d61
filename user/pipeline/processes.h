/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The traced processes as the pipeline knows them: what the watcher said of each, and what was seen
 * of it. Bounded: when there are too many, those that are gone go, else the one not heard of for
 * longest.
 */
#ifndef WEFT_PIPELINE_PROCESSES_H
#define WEFT_PIPELINE_PROCESSES_H

#include <jansson.h>

#include "base/channel.h"
#include "conn/exchange.h"
#include "span/resource.h"

struct processes;

/* `join`: spans of processes that have an SDK are left to it. -ENOMEM. */
int processes_new(size_t max, bool join, struct processes **ret_processes);

/* The same from now on. */
void processes_join(struct processes *processes, bool join);

/* CHANNEL_PROCESS and CHANNEL_PROCESS_GONE. -EBADMSG: not as it should be; -ENOMEM. */
int processes_told(struct processes *processes, const struct channel_message *message);

/*
 * The exchange exports telemetry: of the process' own, if it sends spans and is not seen to take in
 * those of others, as collectors and proxies do.
 */
void processes_telemetry(struct processes *processes, const struct exchange *exchange);

/* The exchange sends trace context of the process' own making. */
void processes_traces(struct processes *processes, const struct exchange *exchange);

/*
 * The resource for a span of the exchange; notes the exchange, and in it whether spans are left to
 * an SDK. A process that the watcher has not spoken of yet gets a resource from its command's name.
 * NULL: no memory. The caller gets no reference.
 */
struct resource *processes_resource(struct processes *processes, struct exchange *exchange);

/* A JSON array, one object a process (see cli/ps.c). NULL: no memory. */
json_t *processes_json(const struct processes *processes);

/* NULL is accepted. Returns NULL. */
struct processes *processes_free(struct processes *processes);

#endif
