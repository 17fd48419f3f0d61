/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients of the control socket. A byte is a step: 'c' connects another client, 'x' closes one, 'r'
 * reads what there is, 's' has a span published, a digit makes its client the one meant, and '"'
 * sends what follows up to the next '"'. The daemon's side must come to rest after each step, and
 * what a client gets is lines of JSON.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"
#include "span/resource.h"

#define CLIENTS	  10
#define STEPS_MAX 200
#define TURNS_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct sockaddr_un address;
	sd_event *loop;
	struct control *control;
	int clients[CLIENTS];
	unsigned int at;
};

static void require(bool right)
{
	if (!right)
		abort();
}

static json_t *answer_ps(void *context)
{
	(void)context;
	return json_pack("{s:s, s:[]}", "version", "fuzz", "processes");
}

static void start(struct world *world)
{
	const struct control_callbacks callbacks = { .ps = answer_ps, .uid = getuid() };
	int fd;

	*world = (struct world){ .address = { .sun_family = AF_UNIX } };
	snprintf(world->address.sun_path, sizeof(world->address.sun_path), "/tmp/weft-fuzz-%d.sock",
		 getpid());
	require(control_listen(world->address.sun_path, &fd) == 0);
	require(sd_event_new(&world->loop) >= 0);
	require(control_start(world->loop, fd, &callbacks, &world->control) == 0);
	for (int i = 0; i < CLIENTS; i++)
		world->clients[i] = -1;
}

static void turn(struct world *world)
{
	int n = 0;

	while (sd_event_run(world->loop, 0) > 0)
		require(n++ < TURNS_MAX);
}

static void drop(struct world *world)
{
	int *fd = &world->clients[world->at];

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void join(struct world *world)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	drop(world);
	require(fd >= 0);
	require(connect(fd, (struct sockaddr *)&world->address, sizeof(world->address)) == 0);
	world->clients[world->at] = fd;
}

static void take(struct world *world)
{
	static char text[1 << 16];
	ssize_t n = recv(world->clients[world->at], text, sizeof(text), 0);
	const char *line = text, *end;

	while (n > 0 && (end = memchr(line, '\n', (size_t)(text + n - line)))) {
		json_t *json = json_loadb(line, (size_t)(end - line), 0, NULL);

		require(json_is_object(json));
		json_decref(json);
		line = end + 1;
	}
}

static void publish(struct world *world)
{
	static struct resource resource = { .references = 1,
					    .pid = 1,
					    .service_name = VIEW_INIT("shop") };
	const struct span span = { .kind = SPAN_KIND_SERVER,
				   .name = VIEW("GET /"),
				   .resource = &resource };

	control_publish(world->control, &span);
}

/* How many bytes the step takes. */
static size_t step(struct world *world, const uint8_t *data, size_t size)
{
	const uint8_t *end;
	size_t n;

	switch (data[0]) {
	case 'c':
		join(world);
		return 1;
	case 'x':
		drop(world);
		return 1;
	case 'r':
		take(world);
		return 1;
	case 's':
		publish(world);
		return 1;
	case '"':
		end = memchr(data + 1, '"', size - 1);
		n = end ? (size_t)(end - data) - 1 : size - 1;
		if (send(world->clients[world->at], data + 1, n, MSG_NOSIGNAL) < 0)
			require(errno != EAGAIN || n > CONTROL_REQUEST_MAX);
		return n + 1 + (end ? 1 : 0);
	default:
		if (data[0] >= '0' && data[0] < '0' + CLIENTS)
			world->at = data[0] - '0';
		return 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world;

	start(&world);
	join(&world);
	for (int i = 0; size && i < STEPS_MAX; i++) {
		size_t n = step(&world, data, size);

		turn(&world);
		require(control_counters(world.control).clients <= CONTROL_CLIENTS_MAX);
		data += n;
		size -= n;
	}
	for (world.at = 0; world.at < CLIENTS; world.at++)
		drop(&world);
	turn(&world);
	require(control_counters(world.control).clients == 0);
	require(control_counters(world.control).tails == 0);
	control_stop(world.control);
	sd_event_unref(world.loop);
	unlink(world.address.sun_path);
	return 0;
}
