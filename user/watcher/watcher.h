/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process with the capabilities: it loads and attaches the BPF programs, follows processes and
 * keeps the pipeline running.
 */
#ifndef WEFT_WATCHER_WATCHER_H
#define WEFT_WATCHER_WATCHER_H

#include "config/config.h"

/*
 * Traces the host as the configuration says until its duration is over or SIGINT or SIGTERM comes.
 * The configuration is complete and checked, and is emptied: at SIGHUP another one, of the command
 * line arguments[], takes its place. Tells on stderr what goes wrong. Returns the exit status of
 * the program: 0; 1 when something failed; 2 when nothing was started, since the configuration or
 * another weft does not let it.
 */
int watcher_run(struct config *config, int n_arguments, char *const *arguments);

#endif
