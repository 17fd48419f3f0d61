/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_CLI_PS_H
#define WEFT_CLI_PS_H

#include <jansson.h>
#include <stdio.h>

/* The daemon's answer to `ps` for people. Members that are missing are shown as "-". -ENOMEM. */
int ps_print(FILE *out, const json_t *answer);

#endif
