/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a segment of a URL path looks like: a word that programmers wrote, or a value. Pure
 * functions of bytes. The vocabulary of placeholders is stable, since routes are what people group
 * by:
 *
 *	{id}	numbers, and words with a number in them: 1234, order-4711, cus_9s6XKz
 *	{uuid}	123e4567-e89b-12d3-a456-426614174000
 *	{hash}	hexadecimal text with digits: 3f2a1b9c, a docker digest
 *	{date}	2024-01-31, 2024-01, 2024-01-31T10:00:00Z
 *	{email}	somebody@example.com
 *	{file}	a file name with digits in its stem: IMG_2041.jpg, app-3f2a1b9c.js
 *	{token}	long or random text: base64, JWT
 *	{slug}	free text: percent-encoded or odd bytes, phrases of five words and more; also what
 *		stands where too many different words were seen (process/route_table.h)
 *	*	the rest of a path that is too long or deep, or not known
 */
#ifndef WEFT_PROCESS_ROUTE_SHAPE_H
#define WEFT_PROCESS_ROUTE_SHAPE_H

#include "base/view.h"

enum route_shape {
	ROUTE_LITERAL,
	ROUTE_ID,
	ROUTE_UUID,
	ROUTE_HASH,
	ROUTE_DATE,
	ROUTE_EMAIL,
	ROUTE_FILE,
	ROUTE_TOKEN,
	ROUTE_SLUG,
	ROUTE_REST,
	N_ROUTE_SHAPES,
};

/* A longer segment is never taken literally. */
#define ROUTE_LITERAL_MAX 64

/*
 * Never ROUTE_REST. The segment holds no '/'. ROUTE_LITERAL only for at most ROUTE_LITERAL_MAX
 * printable ASCII characters without braces, so no peer can forge a placeholder.
 */
enum route_shape route_shape_of(struct view segment);

/* "{id}" and so on; empty for ROUTE_LITERAL. */
struct view route_shape_text(enum route_shape shape);

#endif
