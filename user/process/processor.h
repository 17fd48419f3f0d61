/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processors: what happens to a span between correlation and export, while it is still in its
 * builder. Each is one descriptor; processor.c holds the table, and its order is the order in which
 * they run. All run in the pipeline's one thread.
 */
#ifndef WEFT_PROCESS_PROCESSOR_H
#define WEFT_PROCESS_PROCESSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "span/span.h"

/* A zeroed struct gives the defaults. What it points to must outlive the chain. */
struct processor_options {
	/*
	 * Query parameters whose values may leave the host, by exact name; "*" stands for all but
	 * the well-known credentials (process/redact.h). Default: none.
	 */
	const char *const *query_keys_kept;
	size_t n_query_keys_kept;
	/* OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, in characters; 0: no limit. */
	size_t attribute_value_length_limit;
	/* OTEL_ATTRIBUTE_COUNT_LIMIT; 0: no limit but SPAN_ATTRIBUTES_MAX. */
	size_t attribute_count_limit;
	/* process/older_names.h */
	bool older_rpc_names;
};

struct processor;

struct processor_ops {
	const char *name;
	/* 0, -EINVAL: an option is out of range, -ENOMEM. */
	int (*start)(const struct processor_options *options, struct processor **ret_processor);
	/* Goes on with these options, and all that it has learnt. NULL: it takes none. */
	void (*configure)(struct processor *processor, const struct processor_options *options);
	/* Changes the span in place. Never fails: what cannot be done is left out. */
	void (*process)(struct processor *processor, struct span_builder *builder);
	/* Frees the processor. */
	void (*stop)(struct processor *processor);
};

/* Every processor's first member. */
struct processor {
	const struct processor_ops *ops;
};

struct process_chain;

/* Starts all processors. -EINVAL or -ENOMEM of the first that fails: then none is left running. */
int process_chain_new(const struct processor_options *options, struct process_chain **ret_chain);

/* From now on with these options. */
void process_chain_configure(struct process_chain *chain, const struct processor_options *options);

/* Runs the span through all processors, in order. */
void process_chain_run(struct process_chain *chain, struct span_builder *builder);

/* Stops all processors; NULL is accepted. Returns NULL. */
struct process_chain *process_chain_free(struct process_chain *chain);

#endif
