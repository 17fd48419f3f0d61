/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/option.h"

int config_error(struct config_messages *messages, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(messages->error, sizeof(messages->error), format, arguments);
	va_end(arguments);
	return code;
}

void config_warn(struct config_messages *messages, const char *format, ...)
{
	va_list arguments;
	char *text;

	if (messages->n_warnings >= CONFIG_WARNINGS_MAX)
		return;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) >= 0)
		messages->warnings[messages->n_warnings++] = text;
	va_end(arguments);
}

void config_messages_clear(struct config_messages *messages)
{
	for (size_t i = 0; i < messages->n_warnings; i++)
		free(messages->warnings[i]);
	memset(messages, 0, sizeof(*messages));
}

static const char *origin_text(const struct config *config, size_t index,
			       const struct config_origin *origin, char *text, size_t size)
{
	char flag[64];

	switch (origin->source) {
	case CONFIG_DEFAULT:
		snprintf(text, size, "default");
		break;
	case CONFIG_ENVIRONMENT:
		snprintf(text, size, "%s", origin->variable);
		break;
	case CONFIG_FILE:
		snprintf(text, size, "%s:%u", config->file, origin->line);
		break;
	case CONFIG_COMMAND_LINE:
		snprintf(text, size, "--%s", option_flag(&options[index], flag, sizeof(flag)));
		break;
	}
	return text;
}

const char *config_origin_text(const struct config *config, const char *name, char *text,
			       size_t size)
{
	int index = option_by_name(name);

	if (index < 0) {
		snprintf(text, size, "%s is no option", name);
		return text;
	}
	return origin_text(config, (size_t)index, &config->origins[index], text, size);
}

const char *option_place(const struct config *config, size_t index, char *text, size_t size)
{
	const struct config_origin *origin = &config->origins[index];
	size_t used;

	if (origin->source == CONFIG_DEFAULT) {
		snprintf(text, size, "%s", options[index].name);
		return text;
	}
	origin_text(config, index, origin, text, size);
	used = strlen(text);
	if (origin->source == CONFIG_FILE)
		snprintf(text + used, size - used, ": %s", options[index].name);
	return text;
}

void *config_field(struct config *config, size_t index, const struct config_origin *origin)
{
	struct config_origin *stored = &config->origins[index];
	void *field = (char *)config + options[index].offset;

	if (stored->source != origin->source || !option_is_list(&options[index]))
		option_clear(&options[index], field);
	*stored = *origin;
	return field;
}

int config_set(struct config *config, size_t index, const char *text,
	       const struct config_origin *origin, struct config_messages *messages)
{
	const struct option *option = &options[index];
	char where[CONFIG_TEXT_MAX / 4], why[160], accepted[256], what[128];
	int r = option_parse(option, config_field(config, index, origin), text, why, sizeof(why));

	if (r == -ENOMEM)
		return config_error(messages, r, "out of memory");
	if (r == 0)
		return 0;
	if (option->flags & OPTION_SECRET)
		snprintf(what, sizeof(what), "the value");
	else
		snprintf(what, sizeof(what), "'%.100s'", text);
	return config_error(messages, r, "%s: %s %s; accepted: %s%s%s",
			    option_place(config, index, where, sizeof(where)), what, why,
			    option_accepted(option, accepted, sizeof(accepted)),
			    option->hint ? "; " : "", option->hint ? option->hint : "");
}

int config_set_defaults(struct config *config, struct config_messages *messages)
{
	const struct config_origin origin = { .source = CONFIG_DEFAULT };

	for (size_t i = 0; i < n_options; i++) {
		int r = 0;

		if (options[i].preset)
			r = config_set(config, i, options[i].preset, &origin, messages);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The value of a variable; NULL when it is not set, or empty, which means the same. */
static const char *find_variable(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; environment && *environment; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return (*environment)[len + 1] ? *environment + len + 1 : NULL;
	return NULL;
}

/* Puts the default back after a value that could not be used. */
static int restore_default(struct config *config, size_t index, struct config_messages *messages)
{
	const struct config_origin origin = { .source = CONFIG_DEFAULT };

	if (options[index].preset)
		return config_set(config, index, options[index].preset, &origin, messages);
	config_field(config, index, &origin);
	return 0;
}

/* 1: the option has the value, 0: it is told and passed over. */
static int try_value(struct config *config, size_t index, const char *text,
		     const struct config_origin *origin, struct config_messages *messages)
{
	int r = config_set(config, index, text, origin, messages);

	if (r == 0)
		return 1;
	if (r != -EINVAL || option_is_strict(&options[index]))
		return r;
	config_warn(messages, "%s; ignored", messages->error);
	messages->error[0] = '\0';
	return 0;
}

/* The same for each item of a list. 1: the option has one of them at least. */
static int try_items(struct config *config, size_t index, const char *text,
		     const struct config_origin *origin, struct config_messages *messages)
{
	struct view item;
	int taken = 0;

	while (list_next(&text, &item)) {
		_cleanup_free_ char *copy = strndup(item.data, item.len);
		int r;

		if (!copy)
			return config_error(messages, -ENOMEM, "out of memory");
		r = item.len ? try_value(config, index, copy, origin, messages) : 0;
		if (r < 0)
			return r;
		taken |= r;
	}
	return taken;
}

/* One variable. 1: it has set the option, 0: it has not. */
static int read_variable(struct config *config, size_t index, const char *name,
			 char *const *environment, struct config_messages *messages)
{
	const struct config_origin origin = { .source = CONFIG_ENVIRONMENT, .variable = name };
	const char *text = find_variable(environment, name);
	int r;

	if (!text)
		return 0;
	r = option_is_itemwise(&options[index]) ? try_items(config, index, text, &origin, messages)
						: try_value(config, index, text, &origin, messages);
	return r == 0 ? restore_default(config, index, messages) : r;
}

int config_read_environment(struct config *config, enum config_command command,
			    char *const *environment, struct config_messages *messages)
{
	for (size_t i = 0; i < n_options; i++) {
		if (!(options[i].commands & command))
			continue;
		for (size_t j = 0; j < OPTION_VARIABLES_MAX && options[i].variables[j]; j++) {
			int r = read_variable(config, i, options[i].variables[j], environment,
					      messages);

			if (r < 0)
				return r;
			if (r > 0)
				break;
		}
	}
	return 0;
}

static int load(struct config *config, enum config_command command,
		const struct arguments *arguments, char *const *environment,
		struct config_messages *messages)
{
	int r = config_set_defaults(config, messages);

	if (r == 0)
		r = config_read_environment(config, command, environment, messages);
	if (r == 0)
		r = config_apply_arguments(config, arguments, "config", messages);
	if (r == 0 && config->file)
		r = config_read_file(config, messages);
	if (r == 0)
		r = config_apply_arguments(config, arguments, NULL, messages);
	return r < 0 ? r : config_finish(config, command, messages);
}

int config_load(struct config *ret_config, enum config_command command, int n_arguments,
		char *const *arguments, char *const *environment, struct config_messages *messages)
{
	_cleanup_free_ struct arguments *parsed = malloc(sizeof(*parsed));
	int r;

	memset(ret_config, 0, sizeof(*ret_config));
	if (!parsed)
		return config_error(messages, -ENOMEM, "out of memory");
	r = arguments_parse(command, n_arguments, arguments, parsed, messages);
	if (r == 0)
		r = load(ret_config, command, parsed, environment, messages);
	if (r < 0)
		config_clear(ret_config);
	return r;
}

void config_clear(struct config *config)
{
	for (size_t i = 0; i < n_options; i++)
		option_clear(&options[i], (char *)config + options[i].offset);
	memset(config, 0, sizeof(*config));
}
