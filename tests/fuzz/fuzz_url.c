/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the URL of a backend. What is shown of it holds neither user nor query, and the URL
 * that is posted to is one that is read in the same way again.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "export/curl_library.h"
#include "export/http_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool right)
{
	if (!right)
		abort();
}

static void require_shown(const char *shown)
{
	const char *host = strstr(shown, "://");
	size_t len;

	require(host != NULL);
	len = strcspn(host + 3, "/?#");
	require(!memchr(host + 3, '@', len));
	require(!strchr(shown, '?'));
}

static void parse(const char *text)
{
	struct http_target target = { 0 }, again = { 0 };
	const char *reason = NULL;

	if (http_target_parse(text, &target, &reason) < 0) {
		require(reason && reason[0]);
		return;
	}
	require_shown(target.shown);
	require(http_target_parse(target.url, &again, &reason) == 0);
	require(strcmp(target.url, again.url) == 0 && strcmp(target.shown, again.shown) == 0);
	require(target.loopback == again.loopback);
	http_target_clear(&target);
	http_target_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	/* a machine without libcurl has no such backends */
	if (!text || curl_library_load() < 0) {
		free(text);
		return 0;
	}
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	parse(text);
	free(text);
	return 0;
}
