/* SPDX-License-Identifier: Apache-2.0 */
#include "process/processor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "process/limits.h"
#include "process/older_names.h"
#include "process/redact.h"
#include "process/route.h"

/*
 * Redaction comes first, so that nothing behind it can carry a secret on; limits come last, so that
 * they hold for what the others add.
 */
static const struct processor_ops *const processors[] = {
	&processor_redact,
	&processor_route,
	&processor_older_names,
	&processor_limits,
};

#define N_PROCESSORS (sizeof(processors) / sizeof(processors[0]))

struct process_chain {
	size_t n_started;
	struct processor *started[N_PROCESSORS];
};

static void cleanup_chain(struct process_chain **chain)
{
	process_chain_free(*chain);
}

int process_chain_new(const struct processor_options *options, struct process_chain **ret_chain)
{
	_cleanup_(cleanup_chain) struct process_chain *chain = calloc(1, sizeof(*chain));

	if (!chain)
		return -ENOMEM;
	for (size_t i = 0; i < N_PROCESSORS; i++) {
		int r = processors[i]->start(options, &chain->started[i]);

		if (r < 0)
			return r;
		chain->n_started++;
	}
	*ret_chain = TAKE_PTR(chain);
	return 0;
}

void process_chain_configure(struct process_chain *chain, const struct processor_options *options)
{
	for (size_t i = 0; i < chain->n_started; i++)
		if (chain->started[i]->ops->configure)
			chain->started[i]->ops->configure(chain->started[i], options);
}

void process_chain_run(struct process_chain *chain, struct span_builder *builder)
{
	for (size_t i = 0; i < chain->n_started; i++)
		chain->started[i]->ops->process(chain->started[i], builder);
}

struct process_chain *process_chain_free(struct process_chain *chain)
{
	if (!chain)
		return NULL;
	while (chain->n_started > 0) {
		struct processor *last = chain->started[--chain->n_started];

		last->ops->stop(last);
	}
	free(chain);
	return NULL;
}
