/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/container.h"

#include <stdbool.h>

#include "discover/text.h"

static bool is_hex(struct view text, size_t length)
{
	if (text.len != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!strchr("0123456789abcdef", text.data[i]) || text.data[i] == '\0')
			return false;
	return true;
}

static bool is_digits(struct view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.len > 0;
}

static struct view without_suffix(struct view text, struct view suffix)
{
	if (text_ends_with(text, suffix))
		text.len -= suffix.len;
	return text;
}

/* Fargate: 32 hexadecimal digits of the task, a dash, the container's number. */
static bool is_ecs_id(struct view part)
{
	struct view task = { .data = part.data, .len = 32 };

	return part.len > 33 && part.len <= CONTAINER_ID_MAX && part.data[32] == '-' &&
	       is_hex(task, 32) && is_digits(view_from(part, 33));
}

/*
 * "docker-ID.scope", "cri-containerd-ID.scope", "crio-ID.scope", "libpod-ID.scope", "ID", and
 * "SLICE:cri-containerd:ID". The monitors beside a container ("crio-conmon-ID.scope") are not in
 * it.
 */
static struct view container_id_of(struct view part)
{
	struct view id = without_suffix(part, VIEW(".scope"));

	if (memmem(part.data, part.len, "conmon-", 7))
		return (struct view){ 0 };
	if (is_ecs_id(id))
		return id;
	id = view_from(id, (size_t)(text_last_index(id, ':') + 1));
	id = view_from(id, (size_t)(text_last_index(id, '-') + 1));
	return is_hex(id, 64) ? id : (struct view){ 0 };
}

/* 36 characters, with '_' for '-' where systemd makes the slices. */
static bool take_uid(struct view text, char uid[POD_UID_MAX + 1])
{
	if (text.len < POD_UID_MAX)
		return false;
	for (size_t i = 0; i < POD_UID_MAX; i++) {
		char c = text.data[i] == '_' ? '-' : text.data[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? c != '-' : !is_hex((struct view){ .data = &c, .len = 1 }, 1))
			return false;
		uid[i] = c;
	}
	uid[POD_UID_MAX] = '\0';
	return true;
}

/* "podUID", "kubepods-besteffort-podUID.slice" */
static bool pod_uid_of(struct view part, char *uid)
{
	static const struct view pod = VIEW_INIT("pod");
	char found[POD_UID_MAX + 1];

	for (size_t i = 0; i + pod.len <= part.len; i++) {
		bool starts = i == 0 || part.data[i - 1] == '-';

		if (starts && view_starts_with(view_from(part, i), pod) &&
		    take_uid(view_from(part, i + pod.len), found)) {
			memcpy(uid, found, sizeof(found));
			return true;
		}
	}
	return false;
}

static int hex_value(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* systemd writes what cannot stand in a unit name as \xNN: systemd.unit(5). */
static void unit_unescape(struct view name, char *unit)
{
	size_t used = 0;

	while (name.len > 0 && used < UNIT_NAME_MAX) {
		struct view digits = { .data = name.data + 2, .len = 2 };
		bool escaped = name.len >= 4 && view_starts_with(name, VIEW("\\x")) &&
			       is_hex(digits, 2) && !view_equal(digits, VIEW("00"));

		unit[used++] =
			escaped ? (char)(hex_value(digits.data[0]) << 4 | hex_value(digits.data[1]))
				: name.data[0];
		name = view_from(name, escaped ? 4 : 1);
	}
	unit[used] = '\0';
}

/* "foo@bar" -> "foo": instances of a template are one service. */
static void unit_of(struct view part, char *unit)
{
	struct view name = without_suffix(part, VIEW(".service"));
	long at = text_index(name, '@');

	if (at > 0)
		name.len = (size_t)at;
	/* The manager of a user's units is not what runs in it. */
	if (at > 0 && view_equal(name, VIEW("user")))
		name.len = 0;
	unit_unescape(name, unit);
}

/* A unit ahead of the container or pod is the container runtime's; one behind it is its own. */
static void read_part(struct view part, struct container_facts *facts)
{
	struct view id = container_id_of(part);

	if (id.len > 0) {
		memcpy(facts->id, id.data, id.len);
		facts->id[id.len] = '\0';
		facts->unit[0] = '\0';
	}
	if (pod_uid_of(part, facts->pod_uid) || text_ends_with(part, VIEW(".scope")))
		facts->unit[0] = '\0';
	else if (text_ends_with(part, VIEW(".service")))
		unit_of(part, facts->unit);
}

/* "HIERARCHY:CONTROLLERS:PATH"; the innermost part that says something wins. */
static void read_line(struct view line, struct container_facts *facts)
{
	struct view hierarchy, controllers, part;

	if (!text_next(&line, ':', &hierarchy) || !text_next(&line, ':', &controllers))
		return;
	while (text_next(&line, '/', &part))
		read_part(part, facts);
}

static void merge(struct container_facts *facts, const struct container_facts *more)
{
	if (!facts->id[0])
		memcpy(facts->id, more->id, sizeof(facts->id));
	if (!facts->pod_uid[0])
		memcpy(facts->pod_uid, more->pod_uid, sizeof(facts->pod_uid));
	if (!facts->unit[0])
		memcpy(facts->unit, more->unit, sizeof(facts->unit));
}

void container_read(struct view cgroup, struct container_facts *ret_facts)
{
	struct container_facts facts = { 0 };
	struct view line;

	while (text_next(&cgroup, '\n', &line)) {
		struct container_facts found = { 0 };

		read_line(line, &found);
		merge(&facts, &found);
	}
	*ret_facts = facts;
}
