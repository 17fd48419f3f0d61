/* SPDX-License-Identifier: Apache-2.0 */
#include "config/url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"

static struct view authority_of(const char *url)
{
	const char *start = strstr(url, "://") + 3;

	return (struct view){ start, strcspn(start, "/?") };
}

static bool is_host(struct view host)
{
	bool literal = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';

	if (literal)
		host = (struct view){ host.data + 1, host.len - 2 };
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = (unsigned char)host.data[i];

		if (literal ? !isxdigit(c) && c != ':' && c != '.'
			    : !isalnum(c) && !strchr("-._", c))
			return false;
	}
	return host.len > 0;
}

static bool is_port(struct view port)
{
	int64_t value = port.len <= 5 ? view_number(port) : -1;

	return value > 0 && value <= 65535;
}

static const char *authority_fault(struct view authority)
{
	struct view host = authority;
	size_t colon = authority.len;

	if (memchr(authority.data, '@', authority.len))
		return "has a user name in it: put credentials into otlp.headers";
	/* The last colon, unless it stands inside of [...]. */
	while (colon > 0 && authority.data[colon - 1] != ':' && authority.data[colon - 1] != ']')
		colon--;
	if (colon > 0 && authority.data[colon - 1] == ':') {
		if (!is_port(view_from(authority, colon)))
			return "has a port that is not a number from 1 to 65535";
		host.len = colon - 1;
	}
	if (host.len == 0)
		return "names no host";
	return is_host(host) ? NULL : "has a character in its host that no host name may have";
}

const char *url_fault(const char *url)
{
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return "does not start with http:// or https://";
	for (const char *c = url; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return "has a space or a character outside of ASCII in it";
		if (*c == '#')
			return "has a fragment (#) in it";
	}
	return authority_fault(authority_of(url));
}

const char *target_fault(const char *target)
{
	if (strcmp(target, "stdout") == 0)
		return NULL;
	if (strncmp(target, "file:", 5) == 0)
		return target[5] ? NULL : "names no file";
	if (strncmp(target, "http://", 7) == 0 || strncmp(target, "https://", 8) == 0)
		return url_fault(target);
	return "is not a target";
}

bool url_has_path(const char *url)
{
	struct view authority = authority_of(url);

	return authority.data[authority.len] != '\0';
}

char *url_join(const char *base, const char *path)
{
	size_t len = strlen(base);
	char *joined;

	while (len > 0 && base[len - 1] == '/')
		len--;
	if (asprintf(&joined, "%.*s%s", (int)len, base, path) < 0)
		return NULL;
	return joined;
}
