/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What watcher and pipeline tell each other: typed messages over a SOCK_SEQPACKET pair, one message
 * a packet. A message is a fixed header and a text of strings, each ended by a NUL. The pipeline is
 * not trusted by the watcher: it may only send messages without consequences for others.
 */
#ifndef WEFT_BASE_CHANNEL_H
#define WEFT_BASE_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

enum channel_type {
	/* watcher -> pipeline */
	CHANNEL_PROCESS = 1,	 /* pid; text: runtime, unit, service source, executable, what
				    tells of an SDK, what of its exporter, then key, value ... */
	CHANNEL_PROCESS_GONE,	 /* pid */
	CHANNEL_KERNEL_COUNTERS, /* payload: uint64_t[STAT_MAX], then uint64_t missed program runs
				  */
	CHANNEL_HOOKS,		 /* text: surface, hook, surface, hook ... */
	CHANNEL_STOP,		 /* drain, then exit */
	CHANNEL_RELOAD,		 /* with descriptors: pipeline/settings.h */
	/* pipeline -> watcher */
	CHANNEL_READY,
	CHANNEL_RELOADED, /* text: why it has kept the settings that it had; none: it has not */
	CHANNEL_TYPE_MAX,
};

#define CHANNEL_MESSAGE_MAX 16384
#define CHANNEL_FDS_MAX	    16 /* descriptors with a message */

struct channel_header {
	uint32_t type; /* enum channel_type */
	uint32_t pid;
};

struct channel_message {
	struct channel_header header;
	size_t size; /* bytes of payload */
	char payload[CHANNEL_MESSAGE_MAX];
};

/* A pair of ends, non-blocking and close-on-exec. -errno. */
int channel_pair(int ret_ends[2]);

void channel_message_init(struct channel_message *message, enum channel_type type, uint32_t pid);

/* Appends a string with its NUL. -ENOSPC: no room; the message is as before. */
int channel_message_add(struct channel_message *message, const char *string);

/* Appends bytes. -ENOSPC as above. */
int channel_message_add_bytes(struct channel_message *message, const void *bytes, size_t size);

/*
 * The next string of the text: *cursor starts at 0. NULL at the end, and for a text whose last
 * string has no NUL.
 */
const char *channel_message_next(const struct channel_message *message, size_t *cursor);

/* Sends without waiting. -EAGAIN: the other side does not read; -EPIPE: it is gone. */
int channel_send(int fd, const struct channel_message *message);

/* The same with copies of `n` descriptors, at most CHANNEL_FDS_MAX. */
int channel_send_fds(int fd, const struct channel_message *message, const int *fds, size_t n);

/* Receives without waiting. 0; -EAGAIN: nothing there; -EPIPE: the other side is gone; -EBADMSG. */
int channel_receive(int fd, struct channel_message *ret_message);

/*
 * The same with the message's descriptors, *ret_n of them, also of one that is -EBADMSG; they are
 * the caller's then. channel_receive() lets none in: only who trusts the other side takes them.
 */
int channel_receive_fds(int fd, struct channel_message *ret_message, int ret_fds[CHANNEL_FDS_MAX],
			size_t *ret_n);

#endif
