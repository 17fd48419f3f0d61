/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.0 and HTTP/1.1 (RFC 9112). Heads are read as a lenient server reads them, because what the
 * peers accept is what weft shows; a line that its own end does not follow is never relied on.
 */
#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "protocols/http_span.h"
#include "protocols/protocol.h"
#include "protocols/rpc_span.h"
#include "protocols/telemetry.h"

#define METHOD_MAX	64
#define SCHEME_MAX	32
#define BLANK_LINES_MAX 4 /* before a start line, RFC 9112 section 2.2 */
#define USER_AGENT_MAX	1024

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* tchar, RFC 9110 section 5.6.2 */
static bool is_token_byte(char c)
{
	static const bool token[256] = {
		['0' ... '9'] = true,  ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,
		['#' ... '\''] = true, ['*'] = true,	     ['+'] = true,	   ['-'] = true,
		['.'] = true,	       ['^' ... '`'] = true, ['|'] = true,	   ['~'] = true,
	};

	return token[(unsigned char)c];
}

/* RFC 3986 section 3.1 */
static bool is_scheme_byte(char c)
{
	return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
}

static struct view cut_at(struct view text, char stop)
{
	const char *found = text.len > 0 ? memchr(text.data, stop, text.len) : NULL;

	if (found)
		text.len = (size_t)(found - text.data);
	return text;
}

/* --- field lines --- */

/* Reads the field lines of a head, one after the other. */
struct fields {
	struct cursor cursor;
	bool complete; /* the empty line that ends the head was read */
};

/* Takes the lines that continue the one before (obs-fold, RFC 9112 section 5.2) and adds them to
 * it. */
static void take_folded(struct cursor *cursor, struct view *value)
{
	struct view line;

	while (cursor_left(cursor) > 0 && is_blank((char)cursor_peek(cursor)) &&
	       cursor_take_line(cursor, &line) == 0)
		value->len = (size_t)(line.data + line.len - value->data);
}

/* A name is followed by its colon at once (RFC 9112 section 5.1), and most lines are others. */
static inline bool line_has_name(struct view line, struct view name)
{
	return line.len > name.len && line.data[name.len] == ':' &&
	       strncasecmp(line.data, name.data, name.len) == 0;
}

/*
 * The next field with one of the names: the number of its name, and its value without surrounding
 * white space. All other lines are passed over. -ENODATA: the head ended, or was cut; a line
 * without its end does not count.
 */
static int fields_next(struct fields *fields, const struct view *names, size_t n,
		       struct view *ret_value)
{
	struct view line, value;

	while (!fields->complete && cursor_take_line(&fields->cursor, &line) == 0) {
		fields->complete = line.len == 0;
		for (size_t i = 0; i < n; i++) {
			if (!line_has_name(line, names[i]))
				continue;
			value = view_from(line, names[i].len + 1);
			take_folded(&fields->cursor, &value);
			*ret_value = view_trim(value);
			return (int)i;
		}
	}
	return -ENODATA;
}

/* What a span needs of the field lines. */
enum known_field {
	FIELD_HOST,
	FIELD_USER_AGENT,
	FIELD_CONTENT_LENGTH,
	FIELD_TRANSFER_ENCODING,
	FIELD_CONTENT_TYPE,
	FIELD_MAX,
};

static const struct view known_names[FIELD_MAX] = {
	[FIELD_HOST] = VIEW_INIT("Host"),
	[FIELD_USER_AGENT] = VIEW_INIT("User-Agent"),
	[FIELD_CONTENT_LENGTH] = VIEW_INIT("Content-Length"),
	[FIELD_TRANSFER_ENCODING] = VIEW_INIT("Transfer-Encoding"),
	[FIELD_CONTENT_TYPE] = VIEW_INIT("Content-Type"),
};

/* Their values; without data: not there. */
struct known_fields {
	struct view values[FIELD_MAX];
};

/* Returns whether the head was read to its end. */
static bool read_fields(struct cursor cursor, struct known_fields *ret_known)
{
	struct fields fields = { .cursor = cursor };
	struct view value;
	int i;

	*ret_known = (struct known_fields){};
	while ((i = fields_next(&fields, known_names, FIELD_MAX, &value)) >= 0)
		/* the first one counts */
		if (!ret_known->values[i].data)
			ret_known->values[i] = value;
	return fields.complete;
}

/* --- request line --- */

struct request_line {
	struct view method;
	struct view target;
	struct view version; /* "1.0" or "1.1"; empty: the line is cut before it */
	bool cut;	     /* the target's end was not seen */
};

/* The start line; when it is cut, what is there of it. Returns whether it has its end. */
static bool take_start_line(struct cursor *cursor, struct view *ret_line)
{
	int blank_lines = 0;

	while (cursor_take_line(cursor, ret_line) == 0)
		if (ret_line->len > 0 || blank_lines++ >= BLANK_LINES_MAX)
			return true;
	*ret_line = cursor_rest(cursor);
	cursor->at = cursor->end;
	return false;
}

/* "HTTP/1." and a digit: 2 and above have heads of another form. */
static int take_version(struct cursor *cursor, struct view *ret_version)
{
	struct cursor begin = *cursor;
	struct view version;
	int r = cursor_expect(cursor, VIEW("HTTP/1."));

	if (r == 0 && !is_digit((char)cursor_peek(cursor)))
		r = -EBADMSG;
	if (r < 0) {
		*cursor = begin;
		return r;
	}
	version = view_from(cursor_rest(&begin), strlen("HTTP/"));
	version.len = strlen("1.1");
	*ret_version = version;
	cursor->at++;
	return 0;
}

/* The last word of the line is the version; what is left before it is the target, spaces and all.
 */
static int split_version(struct view rest, struct request_line *line)
{
	size_t start = rest.len;
	struct cursor cursor;
	int r;

	while (start > 0 && !is_blank(rest.data[start - 1]))
		start--;
	cursor = cursor_of(view_from(rest, start));
	r = take_version(&cursor, &line->version);
	if (r < 0 || cursor_left(&cursor) > 0)
		return -EBADMSG;
	rest.len = start;
	line->target = view_trim(rest);
	return 0;
}

static int parse_request_line(struct view text, bool whole, struct request_line *ret_line)
{
	struct request_line line = { 0 };
	struct cursor cursor = cursor_of(text);

	line.method = cursor_take_while(&cursor, is_token_byte);
	if (line.method.len == 0 || line.method.len > METHOD_MAX)
		return -EBADMSG;
	if (cursor_take_while(&cursor, is_blank).len == 0)
		return -EBADMSG;
	if (whole) {
		if (split_version(view_trim(cursor_rest(&cursor)), &line) < 0)
			return -EBADMSG;
	} else {
		line.target = cut_at(cursor_rest(&cursor), ' ');
		line.cut = line.target.len == cursor_left(&cursor);
	}
	if (line.target.len == 0)
		return -EBADMSG;
	*ret_line = line;
	return 0;
}

/* --- request target, RFC 9112 section 3.2 --- */

static void target_path(struct view target, struct http_facts *facts)
{
	facts->path = cut_at(target, '?');
	facts->query = view_from(target, facts->path.len + 1);
}

/* The start of an absolute-form target: scheme and "://". */
static int take_scheme(struct cursor *cursor, struct view *ret_scheme)
{
	struct cursor begin = *cursor;
	struct view scheme = cursor_take_while(cursor, is_scheme_byte);

	if (scheme.len == 0 || scheme.len > SCHEME_MAX || !is_letter(scheme.data[0]) ||
	    cursor_expect(cursor, VIEW("://")) < 0) {
		*cursor = begin;
		return -EBADMSG;
	}
	*ret_scheme = scheme;
	return 0;
}

/* The target's authority overrides the field Host (RFC 9112 section 3.2.2). */
static void target_absolute(const struct request_line *line, struct view rest,
			    struct http_facts *facts)
{
	struct view authority = cut_at(cut_at(rest, '/'), '?');

	/* half a host name is another host's name */
	if (line->cut && authority.len == rest.len)
		return;
	if (http_authority_parse(authority, &facts->host, &facts->port) == 0 && !facts->port)
		facts->port = http_default_port(facts->scheme);
	target_path(view_from(rest, authority.len), facts);
	if (facts->path.len == 0)
		facts->path = VIEW("/");
}

/* A control character ends no URI and starts no other: what has one is not a request. */
static bool has_control(struct view text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			return true;
	return false;
}

static int parse_target(const struct request_line *line, struct http_facts *facts)
{
	/* a fragment is no part of a target; one that is sent is its client's secret */
	struct view target = cut_at(line->target, '#');
	struct cursor cursor = cursor_of(target);

	if (has_control(target))
		return -EBADMSG;
	facts->scheme = VIEW("http");
	if (view_starts_with(target, VIEW("/")) || view_equal(target, VIEW("*"))) {
		facts->scheme_implied = true;
		target_path(target, facts);
		return 0;
	}
	if (take_scheme(&cursor, &facts->scheme) == 0) {
		target_absolute(line, cursor_rest(&cursor), facts);
		return 0;
	}
	if (!view_equal_nocase(line->method, VIEW("CONNECT")))
		return -EBADMSG;
	facts->scheme = VIEW("");
	if (line->cut)
		return 0;
	return http_authority_parse(target, &facts->host, &facts->port);
}

/* --- the exchange --- */

/* The bytes that were counted count, whatever the fields say. */
static bool body_is_known(const struct message *message)
{
	return message->ended && message->body_bytes > 0;
}

/*
 * Bytes of the body; -1: not known, or the message has none and does not say so. The announced ones
 * only where the rest was not seen.
 */
static int64_t body_size(const struct message *message, const struct known_fields *known,
			 bool may_have_body)
{
	struct view length = known->values[FIELD_CONTENT_LENGTH];
	bool is_coded = known->values[FIELD_TRANSFER_ENCODING].data;

	if (message->ended)
		return message->body_bytes > 0 || length.data || is_coded
			       ? (int64_t)message->body_bytes
			       : -1;
	/* an announced length has no meaning beside a transfer coding (RFC 9112 section 6.3) */
	if (!may_have_body || is_coded)
		return -1;
	return view_number(length);
}

static bool has_response_body(const struct http_facts *facts)
{
	return !view_equal_nocase(facts->method, VIEW("HEAD")) && facts->status != 204 &&
	       facts->status != 304;
}

/* A status line, then fields; a head that is not there or not of this protocol gives nothing. */
static void read_response_head(const struct exchange *exchange, struct http_facts *facts,
			       struct known_fields *known)
{
	struct cursor cursor = cursor_of(message_head(&exchange->response));
	struct view line, version, digits;
	struct cursor inner;

	take_start_line(&cursor, &line);
	inner = cursor_of(line);
	if (take_version(&inner, &version) < 0)
		return;
	if (facts->version.len == 0)
		facts->version = version;
	cursor_take_while(&inner, is_blank);
	digits = cursor_take_while(&inner, is_digit);
	if (!facts->status && digits.len == 3 && digits.data[0] != '0')
		facts->status = (uint16_t)view_number(digits);
	read_fields(cursor, known);
}

/* Most heads need not be read: what they would tell is known without them. */
static void read_response(const struct exchange *exchange, struct http_facts *facts)
{
	struct known_fields known = {};

	facts->status = exchange->status;
	if (!facts->status || facts->version.len == 0 || !body_is_known(&exchange->response))
		read_response_head(exchange, facts, &known);
	facts->response_body = body_size(&exchange->response, &known, has_response_body(facts));
}

/* Folded lines become one (RFC 9112 section 5.2); the value is cut where the buffer ends. */
static struct view unfold(struct view value, char buffer[USER_AGENT_MAX])
{
	struct view text = { .data = buffer };

	for (size_t i = 0; i < value.len && text.len < USER_AGENT_MAX; i++) {
		bool fold = value.data[i] == '\r' || value.data[i] == '\n';

		buffer[text.len++] = fold ? ' ' : value.data[i];
	}
	return text;
}

/* Which connection the request is for, where the target does not say: the field Host. */
static void use_host(struct view host, struct http_facts *facts)
{
	if (facts->host.len == 0)
		http_authority_parse(host, &facts->host, &facts->port);
}

/* The first values of those names in a message's head. */
static void read_named(const struct message *message, const struct view *names, size_t n,
		       struct view *ret_values)
{
	struct fields fields = { .cursor = cursor_of(message_head(message)) };
	struct view line, value;
	int i;

	take_start_line(&fields.cursor, &line);
	while ((i = fields_next(&fields, names, n, &value)) >= 0)
		if (!ret_values[i].data)
			ret_values[i] = value;
}

/* What the heads say of a call of a procedure; most requests are none, and are not read again. */
static enum rpc_form read_call(const struct exchange *exchange, const struct http_facts *facts,
			       struct view content_type, struct rpc_facts *ret_rpc)
{
	static const struct view asked[] = {
		VIEW_INIT("Connect-Protocol-Version"),
		VIEW_INIT("Connect-Timeout-Ms"),
		VIEW_INIT("Grpc-Timeout"),
	};
	static const struct view answered[] = {
		VIEW_INIT("Content-Type"),
		VIEW_INIT("Grpc-Status"),
	};
	struct view request[3] = {}, response[2] = {};

	if (content_type.len > 0 && !rpc_type_is_likely(content_type))
		return RPC_NO_CALL;
	*ret_rpc = (struct rpc_facts){ .content_type = content_type };
	if (content_type.len == 0 && rpc_form_of(facts, ret_rpc) == RPC_NO_CALL)
		return RPC_NO_CALL;
	read_named(&exchange->request, asked, 3, request);
	read_named(&exchange->response, answered, 2, response);
	ret_rpc->connect_version = request[0];
	ret_rpc->connect_timeout = request[1];
	ret_rpc->grpc_timeout = request[2];
	ret_rpc->response_type = response[0];
	ret_rpc->grpc_status = response[1];
	return rpc_form_of(facts, ret_rpc);
}

static int http1_describe(const struct exchange *exchange, struct span_builder *builder)
{
	struct cursor cursor = cursor_of(message_head(&exchange->request));
	struct http_facts facts = { 0 };
	struct request_line line = { 0 };
	struct known_fields known;
	struct rpc_facts rpc;
	enum rpc_form form;
	char user_agent[USER_AGENT_MAX];
	struct view text;
	bool whole = take_start_line(&cursor, &text);
	int r;

	r = parse_request_line(text, whole, &line);
	if (r < 0)
		return r;
	facts.method = line.method;
	facts.version = line.version;
	r = parse_target(&line, &facts);
	if (r < 0)
		return r;
	facts.truncated = !read_fields(cursor, &known) || exchange->request.truncated;
	use_host(known.values[FIELD_HOST], &facts);
	facts.user_agent = unfold(known.values[FIELD_USER_AGENT], user_agent);
	facts.request_body = body_size(&exchange->request, &known, true);
	read_response(exchange, &facts);
	form = read_call(exchange, &facts, known.values[FIELD_CONTENT_TYPE], &rpc);
	if (form != RPC_NO_CALL)
		rpc_span_describe(exchange, &facts, &rpc, form, builder);
	else
		http_span_describe(exchange, &facts, builder);
	return 0;
}

static size_t http1_request_fields(const struct exchange *exchange, struct view name,
				   struct view *ret_values, size_t max)
{
	struct fields fields = { .cursor = cursor_of(message_head(&exchange->request)) };
	struct view text, value;
	size_t count = 0;

	take_start_line(&fields.cursor, &text);
	for (; fields_next(&fields, &name, 1, &value) >= 0; count++)
		if (count < max)
			ret_values[count] = value;
	return count;
}

static enum telemetry http1_telemetry(const struct exchange *exchange)
{
	static const struct view names[] = { VIEW_INIT("Content-Type"), VIEW_INIT("User-Agent") };
	struct fields fields = { .cursor = cursor_of(message_head(&exchange->request)) };
	struct request_line line;
	struct http_facts facts = { 0 };
	struct view text, value, values[2] = {};
	int i;

	if (!take_start_line(&fields.cursor, &text) || !view_starts_with(text, VIEW("POST ")))
		return TELEMETRY_NONE;
	if (parse_request_line(text, true, &line) < 0 || parse_target(&line, &facts) < 0 ||
	    !telemetry_path(facts.path))
		return TELEMETRY_NONE;
	while ((i = fields_next(&fields, names, 2, &value)) >= 0)
		if (!values[i].data)
			values[i] = value;
	return telemetry_of(facts.path, values[0], values[1]);
}

const struct protocol protocol_HTTP1 = {
	.id = PROTOCOL_HTTP1,
	.name = "http1",
	.describe = http1_describe,
	.request_fields = http1_request_fields,
	.telemetry = http1_telemetry,
};
