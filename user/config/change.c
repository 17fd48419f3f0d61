/* SPDX-License-Identifier: Apache-2.0 */
#include "config/change.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/option.h"

static void *field_of(const struct config *config, const struct option *option)
{
	return (char *)config + option->offset;
}

static bool is_live(const struct option *option)
{
	return option->flags & OPTION_LIVE;
}

bool strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static bool texts_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_equal(const struct option *option, const struct config *a, const struct config *b)
{
	const void *field = field_of(a, option), *other = field_of(b, option);
	size_t size;

	switch (option_storage(option, &size)) {
	case STORED_BYTES:
		return memcmp(field, other, size) == 0;
	case STORED_TEXT:
		return texts_equal(*(char *const *)field, *(char *const *)other);
	case STORED_STRINGS:
		return strings_equal(field, other);
	}
	return false;
}

size_t config_fixed_changes(const struct config *config, const struct config *wanted, char *text,
			    size_t size)
{
	size_t used = 0, n = 0;
	char place[256];

	text[0] = '\0';
	for (size_t i = 0; i < n_options; i++) {
		const struct option *option = &options[i];
		size_t room = size - used;
		int len;

		if (is_live(option) || is_equal(option, config, wanted))
			continue;
		config_origin_text(wanted, option->name, place, sizeof(place));
		len = snprintf(text + used, room, "%s%s (%s)", n++ ? ", " : "", option->name,
			       place);
		if (len > 0 && (size_t)len < room)
			used += (size_t)len;
		else if (room > sizeof("..."))
			memcpy(text + used, "...", sizeof("..."));
	}
	return n;
}

static void swap_bytes(void *a, void *b, size_t size)
{
	char *left = a, *right = b;

	for (size_t i = 0; i < size; i++) {
		char byte = left[i];

		left[i] = right[i];
		right[i] = byte;
	}
}

void config_change(struct config *config, struct config *wanted)
{
	swap_bytes(config, wanted, sizeof(*config));
	for (size_t i = 0; i < n_options; i++) {
		size_t size;

		if (is_live(&options[i]))
			continue;
		option_storage(&options[i], &size);
		swap_bytes(field_of(config, &options[i]), field_of(wanted, &options[i]), size);
		swap_bytes(&config->origins[i], &wanted->origins[i], sizeof(config->origins[i]));
	}
	/* the account's, which is no option that can change */
	config->uid = wanted->uid;
	config->gid = wanted->gid;
}

/* --- for another process --- */

static void pack_text(FILE *out, const char *text)
{
	fwrite(text, strlen(text) + 1, 1, out);
}

static void pack_count(FILE *out, size_t n)
{
	fwrite(&n, sizeof(n), 1, out);
}

static void pack_strings(FILE *out, const struct strings *strings)
{
	pack_count(out, strings->n);
	for (size_t i = 0; i < strings->n; i++)
		pack_text(out, strings->items[i]);
}

static void pack_field(FILE *out, const struct option *option, const void *field)
{
	const char *const *text = field;
	size_t size;

	switch (option_storage(option, &size)) {
	case STORED_BYTES:
		fwrite(field, size, 1, out);
		break;
	case STORED_TEXT:
		pack_count(out, *text ? 1 : 0);
		if (*text)
			pack_text(out, *text);
		break;
	case STORED_STRINGS:
		pack_strings(out, field);
		break;
	}
}

int config_pack(const struct config *config, FILE *out)
{
	for (size_t i = 0; i < n_options; i++)
		if (is_live(&options[i]))
			pack_field(out, &options[i], field_of(config, &options[i]));
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}

static int unpack_bytes(struct cursor *cursor, void *field, size_t size)
{
	struct view bytes;

	if (cursor_take(cursor, size, &bytes) < 0)
		return -EBADMSG;
	memcpy(field, bytes.data, size);
	return 0;
}

/* Of nothing, or of one text. */
static int unpack_text(struct cursor *cursor, char **field)
{
	struct view text;
	size_t n;
	int r = unpack_bytes(cursor, &n, sizeof(n));

	if (r < 0 || n == 0)
		return r;
	if (cursor_take_until(cursor, '\0', &text) < 0)
		return -EBADMSG;
	*field = strndup(text.data, text.len);
	return *field ? 0 : -ENOMEM;
}

static int unpack_strings(struct cursor *cursor, struct strings *strings)
{
	struct view text;
	size_t n;
	int r = unpack_bytes(cursor, &n, sizeof(n));

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (cursor_take_until(cursor, '\0', &text) < 0)
			return -EBADMSG;
		r = strings_add(strings, text.data);
	}
	return r;
}

int config_unpack(struct config *config, struct cursor *cursor)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_options; i++) {
		void *field = field_of(config, &options[i]);
		size_t size;

		if (!is_live(&options[i]))
			continue;
		switch (option_storage(&options[i], &size)) {
		case STORED_BYTES:
			r = unpack_bytes(cursor, field, size);
			break;
		case STORED_TEXT:
			r = unpack_text(cursor, field);
			break;
		case STORED_STRINGS:
			r = unpack_strings(cursor, field);
			break;
		}
	}
	return r;
}
