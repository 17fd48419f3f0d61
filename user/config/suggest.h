/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_CONFIG_SUGGEST_H
#define WEFT_CONFIG_SUGGEST_H

#include <stddef.h>

/* Longer words are never suggested, nor is anything suggested for them. */
#define SUGGEST_WORD_MAX 64

struct suggest {
	const char *word;		 /* what somebody wrote */
	char best[SUGGEST_WORD_MAX + 1]; /* empty: nothing is near */
	size_t distance;		 /* the best one is nearer than this was at the start */
};

/* Prepares the search for the known word that is nearest to `word`, which must outlive it. */
void suggest_init(struct suggest *suggest, const char *word);

/* Offers one known word. */
void suggest_offer(struct suggest *suggest, const char *known);

#endif
