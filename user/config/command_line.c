/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags: --name VALUE or --name=VALUE; for switches --name, --name=true|false.
 */
#include <errno.h>
#include <string.h>

#include "config/option.h"
#include "config/suggest.h"

static int unknown_flag(enum config_command command, const char *flag, size_t len,
			struct config_messages *messages)
{
	char word[SUGGEST_WORD_MAX + 1], text[64];
	struct suggest suggest;

	snprintf(word, sizeof(word), "%.*s", (int)(len < SUGGEST_WORD_MAX ? len : SUGGEST_WORD_MAX),
		 flag);
	suggest_init(&suggest, word);
	for (size_t i = 0; i < n_options; i++)
		if (options[i].commands & command && !(options[i].flags & OPTION_NO_FLAG))
			suggest_offer(&suggest, option_flag(&options[i], text, sizeof(text)));
	return config_error(messages, -EINVAL, "--%s: unknown option; %s%s%s", word,
			    suggest.best[0] ? "did you mean --" : "--help lists the known ones",
			    suggest.best, suggest.best[0] ? "?" : "");
}

static int add_argument(struct arguments *arguments, size_t index, const char *text,
			struct config_messages *messages)
{
	if (arguments->n >= CONFIG_ARGUMENTS_MAX)
		return config_error(messages, -EINVAL, "more than %d options on the command line",
				    CONFIG_ARGUMENTS_MAX);
	arguments->items[arguments->n++] = (struct argument){ index, text };
	return 0;
}

/* One flag at texts[i]. Returns how many texts it took. */
static int parse_flag(enum config_command command, int left, char *const *texts,
		      struct arguments *arguments, struct config_messages *messages)
{
	const char *flag = texts[0] + 2, *equal = strchr(flag, '=');
	size_t len = equal ? (size_t)(equal - flag) : strlen(flag);
	int index = option_by_flag(flag, len, command), taken = 1, r;
	const char *value = equal ? equal + 1 : NULL;
	char accepted[256];

	if (index < 0)
		return unknown_flag(command, flag, len, messages);
	if (!value && !options[index].argument)
		value = "true";
	if (!value && left > 1) {
		value = texts[1];
		taken = 2;
	}
	if (!value)
		return config_error(messages, -EINVAL, "--%.*s: has no value; accepted: %s",
				    (int)len, flag,
				    option_accepted(&options[index], accepted, sizeof(accepted)));
	r = add_argument(arguments, (size_t)index, value, messages);
	return r < 0 ? r : taken;
}

int arguments_parse(enum config_command command, int n, char *const *texts,
		    struct arguments *ret_arguments, struct config_messages *messages)
{
	ret_arguments->n = 0;
	for (int i = 0; i < n;) {
		int r;

		if (strncmp(texts[i], "--", 2) != 0 || texts[i][2] == '\0')
			return config_error(messages, -EINVAL,
					    "'%.100s': unexpected argument; options start with --, "
					    "--help lists them",
					    texts[i]);
		r = parse_flag(command, n - i, texts + i, ret_arguments, messages);
		if (r < 0)
			return r;
		i += r;
	}
	return 0;
}

int config_apply_arguments(struct config *config, const struct arguments *arguments,
			   const char *only, struct config_messages *messages)
{
	const struct config_origin origin = { .source = CONFIG_COMMAND_LINE };

	for (size_t i = 0; i < arguments->n; i++) {
		const struct argument *argument = &arguments->items[i];
		int r = 0;

		if (!only || strcmp(options[argument->index].name, only) == 0)
			r = config_set(config, argument->index, argument->text, &origin, messages);
		if (r < 0)
			return r;
	}
	return 0;
}
