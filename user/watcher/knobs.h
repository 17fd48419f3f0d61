/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as the kernel side takes it. */
#ifndef WEFT_WATCHER_KNOBS_H
#define WEFT_WATCHER_KNOBS_H

#include "bpf/abi/config.h"
#include "config/config.h"

/* Every knob that follows from the configuration alone; not `tls`. The loader sets those that
 * follow from the kernel at hand. */
void knobs_init(struct weft_knobs *knobs, const struct config *config);

#endif
