/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans to a backend over OTLP/HTTP with protobuf (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP").
 *
 * Needs SIGPIPE to be ignored by the process: libcurl with OpenSSL writes to sockets that the peer
 * may have closed.
 */
#ifndef WEFT_EXPORT_OTLP_HTTP_H
#define WEFT_EXPORT_OTLP_HTTP_H

#include "export/exporter.h"

/* How failed requests are repeated. Tests use shorter times. */
struct otlp_http_retry {
	uint64_t first_ns;   /* wait after the first failure; doubled by each further one */
	uint64_t longest_ns; /* up to this */
	uint64_t give_up_ns; /* a batch of this age is dropped when it fails; bounds Retry-After */
};

/* As exporter_ops.open with other waits than the usual. */
int otlp_http_open(const char *target, const struct export_options *options,
		   const struct otlp_http_retry *retry, sd_event *loop,
		   struct exporter **ret_exporter);

#endif
