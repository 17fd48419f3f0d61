/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/http_span.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cursor.h"
#include "protocols/endpoint.h"
#include "span/semconv.h"

#define HOST_MAX      255
#define SCHEME_MAX    32
#define PORT_TEXT_MAX 6 /* ":65535" */

/* The methods that the semantic conventions know ("http.request.method"). */
static const struct view known_methods[] = {
	VIEW_INIT("GET"),    VIEW_INIT("HEAD"),	   VIEW_INIT("POST"),	 VIEW_INIT("PUT"),
	VIEW_INIT("DELETE"), VIEW_INIT("CONNECT"), VIEW_INIT("OPTIONS"), VIEW_INIT("TRACE"),
	VIEW_INIT("PATCH"),  VIEW_INIT("QUERY"),
};

/* Ports that a URL of that scheme need not name. */
static const struct {
	struct view scheme;
	uint16_t port;
} default_ports[] = {
	{ VIEW_INIT("http"), 80 },
	{ VIEW_INIT("https"), 443 },
};

static bool is_host_byte(char c)
{
	static const bool other[256] = {
		[0 ... ' '] = true, ['/'] = true,  ['?'] = true,  ['#'] = true, ['@'] = true,
		['['] = true,	    [']'] = true,  [':'] = true,  ['<'] = true, ['>'] = true,
		['"'] = true,	    ['\\'] = true, ['^'] = true,  ['`'] = true, ['{'] = true,
		['|'] = true,	    ['}'] = true,  [0x7f] = true,
	};

	return !other[(unsigned char)c];
}

static bool is_ipv6_byte(char c)
{
	return (unsigned char)(c - '0') < 10 || (unsigned char)((c | 0x20) - 'a') < 26 ||
	       c == ':' || c == '.' || c == '%';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Nothing, or ":" and a port that may be missing. */
static int parse_port(struct cursor *cursor, uint16_t *ret_port)
{
	struct view digits;
	int64_t port;

	if (cursor_left(cursor) > 0 && cursor_expect(cursor, VIEW(":")) < 0)
		return -EBADMSG;
	digits = cursor_take_while(cursor, is_digit);
	if (cursor_left(cursor) > 0 || digits.len > 5)
		return -EBADMSG;
	port = digits.len > 0 ? view_number(digits) : 0;
	if (port > UINT16_MAX)
		return -EBADMSG;
	*ret_port = (uint16_t)port;
	return 0;
}

static int parse_host(struct cursor *cursor, struct view *ret_host)
{
	bool bracket = cursor_expect(cursor, VIEW("[")) == 0;
	struct view host = cursor_take_while(cursor, bracket ? is_ipv6_byte : is_host_byte);

	if (host.len == 0 || host.len > HOST_MAX)
		return -EBADMSG;
	if (bracket && cursor_expect(cursor, VIEW("]")) < 0)
		return -EBADMSG;
	*ret_host = host;
	return 0;
}

int http_authority_parse(struct view authority, struct view *ret_host, uint16_t *ret_port)
{
	const char *at = authority.len > 0 ? memrchr(authority.data, '@', authority.len) : NULL;
	size_t userinfo = at ? (size_t)(at - authority.data) + 1 : 0;
	struct cursor cursor = cursor_of(view_from(authority, userinfo));
	struct view host;
	int r;

	r = parse_host(&cursor, &host);
	if (r < 0)
		return r;
	r = parse_port(&cursor, ret_port);
	if (r < 0)
		return r;
	*ret_host = host;
	return 0;
}

uint16_t http_default_port(struct view scheme)
{
	for (size_t i = 0; i < sizeof(default_ports) / sizeof(default_ports[0]); i++)
		if (view_equal_nocase(scheme, default_ports[i].scheme))
			return default_ports[i].port;
	return 0;
}

/* Names are case-sensitive; a known one in other letters is still taken for what it is meant to be.
 */
static const struct view *known_method(struct view method)
{
	for (size_t i = 0; i < sizeof(known_methods) / sizeof(known_methods[0]); i++)
		if (view_equal_nocase(method, known_methods[i]))
			return &known_methods[i];
	return NULL;
}

static void describe_method(struct view sent, struct span_builder *builder)
{
	const struct view *known = known_method(sent);
	struct view method = known ? *known : VIEW("_OTHER");

	builder->span.name = known ? *known : VIEW("HTTP");
	span_set_text(builder, ATTR_HTTP_REQUEST_METHOD, method);
	if (!view_equal(method, sent))
		span_set_string(builder, ATTR_HTTP_REQUEST_METHOD_ORIGINAL, sent);
}

/* Where the request was sent to. */
struct server {
	struct view address; /* empty: not known */
	uint16_t port;	     /* 0: not known, or there is none */
	char text[ENDPOINT_TEXT_MAX];
};

/*
 * The request's own words come first, the socket's address fills the gaps: a Host without a port
 * was often written by a proxy or for another port, so there the port is the one really connected
 * to.
 */
static void server_find(const struct exchange *exchange, const struct http_facts *facts,
			struct server *server)
{
	const struct conn_address *socket = endpoint_server(exchange);

	server->address = facts->host;
	server->port = facts->port;
	if (!socket || exchange->family == AF_UNIX)
		return;
	if (server->address.len == 0)
		server->address = endpoint_text(socket, server->text);
	if (server->port == 0)
		server->port = socket->port;
}

static void describe_server(const struct server *server, struct span_builder *builder)
{
	if (server->address.len == 0)
		return;
	span_set_string(builder, ATTR_SERVER_ADDRESS, server->address);
	if (server->port)
		span_set_int(builder, ATTR_SERVER_PORT, server->port);
}

void http_span_describe_server(const struct exchange *exchange, struct view host, uint16_t port,
			       struct span_builder *builder)
{
	const struct http_facts facts = { .host = host, .port = port };
	struct server server;

	server_find(exchange, &facts, &server);
	describe_server(&server, builder);
}

/* A URL that is put together; what does not fit is left out. */
struct url {
	size_t len;
	bool cut;
	char text[SPAN_VALUE_MAX];
};

static void url_add(struct url *url, struct view part)
{
	size_t room = sizeof(url->text) - url->len;

	if (part.len > room) {
		part.len = room;
		url->cut = true;
	}
	if (part.len > 0)
		memcpy(url->text + url->len, part.data, part.len);
	url->len += part.len;
}

/* With the colon before it. printf took longer than the rest of the URL. */
static struct view port_text(uint16_t port, char buffer[PORT_TEXT_MAX])
{
	char *at = buffer + PORT_TEXT_MAX;

	do {
		*--at = (char)('0' + port % 10);
		port /= 10;
	} while (port > 0);
	*--at = ':';
	return (struct view){ .data = at, .len = (size_t)(buffer + PORT_TEXT_MAX - at) };
}

static void url_add_authority(struct url *url, struct view scheme, const struct server *server)
{
	bool bracket = server->address.len > 0 &&
		       memchr(server->address.data, ':', server->address.len) != NULL;
	char port[PORT_TEXT_MAX];

	url_add(url, bracket ? VIEW("[") : VIEW(""));
	url_add(url, server->address);
	url_add(url, bracket ? VIEW("]") : VIEW(""));
	if (server->port && server->port != http_default_port(scheme))
		url_add(url, port_text(server->port, port));
}

/* Returns false when not all of it fits. */
static bool set_long_string(struct span_builder *builder, enum attribute_key key, struct view value)
{
	size_t room = sizeof(builder->text) - builder->text_used;

	span_set_string(builder, key, value);
	return value.len <= room && value.len <= SPAN_VALUE_MAX;
}

/* Schemes have no letter case; lower case is their normal form (RFC 3986 section 3.1). */
static struct view lower_scheme(struct view scheme, char buffer[SCHEME_MAX])
{
	size_t len = scheme.len < SCHEME_MAX ? scheme.len : SCHEME_MAX;

	for (size_t i = 0; i < len; i++)
		buffer[i] = scheme.data[i] >= 'A' && scheme.data[i] <= 'Z'
				    ? (char)(scheme.data[i] | 0x20)
				    : scheme.data[i];
	return (struct view){ .data = buffer, .len = len };
}

/* A client's URL, where its authority is known. */
static bool describe_full_url(const struct http_facts *facts, struct view scheme,
			      const struct server *server, struct span_builder *builder)
{
	struct url url;
	bool whole;

	url.len = 0;
	url.cut = false;
	url_add(&url, scheme);
	url_add(&url, VIEW("://"));
	url_add_authority(&url, scheme, server);
	/* asterisk-form: the target is the server itself (RFC 9112 section 3.2.4) */
	if (!view_equal(facts->path, VIEW("*")))
		url_add(&url, facts->path);
	if (facts->query.len > 0) {
		url_add(&url, VIEW("?"));
		url_add(&url, facts->query);
	}
	whole = set_long_string(builder, ATTR_URL_FULL,
				(struct view){ .data = url.text, .len = url.len });
	return whole && !url.cut;
}

/* The conventions want url.full on clients, its parts on servers. Returns false when some is cut.
 */
static bool describe_url(const struct exchange *exchange, const struct http_facts *facts,
			 const struct server *server, struct span_builder *builder)
{
	char buffer[SCHEME_MAX];
	struct view scheme = lower_scheme(facts->scheme, buffer);
	bool whole = true;

	if (scheme.len == 0)
		return true;
	if (facts->scheme_implied && exchange->tls)
		scheme = VIEW("https");
	span_set_string(builder, ATTR_URL_SCHEME, scheme);
	/* without a path the target is cut within its authority: of such a URL nothing is known */
	if (exchange->role == ROLE_CLIENT && server->address.len > 0 && facts->path.len > 0)
		return describe_full_url(facts, scheme, server, builder);
	if (facts->path.len > 0)
		whole &= set_long_string(builder, ATTR_URL_PATH, facts->path);
	if (facts->query.len > 0)
		whole &= set_long_string(builder, ATTR_URL_QUERY, facts->query);
	return whole;
}

static bool status_is_error(const struct exchange *exchange, uint16_t status)
{
	return status >= (exchange->role == ROLE_CLIENT ? 400 : 500);
}

static void describe_outcome(const struct exchange *exchange, uint16_t status,
			     struct span_builder *builder)
{
	char text[8];

	endpoint_describe_end(exchange, builder);
	if (!status)
		return;
	span_set_int(builder, ATTR_HTTP_RESPONSE_STATUS_CODE, status);
	if (!status_is_error(exchange, status))
		return;
	/* an answer that says what went wrong says more than a connection that broke behind it */
	snprintf(text, sizeof(text), "%u", status);
	span_set_string(builder, ATTR_ERROR_TYPE, view_of(text));
	builder->span.status = SPAN_STATUS_ERROR;
}

/* Short values go first: when there is too much text, it is a long one that is cut. */
void http_span_describe(const struct exchange *exchange, const struct http_facts *facts,
			struct span_builder *builder)
{
	struct server server;
	bool whole;

	describe_method(facts->method, builder);
	describe_outcome(exchange, facts->status, builder);
	server_find(exchange, facts, &server);
	describe_server(&server, builder);
	endpoint_describe(exchange, builder);
	span_set_text(builder, ATTR_NETWORK_PROTOCOL_NAME, VIEW("http"));
	if (facts->version.len > 0)
		span_set_string(builder, ATTR_NETWORK_PROTOCOL_VERSION, facts->version);
	if (facts->request_body >= 0)
		span_set_int(builder, ATTR_HTTP_REQUEST_BODY_SIZE, facts->request_body);
	if (facts->response_body >= 0)
		span_set_int(builder, ATTR_HTTP_RESPONSE_BODY_SIZE, facts->response_body);

	whole = describe_url(exchange, facts, &server, builder);
	if (facts->user_agent.len > 0)
		whole &= set_long_string(builder, ATTR_USER_AGENT_ORIGINAL, facts->user_agent);
	if (facts->truncated || !whole)
		span_set_bool(builder, ATTR_WEFT_TRUNCATED, true);
}
