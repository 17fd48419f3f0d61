/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this room share: loading from sources that the test writes. */
#ifndef WEFT_TESTS_CONFIG_FIXTURE_H
#define WEFT_TESTS_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/option.h"

struct fixture {
	struct config config;
	struct config_messages messages;
	char file[64]; /* of the last load, gone already; "" when there was none */
};

#define LIST(...) ((char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

/* `yaml` becomes a file that --config names; NULL: no file. */
static inline int fixture_load(struct fixture *fixture, enum config_command command,
			       char *const *arguments, char *const *environment, const char *yaml)
{
	char flag[] = "--config", *all[64] = { 0 };
	int n = 0, r;

	config_clear(&fixture->config);
	config_messages_clear(&fixture->messages);
	fixture->file[0] = '\0';
	if (yaml) {
		int fd;

		snprintf(fixture->file, sizeof(fixture->file), "/tmp/weft-test-XXXXXX");
		fd = mkstemp(fixture->file);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
		close(fd);
		all[n++] = flag;
		all[n++] = fixture->file;
	}
	for (; *arguments; arguments++)
		all[n++] = *arguments;
	r = config_load(&fixture->config, command, n, all, environment, &fixture->messages);
	if (yaml)
		unlink(fixture->file);
	return r;
}

/* The error, with the file's name cut off where it starts with it. */
static inline const char *fixture_error(const struct fixture *fixture)
{
	const char *error = fixture->messages.error;
	size_t len = strlen(fixture->file);

	return len && strncmp(error, fixture->file, len) == 0 ? error + len + 1 : error;
}

static inline void fixture_clear(struct fixture *fixture)
{
	config_clear(&fixture->config);
	config_messages_clear(&fixture->messages);
}

#endif
