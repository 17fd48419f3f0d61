/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections over loopback of which both ends are this process': non-blocking, and with a time
 * until which is waited for anything that happens on them.
 */
#ifndef WEFT_ATTACH_LOOPBACK_H
#define WEFT_ATTACH_LOOPBACK_H

#include <stddef.h>
#include <stdint.h>

struct pair {
	int client; /* -1: closed, or not open yet */
	int server;
	uint64_t client_due; /* bytes that were sent to each end so far */
	uint64_t server_due;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC */
};

/*
 * A socket that listens on a free port of the loopback address. -EADDRNOTAVAIL, -EAFNOSUPPORT: this
 * host has no such address; other errors of socket(2) and bind(2).
 */
int loopback_listen(int family, int *ret_listener);

/* Connects to the listener. -ETIME: no connection by the deadline; other errors of connect(2). */
int pair_open(struct pair *pair, int listener, uint64_t deadline_ns);

/* Closes what is open, without leaving a port in use behind. */
void pair_close(struct pair *pair);

/*
 * The events of poll(2) that are there, once one of `wanted` is. -ETIME: the deadline has passed
 * without.
 */
int pair_wait(const struct pair *pair, int fd, short wanted);

/* The same without waiting: 0 if there are none. */
int pair_look(int fd, short wanted);

/* Waits until all that was sent to an end has got there, read or not. -ETIME. */
int pair_arrive(const struct pair *pair, int fd);

/* Sends all of it; `fd` is one of the ends. Errors of send(2), -ETIME. */
int pair_send(struct pair *pair, int fd, const void *data, size_t len, int flags);

/* `n` bytes more are on their way from the end: they were sent by other means than pair_send(). */
void pair_sent(struct pair *pair, int fd, size_t n);

/* Receives `len` bytes. -ENODATA: the stream has ended before; errors of recv(2), -ETIME. */
int pair_receive(const struct pair *pair, int fd, void *data, size_t len);

/* Receives the end of the stream. -EMSGSIZE: there are bytes; otherwise as above. */
int pair_receive_end(const struct pair *pair, int fd);

#endif
