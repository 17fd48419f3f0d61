/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/process_context.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "discover/maps.h"
#include "discover/protobuf.h"
#include "discover/text.h"

#define CONTEXT_VERSION 2
#define READ_TRIES	3
#define RETRY_NS	1000000 /* a publisher needs microseconds to rewrite its context */

/* Layout in the foreign process, its own byte order. */
struct context_header {
	char signature[8];
	uint32_t version;
	uint32_t payload_size;
	uint64_t published_at_ns; /* CLOCK_BOOTTIME; 0: being written */
	uint64_t payload;	  /* address */
};

_Static_assert(sizeof(struct context_header) == 32, "OTEP 4719");

static const char signature[8] = { 'O', 'T', 'E', 'L', '_', 'C', 'T', 'X' };

/* Field numbers: opentelemetry-proto 1.11, processcontext, resource and common. */
enum {
	CONTEXT_RESOURCE = 1,
	CONTEXT_ATTRIBUTES = 2,
	RESOURCE_ATTRIBUTES = 1,
	KEY_VALUE_KEY = 1,
	KEY_VALUE_VALUE = 2,
	ANY_STRING = 1,
	ANY_BOOL = 2,
	ANY_INT = 3,
	ANY_DOUBLE = 4,
};

static bool is_context_name(struct view name)
{
	return view_equal(name, VIEW("[anon_shmem:OTEL_CTX]")) ||
	       view_equal(name, VIEW("[anon:OTEL_CTX]")) ||
	       view_starts_with(name, VIEW("/memfd:OTEL_CTX"));
}

static int find_mapping(struct view maps, uint64_t *ret_address)
{
	struct mapping mapping;

	while (maps_next(&maps, &mapping))
		if (is_context_name(mapping.path))
			return mapping_start(&mapping, ret_address);
	return -ENOENT;
}

static int read_memory(int memory, uint64_t address, void *buffer, size_t len)
{
	ssize_t n;

	if (address > INT64_MAX)
		return -EFAULT;
	n = pread(memory, buffer, len, (off_t)address);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

static int read_header(int memory, uint64_t address, struct context_header *ret_header)
{
	struct context_header header;
	int r = read_memory(memory, address, &header, sizeof(header));

	if (r < 0)
		return r;
	if (memcmp(header.signature, signature, sizeof(signature)) != 0 ||
	    header.version != CONTEXT_VERSION)
		return -EBADMSG;
	if (header.published_at_ns == 0)
		return -EAGAIN;
	if (header.payload_size > PROCESS_CONTEXT_MAX)
		return -E2BIG;
	*ret_header = header;
	return 0;
}

/* One attempt: the time of publication must be the same before and after, as with a seqlock. */
static int read_message(int memory, uint64_t address, char **ret_message, size_t *ret_len)
{
	_cleanup_free_ char *message = NULL;
	struct context_header before, after;
	int r = read_header(memory, address, &before);

	if (r < 0)
		return r;
	message = malloc(before.payload_size ? before.payload_size : 1);
	if (!message)
		return -ENOMEM;
	r = read_memory(memory, before.payload, message, before.payload_size);
	if (r < 0)
		return r;
	r = read_header(memory, address, &after);
	if (r < 0)
		return r;
	if (after.published_at_ns != before.published_at_ns)
		return -EAGAIN;
	*ret_message = TAKE_PTR(message);
	*ret_len = before.payload_size;
	return 0;
}

int process_context_read(int dir, struct view maps, struct process_context *context)
{
	_cleanup_free_ char *message = NULL;
	_cleanup_close_ int memory = -1;
	uint64_t address = 0;
	size_t len = 0;
	int r = find_mapping(maps, &address);

	if (r < 0)
		return r;
	memory = openat(dir, "mem", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (memory < 0)
		return -errno;
	r = read_message(memory, address, &message, &len);
	for (int tries = 1; r == -EAGAIN && tries < READ_TRIES; tries++) {
		nanosleep(&(struct timespec){ .tv_nsec = RETRY_NS }, NULL);
		r = read_message(memory, address, &message, &len);
	}
	if (r < 0)
		return r;
	return process_context_parse((struct view){ .data = message, .len = len }, context);
}

static double as_double(uint64_t bits)
{
	double number;

	memcpy(&number, &bits, sizeof(number));
	return number;
}

/* Text of an AnyValue's one field; an empty view for the kinds that are left out. */
static struct view value_text(const struct protobuf_field *field, char *buffer, size_t size)
{
	int len = 0;

	if (field->number == ANY_STRING && field->type == PROTOBUF_BYTES)
		return field->bytes;
	if (field->number == ANY_BOOL && field->type == PROTOBUF_VARINT)
		len = snprintf(buffer, size, "%s", field->value ? "true" : "false");
	else if (field->number == ANY_INT && field->type == PROTOBUF_VARINT)
		len = snprintf(buffer, size, "%" PRId64, (int64_t)field->value);
	else if (field->number == ANY_DOUBLE && field->type == PROTOBUF_FIXED64)
		len = snprintf(buffer, size, "%.17g", as_double(field->value));
	return (struct view){ .data = buffer, .len = len > 0 ? (size_t)len : 0 };
}

static int parse_key_value(struct view message, struct attributes *attributes)
{
	struct view key = { 0 }, value = { 0 }, text = { 0 };
	struct protobuf_field field;
	char buffer[64];
	int r;

	while ((r = protobuf_next(&message, &field)) > 0) {
		if (field.type != PROTOBUF_BYTES)
			continue;
		if (field.number == KEY_VALUE_KEY)
			key = field.bytes;
		else if (field.number == KEY_VALUE_VALUE)
			value = field.bytes;
	}
	while (r == 0 && (r = protobuf_next(&value, &field)) > 0) {
		text = value_text(&field, buffer, sizeof(buffer));
		r = 0;
	}
	if (r < 0 || text.len == 0)
		return r;
	return attributes_add(attributes, key, text);
}

/* Calls `parse` for each sub-message of this number. */
static int parse_each(struct view message, uint32_t number,
		      int (*parse)(struct view message, struct attributes *attributes),
		      struct attributes *attributes)
{
	struct protobuf_field field;
	int r;

	while ((r = protobuf_next(&message, &field)) > 0) {
		if (field.number != number || field.type != PROTOBUF_BYTES)
			continue;
		r = parse(field.bytes, attributes);
		if (r < 0)
			return r;
	}
	return r;
}

static int parse_resource(struct view message, struct attributes *attributes)
{
	return parse_each(message, RESOURCE_ATTRIBUTES, parse_key_value, attributes);
}

int process_context_parse(struct view message, struct process_context *context)
{
	struct process_context parsed = { 0 };
	int r = parse_each(message, CONTEXT_RESOURCE, parse_resource, &parsed.resource);

	if (r == 0)
		r = parse_each(message, CONTEXT_ATTRIBUTES, parse_key_value, &parsed.more);
	if (r < 0) {
		process_context_clear(&parsed);
		return r;
	}
	*context = parsed;
	return 0;
}

void process_context_clear(struct process_context *context)
{
	attributes_clear(&context->resource);
	attributes_clear(&context->more);
}
