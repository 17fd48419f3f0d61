/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "lib/piece.h"

static struct piece piece;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t find_slowly(uint32_t from, uint32_t len, uint8_t c)
{
	const uint8_t *found = from < len ? memchr(piece.data + from, c, len - from) : NULL;

	return found ? (uint32_t)(found - piece.data) : len;
}

/* Bytes near the one that is looked for: they are what a borrow flags wrongly. */
static void test_find(void **state)
{
	static const uint8_t alphabet[] = { '\n', '\n' + 1, '\n' - 1, 0x80 | '\n', 0, 0xff, 'a' };
	uint64_t random = 0x9e3779b97f4a7c15;

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		uint32_t n = round % 10 == 0 ? PIECE_MAX : 64;
		uint32_t len = (uint32_t)(next_random(&random) % (n + 1));
		uint32_t from = (uint32_t)(next_random(&random) % (len + 1));
		unsigned int rare = 1 + (unsigned int)(next_random(&random) % 40);

		for (uint32_t i = 0; i < len + 8; i++) {
			uint64_t r = next_random(&random);

			piece.data[i] = r % rare ? 'a' : alphabet[(r >> 32) % sizeof(alphabet)];
		}
		for (size_t i = 0; i < sizeof(alphabet); i++)
			assert_int_equal(piece_find_far(&piece, from, len, alphabet[i]),
					 find_slowly(from, len, alphabet[i]));
	}
}

/* --- blanks --- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Bytes near a blank: they are what a carry would flag wrongly. */
static void test_blanks(void **state)
{
	static const uint8_t alphabet[] = { ' ',	 '\t',	   ' ' ^ 1, ' ' ^ 0x80,
					    '\t' ^ 0x80, '\t' + 1, '\n',    0,
					    0x7f ^ ' ',	 0xff,	   0x80,    'a' };
	uint64_t random = 0x9e3779b97f4a7c15;

	(void)state;
	for (unsigned int round = 0; round < 50000; round++) {
		uint32_t start = (uint32_t)(next_random(&random) % 20);
		uint32_t end = start + (uint32_t)(next_random(&random) % 40);
		unsigned int rare = 1 + (unsigned int)(next_random(&random) % 40);
		uint32_t first = start, last = end;

		for (uint32_t i = 0; i < end + 16; i++) {
			uint64_t r = next_random(&random);

			piece.data[i] =
				alphabet[r % rare ? r >> 32 & 1 : (r >> 32) % sizeof(alphabet)];
		}
		while (first < end && is_blank(piece.data[first]))
			first++;
		while (last > start && is_blank(piece.data[last - 1]))
			last--;
		assert_int_equal(piece_skip_blanks(&piece, start, end), first);
		assert_int_equal(piece_trim_blanks(&piece, start, end), last);
	}
}

/* So many blanks are passed over, and not many more: the program must end. */
static void test_many_blanks(void **state)
{
	const uint32_t end = 1000;

	(void)state;
	memset(&piece, ' ', sizeof(piece));
	for (uint32_t n = 0; n < 400; n++) {
		uint32_t start = end - n, found;

		piece.data[start - 1] = 'a';
		found = piece_trim_blanks(&piece, start - 20, end);
		if (n <= PIECE_BLANKS_MAX)
			assert_int_equal(found, start);
		else
			assert_in_range(found, start, end - PIECE_BLANKS_MAX);
		piece.data[start - 1] = ' ';
		piece.data[20 + n] = 'a';
		found = piece_skip_blanks(&piece, 20, end);
		if (n <= PIECE_BLANKS_MAX)
			assert_int_equal(found, 20 + n);
		else
			assert_in_range(found, 20 + PIECE_BLANKS_MAX, 20 + n);
		piece.data[20 + n] = ' ';
	}
}

/* --- texts --- */

static void test_texts(void **state)
{
	static const char text[] = "Tr-3:xyz";

	(void)state;
	for (unsigned int at = 0; at < 5; at++) {
		for (unsigned int c = 0; c < 256; c++) {
			bool same = c == (uint8_t)text[at];
			bool letter = at < 2 && (c | 0x20) == ((uint8_t)text[at] | 0x20);
			uint64_t word;

			memcpy(piece.data, text, 8);
			piece.data[at] = (uint8_t)c;
			word = piece_word(&piece, 0);
			assert_int_equal(piece_is(word, "Tr-3:"), same);
			assert_int_equal(piece_spells(word, "tr-3:"), same || letter);
		}
	}
	memcpy(piece.data, text, 8);
	assert_true(piece_is(piece_word(&piece, 0), "Tr-3:xyz"));
	assert_false(piece_is(piece_word(&piece, 0), "Tr-3:xyy"));
	assert_true(piece_is(piece_word(&piece, 0), "T"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_blanks),
		cmocka_unit_test(test_many_blanks),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests_name("classify/piece", tests, NULL, NULL);
}
