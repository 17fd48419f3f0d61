/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration that takes another one's place while weft runs. Some options cannot change then,
 * mostly those that BPF programs are loaded with; which can, the table says (OPTION_LIVE).
 */
#ifndef WEFT_CONFIG_CHANGE_H
#define WEFT_CONFIG_CHANGE_H

#include <stdio.h>

#include "base/cursor.h"
#include "config/config.h"

/*
 * The options that differ and cannot change, in `text`, with the place of the new value:
 * "port (weft.yaml:3), tls (default)". A text that is too short ends in "...". Returns how many
 * they are.
 */
size_t config_fixed_changes(const struct config *config, const struct config *wanted, char *text,
			    size_t size);

/*
 * `config` becomes what is wanted, but for what cannot change. What it was, and what it cannot be,
 * is in *wanted then, to be cleared. Cannot fail.
 */
void config_change(struct config *config, struct config *wanted);

/* Are these the same? What follows from options, too, which they do not say themselves. */
bool strings_equal(const struct strings *a, const struct strings *b);

/* Writes the options that can change, for another process of this program. -EIO. */
int config_pack(const struct config *config, FILE *out);

/* Reads them back into an empty configuration. -EBADMSG; -ENOMEM: it is to be cleared. */
int config_unpack(struct config *config, struct cursor *cursor);

#endif
