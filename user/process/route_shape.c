/* SPDX-License-Identifier: Apache-2.0 */
#include "process/route_shape.h"

#include <assert.h>
#include <stdint.h>

/* Bytes of a segment that are looked at: a digest in hexadecimal with its algorithm's name. */
#define LOOK_MAX 160

static_assert(LOOK_MAX > ROUTE_LITERAL_MAX, "a segment that is cut here is never taken literally");

static const struct view shape_texts[] = {
	[ROUTE_LITERAL] = VIEW_INIT(""),    [ROUTE_ID] = VIEW_INIT("{id}"),
	[ROUTE_UUID] = VIEW_INIT("{uuid}"), [ROUTE_HASH] = VIEW_INIT("{hash}"),
	[ROUTE_DATE] = VIEW_INIT("{date}"), [ROUTE_EMAIL] = VIEW_INIT("{email}"),
	[ROUTE_FILE] = VIEW_INIT("{file}"), [ROUTE_TOKEN] = VIEW_INIT("{token}"),
	[ROUTE_SLUG] = VIEW_INIT("{slug}"), [ROUTE_REST] = VIEW_INIT("*"),
};

static_assert(sizeof(shape_texts) / sizeof(shape_texts[0]) == N_ROUTE_SHAPES,
	      "every shape has its text");

/* What one pass over a segment tells. */
struct traits {
	struct view text;
	unsigned int digits;
	unsigned int letters;
	unsigned int uppers;
	unsigned int digit_runs;
	unsigned int switches;	 /* lower to upper case, letter to digit, digit to letter */
	unsigned int separators; /* - _ . + */
	unsigned int marks;
	bool hexadecimal; /* hexadecimal digits only */
	bool odd;	  /* a byte that no programmer puts into a path */
};

enum byte_class {
	BYTE_ODD,
	BYTE_DIGIT,
	BYTE_LOWER,
	BYTE_UPPER,
	BYTE_SEPARATOR,
	BYTE_MARK, /* other punctuation that is seen in paths as programmers write them */
};

static const uint8_t byte_classes[256] = {
	['0' ... '9'] = BYTE_DIGIT, ['a' ... 'z'] = BYTE_LOWER, ['A' ... 'Z'] = BYTE_UPPER,
	['-'] = BYTE_SEPARATOR,	    ['_'] = BYTE_SEPARATOR,	['.'] = BYTE_SEPARATOR,
	['+'] = BYTE_SEPARATOR,	    ['~'] = BYTE_MARK,		['!'] = BYTE_MARK,
	['$'] = BYTE_MARK,	    [':'] = BYTE_MARK,		['@'] = BYTE_MARK,
	['*'] = BYTE_MARK,	    ['='] = BYTE_MARK,		[','] = BYTE_MARK,
};

static enum byte_class class_of(char c)
{
	return (enum byte_class)byte_classes[(unsigned char)c];
}

static bool is_digit(char c)
{
	return class_of(c) == BYTE_DIGIT;
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(enum byte_class class)
{
	return class == BYTE_LOWER || class == BYTE_UPPER;
}

static bool is_switch(enum byte_class before, enum byte_class now)
{
	return (before == BYTE_LOWER && now == BYTE_UPPER) ||
	       (is_letter(before) && now == BYTE_DIGIT) || (before == BYTE_DIGIT && is_letter(now));
}

static struct traits traits_of(struct view text)
{
	struct traits traits = { .text = text, .hexadecimal = true };
	enum byte_class before = BYTE_MARK;

	for (size_t i = 0; i < text.len; i++) {
		enum byte_class class = class_of(text.data[i]);

		traits.digits += class == BYTE_DIGIT;
		traits.letters += is_letter(class);
		traits.uppers += class == BYTE_UPPER;
		traits.separators += class == BYTE_SEPARATOR;
		traits.marks += class == BYTE_MARK;
		traits.odd |= class == BYTE_ODD;
		traits.hexadecimal &= is_hex(text.data[i]);
		traits.digit_runs += class == BYTE_DIGIT && before != BYTE_DIGIT;
		traits.switches += is_switch(before, class);
		before = class;
	}
	return traits;
}

/* The text as a pattern: '9' a digit, 'x' a hexadecimal digit, else the character itself. */
static bool matches(struct view text, struct view pattern)
{
	if (text.len != pattern.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		switch (pattern.data[i]) {
		case '9':
			if (!is_digit(c))
				return false;
			break;
		case 'x':
			if (!is_hex(c))
				return false;
			break;
		default:
			if (c != pattern.data[i])
				return false;
		}
	}
	return true;
}

static bool all_of(struct view text, const char *accepted)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\0' ||
		    (!is_digit(text.data[i]) && !strchr(accepted, text.data[i])))
			return false;
	return true;
}

static bool in_range(const char *two_digits, int low, int high)
{
	int number = (two_digits[0] - '0') * 10 + (two_digits[1] - '0');

	return number >= low && number <= high;
}

/* ISO 8601 with separators. Eight plain digits are a number: most of those are. */
static bool is_date(const struct traits *traits)
{
	struct view text = traits->text;

	if (text.len < 7 || text.len > 40 || !in_range(text.data, 19, 21) ||
	    !matches(view_to(text, 7), VIEW("9999-99")) || !in_range(text.data + 5, 1, 12))
		return false;
	if (text.len == 7)
		return true;
	if (text.len < 10 || !matches(view_to(text, 10), VIEW("9999-99-99")) ||
	    !in_range(text.data + 8, 1, 31))
		return false;
	return text.len == 10 || ((text.data[10] == 'T' || text.data[10] == 't') &&
				  all_of(view_from(text, 11), ":.+-Zz"));
}

/* "1.0", "3.11", "2.4.1": versions of an interface. More or longer parts: an address or id. */
static bool is_dotted_version(struct view text)
{
	unsigned int dots = 0, run = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '.') {
			if (run == 0)
				return false;
			dots++;
			run = 0;
		} else if (!is_digit(text.data[i]) || ++run > 2) {
			return false;
		}
	}
	return run > 0 && (dots == 1 || dots == 2);
}

static bool is_number(const struct traits *traits)
{
	return traits->digits > 0 && traits->letters == 0 && all_of(traits->text, "+-.,") &&
	       !is_dotted_version(traits->text);
}

static bool is_uuid(const struct traits *traits)
{
	return matches(traits->text, VIEW("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"));
}

static bool is_hash_text(const struct traits *traits)
{
	if (!traits->hexadecimal || traits->text.len < 7)
		return false;
	return (traits->digits >= 2 && traits->letters > 0) || traits->text.len >= 16;
}

/* Plain, behind "0x", or behind the name of its algorithm ("sha256:..."). */
static bool is_hash(const struct traits *traits)
{
	struct traits rest;
	size_t i;

	if (is_hash_text(traits))
		return true;
	for (i = 0; i < traits->text.len && i < 12; i++) {
		char c = traits->text.data[i];

		if (c != ':' && !(i == 1 && c == 'x' && traits->text.data[0] == '0'))
			continue;
		rest = traits_of(view_from(traits->text, i + 1));
		return is_hash_text(&rest);
	}
	return false;
}

/* With a plain '@' (a mark) or an encoded one (odd). */
static bool is_email(const struct traits *traits)
{
	struct view text = traits->text;

	if (!traits->odd && traits->marks == 0)
		return false;
	for (size_t i = 1; i < text.len; i++) {
		struct view rest = view_from(text, i);

		if (text.data[i] == '@' || view_starts_with(rest, VIEW("%40")))
			return memchr(rest.data, '.', rest.len) != NULL;
	}
	return false;
}

static bool is_too_long(const struct traits *traits)
{
	return traits->text.len > ROUTE_LITERAL_MAX;
}

static bool is_odd(const struct traits *traits)
{
	return traits->odd;
}

static size_t extension_start(struct view text)
{
	for (size_t i = text.len; i > 1; i--)
		if (text.data[i - 1] == '.')
			return i;
	return text.len;
}

static bool is_file(const struct traits *traits)
{
	size_t start = extension_start(traits->text);
	struct traits extension = traits_of(view_from(traits->text, start));

	return extension.letters > 0 && extension.text.len <= 8 &&
	       extension.letters + extension.digits == extension.text.len &&
	       traits->digits - extension.digits >= 2;
}

/* Random text changes between cases and digits far more often than words and their camelCase do. */
static bool is_token(const struct traits *traits)
{
	size_t len = traits->text.len;

	if (traits->digits >= 2 && len >= 10 && traits->switches * 3 > len && traits->uppers > 0 &&
	    traits->uppers < traits->letters)
		return true;
	if (len >= 20 && view_starts_with(traits->text, VIEW("eyJ")))
		return true;
	return len >= 20 && traits->digits >= 2 && traits->letters > 0 && traits->separators == 0;
}

/* v1, v2.1, v1beta1 */
static bool is_version(struct view text)
{
	return text.len >= 2 && text.len <= 8 && text.data[0] == 'v' && is_digit(text.data[1]);
}

static unsigned int trailing_digits(struct view text)
{
	unsigned int n = 0;

	while (n < text.len && is_digit(text.data[text.len - 1 - n]))
		n++;
	return n;
}

static bool has_id(const struct traits *traits)
{
	struct view text = traits->text;
	unsigned int trailing = trailing_digits(text);
	enum byte_class joint;

	if (traits->digits == 0 || is_version(text) || is_dotted_version(text))
		return false;
	if (traits->digits >= 5 || traits->digit_runs >= 3)
		return true;
	if (trailing == 0 || trailing >= text.len)
		return false;
	joint = class_of(text.data[text.len - 1 - trailing]);
	if (is_letter(joint))
		return false;
	/* "order-471", and "WEFT-7" as issue trackers write it, but not "utf-16". */
	return trailing >= 3 || (traits->uppers >= 2 && traits->uppers == traits->letters);
}

static bool is_phrase(const struct traits *traits)
{
	return traits->separators >= 4 && traits->letters > 0;
}

/* Tried in this order: the special before the general. */
static const struct {
	bool (*test)(const struct traits *traits);
	enum route_shape shape;
} rules[] = {
	{ is_email, ROUTE_EMAIL },    { is_odd, ROUTE_SLUG },	 { is_date, ROUTE_DATE },
	{ is_number, ROUTE_ID },      { is_uuid, ROUTE_UUID },	 { is_hash, ROUTE_HASH },
	{ is_too_long, ROUTE_TOKEN }, { is_file, ROUTE_FILE },	 { is_token, ROUTE_TOKEN },
	{ has_id, ROUTE_ID },	      { is_phrase, ROUTE_SLUG },
};

/* Most segments are: no rule holds for letters alone that are too few for a hash in hexadecimal. */
static bool is_short_word(struct view text)
{
	if (text.len >= 16)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_letter(class_of(text.data[i])))
			return false;
	return true;
}

enum route_shape route_shape_of(struct view segment)
{
	struct traits traits;

	if (is_short_word(segment))
		return ROUTE_LITERAL;
	traits = traits_of(view_to(segment, LOOK_MAX));
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].test(&traits))
			return rules[i].shape;
	return ROUTE_LITERAL;
}

struct view route_shape_text(enum route_shape shape)
{
	return shape_texts[shape];
}
