/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows from several options together, after all sources were read.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/option.h"
#include "config/url.h"

#define TRACES_PATH   "/v1/traces"
#define WEFT_ACCOUNT  "weft"
#define OTHER_ACCOUNT "nobody"

static int out_of_memory(struct config_messages *messages)
{
	return config_error(messages, -ENOMEM, "out of memory");
}

/* The environment's address becomes the target, under its own origin. */
static int target_from(struct config *config, const char *name, const char *url,
		       struct config_messages *messages)
{
	int target = option_by_name("export");

	config->origins[target] = config->origins[option_by_name(name)];
	return strings_add(&config->targets, url) < 0 ? out_of_memory(messages) : 0;
}

/* The same with the path of the signal behind it (OTLP exporter specification, "Endpoint URLs"). */
static int target_from_base(struct config *config, const char *name, const char *base,
			    struct config_messages *messages)
{
	_cleanup_free_ char *url = NULL;
	char where[256];

	if (strchr(base, '?'))
		return config_error(
			messages, -EINVAL,
			"%s: '%.100s' has a query, and %s cannot be added behind it; set "
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT to the whole URL",
			config_origin_text(config, name, where, sizeof(where)), base, TRACES_PATH);
	url = url_join(base, TRACES_PATH);
	return url ? target_from(config, name, url, messages) : out_of_memory(messages);
}

/* Taken as it is; "a URL without a path" means the root then, to which nothing must be added. */
static int target_from_traces(struct config *config, struct config_messages *messages)
{
	const char *url = config->otlp_traces_endpoint;
	_cleanup_free_ char *root = NULL;

	if (!url_has_path(url)) {
		root = url_join(url, "/");
		if (!root)
			return out_of_memory(messages);
		url = root;
	}
	return target_from(config, "otlp.traces_endpoint", url, messages);
}

/* TEMPO_* is no standard: some write the whole URL into it. */
static int target_from_tempo(struct config *config, const char *name, const char *url,
			     struct config_messages *messages)
{
	size_t len = strlen(url), path = strlen(TRACES_PATH);

	if (len >= path && strcmp(url + len - path, TRACES_PATH) == 0)
		return target_from(config, name, url, messages);
	return target_from_base(config, name, url, messages);
}

static int finish_targets(struct config *config, struct config_messages *messages)
{
	if (config->targets.n > 0)
		return 0;
	if (config->otlp_traces_endpoint)
		return target_from_traces(config, messages);
	if (config->otlp_endpoint)
		return target_from_base(config, "otlp.endpoint", config->otlp_endpoint, messages);
	if (config->tempo_http_endpoint)
		return target_from_tempo(config, "tempo.http_endpoint", config->tempo_http_endpoint,
					 messages);
	if (config->tempo_endpoint)
		return target_from_tempo(config, "tempo.endpoint", config->tempo_endpoint,
					 messages);
	if (config->tempo_grpc_endpoint)
		config_warn(messages,
			    "TEMPO_OTLP_GRPC_ENDPOINT: export over gRPC is not supported yet; "
			    "set TEMPO_OTLP_HTTP_ENDPOINT to the OTLP/HTTP address, usually "
			    "http://HOST:4318; spans go to standard output");
	return strings_add(&config->targets, "stdout") < 0 ? out_of_memory(messages) : 0;
}

/* Index of the key's value in the pairs, or -ENOENT. */
static int pair_find(const struct strings *pairs, const char *key)
{
	for (size_t i = 0; i + 1 < pairs->n; i += 2)
		if (strcmp(pairs->items[i], key) == 0)
			return (int)i + 1;
	return -ENOENT;
}

static int pair_append(struct strings *pairs, const char *key, const char *value)
{
	int r = strings_add(pairs, key);

	if (r == 0 && (r = strings_add(pairs, value)) < 0)
		free(pairs->items[--pairs->n]);
	return r;
}

static int pair_replace(struct strings *pairs, const char *key, const char *value)
{
	int at = pair_find(pairs, key);
	char *copy;

	if (at < 0)
		return pair_append(pairs, key, value);
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(pairs->items[at]);
	pairs->items[at] = copy;
	return 0;
}

static int finish_resource(struct config *config)
{
	int r = 0;

	/* OTEL_SERVICE_NAME wins over OTEL_RESOURCE_ATTRIBUTES, says the specification. */
	if (config->service_name)
		r = pair_replace(&config->resource, "service.name", config->service_name);
	if (r == 0 && config->cluster_name && pair_find(&config->resource, "k8s.cluster.name") < 0)
		r = pair_append(&config->resource, "k8s.cluster.name", config->cluster_name);
	if (r == 0 && config->environment &&
	    pair_find(&config->resource, "deployment.environment.name") < 0)
		r = pair_append(&config->resource, "deployment.environment.name",
				config->environment);
	return r;
}

/* A batch must fit into the queue. Only who set the batch's size himself hears of it. */
static int finish_batch(struct config *config, struct config_messages *messages)
{
	size_t batch = (size_t)option_by_name("bsp.max_export_batch_size");
	char where[256], queue[256];

	if (config->batch_size <= config->queue_size)
		return 0;
	option_place(config, batch, where, sizeof(where));
	config_origin_text(config, "bsp.max_queue_size", queue, sizeof(queue));
	if (config->origins[batch].source >= CONFIG_FILE)
		return config_error(messages, -EINVAL,
				    "%s: %ju is more than the queue holds; accepted: at most "
				    "bsp.max_queue_size, which is %ju (%s)",
				    where, (uintmax_t)config->batch_size,
				    (uintmax_t)config->queue_size, queue);
	if (config->origins[batch].source == CONFIG_ENVIRONMENT)
		config_warn(messages, "%s: %ju is more than the queue holds; %ju is used (%s)",
			    where, (uintmax_t)config->batch_size, (uintmax_t)config->queue_size,
			    queue);
	config->batch_size = config->queue_size;
	return 0;
}

static bool sampler_has_ratio(int sampler)
{
	return sampler == CONFIG_SAMPLER_RATIO || sampler == CONFIG_SAMPLER_PARENT_RATIO;
}

/* TRACE_SAMPLING_PERCENTAGE is no standard: it counts only when nothing else names a sampler. */
static int finish_sampler(struct config *config, struct config_messages *messages)
{
	size_t sampler = (size_t)option_by_name("traces_sampler");
	size_t ratio = (size_t)option_by_name("traces_sampler_arg");
	size_t percentage = (size_t)option_by_name("sampling_percentage");
	char where[256];

	if (config->origins[sampler].source == CONFIG_DEFAULT &&
	    config->origins[percentage].source != CONFIG_DEFAULT) {
		config->sampler = CONFIG_SAMPLER_PARENT_RATIO;
		config->sampler_ratio = config->sampling_percentage;
		config->origins[sampler] = config->origins[ratio] = config->origins[percentage];
	}
	if (sampler_has_ratio(config->sampler) || config->origins[ratio].source == CONFIG_DEFAULT)
		return 0;
	option_place(config, ratio, where, sizeof(where));
	if (config->origins[ratio].source == CONFIG_ENVIRONMENT) {
		config_warn(messages,
			    "%s: counts for no sampler but traceidratio and "
			    "parentbased_traceidratio; ignored",
			    where);
		return 0;
	}
	return config_error(messages, -EINVAL,
			    "%s: counts for no sampler but traceidratio and "
			    "parentbased_traceidratio; name one of them in traces_sampler",
			    where);
}

/* The default path is the default instance's. */
static int finish_socket(struct config *config, struct config_messages *messages)
{
	char *path;

	if (config->origins[option_by_name("socket")].source != CONFIG_DEFAULT ||
	    strcmp(config->instance, CONFIG_INSTANCE) == 0)
		return 0;
	if (asprintf(&path, "%s/weft-%s.sock", CONFIG_RUNTIME_DIRECTORY, config->instance) < 0)
		return out_of_memory(messages);
	free(config->socket);
	config->socket = path;
	return 0;
}

static int finish_user(struct config *config, struct config_messages *messages)
{
	const char *name = config->user ? config->user : WEFT_ACCOUNT;
	struct passwd *account = getpwnam(name);
	char where[256];

	if (!account && !config->user)
		account = getpwnam(name = OTHER_ACCOUNT);
	option_place(config, (size_t)option_by_name("user"), where, sizeof(where));
	if (!account)
		return config_error(
			messages, -EINVAL,
			"%s: this host has no account '%.100s'; accepted: an account of "
			"this host without privileges",
			where, name);
	if (account->pw_uid == 0 || account->pw_gid == 0)
		return config_error(
			messages, -EINVAL,
			"%s: '%.100s' is root or of root's group; accepted: an account of "
			"this host without privileges",
			where, name);
	if (!config->user && !(config->user = strdup(name)))
		return out_of_memory(messages);
	config->uid = account->pw_uid;
	config->gid = account->pw_gid;
	return 0;
}

int config_finish(struct config *config, enum config_command command,
		  struct config_messages *messages)
{
	int r = finish_socket(config, messages);

	if (r == 0 && command & (CONFIG_RUN | CONFIG_DOCTOR))
		r = finish_targets(config, messages);
	if (r < 0 || !(command & CONFIG_RUN))
		return r;
	r = finish_batch(config, messages);
	if (r == 0)
		r = finish_sampler(config, messages);
	if (r == 0)
		r = finish_user(config, messages);
	if (r == 0 && finish_resource(config) < 0)
		r = out_of_memory(messages);
	return r;
}
