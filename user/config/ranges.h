/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of addresses: which peers an option speaks of. */
#ifndef WEFT_CONFIG_RANGES_H
#define WEFT_CONFIG_RANGES_H

#include "base/view.h"
#include "config/config.h"

/* What an item of a list may be, for people. */
#define RANGES_ACCEPTED                                                                            \
	"addresses, prefixes like 10.0.0.0/8, loopback, private, link-local, cluster, all; or none"

/*
 * Adds what one item stands for: an address, a prefix or a word; what the list has already is not
 * added again. NULL, or what is wrong with the item; the list may hold a part of it then.
 */
const char *ranges_add(struct ranges *ranges, struct view item);

#endif
