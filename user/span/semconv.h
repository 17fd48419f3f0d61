/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attribute keys of the OpenTelemetry semantic conventions 1.44, one constant each. Only keys of
 * the stable groups, and weft's own under "weft.".
 */
#ifndef WEFT_SPAN_SEMCONV_H
#define WEFT_SPAN_SEMCONV_H

#define SEMCONV_SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

/* HTTP spans */
#define ATTR_HTTP_REQUEST_METHOD	  "http.request.method"
#define ATTR_HTTP_REQUEST_METHOD_ORIGINAL "http.request.method_original"
#define ATTR_HTTP_REQUEST_BODY_SIZE	  "http.request.body.size"
#define ATTR_HTTP_RESPONSE_BODY_SIZE	  "http.response.body.size"
#define ATTR_HTTP_RESPONSE_STATUS_CODE	  "http.response.status_code"
#define ATTR_HTTP_ROUTE			  "http.route"
#define ATTR_URL_SCHEME			  "url.scheme"
#define ATTR_URL_PATH			  "url.path"
#define ATTR_URL_QUERY			  "url.query"
#define ATTR_URL_FULL			  "url.full"
#define ATTR_USER_AGENT_ORIGINAL	  "user_agent.original"

/* Network, client, server */
#define ATTR_SERVER_ADDRESS	      "server.address"
#define ATTR_SERVER_PORT	      "server.port"
#define ATTR_CLIENT_ADDRESS	      "client.address"
#define ATTR_NETWORK_PEER_ADDRESS     "network.peer.address"
#define ATTR_NETWORK_PEER_PORT	      "network.peer.port"
#define ATTR_NETWORK_PROTOCOL_NAME    "network.protocol.name"
#define ATTR_NETWORK_PROTOCOL_VERSION "network.protocol.version"
#define ATTR_NETWORK_TRANSPORT	      "network.transport"

/* General */
#define ATTR_ERROR_TYPE "error.type"
#define ATTR_THREAD_ID	"thread.id"

/* weft's own */
#define ATTR_WEFT_PARENT_EVIDENCE "weft.parent.evidence"
#define ATTR_WEFT_ROUTE_INFERRED  "weft.route.inferred"
#define ATTR_WEFT_TRUNCATED	  "weft.truncated"
#define ATTR_WEFT_END		  "weft.end" /* "unknown": records of the end were lost */

/* Resource */
#define ATTR_SERVICE_NAME	"service.name"
#define ATTR_PROCESS_PID	"process.pid"
#define ATTR_PROCESS_PARENT_PID "process.parent_pid"

#endif
