/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: one struct, filled from four sources. A higher one wins over a lower one:
 *
 *	command line > file (--config, YAML) > environment > default
 *
 * config/options.c holds one table with a row for each option. Command line, file, environment,
 * --help and the man page all come from it. The name of a row is its key in the file, with a dot
 * for each level ("otlp.timeout"); its flag is the same name with dashes ("--otlp-timeout").
 */
#ifndef WEFT_CONFIG_CONFIG_H
#define WEFT_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "bpf/abi/config.h"
#include "bpf/abi/context.h"

/* Heap strings. A list of pairs holds name, value, name, value ...: n is twice the pairs' number.
 */
struct strings {
	char **items;
	size_t n;
};

#define CONFIG_NUMBERS_MAX 256

struct numbers {
	uint32_t items[CONFIG_NUMBERS_MAX];
	size_t n;
};

/* Peers, by address. */
struct ranges {
	struct address_range items[CONFIG_RANGES_MAX];
	size_t n;
	bool none; /* the list was said to be empty: nothing can be added */
};

/* In order: a later source wins over an earlier one. */
enum config_source {
	CONFIG_DEFAULT,
	CONFIG_ENVIRONMENT,
	CONFIG_FILE,
	CONFIG_COMMAND_LINE,
};

/* Where a value came from. */
struct config_origin {
	enum config_source source;
	unsigned int line;    /* CONFIG_FILE: counted from 1 */
	const char *variable; /* CONFIG_ENVIRONMENT: its name, a constant */
};

/* Commands that read the table; each takes the flags of its own rows only. */
enum config_command {
	CONFIG_RUN = 1 << 0,
	CONFIG_DOCTOR = 1 << 1,
	CONFIG_PS = 1 << 2,
	CONFIG_TAIL = 1 << 3,
};

enum config_compression {
	CONFIG_COMPRESSION_NONE,
	CONFIG_COMPRESSION_GZIP,
};

/* Propagators that are accepted although weft does nothing for them. */
enum config_propagator {
	CONFIG_PROPAGATOR_BAGGAGE = PROPAGATOR_MAX,
	CONFIG_PROPAGATOR_OTTRACE,
};

enum config_sampler {
	CONFIG_SAMPLER_ALWAYS_ON,
	CONFIG_SAMPLER_ALWAYS_OFF,
	CONFIG_SAMPLER_RATIO,
	CONFIG_SAMPLER_PARENT_ALWAYS_ON,
	CONFIG_SAMPLER_PARENT_ALWAYS_OFF,
	CONFIG_SAMPLER_PARENT_RATIO,
};

/* Of its own for the control socket and the lock of running daemons; only root may look into it. */
#define CONFIG_RUNTIME_DIRECTORY "/run/weft"
#define CONFIG_INSTANCE		 "default"

/* What becomes of spans that an SDK in their process makes, too. */
enum config_sdk_spans {
	CONFIG_SDK_JOIN, /* left to it */
	CONFIG_SDK_KEEP,
};

/* Whether what TLS carries is looked for. */
enum config_tls {
	CONFIG_TLS_OFF,
	CONFIG_TLS_ON,
	CONFIG_TLS_AUTO, /* where probes cost little */
};

/* Categories of OTEL_SEMCONV_STABILITY_OPT_IN. None is 0: each may stand beside the others. */
enum config_semconv {
	CONFIG_SEMCONV_OTHER = 1,
	CONFIG_SEMCONV_RPC,
	CONFIG_SEMCONV_RPC_DUP, /* older names, too */
};

#define CONFIG_OPTIONS_MAX 56

struct config {
	char *file; /* --config; NULL: none */

	/* Where spans go: "stdout", "file:PATH", a URL. After config_load() never empty, final. */
	struct strings targets;

	struct numbers pids;  /* empty: all */
	struct strings exes;  /* globs; empty: all */
	struct numbers ports; /* at most CONFIG_PORTS_MAX of bpf/abi/config.h; empty: all */
	uint32_t netns;	      /* inode number of the network namespace; 0: all */
	uint64_t duration_ns; /* 0: until a signal comes */

	uint64_t request_head;	   /* bytes */
	uint64_t response_head;	   /* bytes */
	struct strings query_keys; /* keys whose values in query strings are not redacted */
	bool command_args;

	struct numbers propagators; /* enum propagator or config_propagator, most wanted first;
				       PROPAGATOR_NONE stands alone */
	int sdk_spans;		    /* enum config_sdk_spans */
	struct numbers semconv;	    /* enum config_semconv */
	int inject;		    /* enum inject_mode */
	int tcp_option;		    /* 1: on */
	int tls;		    /* enum config_tls */
	struct ranges propagate_to;
	struct ranges propagate_trust;
	int sampler;		    /* enum config_sampler */
	double sampler_ratio;	    /* 0 to 1, for the samplers of a ratio */
	double sampling_percentage; /* 0 to 1, only what the environment says */

	/* Only what the environment and the file say; `targets` is what counts. */
	char *otlp_endpoint;
	char *otlp_traces_endpoint;
	char *tempo_endpoint;
	char *tempo_http_endpoint;
	char *tempo_grpc_endpoint;

	struct strings otlp_headers; /* pairs */
	uint64_t otlp_timeout_ns;
	int otlp_compression; /* enum config_compression */
	int otlp_protocol;
	char *otlp_certificate; /* PEM files; NULL: not given */
	char *otlp_client_certificate;
	char *otlp_client_key;

	uint64_t batch_delay_ns;
	uint64_t queue_size; /* spans */
	uint64_t batch_size; /* spans, <= queue_size */

	/* Pairs. After config_load() with service_name, cluster_name and environment among them. */
	struct strings resource;
	char *service_name;
	char *cluster_name;
	char *environment;

	uint64_t cpu_budget; /* percent of a processor that is busy, 0: no limit */
	uint64_t ring_size;  /* bytes, a power of two */
	int log_level;	     /* enum log_level */
	char *instance;	     /* letters, digits, "_.-" */
	char *socket;	     /* absolute, fits in sun_path */
	char *user; /* account of the pipeline, with its ids: never root. CONFIG_RUN only */
	uid_t uid;
	gid_t gid;
	bool disabled; /* OTEL_SDK_DISABLED: do nothing */
	bool json;

	struct config_origin origins[CONFIG_OPTIONS_MAX]; /* by row of the table */
};

#define CONFIG_WARNINGS_MAX 32
#define CONFIG_TEXT_MAX	    1024

/* What there is to tell a person. Zero it before the first use. */
struct config_messages {
	char error[CONFIG_TEXT_MAX]; /* why loading failed */
	char *warnings[CONFIG_WARNINGS_MAX];
	size_t n_warnings; /* more than fit: the rest is left out */
};

/* Frees the warnings and empties both. */
void config_messages_clear(struct config_messages *messages);

/*
 * Reads all sources for one command. arguments[] is what follows the command's name;
 * `environment` is a NULL-terminated list like environ(7). Bad values of the environment become
 * warnings and are passed over, except addresses and file names, which are errors. 0, or with
 * messages->error set: -EINVAL something is wrong in one of the sources; -ENOMEM; -errno of
 * open(2) or read(2) of the file. The configuration is empty then.
 */
int config_load(struct config *ret_config, enum config_command command, int n_arguments,
		char *const *arguments, char *const *environment, struct config_messages *messages);

/*
 * The propagators that something is done for, as weft_knobs (bpf/abi/config.h) has them: the most
 * wanted one in the lowest PROPAGATOR_BITS.
 */
uint64_t config_propagators(const struct config *config);

/* Frees what the configuration owns and zeroes it. */
void config_clear(struct config *config);

/* The origin of an option's value in words: "default", "OTEL_SERVICE_NAME", "weft.yaml:3",
 * "--port". */
const char *config_origin_text(const struct config *config, const char *name, char *text,
			       size_t size);

#endif
