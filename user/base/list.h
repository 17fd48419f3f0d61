/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists ordered by age: what comes goes to the young end, and anything may leave. A struct is in
 * one by a link of its own, a member, and in several by several; the list owns nothing and
 * allocates nothing. All zero is an empty list.
 */
#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include <stddef.h>

struct list_link {
	struct list_link *older; /* NULL: this is the oldest */
	struct list_link *younger;
};

struct list {
	struct list_link *oldest; /* NULL: the list is empty */
	struct list_link *youngest;
};

/* The `type` whose `member` is the link; NULL of NULL. The first member costs nothing. */
#define list_item(link, type, member) ((type *)list_around((link), offsetof(type, member)))

static inline void *list_around(struct list_link *link, size_t offset)
{
	return link ? (char *)link - offset : NULL;
}

/* Adds the youngest. The link is in no list; what is in it does not matter. */
static inline void list_append(struct list *list, struct list_link *link)
{
	struct list_link *before = list->youngest;

	link->older = before;
	link->younger = NULL;
	if (before)
		before->younger = link;
	else
		list->oldest = link;
	list->youngest = link;
}

/* The link is in this list. What is in it afterwards does not matter. */
static inline void list_remove(struct list *list, const struct list_link *link)
{
	struct list_link *older = link->older, *younger = link->younger;

	if (older)
		older->younger = younger;
	else
		list->oldest = younger;
	if (younger)
		younger->older = older;
	else
		list->youngest = older;
}

/* Makes one that is in this list its youngest. */
static inline void list_renew(struct list *list, struct list_link *link)
{
	if (list->youngest == link)
		return;
	list_remove(list, link);
	list_append(list, link);
}

#endif
