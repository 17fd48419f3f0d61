/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of control/control.h. */
#ifndef WEFT_CLI_CLIENT_H
#define WEFT_CLI_CLIENT_H

#include <stddef.h>

/*
 * Connects to the daemon at `path` and sends it one request. 0 and a blocking descriptor; -errno,
 * with text[size] for the person: what failed, and what to do.
 */
int client_ask(const char *path, const char *request, int *ret_fd, char *text, size_t size);

/*
 * Reads up to the end: heap bytes with a NUL behind them. -EFBIG, -ENOMEM, -errno of read(2);
 * -EAGAIN: the daemon did not answer in time.
 */
int client_read_all(int fd, char **ret_data, size_t *ret_size);

#endif
