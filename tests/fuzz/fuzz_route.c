/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the input are requests to a few services: the first byte picks service, method and
 * status, the rest is the path. Every route must be printable and bounded, and none may hold braces
 * but those of the vocabulary; a service must not show more names than promised.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hashmap.h"
#include "process/route_table.h"

#define N_SERVICES 4u
#define NAME_SIZE  (ROUTE_LEN_MAX + 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *route, size_t len)
{
	if (len == 0 || len > ROUTE_LEN_MAX || route[0] != '/')
		abort();
	for (size_t i = 0; i < len; i++) {
		if (route[i] <= ' ' || route[i] > '~')
			abort();
		if (route[i] == '{' && (i == 0 || route[i - 1] != '/'))
			abort();
		if (route[i] == '}' && i + 1 < len && route[i + 1] != '/')
			abort();
	}
}

static void ask(struct route_table *table, struct hashmap *names, const char *line, size_t len)
{
	static const char *const services[N_SERVICES] = { "", "a", "b", "c" };
	unsigned int choice = (unsigned char)line[0];
	unsigned int service = choice % N_SERVICES;
	const struct route_request request = {
		.service = view_of(services[service]),
		.path = { .data = line + 1, .len = len - 1 },
		.method = choice / N_SERVICES % ROUTE_METHODS_MAX,
		.status = choice & 0x80 ? 404 : 200,
		.now_ns = 1,
	};
	char name[NAME_SIZE] = { 0 };
	size_t used = route_table_route(table, &request, name + 1);

	check_text(name + 1, used);
	/* Alone, each method may be a name as well. */
	name[0] = (char)(request.method + 1);
	if (!hashmap_put(&names[service], name, NULL))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hashmap names[N_SERVICES];
	struct route_table *table;
	const char *line = (const char *)data;

	if (route_table_new(&table) < 0)
		return 0;
	for (unsigned int i = 0; i < N_SERVICES; i++)
		if (hashmap_init(&names[i], NAME_SIZE, 0, ROUTE_NAMES_MAX - ROUTE_METHODS_MAX) < 0)
			abort();

	while (size > 0) {
		const char *end = memchr(line, '\n', size);
		size_t len = end ? (size_t)(end - line) : size;

		if (len > 1)
			ask(table, names, line, len);
		if (!end)
			break;
		size -= len + 1;
		line = end + 1;
	}

	for (unsigned int i = 0; i < N_SERVICES; i++)
		hashmap_clear(&names[i]);
	route_table_free(table);
	return 0;
}
