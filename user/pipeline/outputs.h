/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exporters that spans go to, and those that they went to before the settings were changed:
 * these send what they hold, hand the rest over to the one that has taken their place in the list,
 * and are closed. The first one of a list is the one that counts.
 */
#ifndef WEFT_PIPELINE_OUTPUTS_H
#define WEFT_PIPELINE_OUTPUTS_H

#include "export/exporter.h"
#include "pipeline/settings.h"

struct output {
	struct exporter *exporter;
	char *target; /* for messages */
};

struct output_list {
	struct output items[PIPELINE_TARGETS_MAX];
	size_t n;
};

struct outputs {
	sd_event *loop;
	struct output_list now;
	struct output_list before;    /* empty: no change is under way */
	struct export_counters ended; /* of first exporters that are closed */
	sd_event_source *timer;
	unsigned int turns; /* looks at those of before */
	/* A change is complete: the next may come. Not called from within outputs_change(). */
	void (*settled)(void *context);
	void *context;
};

/*
 * The caller has set loop, settled and context. Opens an exporter for each target; those take the
 * descriptors, others stay the settings'. -errno, and `error` says on what and why: nothing is
 * changed then.
 */
int outputs_open(struct outputs *outputs, struct settings *settings, char *error, size_t size);

/* The same in place of those there are. -EBUSY: the change before is not complete. */
int outputs_change(struct outputs *outputs, struct settings *settings, char *error, size_t size);

/* Is a change under way? */
bool outputs_changing(const struct outputs *outputs);

void outputs_export(struct outputs *outputs, const struct span *span);
void outputs_flush(struct outputs *outputs);
bool outputs_idle(const struct outputs *outputs);

/* The counters of the first exporters, all that there were. */
void outputs_count(const struct outputs *outputs, struct export_counters *ret_counters);

/* Tells of what went wrong last at each, and closes what has nothing to send any more. */
void outputs_close(struct outputs *outputs);

#endif
