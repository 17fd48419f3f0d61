/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.1 server on the test's own event loop, which answers by a script and remembers what it
 * was asked. No threads: what happens first is what the test runs first.
 */
#ifndef WEFT_TESTS_UNIT_EXPORT_HTTP_SERVER_H
#define WEFT_TESTS_UNIT_EXPORT_HTTP_SERVER_H

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "export/bytes.h"

#define SERVER_CONNECTIONS_MAX 16
#define SERVER_REQUESTS_MAX    32

struct answer {
	int status;	     /* 0: none at all, the connection stays open; -1: it is closed */
	const char *headers; /* lines with CRLF, NULL: none */
	struct view body;
	size_t huge; /* so many bytes instead of the body */
};

struct seen {
	uint64_t at_ns;
	unsigned int connection; /* counted from 0 */
	char head[2048];
	struct bytes body;
};

struct connection {
	struct server *server;
	sd_event_source *source;
	struct bytes in;
	struct bytes out;
	size_t sent;
	unsigned int serial;
};

struct server {
	sd_event *loop;
	sd_event_source *source;
	uint16_t port;
	const struct answer *script; /* one a request; after its end: 200 */
	size_t n_script;
	struct connection connections[SERVER_CONNECTIONS_MAX];
	unsigned int n_connections;
	struct seen seen[SERVER_REQUESTS_MAX];
	unsigned int n_seen;
};

static inline void connection_close(struct connection *connection)
{
	int fd;

	if (!connection->source)
		return;
	fd = sd_event_source_get_io_fd(connection->source);
	connection->source = sd_event_source_disable_unref(connection->source);
	close(fd);
	bytes_free(&connection->in);
	bytes_free(&connection->out);
}

/* As far as the socket takes it; the loop does the rest. */
static inline void connection_send(struct connection *connection)
{
	struct bytes *out = &connection->out;
	int fd = sd_event_source_get_io_fd(connection->source);
	ssize_t n = send(fd, out->data + connection->sent, out->len - connection->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		connection->sent += (size_t)n;
	if (connection->sent == out->len) {
		bytes_empty(out);
		connection->sent = 0;
	}
	sd_event_source_set_io_events(connection->source, out->len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static inline void answer_send(struct connection *connection, const struct answer *answer)
{
	size_t body_len = answer->huge ? answer->huge : answer->body.len;
	struct bytes *out = &connection->out;
	char head[256];
	int n;

	if (answer->status == 0)
		return;
	if (answer->status < 0) {
		connection_close(connection);
		return;
	}
	n = snprintf(head, sizeof(head), "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n%s\r\n",
		     answer->status, body_len, answer->headers ? answer->headers : "");
	bytes_append(out, head, (size_t)n);
	bytes_append_view(out, answer->body);
	if (answer->huge) {
		memset(bytes_reserve(out, answer->huge), 'x', answer->huge);
		out->len += answer->huge;
	}
	connection_send(connection);
}

/* Takes one whole request from the connection's bytes; false: it is not whole yet. */
static inline bool connection_request(struct connection *connection)
{
	static const struct answer accepted = {
		.status = 200, .headers = "Content-Type: application/x-protobuf\r\n"
	};
	struct server *server = connection->server;
	struct bytes *in = &connection->in;
	struct seen *seen = &server->seen[server->n_seen];
	const char *end = in->len ? memmem(in->data, in->len, "\r\n\r\n", 4) : NULL;
	size_t head_len = end ? (size_t)(end - (const char *)in->data) + 4 : 0;
	size_t body_len = 0;
	const char *length;

	if (!end)
		return false;
	assert_true(server->n_seen < SERVER_REQUESTS_MAX);
	assert_true(head_len < sizeof(seen->head));
	memcpy(seen->head, in->data, head_len);
	seen->head[head_len] = '\0';
	length = strcasestr(seen->head, "\r\nContent-Length:");
	assert_non_null(length);
	assert_int_equal(sscanf(length + 17, "%zu", &body_len), 1);
	if (in->len < head_len + body_len)
		return false;
	seen->at_ns = clock_monotonic_ns();
	seen->connection = connection->serial;
	bytes_append(&seen->body, in->data + head_len, body_len);
	in->len -= head_len + body_len;
	memmove(in->data, in->data + head_len + body_len, in->len);
	answer_send(connection, server->n_seen < server->n_script ? &server->script[server->n_seen]
								  : &accepted);
	server->n_seen++;
	return connection->source != NULL;
}

static inline int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct connection *connection = userdata;
	uint8_t *room = bytes_reserve(&connection->in, 65536);
	ssize_t n;

	(void)source;
	if (events & EPOLLOUT)
		connection_send(connection);
	if (!(events & ~(uint32_t)EPOLLOUT))
		return 0;
	n = recv(fd, room, 65536, MSG_DONTWAIT);
	if (n <= 0) {
		connection_close(connection);
		return 0;
	}
	connection->in.len += (size_t)n;
	while (connection_request(connection))
		;
	return 0;
}

static inline int on_listener(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct server *server = userdata;
	struct connection *connection = &server->connections[server->n_connections];
	int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)source;
	(void)events;
	assert_true(accepted >= 0);
	assert_true(server->n_connections < SERVER_CONNECTIONS_MAX);
	connection->server = server;
	connection->serial = server->n_connections++;
	assert_true(sd_event_add_io(server->loop, &connection->source, accepted, EPOLLIN,
				    on_connection, connection) >= 0);
	return 0;
}

/* On 127.0.0.1; `port` 0: any, it is then in server->port. */
static inline void server_start(struct server *server, sd_event *loop, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->loop = loop;
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
	assert_true(sd_event_add_io(loop, &server->source, fd, EPOLLIN, on_listener, server) >= 0);
}

static inline void server_stop(struct server *server)
{
	int fd;

	if (server->source) {
		fd = sd_event_source_get_io_fd(server->source);
		server->source = sd_event_source_disable_unref(server->source);
		close(fd);
	}
	for (unsigned int i = 0; i < server->n_connections; i++)
		connection_close(&server->connections[i]);
	for (unsigned int i = 0; i < server->n_seen; i++)
		bytes_free(&server->seen[i].body);
}

#endif
