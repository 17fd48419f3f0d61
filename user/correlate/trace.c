/* SPDX-License-Identifier: Apache-2.0 */
#include "correlate/trace.h"

#include <stdlib.h>
#include <string.h>

static void trace_unref(struct trace_table *table, struct trace *trace)
{
	while (trace && --trace->references == 0) {
		struct trace *next = trace->continues;

		while (trace->held) {
			struct span *span = trace->held;

			trace->held = span->next;
			span_free(span);
		}
		free(trace->state);
		list_append(&table->spare, &trace->age);
		trace = next;
	}
}

int trace_table_init(struct trace_table *table, size_t max)
{
	*table = (struct trace_table){};
	return hashmap_init_inner(&table->traces, SPAN_ID_LEN, sizeof(struct trace *), max);
}

/* The one that was used last, as it lies nearest. NULL: there is none. */
static struct trace *trace_take_spare(struct trace_table *table)
{
	struct trace *trace = list_item(table->spare.youngest, struct trace, age);

	if (trace)
		list_remove(&table->spare, &trace->age);
	return trace;
}

void trace_table_clear(struct trace_table *table)
{
	struct trace *trace;

	while ((trace = trace_oldest(table)))
		trace_remove(table, trace);
	while ((trace = trace_take_spare(table)))
		free(trace);
	hashmap_clear(&table->traces);
}

struct trace *trace_find(const struct trace_table *table, const uint8_t *entry)
{
	struct trace **slot = hashmap_get(&table->traces, entry);

	return slot ? *slot : NULL;
}

static struct trace *trace_take(struct trace_table *table)
{
	struct trace *trace = trace_take_spare(table);

	if (!trace)
		return calloc(1, sizeof(*trace));
	*trace = (struct trace){};
	return trace;
}

struct trace *trace_add(struct trace_table *table, const uint8_t *entry)
{
	struct trace *trace = trace_take(table);
	struct trace **slot;
	bool created;

	if (!trace)
		return NULL;
	slot = hashmap_put(&table->traces, entry, &created);
	if (!slot || !created) {
		list_append(&table->spare, &trace->age);
		return NULL;
	}
	*slot = trace;
	memcpy(trace->entry, entry, SPAN_ID_LEN);
	trace->references = 1;
	trace->waiting = true;
	trace->held_tail = &trace->held;
	list_append(&table->by_age, &trace->age);
	if (!table->waiting)
		table->waiting = trace;
	table->n_waiting++;
	return trace;
}

struct trace *trace_oldest_waiting(struct trace_table *table)
{
	while (table->waiting && !table->waiting->waiting)
		table->waiting = trace_younger(table->waiting);
	return table->waiting;
}

void trace_remove(struct trace_table *table, struct trace *trace)
{
	if (table->waiting == trace)
		table->waiting = trace_younger(trace);
	list_remove(&table->by_age, &trace->age);
	if (trace->waiting)
		table->n_waiting--;
	hashmap_delete(&table->traces, trace->entry);
	trace_unref(table, trace);
}

struct trace *trace_root(struct trace *trace)
{
	while (trace->continues)
		trace = trace->continues;
	return trace;
}

void trace_continue(struct trace *trace, struct trace *other)
{
	struct trace *root = trace_root(other);

	/* a ring cannot come from real traffic; records are not trusted to be real */
	if (root == trace)
		return;
	trace->continues = root;
	root->references++;
	if (trace->held) {
		*root->held_tail = trace->held;
		root->held_tail = trace->held_tail;
		trace->held = NULL;
		trace->held_tail = &trace->held;
	}
}

void trace_hold(struct trace *trace, struct span *span)
{
	struct trace *root = trace_root(trace);

	span->next = NULL;
	*root->held_tail = span;
	root->held_tail = &span->next;
}
