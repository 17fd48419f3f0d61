/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suggest.h"

#include <string.h>

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t smaller = a < b ? a : b;

	return smaller < c ? smaller : c;
}

/* Edits from a to b: insert, delete, replace, swap of neighbours (optimal string alignment). */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][SUGGEST_WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *oldest = before;

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			now[j] = min3(last[j] + 1, now[j - 1] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[b_len];
}

void suggest_init(struct suggest *suggest, const char *word)
{
	size_t len = strlen(word);

	suggest->word = word;
	suggest->best[0] = '\0';
	/* A third of the letters may be wrong, of a short word one. */
	suggest->distance = len < 2 ? 1 : 1 + (len < 6 ? 1 : len / 3);
}

void suggest_offer(struct suggest *suggest, const char *known)
{
	size_t word_len = strlen(suggest->word), known_len = strlen(known), distance;

	if (word_len > SUGGEST_WORD_MAX || known_len > SUGGEST_WORD_MAX)
		return;
	/* A word that was cut short is as good as one wrong letter. */
	distance = word_len >= 3 && strncmp(suggest->word, known, word_len) == 0
			   ? 1
			   : edit_distance(suggest->word, word_len, known, known_len);
	if (distance >= suggest->distance)
		return;
	suggest->distance = distance;
	memcpy(suggest->best, known, known_len + 1);
}
