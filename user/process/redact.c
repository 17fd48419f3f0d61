/* SPDX-License-Identifier: Apache-2.0 */
#include "process/redact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "span/semconv.h"

#define REDACTED VIEW("REDACTED")

/* Text that is left for the processors behind this one: a name and a route. */
#define TEXT_RESERVE 1024

/*
 * Redacted even under "*", unless named on their own: signatures of pre-signed URLs (semantic
 * conventions, "url.query") and the names under which tokens travel most. Any letter case.
 */
static const struct view credentials[] = {
	VIEW_INIT("AWSAccessKeyId"),
	VIEW_INIT("Signature"),
	VIEW_INIT("sig"),
	VIEW_INIT("X-Goog-Signature"),
	VIEW_INIT("X-Amz-Signature"),
	VIEW_INIT("X-Amz-Security-Token"),
	VIEW_INIT("access_token"),
	VIEW_INIT("api_key"),
	VIEW_INIT("apikey"),
	VIEW_INIT("password"),
	VIEW_INIT("token"),
};

struct redact_processor {
	struct processor base;
	struct redact_keys kept;
	char buffer[SPAN_VALUE_MAX];
};

/* Appends whole pieces; the first that does not fit ends the text. */
struct writer {
	char *data;
	size_t size;
	size_t used;
	bool cut;
};

static void put(struct writer *writer, struct view text)
{
	if (writer->cut || text.len > writer->size - writer->used) {
		writer->cut = true;
		return;
	}
	if (text.len > 0)
		memcpy(writer->data + writer->used, text.data, text.len);
	writer->used += text.len;
}

static size_t find(struct view text, char stop)
{
	const char *found = text.len > 0 ? memchr(text.data, stop, text.len) : NULL;

	return found ? (size_t)(found - text.data) : text.len;
}

/* The characters that end the parts of a URL. */
enum url_stop {
	STOP_COLON = 1 << 0,
	STOP_SLASH = 1 << 1,
	STOP_QUERY = 1 << 2,
	STOP_FRAGMENT = 1 << 3,
};

/* Where one of `stops` stands first, else the length. */
static size_t find_any(struct view text, unsigned int stops)
{
	static const uint8_t stop_of[256] = {
		[':'] = STOP_COLON,
		['/'] = STOP_SLASH,
		['?'] = STOP_QUERY,
		['#'] = STOP_FRAGMENT,
	};
	size_t i = 0;

	while (i < text.len && !(stop_of[(unsigned char)text.data[i]] & stops))
		i++;
	return i;
}

static bool is_credential(struct view name)
{
	for (size_t i = 0; i < sizeof(credentials) / sizeof(credentials[0]); i++)
		if (view_equal_nocase(name, credentials[i]))
			return true;
	return false;
}

static bool is_kept(const struct redact_keys *kept, struct view name)
{
	bool all = false;

	for (size_t i = 0; i < kept->n; i++) {
		struct view entry = view_of(kept->names[i]);

		if (view_equal(name, entry))
			return true;
		all = all || view_equal(entry, VIEW("*"));
	}
	return all && !is_credential(name);
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || is_upper(c);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What text may be and still be taken for a name that people gave, not for a value. */
struct name_rule {
	size_t longest;
	unsigned int digits;
	const char *punctuation;
};

/* A piece without '=' is more often a value than one with an empty value behind the '='. */
static const struct name_rule flag_rule = { 24, 0, "_-.$[]" };
static const struct name_rule empty_rule = { 40, 3, "_-.$[]%" };

/* Base64 changes between cases and digits more often than camelCase does. */
static bool is_switch(char before, char now)
{
	return (is_upper(now) && !is_upper(before)) || is_digit(now) != is_digit(before);
}

static bool reads_like_name(struct view text, const struct name_rule *rule)
{
	unsigned int digits = 0;
	unsigned int switches = 0;

	if (text.len > rule->longest)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (!is_letter(c) && !is_digit(c) && (c == '\0' || !strchr(rule->punctuation, c)))
			return false;
		if (c == '%') {
			/* The digits of "%5B" say nothing. */
			i += 2;
			continue;
		}
		digits += is_digit(c);
		switches += i > 0 && is_switch(text.data[i - 1], c);
	}
	return digits <= rule->digits && switches * 4 <= text.len + 1;
}

static bool only_equals_signs(struct view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != '=')
			return false;
	return true;
}

/* A piece between two '&'. A tail of '=' alone is base64's padding as likely as an empty value. */
static void put_piece(struct writer *writer, struct view piece, const struct redact_keys *kept)
{
	struct view name = view_to(piece, find(piece, '='));
	struct view value = view_from(piece, name.len + 1);

	if (is_kept(kept, name)) {
		put(writer, piece);
	} else if (name.len == piece.len) {
		put(writer, reads_like_name(name, &flag_rule) ? name : REDACTED);
	} else if (only_equals_signs(value)) {
		bool plain = value.len == 0 && reads_like_name(name, &empty_rule);

		put(writer, plain ? piece : REDACTED);
	} else {
		put(writer, name.len <= REDACT_NAME_MAX ? name : REDACTED);
		put(writer, VIEW("="));
		put(writer, REDACTED);
	}
}

static void put_query(struct writer *writer, struct view query, const struct redact_keys *kept)
{
	for (size_t start = 0; start <= query.len;) {
		struct view piece = view_from(query, start);
		size_t mark = writer->used;

		piece = view_to(piece, find(piece, '&'));
		if (start > 0)
			put(writer, VIEW("&"));
		put_piece(writer, piece, kept);
		if (writer->cut) {
			writer->used = mark;
			return;
		}
		start += piece.len + 1;
	}
}

/* Length of "scheme://" or "//"; a text that starts with a path has no authority. */
static size_t authority_start(struct view url)
{
	size_t colon = find_any(url, STOP_COLON | STOP_SLASH | STOP_QUERY | STOP_FRAGMENT);

	if (view_starts_with(view_from(url, colon), VIEW("://")))
		return colon + 3;
	return view_starts_with(url, VIEW("//")) ? 2 : 0;
}

/* Offset behind the last '@' of the authority; 0: no user information. */
static size_t userinfo_len(struct view authority)
{
	const char *at = authority.len > 0 ? memrchr(authority.data, '@', authority.len) : NULL;

	return at ? (size_t)(at - authority.data) + 1 : 0;
}

static void put_authority(struct writer *writer, struct view authority)
{
	size_t userinfo = userinfo_len(authority);
	struct view user = view_to(authority, userinfo);

	if (userinfo > 0) {
		put(writer, REDACTED);
		if (find(user, ':') < user.len)
			put(writer, VIEW(":REDACTED"));
		put(writer, VIEW("@"));
	}
	put(writer, view_from(authority, userinfo));
}

size_t redact_query(struct view query, const struct redact_keys *kept, char *out, size_t size,
		    bool *ret_cut)
{
	struct writer writer = { .data = out, .size = size };

	put_query(&writer, query, kept);
	*ret_cut = writer.cut;
	return writer.used;
}

size_t redact_url(struct view url, const struct redact_keys *kept, char *out, size_t size,
		  bool *ret_cut)
{
	struct writer writer = { .data = out, .size = size };
	size_t start = authority_start(url);
	struct view rest = view_from(url, start);
	size_t len = find_any(rest, STOP_SLASH | STOP_QUERY | STOP_FRAGMENT);

	put(&writer, view_to(url, start));
	put_authority(&writer, view_to(rest, len));
	rest = view_from(rest, len);
	len = find_any(rest, STOP_QUERY | STOP_FRAGMENT);
	put(&writer, view_to(rest, len));
	rest = view_from(rest, len);

	len = find(rest, '#');
	if (len > 0) {
		put(&writer, VIEW("?"));
		put_query(&writer, view_from(view_to(rest, len), 1), kept);
	}
	if (rest.len > len + 1)
		put(&writer, VIEW("#REDACTED"));
	*ret_cut = writer.cut;
	return writer.used;
}

/* Where the value lies in the builder's own text, to be written; NULL: not there. */
static char *own_text(struct span_builder *builder, struct view value)
{
	uintptr_t offset = (uintptr_t)value.data - (uintptr_t)builder->text;

	if (!value.data || offset > builder->text_used || value.len > builder->text_used - offset)
		return NULL;
	return builder->text + offset;
}

typedef size_t (*redact_fn)(struct view text, const struct redact_keys *kept, char *out,
			    size_t size, bool *ret_cut);

/*
 * The new value overwrites the old one where it fits: long values then take no more of the text's
 * room, and the secret is gone from memory as well.
 */
static void redact_attribute(struct redact_processor *redact, struct span_builder *builder,
			     enum attribute_key key, redact_fn rewrite)
{
	struct attribute *attribute = span_builder_attribute(builder, key);
	size_t room = sizeof(builder->text) - builder->text_used;
	size_t limit = room > TEXT_RESERVE ? room - TEXT_RESERVE : 0;
	struct view text = { .data = redact->buffer };
	char *old;
	bool cut;

	if (!attribute || attribute->type != ATTRIBUTE_STRING)
		return;
	if (limit < attribute->len)
		limit = attribute->len;
	if (limit > sizeof(redact->buffer))
		limit = sizeof(redact->buffer);

	text.len = rewrite(attribute_text(attribute), &redact->kept, redact->buffer, limit, &cut);
	old = own_text(builder, attribute_text(attribute));
	if (old)
		memset(old, 0, attribute->len);
	if (old && text.len <= attribute->len) {
		memcpy(old, text.data, text.len);
		attribute->len = (uint32_t)text.len;
	} else {
		span_set_string(builder, key, text);
	}
	if (cut)
		span_set_bool(builder, ATTR_WEFT_TRUNCATED, true);
}

static void redact_configure(struct processor *processor, const struct processor_options *options)
{
	struct redact_processor *redact = (struct redact_processor *)processor;

	redact->kept.names = options->query_keys_kept;
	redact->kept.n = options->n_query_keys_kept;
}

static int redact_start(const struct processor_options *options, struct processor **ret_processor)
{
	struct redact_processor *redact = calloc(1, sizeof(*redact));

	if (!redact)
		return -ENOMEM;
	redact->base.ops = &processor_redact;
	redact_configure(&redact->base, options);
	*ret_processor = &redact->base;
	return 0;
}

static void redact_process(struct processor *processor, struct span_builder *builder)
{
	struct redact_processor *redact = (struct redact_processor *)processor;

	redact_attribute(redact, builder, ATTR_URL_QUERY, redact_query);
	redact_attribute(redact, builder, ATTR_URL_FULL, redact_url);
}

static void redact_stop(struct processor *processor)
{
	free(processor);
}

const struct processor_ops processor_redact = {
	.name = "redact",
	.start = redact_start,
	.configure = redact_configure,
	.process = redact_process,
	.stop = redact_stop,
};
