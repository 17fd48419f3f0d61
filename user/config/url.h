/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this text an address that spans can be sent to? No look-up, no connection.
 */
#ifndef WEFT_CONFIG_URL_H
#define WEFT_CONFIG_URL_H

#include <stdbool.h>

/* What is wrong with an http or https URL, in words that follow the URL; NULL: nothing. */
const char *url_fault(const char *url);

/* The same for a target of --export: a URL, "stdout" or "file:PATH". */
const char *target_fault(const char *target);

/* Does a URL without fault have a path, be it only "/"? */
bool url_has_path(const char *url);

/* `base` without slashes at its end and with `path` behind it, on the heap. NULL: no memory. */
char *url_join(const char *base, const char *path);

#endif
