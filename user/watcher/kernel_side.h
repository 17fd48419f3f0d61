/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel side from its loading until it may trace: what it will do is settled before. */
#ifndef WEFT_WATCHER_KERNEL_SIDE_H
#define WEFT_WATCHER_KERNEL_SIDE_H

#include "attach/loader.h"
#include "attach/selftest.h"
#include "config/config.h"
#include "watcher/tls_choice.h"

/*
 * Loads and attaches the programs and makes the self-test of what is done to requests that go out;
 * nobody is traced yet. Needs all privileges. -errno, and an error has been logged.
 */
int kernel_side_prepare(const struct config *config, const struct tls_choice *tls,
			struct surface_state ret_state[SURFACE_MAX], struct selftest *ret_test,
			struct loader **ret_loader);

/* Tracing begins. -errno. */
int kernel_side_begin(struct loader *loader, const struct selftest *test);

#endif
