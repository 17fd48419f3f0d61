/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's control socket: what `weft ps` and `weft tail` talk to. A unix stream socket that
 * only root may open. A client sends one line:
 *
 *	ps	one JSON text comes back, and the connection closes
 *	tail	one JSON object a line comes back for each span, until somebody closes:
 *		{"time","service","pid","kind","name","status","status_code"?,"duration_ns",
 *		 "trace_id","span_id","parent_id"?,"trace_state"?,
 *		 "links":[{"trace_id","span_id"}]?,"attributes":{}}, or {"dropped":N} where N spans
 *		were left out because the client did not read fast enough
 *
 * Anything else is answered by {"error":"..."}. The watcher makes the socket; the pipeline serves
 * it, in its one thread, on its event loop. No client can block it or make its memory grow.
 */
#ifndef WEFT_CONTROL_CONTROL_H
#define WEFT_CONTROL_CONTROL_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "span/span.h"

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_REQUEST_MAX 64
/* Bytes that wait for one client of `tail`; what does not fit is dropped and counted. */
#define CONTROL_BUFFER_SIZE (256u << 10)

struct control;

struct control_callbacks {
	/* What `ps` answers: a new reference, NULL: no memory. */
	json_t *(*ps)(void *context);
	void *context;
	/* Besides root, which always may. 0: nobody else. For tests. */
	uid_t uid;
	/* How long a client may take to ask and to read the answer of `ps`. 0: five seconds. */
	uint64_t patience_us;
};

struct control_counters {
	unsigned int clients;
	unsigned int tails;
	uint64_t dropped; /* spans, over all clients of `tail` since the start */
};

/*
 * Listens on a new socket at `path`, mode 0600, not blocking. A socket that a dead daemon left
 * behind is replaced. -EADDRINUSE: a daemon listens there; -EEXIST: `path` is something else than a
 * socket, which stays untouched; -ENAMETOOLONG; -errno of socket(2), bind(2), listen(2).
 */
int control_listen(const char *path, int *ret_fd);

/* Serves the listening socket, which becomes the control's on success. -ENOMEM, -errno of sd-event.
 */
int control_start(sd_event *loop, int fd, const struct control_callbacks *callbacks,
		  struct control **ret_control);

/* Sends the span, with Unix times, to all clients of `tail`. Costs nothing when there are none. */
void control_publish(struct control *control, const struct span *span);

struct control_counters control_counters(const struct control *control);

/* Closes all connections and the socket; NULL is accepted. Returns NULL. */
struct control *control_stop(struct control *control);

#endif
