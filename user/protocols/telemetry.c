/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/telemetry.h"

#include <string.h>

/* OTLP specification 1.x, "OTLP/HTTP Request" and "OTLP/gRPC". */
static const struct telemetry_row {
	struct view path; /* its end, as a prefix may be configured; of gRPC methods all of it */
	enum telemetry telemetry;
} rows[] = {
	{ VIEW_INIT("/v1/traces"), TELEMETRY_SPANS },
	{ VIEW_INIT("/v1/metrics"), TELEMETRY_OTHER },
	{ VIEW_INIT("/v1/logs"), TELEMETRY_OTHER },
	{ VIEW_INIT("/v1development/profiles"), TELEMETRY_OTHER },
	{ VIEW_INIT("/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
	  TELEMETRY_SPANS },
	{ VIEW_INIT("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
	  TELEMETRY_OTHER },
	{ VIEW_INIT("/opentelemetry.proto.collector.logs.v1.LogsService/Export"), TELEMETRY_OTHER },
};

static bool ends_with(struct view text, struct view end)
{
	return text.len >= end.len &&
	       memcmp(text.data + text.len - end.len, end.data, end.len) == 0;
}

static const struct telemetry_row *row_of(struct view path)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ends_with(path, rows[i].path))
			return &rows[i];
	return NULL;
}

bool telemetry_path(struct view path)
{
	return row_of(path);
}

/* The type without its parameters; "application/grpc+proto" is a kind of "application/grpc". */
static bool is_type(struct view content_type, struct view type)
{
	struct view start = { .data = content_type.data, .len = type.len };
	struct view rest = view_from(content_type, type.len);

	return content_type.len >= type.len && view_equal_nocase(start, type) &&
	       (rest.len == 0 || strchr(";+- \t", rest.data[0]));
}

/* OTLP specification, "User Agent": exporters put "OTel-OTLP-Exporter-LANGUAGE" into it. */
static bool is_exporter(struct view user_agent)
{
	static const struct view word = VIEW_INIT("OTLP");

	for (size_t i = 0; i + word.len <= user_agent.len; i++)
		if (strncasecmp(user_agent.data + i, word.data, word.len) == 0)
			return true;
	return false;
}

enum telemetry telemetry_of(struct view path, struct view content_type, struct view user_agent)
{
	const struct telemetry_row *row = row_of(path);

	if (!row)
		return TELEMETRY_NONE;
	if (is_type(content_type, VIEW("application/x-protobuf")) ||
	    is_type(content_type, VIEW("application/grpc")))
		return row->telemetry;
	if (is_type(content_type, VIEW("application/json")) && is_exporter(user_agent))
		return row->telemetry;
	return TELEMETRY_NONE;
}
