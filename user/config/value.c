/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to values, one parser for each type. Parsers judge; they do not know where the text is from.
 */
#include "config/option.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/view.h"
#include "config/netns.h"
#include "config/ranges.h"
#include "config/url.h"

struct why {
	char *text;
	size_t size;
};

static int bad(const struct why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int bad(const struct why *why, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why->text, why->size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int strings_add(struct strings *list, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char **items;

	if (!copy)
		return -ENOMEM;
	items = reallocarray(list->items, list->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->n++] = TAKE_PTR(copy);
	return 0;
}

void strings_clear(struct strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strings){ 0 };
}

static int parse_bool(const struct option *option, void *field, const char *text,
		      const struct why *why)
{
	(void)option;
	if (strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0)
		return bad(why, "is neither true nor false");
	*(bool *)field = strcasecmp(text, "true") == 0;
	return 0;
}

static int parse_digits(struct view text, uint64_t *ret_value)
{
	int64_t value = view_number(text);

	if (value < 0)
		return -EINVAL;
	*ret_value = (uint64_t)value;
	return 0;
}

static int parse_in_range(const struct option *option, struct view text, uint64_t *ret_value,
			  const struct why *why)
{
	uint64_t value;

	if (parse_digits(text, &value) < 0)
		return bad(why, "is not a whole number");
	if (value < option->min || value > option->max)
		return bad(why, "is out of range");
	*ret_value = value;
	return 0;
}

static int parse_number(const struct option *option, void *field, const char *text,
			const struct why *why)
{
	uint64_t value = 0;
	int r = parse_in_range(option, view_of(text), &value, why);

	if (r < 0)
		return r;
	if (option->type == TYPE_POWER_OF_TWO && (value & (value - 1)) != 0)
		return bad(why, "is not a power of two");
	*(uint64_t *)field = value * (option->scale ? option->scale : 1);
	return 0;
}

/* "12", "0.5", ".5" in nanoseconds; digits behind the ninth are cut. */
static int parse_seconds(const struct option *option, void *field, const char *text,
			 const struct why *why)
{
	const char *point = strchr(text, '.');
	struct view whole = { text, point ? (size_t)(point - text) : strlen(text) };
	struct view part = point ? view_of(point + 1) : (struct view){ 0 };
	uint64_t seconds = 0, nanoseconds = 0;

	if (whole.len + part.len == 0 || (whole.len && parse_digits(whole, &seconds) < 0))
		return bad(why, "is not a number of seconds");
	for (size_t i = 0, digit = NS_PER_SEC / 10; i < part.len; i++, digit /= 10) {
		if (part.data[i] < '0' || part.data[i] > '9')
			return bad(why, "is not a number of seconds");
		nanoseconds += (uint64_t)(part.data[i] - '0') * digit;
	}
	if (seconds < option->min || seconds > option->max - (nanoseconds > 0))
		return bad(why, "is out of range");
	*(uint64_t *)field = seconds * NS_PER_SEC + nanoseconds;
	return 0;
}

/* A decimal number: strtod(3) would take "nan", "inf" and hexadecimal ones too. */
static int parse_fraction(const struct option *option, void *field, const char *text,
			  const struct why *why)
{
	char *end;
	double value;

	if (text[strspn(text, "+-.0123456789eE")] != '\0')
		return bad(why, "is not a number");
	value = strtod(text, &end);
	if (end == text || *end != '\0')
		return bad(why, "is not a number");
	if (value < 0 || value > (double)option->max)
		return bad(why, "is out of range");
	*(double *)field = value / (double)option->max;
	return 0;
}

static const struct option_word *find_word(const struct option *option, struct view text)
{
	const struct option_word *word = option->words;

	while (word->word && !view_equal_nocase(text, view_of(word->word)))
		word++;
	return word->word ? word : NULL;
}

static int parse_word(const struct option *option, void *field, const char *text,
		      const struct why *why)
{
	const struct option_word *word = find_word(option, view_of(text));

	if (!word)
		return bad(why, "is not known");
	*(int *)field = word->value;
	return 0;
}

static int parse_netns(const struct option *option, void *field, const char *text,
		       const struct why *why)
{
	(void)option;
	return netns_inode(text, field, why->text, why->size);
}

static int check_text(const struct option *option, struct view text, const struct why *why)
{
	if (text.len == 0)
		return bad(why, "is empty");
	if (text.len > option->max)
		return bad(why, "is longer than %ju bytes", (uintmax_t)option->max);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			return bad(why, "has a control character in it");
	return 0;
}

static int parse_text(const struct option *option, void *field, const char *text,
		      const struct why *why)
{
	int r = check_text(option, view_of(text), why);
	char *copy;

	if (r < 0)
		return r;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

static int parse_name(const struct option *option, void *field, const char *text,
		      const struct why *why)
{
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
			return bad(why, "has a character that no name may have");
	return parse_text(option, field, text, why);
}

static int parse_readable(const struct option *option, void *field, const char *text,
			  const struct why *why)
{
	int r = check_text(option, view_of(text), why);

	if (r < 0)
		return r;
	/* With the rights of the process now, which reads the file later. */
	if (faccessat(AT_FDCWD, text, R_OK, AT_EACCESS) < 0)
		return bad(why, "cannot be read: %s", strerror(errno));
	return parse_text(option, field, text, why);
}

static int parse_absolute(const struct option *option, void *field, const char *text,
			  const struct why *why)
{
	if (text[0] != '/')
		return bad(why, "does not start with '/'");
	return parse_text(option, field, text, why);
}

static int parse_url(const struct option *option, void *field, const char *text,
		     const struct why *why)
{
	const char *fault = url_fault(text);

	return fault ? bad(why, "%s", fault) : parse_text(option, field, text, why);
}

/* Adds an item that the list does not have yet. */
static int add_once(const struct option *option, struct strings *list, struct view text,
		    const struct why *why)
{
	_cleanup_free_ char *copy = NULL;
	int r = check_text(option, text, why);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list->n; i++)
		if (view_equal(view_of(list->items[i]), text))
			return 0;
	if (list->n >= option->items_max)
		return bad(why, "is one too many: at most %zu are taken", option->items_max);
	copy = strndup(text.data, text.len);
	return copy ? strings_add(list, copy) : -ENOMEM;
}

static int parse_target(const struct option *option, void *field, const char *text,
			const struct why *why)
{
	const char *fault = target_fault(text);

	return fault ? bad(why, "%s", fault) : add_once(option, field, view_of(text), why);
}

static int parse_glob(const struct option *option, void *field, const char *text,
		      const struct why *why)
{
	return add_once(option, field, view_of(text), why);
}

static struct view trim(struct view text)
{
	while (text.len && isspace((unsigned char)text.data[0]))
		text = view_from(text, 1);
	while (text.len && isspace((unsigned char)text.data[text.len - 1]))
		text.len--;
	return text;
}

bool list_next(const char **rest, struct view *ret_item)
{
	const char *comma;

	if (!*rest)
		return false;
	comma = strchr(*rest, ',');
	*ret_item = trim((struct view){ *rest, comma ? (size_t)(comma - *rest) : strlen(*rest) });
	*rest = comma ? comma + 1 : NULL;
	return true;
}

static int parse_keys(const struct option *option, void *field, const char *text,
		      const struct why *why)
{
	struct view item;

	while (list_next(&text, &item)) {
		int r = add_once(option, field, item, why);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Adds a number that the list does not have yet. */
static int add_number(const struct option *option, struct numbers *list, uint64_t value,
		      const struct why *why)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i] == value)
			return 0;
	if (list->n >= option->items_max)
		return bad(why, "is one too many: at most %zu are taken", option->items_max);
	list->items[list->n++] = (uint32_t)value;
	return 0;
}

static int parse_numbers(const struct option *option, void *field, const char *text,
			 const struct why *why)
{
	struct view item;

	while (list_next(&text, &item)) {
		uint64_t value = 0;
		int r = parse_in_range(option, item, &value, why);

		if (r == 0)
			r = add_number(option, field, value, why);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_words(const struct option *option, void *field, const char *text,
		       const struct why *why)
{
	struct numbers *list = field;
	struct view item;

	while (list_next(&text, &item)) {
		const struct option_word *word = find_word(option, item);
		int r;

		if (!word)
			return bad(why, "is not known");
		if (list->n > 0 && (word->value == 0) != (list->items[0] == 0))
			return bad(why, "is not alone, and none must be");
		r = add_number(option, list, (uint64_t)word->value, why);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_ranges(const struct option *option, void *field, const char *text,
			const struct why *why)
{
	struct view item, whole = view_of(text);

	(void)option;
	while (list_next(&text, &item)) {
		const char *fault = ranges_add(field, item);

		if (fault && item.len == whole.len)
			return bad(why, "%s", fault);
		if (fault)
			return bad(why, "has '%.*s' in it, which %s",
				   (int)(item.len < 48 ? item.len : 48), item.data, fault);
	}
	return 0;
}

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text)
{
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
			return false;
	return text[0] != '\0';
}

static int add_pair(const struct option *option, struct strings *pairs, const char *key,
		    const char *value, const struct why *why)
{
	int r = check_text(option, view_of(key), why);

	if (r == 0 && value[0] != '\0')
		r = check_text(option, view_of(value), why);
	if (r < 0)
		return r;
	if (option->type == TYPE_HEADERS && !is_token(key))
		return bad(why, "has a header name with a character that no name may have");
	for (size_t i = 0; i < pairs->n; i += 2)
		if (strcmp(pairs->items[i], key) == 0)
			return bad(why, "has a key twice");
	if (pairs->n / 2 >= option->items_max)
		return bad(why, "has more than %zu pairs", option->items_max);
	r = strings_add(pairs, key);
	if (r < 0)
		return r;
	r = strings_add(pairs, value);
	if (r < 0)
		free(pairs->items[--pairs->n]);
	return r;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A copy with %XX resolved; NULL and *ret_code: -EINVAL, -ENOMEM. */
static char *percent_decode(struct view text, int *ret_code)
{
	char *decoded = malloc(text.len + 1);
	size_t n = 0;

	*ret_code = decoded ? 0 : -ENOMEM;
	for (size_t i = 0; decoded && i < text.len; i++) {
		int high, low;

		if (text.data[i] != '%') {
			decoded[n++] = text.data[i];
			continue;
		}
		high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
		low = i + 2 < text.len ? hex_digit(text.data[i + 2]) : -1;
		if (high < 0 || low < 0 || high + low == 0) {
			*ret_code = -EINVAL;
			free(decoded);
			return NULL;
		}
		decoded[n++] = (char)(high << 4 | low);
		i += 2;
	}
	if (decoded)
		decoded[n] = '\0';
	return decoded;
}

/* "key=value,key=value", W3C baggage without metadata (OpenTelemetry, "Resource SDK"). */
static int parse_pairs(const struct option *option, void *field, const char *text,
		       const struct why *why)
{
	struct view item;

	while (list_next(&text, &item)) {
		const char *equal = memchr(item.data, '=', item.len);
		_cleanup_free_ char *key = NULL, *value = NULL;
		int r;

		/* A comma at the end does no harm and is common. */
		if (item.len == 0 && !text)
			break;
		if (!equal)
			return bad(why, "has a part without '='");
		key = percent_decode(trim((struct view){ item.data, (size_t)(equal - item.data) }),
				     &r);
		if (key)
			value = percent_decode(
				trim(view_from(item, (size_t)(equal - item.data) + 1)), &r);
		if (!value)
			return r == -EINVAL ? bad(why, "has a '%%' without two hexadecimal digits")
					    : r;
		r = add_pair(option, field, key, value, why);
		if (r < 0)
			return r;
	}
	return 0;
}

static void clear_scalar(void *field, size_t size)
{
	memset(field, 0, size);
}

static void clear_text(void *field, size_t size)
{
	(void)size;
	free(*(char **)field);
	*(char **)field = NULL;
}

static void clear_strings(void *field, size_t size)
{
	(void)size;
	strings_clear(field);
}

struct type {
	int (*parse)(const struct option *option, void *field, const char *text,
		     const struct why *why);
	void (*clear)(void *field, size_t size);
	size_t size;
	bool list;
	bool strict;
	bool itemwise;
	const char *accepted; /* NULL: from the option's range or words */
};

/* clang-format off */
#define SCALAR(type) .clear = clear_scalar, .size = sizeof(type)
#define TEXT	     .clear = clear_text, .size = sizeof(char *)
#define STRINGS	     .clear = clear_strings, .size = sizeof(struct strings), .list = true

static const struct type types[TYPE_MAX] = {
	[TYPE_BOOL] = { .parse = parse_bool, SCALAR(bool), .accepted = "true, false" },
	[TYPE_NUMBER] = { .parse = parse_number, SCALAR(uint64_t) },
	[TYPE_POWER_OF_TWO] = { .parse = parse_number, SCALAR(uint64_t) },
	[TYPE_SECONDS] = { .parse = parse_seconds, SCALAR(uint64_t) },
	[TYPE_FRACTION] = { .parse = parse_fraction, SCALAR(double) },
	[TYPE_WORD] = { .parse = parse_word, SCALAR(int) },
	[TYPE_TEXT] = { .parse = parse_text, TEXT, .accepted = "a text" },
	[TYPE_NAME] = { .parse = parse_name, TEXT, .strict = true,
			.accepted = "letters, digits, '_', '.' and '-', at most 32 of them" },
	[TYPE_READABLE] = { .parse = parse_readable, TEXT, .strict = true,
			    .accepted = "a file that can be read" },
	[TYPE_ABSOLUTE] = { .parse = parse_absolute, TEXT, .strict = true,
			    .accepted = "a path from the root" },
	[TYPE_URL] = { .parse = parse_url, TEXT, .strict = true,
		       .accepted = "http://host:port or https://host:port, with or without a "
				   "path" },
	[TYPE_NETNS] = { .parse = parse_netns, SCALAR(uint32_t), .strict = true,
			 .accepted = NETNS_ACCEPTED },
	[TYPE_TARGET] = { .parse = parse_target, STRINGS, .strict = true,
			  .accepted = "stdout, file:PATH, http://host:port, https://host:port" },
	[TYPE_GLOB] = { .parse = parse_glob, STRINGS, .accepted = "a pattern like /usr/bin/*" },
	[TYPE_KEYS] = { .parse = parse_keys, STRINGS,
			.accepted = "words with commas between them" },
	[TYPE_PAIRS] = { .parse = parse_pairs, STRINGS, .accepted = "key=value,key=value" },
	[TYPE_HEADERS] = { .parse = parse_pairs, STRINGS, .accepted = "name=value,name=value" },
	[TYPE_NUMBERS] = { .parse = parse_numbers, SCALAR(struct numbers), .list = true },
	[TYPE_WORDS] = { .parse = parse_words, SCALAR(struct numbers), .list = true,
			 .itemwise = true },
	[TYPE_RANGES] = { .parse = parse_ranges, SCALAR(struct ranges), .list = true,
			  .strict = true, .accepted = RANGES_ACCEPTED },
};
/* clang-format on */

int option_parse(const struct option *option, void *field, const char *text, char *why, size_t size)
{
	return types[option->type].parse(option, field, text, &(struct why){ why, size });
}

int option_add_pair(const struct option *option, struct strings *pairs, const char *key,
		    const char *value, char *why, size_t size)
{
	return add_pair(option, pairs, key, value, &(struct why){ why, size });
}

void option_clear(const struct option *option, void *field)
{
	types[option->type].clear(field, types[option->type].size);
}

enum option_storage option_storage(const struct option *option, size_t *ret_size)
{
	const struct type *type = &types[option->type];

	*ret_size = type->size;
	if (type->clear == clear_scalar)
		return STORED_BYTES;
	return type->clear == clear_text ? STORED_TEXT : STORED_STRINGS;
}

bool option_is_list(const struct option *option)
{
	return types[option->type].list;
}

bool option_is_strict(const struct option *option)
{
	return types[option->type].strict;
}

bool option_is_itemwise(const struct option *option)
{
	return types[option->type].itemwise;
}

static void accepted_words(const struct option *option, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (const struct option_word *word = option->words; word->word; word++) {
		int n = snprintf(text + used, size - used, "%s%s", used ? ", " : "", word->word);

		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

const char *option_accepted(const struct option *option, char *text, size_t size)
{
	static const char *const numbers[TYPE_MAX] = {
		[TYPE_NUMBER] = "a whole number", [TYPE_POWER_OF_TWO] = "a power of two",
		[TYPE_SECONDS] = "a number",	  [TYPE_FRACTION] = "a number",
		[TYPE_NUMBERS] = "whole numbers",
	};

	if (types[option->type].accepted)
		snprintf(text, size, "%s", types[option->type].accepted);
	else if (option->words)
		accepted_words(option, text, size);
	else
		snprintf(text, size, "%s from %ju to %ju%s%s%s", numbers[option->type],
			 (uintmax_t)option->min, (uintmax_t)option->max, option->unit ? " (" : "",
			 option->unit ? option->unit : "", option->unit ? ")" : "");
	return text;
}
