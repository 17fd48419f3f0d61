/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names HTTP spans (OpenTelemetry semantic conventions 1.44, "HTTP spans", name): "{method}
 * {route}" on servers, "{method}" on clients, with "HTTP" for methods that are not known. Where
 * nothing set http.route, the route is inferred from url.path (process/route_table.h), and
 * weft.route.inferred says so. Requests without a path of their own (CONNECT, the asterisk form)
 * have no route. Spans without http.request.method are left alone.
 */
#ifndef WEFT_PROCESS_ROUTE_H
#define WEFT_PROCESS_ROUTE_H

#include "process/processor.h"

extern const struct processor_ops processor_route;

#endif
