/* SPDX-License-Identifier: Apache-2.0 */
#include "config/ranges.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX	(INET6_ADDRSTRLEN + sizeof("/128"))
#define ADDRESS_BITS	128
#define MAPPED_BITS	96 /* that stand before an IPv4 address in its mapped form */
#define WORD_PREFIX_MAX 6

/*
 * Cluster: where pods and services of Kubernetes and overlay networks live. These are the private
 * ranges (RFC 1918, RFC 4193) and the shared one of RFC 6598.
 */
static const struct {
	const char *word;
	const char *prefixes[WORD_PREFIX_MAX];
} words[] = {
	{ "loopback", { "127.0.0.0/8", "::1" } },
	{ "private", { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7" } },
	{ "link-local", { "169.254.0.0/16", "fe80::/10" } },
	{ "cluster",
	  { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7" } },
	{ "all", { "::/0" } },
};

/* An address into ip[16]; how many of its bits people count: 32 or 128; 0: it is none. */
static unsigned int parse_address(const char *text, __u8 *ip)
{
	if (inet_pton(AF_INET, text, ip + MAPPED_BITS / 8) == 1) {
		memset(ip + 10, 0xff, 2);
		return ADDRESS_BITS - MAPPED_BITS;
	}
	return inet_pton(AF_INET6, text, ip) == 1 ? ADDRESS_BITS : 0;
}

/* Decimal digits of a prefix length. */
static bool parse_length(const char *text, unsigned int max, unsigned int *ret_length)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 3 || text[digits] != '\0')
		return false;
	*ret_length = (unsigned int)strtoul(text, NULL, 10);
	return *ret_length <= max;
}

static bool has_bits_behind(const struct address_range *range)
{
	for (unsigned int bit = range->bits; bit < ADDRESS_BITS; bit++)
		if (range->ip[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

/* "10.0.0.0/8", "::1". */
static const char *parse_prefix(struct view item, struct address_range *ret_range)
{
	struct address_range range = { 0 };
	char text[TEXT_MAX] = "", *slash;
	unsigned int own, length;

	if (item.len < sizeof(text))
		memcpy(text, item.data, item.len);
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	own = length = parse_address(text, range.ip);
	if (own == 0)
		return "is neither an address nor a prefix nor a word";
	if (slash && !parse_length(slash + 1, own, &length))
		return "has a prefix length that is out of range";
	range.bits = (__u8)(ADDRESS_BITS - own + length);
	if (has_bits_behind(&range))
		return "has bits set behind its prefix length";
	*ret_range = range;
	return NULL;
}

static const char *add_prefix(struct ranges *ranges, struct view item)
{
	struct address_range range;
	const char *fault = parse_prefix(item, &range);

	if (fault)
		return fault;
	for (size_t i = 0; i < ranges->n; i++)
		if (memcmp(&ranges->items[i], &range, sizeof(range)) == 0)
			return NULL;
	if (ranges->n >= CONFIG_RANGES_MAX)
		return "is one too many: a list has room for 32 prefixes, and a word takes several";
	ranges->items[ranges->n++] = range;
	return NULL;
}

const char *ranges_add(struct ranges *ranges, struct view item)
{
	const char *fault = NULL;

	_Static_assert(CONFIG_RANGES_MAX == 32, "an error names the number");
	if (ranges->none || (ranges->n > 0 && view_equal(item, VIEW("none"))))
		return "is not alone, and none must be";
	ranges->none = view_equal(item, VIEW("none"));
	if (ranges->none)
		return NULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!view_equal(item, view_of(words[i].word)))
			continue;
		for (size_t j = 0; !fault && j < WORD_PREFIX_MAX && words[i].prefixes[j]; j++)
			fault = add_prefix(ranges, view_of(words[i].prefixes[j]));
		return fault;
	}
	return add_prefix(ranges, item);
}
