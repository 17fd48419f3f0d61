/* SPDX-License-Identifier: Apache-2.0 */
#include "export/line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "span/resource.h"
#include "span/semconv.h"

/* Columns that a field is filled up to, and where it is cut. */
struct width {
	size_t fill;
	size_t cut;
};

static const struct width width_service = { 16, 32 };
static const struct width width_name = { 24, 96 };
static const struct width width_status = { 4, 24 };
static const struct width width_path = { 0, 160 };

#define COLUMN_BYTES  4	  /* of UTF-8 at most */
#define FIXED_BYTES   256 /* time, kind, duration, trace, gaps */
#define COLOUR_BYTES  (6 * 12)
#define VARIABLE_COLS (32 + 96 + 24 + 160)
_Static_assert(VARIABLE_COLS *COLUMN_BYTES + FIXED_BYTES + COLOUR_BYTES <= LINE_MAX_LEN,
	       "the longest line fits");

#define COLOUR_NONE   "\033[0m"
#define COLOUR_DIM    "\033[2m"
#define COLOUR_BOLD   "\033[1m"
#define COLOUR_SERVER "\033[36m"
#define COLOUR_OTHER  "\033[34m"
#define COLOUR_WARN   "\033[33m"
#define COLOUR_ERROR  "\033[1;31m"

struct writer {
	char *text;
	size_t len;
	bool colour;
};

static void put(struct writer *writer, const char *data, size_t len)
{
	if (len > LINE_MAX_LEN - writer->len)
		len = LINE_MAX_LEN - writer->len;
	memcpy(writer->text + writer->len, data, len);
	writer->len += len;
}

__attribute__((format(printf, 2, 3))) static void put_format(struct writer *writer,
							     const char *format, ...)
{
	char text[64];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (n > 0 && (size_t)n < sizeof(text))
		put(writer, text, (size_t)n);
}

static void put_colour(struct writer *writer, const char *colour)
{
	if (writer->colour)
		put(writer, colour, strlen(colour));
}

static void put_gap(struct writer *writer, size_t columns)
{
	while (columns-- > 0)
		put(writer, " ", 1);
}

/* Decodes one character (RFC 3629). Returns its bytes and it, or 1 and U+FFFD for a bad byte. */
static size_t character(struct view text, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *bytes = (const uint8_t *)text.data;
	size_t len = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
	uint32_t code = len == 1 ? bytes[0] : bytes[0] & (0x7fu >> len);

	*ret_code = 0xfffd;
	if ((len > 1 && (bytes[0] < 0xc2 || bytes[0] > 0xf4)) || len > text.len)
		return 1;
	for (size_t i = 1; i < len; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 1;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < smallest[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 1;
	*ret_code = code;
	return len;
}

/* Characters that move the cursor, change the terminal's state, or the order of what is shown. */
static bool steers_terminal(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x0000, 0x001f },   /* C0 */
		{ 0x007f, 0x009f },   /* DEL, C1 */
		{ 0x061c, 0x061c },   /* Arabic letter mark */
		{ 0x200b, 0x200f },   /* zero width, directional marks */
		{ 0x2028, 0x202e },   /* line and paragraph separators, embeddings, overrides */
		{ 0x2060, 0x206f },   /* invisible operators, isolates */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xfff9, 0xfffb },   /* interlinear annotations */
		{ 0xe0000, 0xe0fff }, /* tags */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* A field of text: every character counts as one column. */
static void put_text(struct writer *writer, struct view text, struct width width)
{
	size_t columns = 0;
	size_t at = 0;

	while (at < text.len) {
		uint32_t code;
		size_t len = character(view_from(text, at), &code);

		/* The last column is the ellipsis', unless the text ends there. */
		if (columns + 1 == width.cut && at + len < text.len) {
			put(writer, "…", strlen("…"));
			columns++;
			break;
		}
		if (code == 0xfffd || steers_terminal(code))
			put(writer, "\xef\xbf\xbd", 3);
		else
			put(writer, text.data + at, len);
		at += len;
		columns++;
	}
	if (columns < width.fill)
		put_gap(writer, width.fill - columns);
}

static void put_time(struct writer *writer, uint64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / NS_PER_SEC);
	struct tm local;

	if (!localtime_r(&seconds, &local))
		memset(&local, 0, sizeof(local));
	put_colour(writer, COLOUR_DIM);
	put_format(writer, "%02d:%02d:%02d.%03u", local.tm_hour, local.tm_min, local.tm_sec,
		   (unsigned int)(unix_ns % NS_PER_SEC / NS_PER_MS));
	put_colour(writer, COLOUR_NONE);
	put_gap(writer, 2);
}

static void put_kind(struct writer *writer, enum span_kind kind)
{
	static const char *const names[] = {
		[SPAN_KIND_INTERNAL] = "INTERNAL", [SPAN_KIND_SERVER] = "SERVER",
		[SPAN_KIND_CLIENT] = "CLIENT",	   [SPAN_KIND_PRODUCER] = "PRODUCER",
		[SPAN_KIND_CONSUMER] = "CONSUMER",
	};
	const char *name = (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;

	put_colour(writer, kind == SPAN_KIND_SERVER ? COLOUR_SERVER : COLOUR_OTHER);
	put_format(writer, "%-8s", name ? name : "-");
	put_colour(writer, COLOUR_NONE);
	put_gap(writer, 2);
}

static const char *status_colour(const struct line *line)
{
	if (line->status == SPAN_STATUS_ERROR)
		return COLOUR_ERROR;
	return line->http_status >= 400 ? COLOUR_WARN : "";
}

/* The HTTP code, unless an error says more than it (a reset in mid-answer has a code, too). */
static void put_status(struct writer *writer, const struct line *line)
{
	char code[8] = "";
	struct view shown;

	if (line->http_status > 0)
		snprintf(code, sizeof(code), "%u", line->http_status);
	if (line->error_type.len > 0)
		shown = line->error_type;
	else if (line->http_status > 0)
		shown = view_of(code);
	else if (line->status == SPAN_STATUS_ERROR)
		shown = VIEW("error");
	else
		shown = line->status == SPAN_STATUS_OK ? VIEW("ok") : VIEW("-");
	put_colour(writer, status_colour(line));
	put_text(writer, shown, width_status);
	put_colour(writer, COLOUR_NONE);
	put_gap(writer, 2);
}

/* Three digits and a unit, in eight columns. */
static void put_duration(struct writer *writer, uint64_t ns)
{
	static const struct {
		uint64_t below;
		double unit;
		const char *name;
	} units[] = {
		{ 999500, 1e3, "us" },
		{ 999500000, 1e6, "ms" },
		{ UINT64_MAX, 1e9, "s " },
	};
	size_t i = 0;
	double value;

	while (ns >= units[i].below && i < sizeof(units) / sizeof(units[0]) - 1)
		i++;
	value = (double)ns / units[i].unit;
	put_format(writer, "%5.*f %s",
		   value < 9.995   ? 2
		   : value < 99.95 ? 1
				   : 0,
		   value, units[i].name);
	put_gap(writer, 2);
}

static void put_trace(struct writer *writer, const uint8_t *trace_id)
{
	char text[2 * TRACE_ID_LEN + 1];

	for (size_t i = 0; i < TRACE_ID_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", trace_id[i]);
	put_colour(writer, COLOUR_DIM);
	put(writer, text, 2 * TRACE_ID_LEN);
	put_colour(writer, COLOUR_NONE);
}

/* "GET /users" shows "/users": to repeat it would only be noise. */
static bool name_shows_path(const struct line *line)
{
	struct view name = line->name;
	size_t skip;

	if (line->path.len + 1 > name.len)
		return false;
	skip = name.len - line->path.len;
	return name.data[skip - 1] == ' ' && view_equal(view_from(name, skip), line->path);
}

size_t line_format(const struct line *line, bool colour, char text[static LINE_MAX_LEN])
{
	struct writer writer = { .text = text, .colour = colour };

	put_time(&writer, line->start_ns);
	put_colour(&writer, COLOUR_BOLD);
	put_text(&writer, line->service, width_service);
	put_colour(&writer, COLOUR_NONE);
	put_gap(&writer, 2);
	put_kind(&writer, line->kind);
	put_text(&writer, line->name, width_name);
	put_gap(&writer, 2);
	put_status(&writer, line);
	put_duration(&writer, line->duration_ns);
	put_trace(&writer, line->trace_id);
	if (line->path.len > 0 && !name_shows_path(line)) {
		put_gap(&writer, 2);
		put_text(&writer, line->path, width_path);
	}
	put(&writer, "\n", 1);
	return writer.len;
}

static struct view string_attribute(const struct span *span, enum attribute_key key)
{
	const struct attribute *found = span_attribute(span, key);

	return found && found->type == ATTRIBUTE_STRING ? attribute_text(found)
							: (struct view){ 0 };
}

void line_of_span(const struct span *span, struct line *ret_line)
{
	const struct attribute *code = span_attribute(span, ATTR_HTTP_RESPONSE_STATUS_CODE);

	*ret_line = (struct line){
		.start_ns = span->start_ns,
		.duration_ns = span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0,
		.kind = span->kind,
		.status = span->status,
		.service = span->resource ? span->resource->service_name : VIEW("-"),
		.name = span->name,
		.error_type = string_attribute(span, ATTR_ERROR_TYPE),
		.path = string_attribute(span, ATTR_URL_PATH),
	};
	memcpy(ret_line->trace_id, span->trace_id, TRACE_ID_LEN);
	if (code && code->type == ATTRIBUTE_INT && code->integer > 0 && code->integer < 1000)
		ret_line->http_status = (uint16_t)code->integer;
}

bool line_colour(int fd)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return isatty(fd) && !(no_colour && *no_colour) &&
	       !(terminal && strcmp(terminal, "dumb") == 0);
}
