/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration file, as the value of each option, and as a command line.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_file(const uint8_t *data, size_t size)
{
	static char name[] = "fuzz.yaml";
	struct config_messages messages = { 0 };
	struct config config = { .file = name };
	int r = config_set_defaults(&config, &messages);

	if (r == 0)
		r = config_parse_yaml(&config, data, size, &messages);
	if (r == 0)
		r = config_finish(&config, CONFIG_DOCTOR, &messages);
	/* Either a configuration with a target or a reason. */
	if (r == 0 ? config.targets.n == 0 : messages.error[0] == '\0')
		abort();
	config.file = NULL;
	config_clear(&config);
	config_messages_clear(&messages);
}

static void as_values(const char *text)
{
	for (size_t i = 0; i < n_options; i++) {
		struct config config = { 0 };
		char why[160] = "";

		if (option_parse(&options[i], (char *)&config + options[i].offset, text, why,
				 sizeof(why)) < 0 &&
		    why[0] == '\0')
			abort();
		config_clear(&config);
	}
}

/* A line an argument. */
static void as_arguments(char *text)
{
	struct config_messages messages = { 0 };
	struct arguments arguments;
	char *texts[16];
	int n = 0;

	for (char *at = text; at && n < 16; n++) {
		texts[n] = at;
		at = strchr(at, '\n');
		if (at)
			*at++ = '\0';
	}
	if (arguments_parse(CONFIG_RUN, n, texts, &arguments, &messages) < 0 &&
	    messages.error[0] == '\0')
		abort();
	config_messages_clear(&messages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	as_file(data, size);
	as_values(text);
	as_arguments(text);
	free(text);
	return 0;
}
