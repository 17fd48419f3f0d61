/* SPDX-License-Identifier: Apache-2.0 */
#include "config/option.h"

#include <errno.h>
#include <string.h>

#define ALL_COMMANDS (CONFIG_RUN | CONFIG_DOCTOR | CONFIG_PS | CONFIG_TAIL)
#define FIELD(field) .offset = offsetof(struct config, field)
#define MIB	     (1ull << 20)
#define NS_PER_MS    1000000ull
#define PATH_LIMIT   4095

static const struct option_word log_levels[] = {
	{ "error", LOG_LEVEL_ERROR },  { "warning", LOG_LEVEL_WARNING },
	{ "warn", LOG_LEVEL_WARNING }, { "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },  { NULL, 0 },
};

static const struct option_word compressions[] = {
	{ "gzip", CONFIG_COMPRESSION_GZIP },
	{ "none", CONFIG_COMPRESSION_NONE },
	{ NULL, 0 },
};

static const struct option_word otlp_protocols[] = {
	{ "http/protobuf", 0 },
	{ NULL, 0 },
};

static const struct option_word sdk_spans[] = {
	{ "join", CONFIG_SDK_JOIN },
	{ "keep", CONFIG_SDK_KEEP },
	{ NULL, 0 },
};

/* Categories of the semantic conventions; of all others weft has the stable names alone. */
static const struct option_word semconv_categories[] = {
	{ "rpc", CONFIG_SEMCONV_RPC },
	{ "rpc/dup", CONFIG_SEMCONV_RPC_DUP },
	{ "http", CONFIG_SEMCONV_OTHER },
	{ "http/dup", CONFIG_SEMCONV_OTHER },
	{ "database", CONFIG_SEMCONV_OTHER },
	{ "database/dup", CONFIG_SEMCONV_OTHER },
	{ "messaging", CONFIG_SEMCONV_OTHER },
	{ "messaging/dup", CONFIG_SEMCONV_OTHER },
	{ "code", CONFIG_SEMCONV_OTHER },
	{ "code/dup", CONFIG_SEMCONV_OTHER },
	{ "gen_ai_latest_experimental", CONFIG_SEMCONV_OTHER },
	{ NULL, 0 },
};

static const struct option_word inject_modes[] = {
	{ "auto", INJECT_AUTO },
	{ "off", INJECT_OFF },
	{ NULL, 0 },
};

static const struct option_word tls_modes[] = {
	{ "auto", CONFIG_TLS_AUTO },
	{ "on", CONFIG_TLS_ON },
	{ "off", CONFIG_TLS_OFF },
	{ NULL, 0 },
};

static const struct option_word switches[] = {
	{ "on", 1 },
	{ "off", 0 },
	{ NULL, 0 },
};

/* Every known value of OTEL_PROPAGATORS. */
static const struct option_word propagators[] = {
	{ "tracecontext", PROPAGATOR_TRACECONTEXT },
	{ "baggage", CONFIG_PROPAGATOR_BAGGAGE },
	{ "b3", PROPAGATOR_B3 },
	{ "b3multi", PROPAGATOR_B3MULTI },
	{ "jaeger", PROPAGATOR_JAEGER },
	{ "xray", PROPAGATOR_XRAY },
	{ "ottrace", CONFIG_PROPAGATOR_OTTRACE },
	{ "none", PROPAGATOR_NONE },
	{ NULL, 0 },
};

static const struct option_word samplers[] = {
	{ "always_on", CONFIG_SAMPLER_ALWAYS_ON },
	{ "always_off", CONFIG_SAMPLER_ALWAYS_OFF },
	{ "traceidratio", CONFIG_SAMPLER_RATIO },
	{ "parentbased_always_on", CONFIG_SAMPLER_PARENT_ALWAYS_ON },
	{ "parentbased_always_off", CONFIG_SAMPLER_PARENT_ALWAYS_OFF },
	{ "parentbased_traceidratio", CONFIG_SAMPLER_PARENT_RATIO },
	{ NULL, 0 },
};

const char *const option_groups[GROUP_MAX] = {
	[GROUP_TARGETS] = "Where spans go",
	[GROUP_SELECTION] = "What is traced",
	[GROUP_CAPTURE] = "What is captured",
	[GROUP_CONTEXT] = "Trace context and sampling",
	[GROUP_OTLP] = "OTLP",
	[GROUP_BATCH] = "Batches",
	[GROUP_RESOURCE] = "Resource attributes",
	[GROUP_DAEMON] = "The daemon",
};

/* clang-format off */
const struct option options[] = {
	{ .name = "config", .type = TYPE_READABLE, .group = GROUP_DAEMON, FIELD(file),
	  .commands = ALL_COMMANDS, .flags = OPTION_NO_FILE, .argument = "FILE", .max = PATH_LIMIT,
	  .help = "read options from this YAML file; flags win over it, it wins over the "
		  "environment" },

	{ .name = "export", .type = TYPE_TARGET, .group = GROUP_TARGETS, FIELD(targets),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR, .flags = OPTION_LIVE,
	  .argument = "TARGET", .max = PATH_LIMIT,
	  .items_max = 8,
	  .help = "stdout (a line a span), file:PATH (OTLP JSON lines) or http[s]://host:port "
		  "(OTLP); may be repeated; without it the address in the environment, or else "
		  "stdout" },

	{ .name = "pid", .type = TYPE_NUMBERS, .group = GROUP_SELECTION, FIELD(pids),
	  .commands = CONFIG_RUN, .argument = "N", .min = 1, .max = 4194304,
	  .items_max = CONFIG_NUMBERS_MAX,
	  .help = "trace this process; may be repeated; without --pid and --exe all are traced" },
	{ .name = "exe", .type = TYPE_GLOB, .group = GROUP_SELECTION, FIELD(exes),
	  .commands = CONFIG_RUN, .argument = "GLOB", .max = PATH_LIMIT, .items_max = 64,
	  .help = "trace processes whose executable matches, '*/python3*'; may be repeated" },
	{ .name = "port", .type = TYPE_NUMBERS, .group = GROUP_SELECTION, FIELD(ports),
	  .commands = CONFIG_RUN, .argument = "LIST", .min = 1, .max = 65535, .items_max = 16,
	  .help = "trace connections with one of these ports at either end; may be repeated" },
	{ .name = "netns", .type = TYPE_NETNS, .group = GROUP_SELECTION, FIELD(netns),
	  .commands = CONFIG_RUN, .argument = "NAMESPACE",
	  .help = "trace the sockets of this network namespace only: a file like "
		  "/run/netns/NAME, the id of a process in it, or self" },
	{ .name = "sdk.spans", .type = TYPE_WORD, .group = GROUP_SELECTION, FIELD(sdk_spans),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .preset = "join", .argument = "WORD", .words = sdk_spans,
	  .help = "join: a process that exports spans of its own over OTLP keeps those, and weft "
		  "adds only what it lacks; keep: weft makes its own all the same" },
	{ .name = "duration", .type = TYPE_SECONDS, .group = GROUP_DAEMON, FIELD(duration_ns),
	  .commands = CONFIG_RUN, .preset = "0", .argument = "S", .unit = "seconds",
	  .max = 31536000,
	  .help = "stop after so many seconds, 0.5 for half a one; 0: run until a signal comes" },

	{ .name = "request_head", .type = TYPE_NUMBER, .group = GROUP_CAPTURE, FIELD(request_head),
	  .commands = CONFIG_RUN, .preset = "8192", .argument = "BYTES", .unit = "bytes",
	  .min = 256, .max = 8192,
	  .help = "read so much of a request's head; never its body" },
	{ .name = "response_head", .type = TYPE_NUMBER, .group = GROUP_CAPTURE,
	  FIELD(response_head),
	  .commands = CONFIG_RUN, .preset = "1024", .argument = "BYTES", .unit = "bytes", .min = 64,
	  .max = 8192,
	  .help = "read so much of a response's head; never its body" },
	{ .name = "query_keys", .type = TYPE_KEYS, .group = GROUP_CAPTURE, FIELD(query_keys),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .argument = "LIST", .max = 128, .items_max = 64,
	  .help = "keep the values of these keys in query strings; all others become REDACTED" },
	{ .name = "tls", .type = TYPE_WORD, .group = GROUP_CAPTURE, FIELD(tls),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR, .preset = "auto", .argument = "WORD",
	  .words = tls_modes,
	  .help = "see what TLS carries, by probes in OpenSSL, BoringSSL, GnuTLS, Go's crypto/tls, "
		  "NSS and rustls; auto: where a probe costs at most 3 us; off: no program's or library's "
		  "code is touched" },
	{ .name = "semconv_stability_opt_in", .type = TYPE_WORDS, .group = GROUP_CAPTURE,
	  FIELD(semconv),
	  .commands = CONFIG_RUN, .argument = "LIST", .words = semconv_categories, .items_max = 16,
	  .variables = { "OTEL_SEMCONV_STABILITY_OPT_IN" },
	  .help = "rpc/dup: spans of calls have the older names of attributes, too: rpc.system, "
		  "rpc.service, rpc.grpc.status_code; whatever else is named here, weft has the "
		  "stable names" },
	{ .name = "command_args", .type = TYPE_BOOL, .group = GROUP_CAPTURE, FIELD(command_args),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE, .preset = "false",
	  .help = "add process.command_args to the resource; arguments may hold secrets" },

	{ .name = "propagators", .type = TYPE_WORDS, .group = GROUP_CONTEXT, FIELD(propagators),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR, .preset = "tracecontext,baggage", .argument = "LIST",
	  .words = propagators, .items_max = 8,
	  .variables = { "OTEL_PROPAGATORS" },
	  .help = "read and write these forms of trace context, the first that is found counts; "
		  "baggage and ottrace pass by untouched" },
	{ .name = "inject", .type = TYPE_WORD, .group = GROUP_CONTEXT, FIELD(inject),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR, .preset = "auto", .argument = "WORD", .words = inject_modes,
	  .help = "add trace context to requests that have none, where this kernel bears it" },
	{ .name = "tcp_option", .type = TYPE_WORD, .group = GROUP_CONTEXT, FIELD(tcp_option),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR, .preset = "on", .argument = "WORD", .words = switches,
	  .help = "carry trace context in an option of TCP where no header can be added" },
	{ .name = "propagate.to", .type = TYPE_RANGES, .group = GROUP_CONTEXT,
	  FIELD(propagate_to),
	  .commands = CONFIG_RUN, .preset = "loopback,private,link-local,cluster",
	  .argument = "LIST",
	  .help = "send trace context to these peers only: addresses, prefixes, loopback, private "
		  "(10/8, 172.16/12, 192.168/16, fc00::/7), link-local, cluster (private and "
		  "100.64/10), all, none" },
	{ .name = "propagate.trust", .type = TYPE_RANGES, .group = GROUP_CONTEXT,
	  FIELD(propagate_trust),
	  .commands = CONFIG_RUN, .preset = "loopback,private,link-local,cluster",
	  .argument = "LIST",
	  .help = "continue the traces of these peers only; a request of another one begins a new "
		  "trace, with a link to the one that it came with" },
	{ .name = "traces_sampler", .type = TYPE_WORD, .group = GROUP_CONTEXT, FIELD(sampler),
	  .commands = CONFIG_RUN, .preset = "parentbased_always_on", .argument = "WORD",
	  .words = samplers,
	  .hint = "jaeger_remote and xray, which ask a service, are not supported",
	  .variables = { "OTEL_TRACES_SAMPLER" },
	  .help = "keep these traces; parentbased: as was decided where a trace that comes in "
		  "began, the rest is for those that begin here" },
	{ .name = "traces_sampler_arg", .type = TYPE_FRACTION, .group = GROUP_CONTEXT,
	  FIELD(sampler_ratio),
	  .commands = CONFIG_RUN, .preset = "1", .argument = "RATIO", .max = 1,
	  .variables = { "OTEL_TRACES_SAMPLER_ARG" },
	  .help = "share of traces that the samplers traceidratio and parentbased_traceidratio "
		  "keep" },
	{ .name = "sampling_percentage", .type = TYPE_FRACTION, .group = GROUP_CONTEXT,
	  FIELD(sampling_percentage),
	  .commands = CONFIG_RUN, .flags = OPTION_NO_FLAG | OPTION_NO_FILE, .preset = "100",
	  .max = 100,
	  .variables = { "TRACE_SAMPLING_PERCENTAGE" },
	  .help = "keep so many of 100 traces that begin here, unless OTEL_TRACES_SAMPLER is set" },

	{ .name = "otlp.traces_endpoint", .type = TYPE_URL, .group = GROUP_OTLP,
	  FIELD(otlp_traces_endpoint),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR,
	  .flags = OPTION_NO_FLAG | OPTION_NO_FILE | OPTION_LIVE,
	  .max = PATH_LIMIT,
	  .variables = { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" },
	  .help = "send spans to exactly this URL, unless --export says something else" },
	{ .name = "otlp.endpoint", .type = TYPE_URL, .group = GROUP_OTLP, FIELD(otlp_endpoint),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR,
	  .flags = OPTION_NO_FLAG | OPTION_NO_FILE | OPTION_LIVE,
	  .max = PATH_LIMIT,
	  .variables = { "OTEL_EXPORTER_OTLP_ENDPOINT" },
	  .help = "the same, with /v1/traces added" },
	{ .name = "tempo.http_endpoint", .type = TYPE_URL, .group = GROUP_OTLP,
	  FIELD(tempo_http_endpoint),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR,
	  .flags = OPTION_NO_FLAG | OPTION_NO_FILE | OPTION_LIVE,
	  .max = PATH_LIMIT,
	  .variables = { "TEMPO_OTLP_HTTP_ENDPOINT" },
	  .help = "the same, when the names above are not set" },
	{ .name = "tempo.endpoint", .type = TYPE_URL, .group = GROUP_OTLP, FIELD(tempo_endpoint),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR,
	  .flags = OPTION_NO_FLAG | OPTION_NO_FILE | OPTION_LIVE,
	  .max = PATH_LIMIT,
	  .variables = { "TEMPO_ENDPOINT" },
	  .help = "the same, when the names above are not set" },
	{ .name = "tempo.grpc_endpoint", .type = TYPE_TEXT, .group = GROUP_OTLP,
	  FIELD(tempo_grpc_endpoint),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR,
	  .flags = OPTION_NO_FLAG | OPTION_NO_FILE | OPTION_LIVE,
	  .max = PATH_LIMIT,
	  .variables = { "TEMPO_OTLP_GRPC_ENDPOINT" },
	  .help = "not supported yet: set TEMPO_OTLP_HTTP_ENDPOINT" },

	{ .name = "otlp.headers", .type = TYPE_HEADERS, .group = GROUP_OTLP, FIELD(otlp_headers),
	  .commands = CONFIG_RUN, .flags = OPTION_SECRET | OPTION_LIVE,
	  .argument = "LIST", .max = 4096,
	  .items_max = 32,
	  .variables = { "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS" },
	  .help = "headers of export requests, name=value,... with %XX for special characters; "
		  "other users of this host can read a command line: keep tokens in the file" },
	{ .name = "otlp.timeout", .type = TYPE_NUMBER, .group = GROUP_OTLP, FIELD(otlp_timeout_ns),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .preset = "10000", .argument = "MS", .unit = "milliseconds",
	  .min = 1, .max = 600000, .scale = NS_PER_MS,
	  .variables = { "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT" },
	  .help = "give up on an export request after so long" },
	{ .name = "otlp.compression", .type = TYPE_WORD, .group = GROUP_OTLP,
	  FIELD(otlp_compression),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .preset = "gzip", .argument = "WORD", .words = compressions,
	  .variables = { "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
			 "OTEL_EXPORTER_OTLP_COMPRESSION" },
	  .help = "compression of export requests" },
	{ .name = "otlp.protocol", .type = TYPE_WORD, .group = GROUP_OTLP, FIELD(otlp_protocol),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .preset = "http/protobuf", .argument = "WORD",
	  .words = otlp_protocols,
	  .hint = "grpc and http/json are not supported yet: export to the OTLP/HTTP port, usually "
		  "4318",
	  .variables = { "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL" },
	  .help = "encoding and transport of export requests" },
	{ .name = "otlp.certificate", .type = TYPE_READABLE, .group = GROUP_OTLP,
	  FIELD(otlp_certificate),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE, .argument = "FILE", .max = PATH_LIMIT,
	  .variables = { "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
			 "OTEL_EXPORTER_OTLP_CERTIFICATE" },
	  .help = "trust these authorities (PEM) instead of the system's" },
	{ .name = "otlp.client_certificate", .type = TYPE_READABLE, .group = GROUP_OTLP,
	  FIELD(otlp_client_certificate), .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .argument = "FILE",
	  .max = PATH_LIMIT,
	  .variables = { "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
			 "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" },
	  .help = "show this certificate (PEM) to the collector" },
	{ .name = "otlp.client_key", .type = TYPE_READABLE, .group = GROUP_OTLP,
	  FIELD(otlp_client_key),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE, .argument = "FILE", .max = PATH_LIMIT,
	  .variables = { "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY" },
	  .help = "key (PEM) of the client certificate" },

	{ .name = "bsp.schedule_delay", .type = TYPE_NUMBER, .group = GROUP_BATCH,
	  FIELD(batch_delay_ns),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .preset = "5000", .argument = "MS", .unit = "milliseconds",
	  .min = 1, .max = 600000, .scale = NS_PER_MS, .variables = { "OTEL_BSP_SCHEDULE_DELAY" },
	  .help = "send a batch that is not full after so long" },
	/*
	 * The specification's 2048 are meant for one process. weft queues for a whole host: at
	 * 10,000 spans a second 2048 would be lost in the 0.2 s that a collector takes to collect
	 * its garbage. 8192 bridge 0.8 s and take some 10 MB when they are full, nothing before.
	 */
	{ .name = "bsp.max_queue_size", .type = TYPE_NUMBER, .group = GROUP_BATCH,
	  FIELD(queue_size),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .preset = "8192", .argument = "N", .unit = "spans", .min = 1,
	  .max = 1048576,
	  .variables = { "OTEL_BSP_MAX_QUEUE_SIZE" },
	  .help = "keep so many spans while the backend is slow or away; more are dropped and "
		  "counted" },
	{ .name = "bsp.max_export_batch_size", .type = TYPE_NUMBER, .group = GROUP_BATCH,
	  FIELD(batch_size),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .preset = "512", .argument = "N", .unit = "spans", .min = 1,
	  .max = 65536,
	  .variables = { "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" },
	  .help = "send at most so many spans in one request" },

	{ .name = "service_name", .type = TYPE_TEXT, .group = GROUP_RESOURCE, FIELD(service_name),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE, .argument = "NAME", .max = 255,
	  .variables = { "OTEL_SERVICE_NAME" },
	  .help = "service.name of processes that do not name themselves in their own environment" },
	{ .name = "resource_attributes", .type = TYPE_PAIRS, .group = GROUP_RESOURCE,
	  FIELD(resource),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE,
	  .argument = "LIST", .max = 4096, .items_max = 24,
	  .variables = { "OTEL_RESOURCE_ATTRIBUTES" },
	  .help = "attributes of every resource, key=value,... with %XX for special characters" },
	{ .name = "cluster_name", .type = TYPE_TEXT, .group = GROUP_RESOURCE, FIELD(cluster_name),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE, .argument = "NAME", .max = 255,
	  .variables = { "TRACE_CLUSTER_NAME" },
	  .help = "k8s.cluster.name, unless the attributes have it" },
	{ .name = "environment", .type = TYPE_TEXT, .group = GROUP_RESOURCE, FIELD(environment),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE, .argument = "NAME", .max = 255,
	  .variables = { "TRACE_ENVIRONMENT" },
	  .help = "deployment.environment.name, unless the attributes have it" },

	{ .name = "log_level", .type = TYPE_WORD, .group = GROUP_DAEMON, FIELD(log_level),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR, .flags = OPTION_LIVE,
	  .preset = "info", .argument = "WORD",
	  .words = log_levels,
	  .variables = { "OTEL_LOG_LEVEL" },
	  .help = "what is told on standard error" },
	{ .name = "cpu_budget", .type = TYPE_NUMBER, .group = GROUP_DAEMON, FIELD(cpu_budget),
	  .commands = CONFIG_RUN, .flags = OPTION_LIVE, .preset = "3", .argument = "PERCENT",
	  .unit = "percent", .max = 100,
	  .help = "take no more of a processor that is busy: of new requests a part is let pass "
		  "there, and counted; 0: follow all, whatever it costs" },
	{ .name = "ring_size", .type = TYPE_POWER_OF_TWO, .group = GROUP_DAEMON, FIELD(ring_size),
	  .commands = CONFIG_RUN, .preset = "8", .argument = "MIB", .unit = "MiB", .min = 1,
	  .max = 64, .scale = MIB,
	  .help = "size of the buffer between kernel and daemon" },
	{ .name = "user", .type = TYPE_TEXT, .group = GROUP_DAEMON, FIELD(user),
	  .commands = CONFIG_RUN | CONFIG_DOCTOR, .argument = "NAME", .max = 255,
	  .help = "account of the process that reads captured bytes; without it weft if there is "
		  "such "
		  "an account, else nobody" },
	{ .name = "instance", .type = TYPE_NAME, .group = GROUP_DAEMON, FIELD(instance),
	  .commands = ALL_COMMANDS, .preset = CONFIG_INSTANCE, .argument = "NAME", .max = 32,
	  .help = "which weft of this host: several may run if each has a name and a --netns of "
		  "its own" },
	{ .name = "socket", .type = TYPE_ABSOLUTE, .group = GROUP_DAEMON, FIELD(socket),
	  .commands = ALL_COMMANDS, .preset = CONFIG_RUNTIME_DIRECTORY "/weft.sock",
	  .argument = "PATH", .max = 107,
	  .help = "the daemon's control socket, which only root may open; weft-NAME.sock in the "
		  "same place for an --instance NAME" },
	{ .name = "disabled", .type = TYPE_BOOL, .group = GROUP_DAEMON, FIELD(disabled),
	  .commands = CONFIG_RUN, .flags = OPTION_NO_FLAG, .preset = "false",
	  .variables = { "OTEL_SDK_DISABLED" },
	  .help = "true: trace nothing, say so and exit with 0" },
	{ .name = "json", .type = TYPE_BOOL, .group = GROUP_DAEMON, FIELD(json),
	  .commands = CONFIG_DOCTOR | CONFIG_PS | CONFIG_TAIL, .flags = OPTION_NO_FILE,
	  .preset = "false",
	  .help = "print JSON" },
};
/* clang-format on */

const size_t n_options = sizeof(options) / sizeof(options[0]);

_Static_assert(sizeof(options) / sizeof(options[0]) <= CONFIG_OPTIONS_MAX,
	       "raise CONFIG_OPTIONS_MAX");

int option_by_name(const char *name)
{
	for (size_t i = 0; i < n_options; i++)
		if (strcmp(options[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

const char *option_flag(const struct option *option, char *text, size_t size)
{
	size_t i;

	for (i = 0; option->name[i] && i + 1 < size; i++)
		text[i] = option->name[i] == '.' || option->name[i] == '_' ? '-' : option->name[i];
	text[i] = '\0';
	return text;
}

int option_by_flag(const char *flag, size_t len, enum config_command command)
{
	for (size_t i = 0; i < n_options; i++) {
		char text[64];

		if (options[i].flags & OPTION_NO_FLAG || !(options[i].commands & command))
			continue;
		option_flag(&options[i], text, sizeof(text));
		if (strlen(text) == len && memcmp(text, flag, len) == 0)
			return (int)i;
	}
	return -ENOENT;
}

uint64_t config_propagators(const struct config *config)
{
	const struct numbers *list = &config->propagators;
	unsigned int shift = 0;
	uint64_t packed = 0;

	_Static_assert(PROPAGATOR_MAX <= 1 << PROPAGATOR_BITS, "a propagator fits into its bits");
	for (size_t i = 0; i < list->n && shift < 64; i++) {
		if (list->items[i] >= PROPAGATOR_MAX)
			continue; /* there is nothing to do for it */
		packed |= (uint64_t)list->items[i] << shift;
		shift += PROPAGATOR_BITS;
	}
	return packed;
}
