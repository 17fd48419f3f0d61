/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration, read again on SIGHUP: file, environment and command line, as at the start. If
 * something is wrong with it, nothing happens. Else the pipeline is handed the settings, and when
 * it has taken them, they count here, too. What can go wrong there leaves all as it was.
 */
#ifndef WEFT_WATCHER_RELOAD_H
#define WEFT_WATCHER_RELOAD_H

#include <stdbool.h>

#include "pipeline/settings.h"

/* What SIGHUP is to this weft. */
enum hangup {
	HANGUP_RELOADS,
	HANGUP_ENDS,	/* it runs in somebody's terminal, with nothing that could be read again */
	HANGUP_IGNORED, /* the same under nohup(1) */
};

struct reload {
	struct settings *settings; /* those that count */
	int n_arguments;	   /* of the command, as config_load() takes them */
	char *const *arguments;
	/* The settings are other ones. `described`: so is what processes are described by. */
	void (*changed)(void *context, bool described);
	void *context;

	int channel;	     /* to a pipeline that is ready; -1: there is none */
	bool wanted;	     /* a signal came that is not answered yet */
	bool pending;	     /* `next` waits for a pipeline's answer */
	unsigned int handed; /* how many pipelines it was handed to */
	struct settings next;
	struct channel_message message;
};

enum hangup hangup_is(const struct config *config);

/* All that is the caller's to set is set. */
void reload_init(struct reload *reload);

/* A signal came: now, or once there is a pipeline that has answered what it was asked before. */
void reload_want(struct reload *reload);

/* A pipeline has begun its work; it has the settings that count. */
void reload_pipeline_ready(struct reload *reload, int channel);

/* It has answered. `error`: why not; NULL: it has the settings. */
void reload_answered(struct reload *reload, const char *error);

/* It has ended. */
void reload_pipeline_gone(struct reload *reload);

void reload_clear(struct reload *reload);

#endif
