/* SPDX-License-Identifier: Apache-2.0 */
/* The URL of an OTLP/HTTP backend. */
#ifndef WEFT_EXPORT_HTTP_TARGET_H
#define WEFT_EXPORT_HTTP_TARGET_H

#include <stdbool.h>

struct http_target {
	char *url;     /* what is posted to */
	char *shown;   /* the same without user and password, for people */
	bool loopback; /* this host: no proxy stands before it */
};

/*
 * Reads `http://host[:port][/path]` or https. Without a path it is "/v1/traces"; a path that is
 * given stands (OpenTelemetry protocol exporter, "Endpoint URLs for OTLP/HTTP"; the base endpoint
 * of the environment is completed by config). Without a port it is the scheme's, 80 or 443.
 * -EINVAL: not such a URL; *ret_reason is libcurl's constant text. -ENOMEM: *ret_reason is set,
 * too. The caller has loaded libcurl.
 */
int http_target_parse(const char *text, struct http_target *ret_target, const char **ret_reason);

void http_target_clear(struct http_target *target);

#endif
