/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "control/span_json.h"

#define PATIENCE_US	 (5 * 1000 * 1000)
#define DROPPED_LINE_MAX 64

enum client_state {
	CLIENT_ASKING,	 /* its request is not complete */
	CLIENT_ANSWERED, /* what is in `out` is sent, then the connection closes */
	CLIENT_TAILING,	 /* gets lines until it goes */
};

struct client {
	struct control *control;
	struct client *next;
	sd_event_source *source;
	sd_event_source *timer;
	int fd;
	enum client_state state;
	char request[CONTROL_REQUEST_MAX];
	size_t request_len;
	char *out; /* out[sent .. len) waits; for CLIENT_TAILING CONTROL_BUFFER_SIZE bytes */
	size_t sent;
	size_t len;
	uint64_t dropped; /* spans, since the client was last told */
};

struct control {
	sd_event *loop;
	sd_event_source *source;
	int fd;
	struct control_callbacks callbacks;
	struct client *clients;
	struct control_counters counters;
};

static void client_free(struct client *client)
{
	struct client **link = &client->control->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	client->control->counters.clients--;
	if (client->state == CLIENT_TAILING)
		client->control->counters.tails--;
	sd_event_source_disable_unref(client->source);
	sd_event_source_disable_unref(client->timer);
	close(client->fd);
	free(client->out);
	free(client);
}

/* Waits for what can happen next. False: it cannot be waited for. */
static bool client_watch(struct client *client)
{
	uint32_t events = client->sent < client->len ? EPOLLOUT : 0;

	/* One that gets its answer may have shut its sending side: that would wake for ever. */
	if (client->state != CLIENT_ANSWERED)
		events |= EPOLLIN;
	return sd_event_source_set_io_events(client->source, events) >= 0;
}

/* Sends what the socket takes. False: the connection is dead. */
static bool client_send(struct client *client)
{
	while (client->sent < client->len) {
		ssize_t n = send(client->fd, client->out + client->sent, client->len - client->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN && client_watch(client);
		client->sent += (size_t)n;
	}
	client->sent = client->len = 0;
	return client_watch(client);
}

/* Room for `len` bytes at the end of a tail's buffer, or NULL. */
static char *tail_room(struct client *client, size_t len)
{
	if (client->len + len > CONTROL_BUFFER_SIZE && client->sent > 0) {
		memmove(client->out, client->out + client->sent, client->len - client->sent);
		client->len -= client->sent;
		client->sent = 0;
	}
	return client->len + len <= CONTROL_BUFFER_SIZE ? client->out + client->len : NULL;
}

static void tail_drop(struct client *client)
{
	client->dropped++;
	client->control->counters.dropped++;
}

/* Tells, before the next line, how many were left out. */
static void tail_append(struct client *client, const char *line, size_t len)
{
	char notice[DROPPED_LINE_MAX] = "";
	size_t notice_len = 0;
	char *room;

	if (client->dropped)
		notice_len = (size_t)snprintf(notice, sizeof(notice), "{\"dropped\":%ju}\n",
					      (uintmax_t)client->dropped);
	room = tail_room(client, notice_len + len);
	if (!room) {
		tail_drop(client);
		return;
	}
	memcpy(room, notice, notice_len);
	memcpy(room + notice_len, line, len);
	client->len += notice_len + len;
	client->dropped = 0;
}

/* The last word to a client whose buffer has run empty after a loss. */
static void tail_settle(struct client *client)
{
	int n;

	if (!client->dropped || client->len > 0)
		return;
	n = snprintf(client->out, DROPPED_LINE_MAX, "{\"dropped\":%ju}\n",
		     (uintmax_t)client->dropped);
	client->len = (size_t)n;
	client->dropped = 0;
}

/* Puts the JSON text, whose reference it takes, into `out`. False: no memory. */
static bool client_answer(struct client *client, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (!text)
		return false;
	client->len = strlen(text);
	text[client->len++] = '\n'; /* in place of the NUL: `out` is bytes, not a string */
	client->out = text;
	client->sent = 0;
	client->state = CLIENT_ANSWERED;
	return client_send(client);
}

static bool answer_ps(struct client *client)
{
	const struct control_callbacks *callbacks = &client->control->callbacks;

	return client_answer(client, callbacks->ps(callbacks->context));
}

static bool answer_tail(struct client *client)
{
	client->out = malloc(CONTROL_BUFFER_SIZE);
	if (!client->out)
		return false;
	client->state = CLIENT_TAILING;
	client->control->counters.tails++;
	client->timer = sd_event_source_disable_unref(client->timer);
	return true;
}

static bool answer_error(struct client *client, const char *text)
{
	return client_answer(client, json_pack("{s:s}", "error", text));
}

static bool client_request(struct client *client)
{
	static const struct {
		const char *name;
		bool (*answer)(struct client *client);
	} requests[] = {
		{ "ps", answer_ps },
		{ "tail", answer_tail },
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (strcmp(client->request, requests[i].name) == 0)
			return requests[i].answer(client);
	return answer_error(client, "unknown request; known are: ps, tail");
}

/* Reads what the client says. False: it has gone, or broken the rules. */
static bool client_receive(struct client *client)
{
	char *end, *at = client->request + client->request_len;
	size_t room = sizeof(client->request) - client->request_len;
	char ignored[CONTROL_REQUEST_MAX];
	ssize_t n;

	if (client->state != CLIENT_ASKING) {
		n = recv(client->fd, ignored, sizeof(ignored), MSG_DONTWAIT);
		return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
	}
	n = recv(client->fd, at, room, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	client->request_len += (size_t)n;
	end = memchr(client->request, '\n', client->request_len);
	if (end) {
		*end = '\0';
		return client_request(client);
	}
	if (client->request_len == sizeof(client->request))
		return answer_error(client, "the request is too long");
	return true;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct client *client = context;
	bool alive = !(events & (EPOLLHUP | EPOLLERR));

	(void)source;
	(void)fd;
	if (alive && events & EPOLLOUT) {
		alive = client_send(client);
		if (alive && client->state == CLIENT_TAILING && client->len == 0) {
			tail_settle(client);
			alive = client_send(client);
		}
	}
	if (alive && events & EPOLLIN)
		alive = client_receive(client);
	if (!alive || (client->state == CLIENT_ANSWERED && client->len == 0))
		client_free(client);
	return 0;
}

/* Its time to ask, or to read its answer, is over. */
static int on_patience_end(sd_event_source *source, uint64_t now, void *context)
{
	(void)source;
	(void)now;
	client_free(context);
	return 0;
}

static bool is_welcome(const struct control *control, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == 0 || peer.uid == control->callbacks.uid;
}

static void refuse(int fd, const char *text)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "{\"error\":\"%s\"}\n", text);

	/* The line fits into a new socket's buffer; a client that does not get it sees the end. */
	if (send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

static int client_new(struct control *control, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client) {
		close(fd);
		return -ENOMEM;
	}
	client->control = control;
	client->fd = fd;
	client->next = control->clients;
	control->clients = client;
	control->counters.clients++;
	r = sd_event_add_io(control->loop, &client->source, fd, EPOLLIN, on_client, client);
	if (r >= 0)
		r = sd_event_add_time_relative(control->loop, &client->timer, CLOCK_MONOTONIC,
					       control->callbacks.patience_us, 0, on_patience_end,
					       client);
	if (r < 0)
		client_free(client);
	return r;
}

static int on_connection(sd_event_source *source, int listener, uint32_t events, void *context)
{
	struct control *control = context;
	_cleanup_close_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	/* Other errors than these would wake for ever; the loop lets go of the socket then. */
	if (fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -errno;
	if (!is_welcome(control, fd))
		refuse(fd, "only root may ask");
	else if (control->counters.clients >= CONTROL_CLIENTS_MAX)
		refuse(fd, "too many clients of weft already");
	else
		client_new(control, TAKE_FD(fd));
	return 0;
}

int control_start(sd_event *loop, int fd, const struct control_callbacks *callbacks,
		  struct control **ret_control)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	control->callbacks = *callbacks;
	if (!control->callbacks.patience_us)
		control->callbacks.patience_us = PATIENCE_US;
	control->loop = sd_event_ref(loop);
	control->fd = -1;
	r = sd_event_add_io(loop, &control->source, fd, EPOLLIN, on_connection, control);
	if (r < 0) {
		control_stop(control);
		return r;
	}
	control->fd = fd;
	*ret_control = control;
	return 0;
}

void control_publish(struct control *control, const struct span *span)
{
	json_t *json;
	char *line;
	size_t len;

	if (control->counters.tails == 0)
		return;
	json = span_json(span);
	line = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	len = line ? strlen(line) : 0;
	if (line)
		line[len++] = '\n'; /* in place of the NUL */
	for (struct client *client = control->clients; client; client = client->next) {
		if (client->state != CLIENT_TAILING)
			continue;
		if (line)
			tail_append(client, line, len);
		else
			tail_drop(client);
		/* Written by the loop, many spans at once. */
		client_watch(client);
	}
	free(line);
}

struct control_counters control_counters(const struct control *control)
{
	return control->counters;
}

struct control *control_stop(struct control *control)
{
	if (!control)
		return NULL;
	while (control->clients)
		client_free(control->clients);
	sd_event_source_disable_unref(control->source);
	sd_event_unref(control->loop);
	if (control->fd >= 0)
		close(control->fd);
	free(control);
	return NULL;
}
