/* SPDX-License-Identifier: Apache-2.0 */
#include "export/exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "config/url.h"
#include "export/ops.h"

#define ACCEPTED "use stdout, file:PATH, http://HOST:PORT or https://HOST:PORT"

/* Each says 0, or -EINVAL and what is wrong with the target. */
static int check_stdout(const char *target, const char **ret_reason)
{
	if (strcasecmp(target, "stdout") == 0)
		return 0;
	*ret_reason = "nothing may follow 'stdout'";
	return -EINVAL;
}

static int check_file(const char *target, const char **ret_reason)
{
	if (target[strlen(FILE_SCHEME)] != '\0')
		return 0;
	*ret_reason = "the path is missing";
	return -EINVAL;
}

static int check_http(const char *target, const char **ret_reason)
{
	const char *fault = url_fault(target);

	if (!fault)
		return 0;
	*ret_reason = fault;
	return -EINVAL;
}

/* Each returns a descriptor, or -errno. */
static int prepare_stdout(const char *target)
{
	(void)target;
	return stdout_prepare(STDOUT_FILENO);
}

static int prepare_file(const char *target)
{
	/* O_NONBLOCK: a FIFO without a reader says ENXIO instead of waiting for one. */
	int fd = open(target + strlen(FILE_SCHEME),
		      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

	return fd < 0 ? -errno : fd;
}

static const struct scheme {
	const char *prefix;
	const struct exporter_ops *ops;
	int (*check)(const char *target, const char **ret_reason);
	int (*prepare)(const char *target); /* NULL: there is nothing to open */
} schemes[] = {
	{ "stdout", &stdout_ops, check_stdout, prepare_stdout },
	{ FILE_SCHEME, &file_ops, check_file, prepare_file },
	{ "http://", &otlp_http_ops, check_http, NULL },
	{ "https://", &otlp_http_ops, check_http, NULL },
};

static const struct scheme *scheme_find(const char *target)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncasecmp(target, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
			return &schemes[i];
	return NULL;
}

const struct exporter_ops *exporter_find(const char *target, char *error, size_t error_size)
{
	const struct scheme *scheme = scheme_find(target);
	const char *reason = "it names no kind of target";

	if (scheme && scheme->check(target, &reason) == 0)
		return scheme->ops;
	snprintf(error, error_size, "cannot export to '%.200s': %s; " ACCEPTED, target, reason);
	return NULL;
}

int exporter_prepare(const char *target, int *ret_fd)
{
	const struct scheme *scheme = scheme_find(target);
	int fd = -1;

	if (scheme && scheme->prepare) {
		fd = scheme->prepare(target);
		if (fd < 0)
			return fd;
	}
	*ret_fd = fd;
	return 0;
}

void exporter_close(struct exporter *exporter, struct export_counters *ret_counters)
{
	struct export_counters counters;

	if (!exporter)
		return;
	counters = exporter->counters;
	counters.dropped_unreachable += counters.queued;
	counters.queued = 0;
	exporter->ops->close(exporter);
	if (ret_counters)
		*ret_counters = counters;
}
