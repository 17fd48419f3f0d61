/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: one YAML document, a mapping whose nested keys are the options' names.
 * The file is as trusted as its owner, but mistakes must not pass: unknown and repeated keys are
 * errors, and so are aliases, which could make a small file large.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "config/option.h"
#include "config/suggest.h"

#define FILE_SIZE_MAX  (256u << 10)
#define FILE_DEPTH_MAX 8
#define FILE_NAME_MAX  128

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_event;
	struct config *config;
	struct config_messages *messages;
	unsigned int seen[CONFIG_OPTIONS_MAX]; /* line of each key, 0: not there */
};

static unsigned int line_of(const struct reader *reader)
{
	return (unsigned int)reader->event.start_mark.line + 1;
}

static int fault(struct reader *reader, const char *what)
{
	return config_error(reader->messages, -EINVAL, "%s:%u: %s", reader->config->file,
			    line_of(reader), what);
}

static void drop_event(struct reader *reader)
{
	if (reader->has_event)
		yaml_event_delete(&reader->event);
	reader->has_event = false;
}

static bool is_aliased(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor;
	default:
		return false;
	}
}

/* The next event into reader->event, until the next call. */
static int next_event(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;

	drop_event(reader);
	if (!yaml_parser_parse(&reader->parser, &reader->event)) {
		if (parser->error == YAML_MEMORY_ERROR)
			return config_error(reader->messages, -ENOMEM, "out of memory");
		return config_error(reader->messages, -EINVAL, "%s:%zu: is not YAML: %s",
				    reader->config->file, parser->problem_mark.line + 1,
				    parser->problem ? parser->problem : "cannot be parsed");
	}
	reader->has_event = true;
	if (is_aliased(&reader->event))
		return fault(reader,
			     "anchors (&) and aliases (*) are not accepted: write the value out");
	return 0;
}

/* The text of a scalar event, NULL when it holds a NUL byte. */
static const char *scalar_text(const struct reader *reader)
{
	const char *text = (const char *)reader->event.data.scalar.value;

	return strlen(text) == reader->event.data.scalar.length ? text : NULL;
}

/* `key:` with nothing behind it, or null: as if the key were not there. */
static bool is_null(const struct reader *reader)
{
	const char *text = (const char *)reader->event.data.scalar.value;

	return reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static int set_scalar(struct reader *reader, size_t index)
{
	const struct config_origin origin = { .source = CONFIG_FILE, .line = line_of(reader) };
	const char *text = scalar_text(reader);

	if (!text)
		return fault(reader, "a value has a NUL character in it");
	if (is_null(reader))
		return 0;
	return config_set(reader->config, index, text, &origin, reader->messages);
}

static int wrong_shape(struct reader *reader, size_t index, const char *what)
{
	char accepted[256];

	return config_error(reader->messages, -EINVAL, "%s:%u: %s: %s; accepted: %s",
			    reader->config->file, line_of(reader), options[index].name, what,
			    option_accepted(&options[index], accepted, sizeof(accepted)));
}

static int read_sequence(struct reader *reader, size_t index)
{
	if (!option_is_list(&options[index]))
		return wrong_shape(reader, index, "takes one value, not a list");
	for (;;) {
		int r = next_event(reader);

		if (r < 0)
			return r;
		if (reader->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (reader->event.type != YAML_SCALAR_EVENT)
			return wrong_shape(reader, index,
					   "an item of the list is not a plain value");
		r = set_scalar(reader, index);
		if (r < 0)
			return r;
	}
}

/* One key of a mapping of pairs, and its value. */
static int read_pair(struct reader *reader, size_t index)
{
	const struct config_origin origin = { .source = CONFIG_FILE, .line = line_of(reader) };
	_cleanup_free_ char *key = NULL;
	char why[160], where[256];
	int r;

	key = scalar_text(reader) ? strdup(scalar_text(reader)) : NULL;
	if (!key)
		return wrong_shape(reader, index, "a key has a NUL character in it");
	r = next_event(reader);
	if (r < 0)
		return r;
	if (reader->event.type != YAML_SCALAR_EVENT || !scalar_text(reader))
		return wrong_shape(reader, index, "a value is not a plain value");
	r = option_add_pair(&options[index], config_field(reader->config, index, &origin), key,
			    scalar_text(reader), why, sizeof(why));
	if (r == -ENOMEM)
		return config_error(reader->messages, r, "out of memory");
	if (r < 0)
		return config_error(reader->messages, r, "%s: '%.100s' %s",
				    option_place(reader->config, index, where, sizeof(where)), key,
				    why);
	return 0;
}

static int read_pairs(struct reader *reader, size_t index)
{
	if (options[index].type != TYPE_PAIRS && options[index].type != TYPE_HEADERS)
		return wrong_shape(reader, index, "takes a value, not keys");
	for (;;) {
		int r = next_event(reader);

		if (r < 0)
			return r;
		if (reader->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (reader->event.type != YAML_SCALAR_EVENT)
			return wrong_shape(reader, index, "a key is not a plain value");
		r = read_pair(reader, index);
		if (r < 0)
			return r;
	}
}

/* The value behind an option's key. */
static int read_value(struct reader *reader, size_t index)
{
	unsigned int first = reader->seen[index];
	int r;

	reader->seen[index] = line_of(reader);
	if (first)
		return config_error(
			reader->messages, -EINVAL,
			"%s:%u: %s: is there twice, in line %u too; write all of its values "
			"in one place",
			reader->config->file, line_of(reader), options[index].name, first);
	r = next_event(reader);
	if (r < 0)
		return r;
	switch (reader->event.type) {
	case YAML_SCALAR_EVENT:
		return set_scalar(reader, index);
	case YAML_SEQUENCE_START_EVENT:
		return read_sequence(reader, index);
	case YAML_MAPPING_START_EVENT:
		return read_pairs(reader, index);
	default:
		return fault(reader, "a value was expected");
	}
}

/* Do options start with this name and a dot? */
static bool is_section(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n_options; i++)
		if (!(options[i].flags & OPTION_NO_FILE) &&
		    strncmp(options[i].name, name, len) == 0 && options[i].name[len] == '.')
			return true;
	return false;
}

static int unknown_key(struct reader *reader, const char *name)
{
	struct suggest suggest;

	suggest_init(&suggest, name);
	for (size_t i = 0; i < n_options; i++)
		if (!(options[i].flags & OPTION_NO_FILE))
			suggest_offer(&suggest, options[i].name);
	return config_error(reader->messages, -EINVAL, "%s:%u: %s: unknown key%s%s%s",
			    reader->config->file, line_of(reader), name,
			    suggest.best[0] ? "; did you mean "
					    : "; 'weft run --help' lists the options",
			    suggest.best, suggest.best[0] ? "?" : "");
}

static int read_mapping(struct reader *reader, const char *prefix, unsigned int depth);

/* One key, which is the current event, and what is behind it. */
static int read_key(struct reader *reader, const char *prefix, unsigned int depth)
{
	const char *key = scalar_text(reader);
	char name[FILE_NAME_MAX];
	int index, n, r;

	if (!key)
		return fault(reader, "a key has a NUL character in it");
	n = snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "." : "", key);
	if (n < 0 || (size_t)n >= sizeof(name))
		return fault(reader, "a key is too long to be known");
	index = option_by_name(name);
	if (index >= 0 && !(options[index].flags & OPTION_NO_FILE))
		return read_value(reader, (size_t)index);
	if (!is_section(name))
		return unknown_key(reader, name);
	r = next_event(reader);
	if (r < 0)
		return r;
	if (reader->event.type == YAML_SCALAR_EVENT && is_null(reader))
		return 0;
	if (reader->event.type != YAML_MAPPING_START_EVENT)
		return config_error(reader->messages, -EINVAL, "%s:%u: %s: takes keys, not a value",
				    reader->config->file, line_of(reader), name);
	return read_mapping(reader, name, depth + 1);
}

/* Up to the end of the mapping whose start is the current event. */
static int read_mapping(struct reader *reader, const char *prefix, unsigned int depth)
{
	if (depth > FILE_DEPTH_MAX)
		return fault(reader, "is nested too deeply");
	for (;;) {
		int r = next_event(reader);

		if (r < 0)
			return r;
		if (reader->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (reader->event.type != YAML_SCALAR_EVENT)
			return fault(reader, "a key is not a plain word");
		r = read_key(reader, prefix, depth);
		if (r < 0)
			return r;
	}
}

/* The document's root: a mapping, or nothing. */
static int read_root(struct reader *reader)
{
	int r = next_event(reader);

	if (r < 0)
		return r;
	if (reader->event.type == YAML_MAPPING_START_EVENT)
		return read_mapping(reader, "", 0);
	if (reader->event.type == YAML_SCALAR_EVENT && is_null(reader))
		return 0;
	return fault(reader, "'key: value' lines were expected");
}

static int read_stream(struct reader *reader)
{
	int r = next_event(reader);

	if (r == 0)
		r = next_event(reader);
	if (r < 0 || reader->event.type == YAML_STREAM_END_EVENT)
		return r;
	r = read_root(reader);
	if (r == 0)
		r = next_event(reader);
	if (r == 0)
		r = next_event(reader);
	if (r == 0 && reader->event.type != YAML_STREAM_END_EVENT)
		return fault(reader, "a second document starts here; one is accepted");
	return r;
}

int config_parse_yaml(struct config *config, const void *data, size_t size,
		      struct config_messages *messages)
{
	struct reader reader = { .config = config, .messages = messages };
	int r;

	if (size > FILE_SIZE_MAX)
		return config_error(messages, -EINVAL, "%s: is larger than %u KiB", config->file,
				    FILE_SIZE_MAX >> 10);
	if (!yaml_parser_initialize(&reader.parser))
		return config_error(messages, -ENOMEM, "out of memory");
	yaml_parser_set_input_string(&reader.parser, data, size);
	r = read_stream(&reader);
	drop_event(&reader);
	yaml_parser_delete(&reader.parser);
	return r;
}

int config_read_file(struct config *config, struct config_messages *messages)
{
	_cleanup_free_ char *data = malloc(FILE_SIZE_MAX + 1);
	_cleanup_close_ int fd = open(config->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t used = 0;
	ssize_t n = 1;

	if (!data)
		return config_error(messages, -ENOMEM, "out of memory");
	while (fd >= 0 && n > 0 && used <= FILE_SIZE_MAX) {
		n = read(fd, data + used, FILE_SIZE_MAX + 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0) {
		int code = -errno;

		return config_error(messages, code, "--config: cannot read '%s': %s", config->file,
				    strerror(-code));
	}
	return config_parse_yaml(config, data, used, messages);
}
