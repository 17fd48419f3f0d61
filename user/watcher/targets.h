/* SPDX-License-Identifier: Apache-2.0 */
/* What targets need that the pipeline may not get by itself: open files, and credentials. */
#ifndef WEFT_WATCHER_TARGETS_H
#define WEFT_WATCHER_TARGETS_H

#include "pipeline/settings.h"

/*
 * Opens and reads it for the targets of settings->config. -E2BIG, -EINVAL, -ENOMEM, -errno of
 * open(2): `error` says on what, why, and what to do; settings_clear() is due all the same.
 */
int targets_open(struct settings *settings, char *error, size_t size);

#endif
