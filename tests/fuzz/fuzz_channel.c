/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets between watcher and pipeline, through a real socket, and what the pipeline takes from
 * them. A line is a packet: two characters for type and process, then its payload, in which '|'
 * stands for NUL; a line that begins with '!' goes as it is. What is shown of processes is JSON.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipeline/processes.h"

#define PROCESSES_MAX 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct channel_message message;

static void require(bool right)
{
	if (!right)
		abort();
}

static size_t make_packet(const uint8_t *line, size_t len, uint8_t *packet)
{
	struct channel_header header = { 0 };
	size_t used = sizeof(header);

	if (len && line[0] == '!') {
		memcpy(packet, line + 1, len - 1);
		return len - 1;
	}
	header.type = len > 0 ? line[0] % 16 : 0;
	header.pid = len > 1 ? line[1] % 8 : 0;
	memcpy(packet, &header, sizeof(header));
	for (size_t i = 2; i < len; i++)
		packet[used++] = line[i] == '|' ? 0 : line[i];
	return used;
}

static void receive(int fd, size_t size, struct processes *processes)
{
	int r = channel_receive(fd, &message);

	require(r == 0 || r == -EBADMSG || r == -EPIPE);
	require(r == 0 || size < sizeof(message.header) ||
		size > sizeof(message.header) + sizeof(message.payload) ||
		message.header.type >= CHANNEL_TYPE_MAX || r == -EBADMSG);
	if (r < 0)
		return;
	require(message.size == size - sizeof(message.header));
	if (message.header.type == CHANNEL_PROCESS || message.header.type == CHANNEL_PROCESS_GONE)
		r = processes_told(processes, &message);
	require(r == 0 || r == -EBADMSG);
}

/* A request of each process, and what is told of all of them. */
static void show(struct processes *processes)
{
	json_t *list;
	char *text;

	for (uint32_t pid = 0; pid < 8; pid++) {
		struct exchange exchange = {
			.pid = pid, .protocol = PROTOCOL_HTTP1, .role = ROLE_SERVER, .comm = "comm"
		};

		require(processes_resource(processes, &exchange) != NULL);
	}
	list = processes_json(processes);
	require(json_array_size(list) <= PROCESSES_MAX && json_array_size(list) > 0);
	text = json_dumps(list, JSON_COMPACT);
	require(text != NULL);
	free(text);
	json_decref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct processes *processes;
	uint8_t *packet = malloc(size + sizeof(struct channel_header));
	int ends[2];

	require(packet && channel_pair(ends) == 0);
	require(processes_new(PROCESSES_MAX, size & 1, &processes) == 0);
	while (size) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;
		size_t n = make_packet(data, len, packet);

		if (send(ends[0], packet, n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			receive(ends[1], n, processes);
		len += end ? 1 : 0;
		data += len;
		size -= len;
	}
	show(processes);
	processes_free(processes);
	close(ends[0]);
	close(ends[1]);
	free(packet);
	return 0;
}
