/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the configuration can change while the pipeline runs, on its way from the watcher: the
 * options themselves, the credentials, and the open files of targets. Options and credentials
 * travel in a file without a name that nobody can write any more; the rest as descriptors.
 */
#ifndef WEFT_PIPELINE_SETTINGS_H
#define WEFT_PIPELINE_SETTINGS_H

#include "base/channel.h"
#include "config/config.h"
#include "export/credentials.h"

#define PIPELINE_TARGETS_MAX 8

_Static_assert(PIPELINE_TARGETS_MAX < CHANNEL_FDS_MAX, "they travel in one message");

struct settings {
	struct config config;
	struct credentials credentials;
	int target_fds[PIPELINE_TARGETS_MAX]; /* by index in config.targets; -1: opens none */
	unsigned int reloads;		      /* how often they have been changed */
	/* What somebody wants and cannot have before a restart, as config_fixed_changes() says. */
	char needs_restart[512];
};

/* No options, no descriptors. */
void settings_init(struct settings *settings);

/*
 * `settings` become what is wanted, but for options that cannot change; *wanted is to be cleared
 * then. Cannot fail.
 */
void settings_change(struct settings *settings, struct settings *wanted);

/* The settings stay the caller's. -EAGAIN, -EPIPE as channel_send(); -errno. */
int settings_send(const struct settings *settings, int channel, struct channel_message *message);

/* Takes what came with a message: descriptors are closed, or the settings' then. -EBADMSG, -errno.
 */
int settings_receive(struct settings *ret_settings, const int *fds, size_t n);

/* Closes, overwrites, frees; init is due before another use. */
void settings_clear(struct settings *settings);

#endif
