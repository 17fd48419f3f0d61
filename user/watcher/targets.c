/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/targets.h"

#include <errno.h>
#include <string.h>

#include "export/exporter.h"

/* Root's right to write anywhere is given up once weft is ready (privileges.c). */
static const char *advice(int code)
{
	return code == -EACCES ? "; weft may not write where only another user may: name a file in "
				 "a directory of root's, or restart weft"
			       : "";
}

static int open_one(struct settings *settings, size_t i, char *error, size_t size)
{
	const char *target = settings->config.targets.items[i];
	int r;

	if (!exporter_find(target, error, size))
		return -EINVAL;
	r = exporter_prepare(target, &settings->target_fds[i]);
	if (r < 0)
		snprintf(error, size, "cannot open %.256s: %s%s", target, strerror(-r), advice(r));
	return r;
}

static int read_credentials(struct settings *settings, char *error, size_t size)
{
	const struct config *config = &settings->config;
	const char *const paths[CREDENTIAL_MAX] = {
		[CREDENTIAL_AUTHORITIES] = config->otlp_certificate,
		[CREDENTIAL_CERTIFICATE] = config->otlp_client_certificate,
		[CREDENTIAL_KEY] = config->otlp_client_key,
	};

	return credentials_read(paths, &settings->credentials, error, size);
}

int targets_open(struct settings *settings, char *error, size_t size)
{
	const struct strings *targets = &settings->config.targets;
	int r = 0;

	if (targets->n > PIPELINE_TARGETS_MAX) {
		snprintf(error, size, "%zu export targets are given, at most %d are possible",
			 targets->n, PIPELINE_TARGETS_MAX);
		return -E2BIG;
	}
	for (size_t i = 0; r == 0 && i < targets->n; i++)
		r = open_one(settings, i, error, size);
	return r < 0 ? r : read_credentials(settings, error, size);
}
