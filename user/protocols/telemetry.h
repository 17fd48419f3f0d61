/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests by which programs export telemetry themselves: OTLP over HTTP, and over gRPC, which is
 * HTTP too. Protocols say what a request is; this says whether it is one of those.
 */
#ifndef WEFT_PROTOCOLS_TELEMETRY_H
#define WEFT_PROTOCOLS_TELEMETRY_H

#include "base/view.h"
#include "conn/exchange.h"

/* Could a POST to this path be one? Cheap: asked of every POST before its fields are read. */
bool telemetry_path(struct view path);

/*
 * What a POST to that path carries. A path alone is anybody's choice: OTLP's content type must be
 * there, and where that is JSON, which others speak too, an exporter's User-Agent.
 */
enum telemetry telemetry_of(struct view path, struct view content_type, struct view user_agent);

#endif
