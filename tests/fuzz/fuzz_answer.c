/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon answers to `weft ps` and `weft tail`. The first byte says where the rest is cut in
 * two for tail, which must not matter. Nothing that is shown to people may steer a terminal.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ps.h"
#include "cli/tail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct shown {
	char *text;
	size_t size;
	int r;
};

static void require(bool right)
{
	if (!right)
		abort();
}

static void require_harmless(const struct shown *shown)
{
	for (size_t i = 0; i < shown->size; i++) {
		unsigned char c = (unsigned char)shown->text[i];

		require(c == '\n' || (c >= ' ' && c != 0x7f));
		/* a control character of the second set, as UTF-8 */
		require(c != 0xc2 || i + 1 == shown->size ||
			(unsigned char)shown->text[i + 1] >= 0xa0);
	}
}

static void show_ps(const char *text, size_t size)
{
	json_t *answer = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
	struct shown shown = { 0 };
	FILE *out = open_memstream(&shown.text, &shown.size);

	require(out != NULL);
	shown.r = ps_print(out, answer);
	fclose(out);
	require(shown.r == 0);
	require_harmless(&shown);
	free(shown.text);
	json_decref(answer);
}

static struct shown show_tail(const char *text, size_t size, size_t cut, bool json)
{
	struct tail *tail = calloc(1, sizeof(*tail));
	struct shown shown = { 0 };

	require(tail != NULL);
	tail->out = open_memstream(&shown.text, &shown.size);
	require(tail->out != NULL);
	tail->json = json;
	shown.r = tail_feed(tail, text, cut);
	if (shown.r == 0)
		shown.r = tail_feed(tail, text + cut, size - cut);
	fclose(tail->out);
	free(tail);
	return shown;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shown whole, halves, json;
	size_t cut;

	if (size == 0)
		return 0;
	cut = data[0] % size;
	show_ps((const char *)data + 1, size - 1);
	whole = show_tail((const char *)data + 1, size - 1, 0, false);
	halves = show_tail((const char *)data + 1, size - 1, cut, false);
	json = show_tail((const char *)data + 1, size - 1, 0, true);
	require(whole.r == halves.r && whole.size == halves.size);
	require(memcmp(whole.text, halves.text, whole.size) == 0);
	require(json.r == whole.r);
	require_harmless(&whole);
	free(whole.text);
	free(halves.text);
	free(json.text);
	return 0;
}
