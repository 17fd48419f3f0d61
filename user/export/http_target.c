/* SPDX-License-Identifier: Apache-2.0 */
#include "export/http_target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/curl_library.h"

#define TRACES_PATH "/v1/traces"

static void cleanup_url(CURLU **url)
{
	libcurl.url_cleanup(*url);
}

static void cleanup_curl_free(char **text)
{
	libcurl.free(*text);
}

#define _cleanup_curl_ _cleanup_(cleanup_curl_free)

static CURLUcode append_path(CURLU *url)
{
	_cleanup_curl_ char *path = NULL;
	CURLUcode code = libcurl.url_get(url, CURLUPART_PATH, &path, 0);

	if (code != CURLUE_OK)
		return code;
	/* a path that somebody gave is what he means */
	if (strcmp(path, "") != 0 && strcmp(path, "/") != 0)
		return CURLUE_OK;
	return libcurl.url_set(url, CURLUPART_PATH, TRACES_PATH, 0);
}

/* "localhost" and below stay on the host: RFC 6761 section 6.3. */
static bool is_loopback(const char *host)
{
	size_t len = strlen(host);

	if (len > 0 && host[len - 1] == '.')
		len--;
	return (len == strlen("localhost") && strncasecmp(host, "localhost", len) == 0) ||
	       (len > strlen(".localhost") &&
		strncasecmp(host + len - strlen(".localhost"), ".localhost",
			    strlen(".localhost")) == 0) ||
	       strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0;
}

/* The URL's text as a string of ours. */
static CURLUcode url_text(CURLU *url, char **ret_text)
{
	_cleanup_curl_ char *text = NULL;
	CURLUcode code = libcurl.url_get(url, CURLUPART_URL, &text, 0);
	char *copy;

	if (code != CURLUE_OK)
		return code;
	copy = strdup(text);
	if (!copy)
		return CURLUE_OUT_OF_MEMORY;
	*ret_text = copy;
	return CURLUE_OK;
}

static CURLUcode target_fill(CURLU *url, struct http_target *target)
{
	_cleanup_curl_ char *host = NULL;
	CURLUcode code = libcurl.url_get(url, CURLUPART_HOST, &host, 0);

	if (code != CURLUE_OK)
		return code;
	target->loopback = is_loopback(host);
	code = append_path(url);
	if (code == CURLUE_OK)
		code = url_text(url, &target->url);
	libcurl.url_set(url, CURLUPART_USER, NULL, 0);
	libcurl.url_set(url, CURLUPART_PASSWORD, NULL, 0);
	/* A key may stand there: some backends take one. */
	libcurl.url_set(url, CURLUPART_QUERY, NULL, 0);
	libcurl.url_set(url, CURLUPART_FRAGMENT, NULL, 0);
	if (code == CURLUE_OK)
		code = url_text(url, &target->shown);
	return code;
}

/*
 * A host that libcurl decodes first, and takes for another one when it reads it again: "%3127.1".
 * No name needs that; "[fe80::1%25eth0]" is no name. `host`: what stands behind "://".
 */
static bool is_encoded(const char *host)
{
	size_t len = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', len);

	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return len > 0 && *host != '[' && memchr(host, '%', len);
}

int http_target_parse(const char *text, struct http_target *ret_target, const char **ret_reason)
{
	_cleanup_(cleanup_url) CURLU *url = libcurl.url();
	struct http_target target = { 0 };
	CURLUcode code = CURLUE_OUT_OF_MEMORY;
	const char *scheme_end = strchr(text, ':');

	/* libcurl forgives one slash, or three, and would take another part for the host */
	if (!scheme_end || strncmp(scheme_end, "://", 3) != 0 || is_encoded(scheme_end + 3)) {
		*ret_reason = libcurl.url_strerror(CURLUE_MALFORMED_INPUT);
		return -EINVAL;
	}
	if (scheme_end[3] == '/') {
		*ret_reason = libcurl.url_strerror(CURLUE_NO_HOST);
		return -EINVAL;
	}
	if (url)
		code = libcurl.url_set(url, CURLUPART_URL, text, 0);
	if (code == CURLUE_OK)
		code = target_fill(url, &target);
	if (code != CURLUE_OK) {
		http_target_clear(&target);
		*ret_reason = libcurl.url_strerror(code);
		return code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
	}
	*ret_target = target;
	return 0;
}

void http_target_clear(struct http_target *target)
{
	free(target->url);
	free(target->shown);
	*target = (struct http_target){ 0 };
}
