/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/eh_frame.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define FUNCTIONS_MAX (4u << 20)  /* a browser has half a million */
#define FUNCTION_MAX  (16u << 20) /* bytes of one */
#define HEADER_LEN    12
#define LINE_LEN      8
#define RECORD_MAX    64 /* bytes of a description that are looked at */
#define NUMBER_MAX    5	 /* bytes of a number of 32 bits, 7 bits in each */

#define VERSION 1
/* How a pointer is written: what it counts from, and its form. */
#define ENCODED_TABLE	 0x3b /* from the table's header, signed, 32 bits */
#define ENCODED_RELATIVE 0x1b /* from its own place, signed, 32 bits */
#define ENCODED_COUNT	 0x03 /* unsigned, 32 bits */
#define ENCODED_ANY	 0x80 /* by way of a pointer */

/* What is said of the stack: the upper two bits, or all of them. */
#define SAYS_NOTHING	 0x00
#define SAYS_SIGNED	 0x2d /* of arm64: whether the return address is signed changes */
#define SAYS_ADVANCE	 0x40
#define SAYS_ADVANCE_1	 0x02
#define SAYS_ADVANCE_4	 0x04
#define SAYS_UPPER(says) ((says)&0xc0)

struct record {
	uint8_t bytes[RECORD_MAX];
	size_t len; /* from behind its length, to its end or the last that was read */
	size_t at;
	uint64_t address; /* of the first byte */
};

/* Of the table. */
struct line {
	uint64_t start, next; /* functions */
	uint64_t about;	      /* where the first is described */
};

static int32_t get_signed(const uint8_t *bytes)
{
	int32_t number;

	memcpy(&number, bytes, sizeof(number));
	return number;
}

static uint32_t get_unsigned(const uint8_t *bytes)
{
	return (uint32_t)get_signed(bytes);
}

static const Elf64_Phdr *find_segment(const struct go_image *image)
{
	for (size_t i = 0; i < image->n_segments; i++)
		if (image->segments[i].p_type == PT_GNU_EH_FRAME)
			return &image->segments[i];
	return NULL;
}

int eh_frame_open(const struct go_image *image, struct eh_frame *ret_frame)
{
	const Elf64_Phdr *segment = find_segment(image);
	struct eh_frame frame = { .image = image };
	uint8_t header[HEADER_LEN];
	uint64_t offset;
	int r;

	if (!segment || segment->p_filesz < HEADER_LEN + LINE_LEN)
		return -ENOENT;
	r = go_image_offset(image, segment->p_vaddr, segment->p_filesz, PF_R, &offset);
	if (r == 0)
		r = go_image_read(image, header, sizeof(header), offset);
	if (r < 0)
		return r;
	if (header[0] != VERSION || header[2] != ENCODED_COUNT || header[3] != ENCODED_TABLE ||
	    header[1] != ENCODED_RELATIVE)
		return -EOPNOTSUPP;
	frame.n = get_unsigned(header + 8);
	if (frame.n > FUNCTIONS_MAX)
		return -E2BIG;
	if (frame.n == 0 || frame.n > (segment->p_filesz - HEADER_LEN) / LINE_LEN)
		return -EBADMSG;
	frame.address = segment->p_vaddr;
	frame.table = offset + HEADER_LEN;
	*ret_frame = frame;
	return 0;
}

static int read_line(const struct eh_frame *frame, uint32_t line, uint64_t *ret_start,
		     uint64_t *ret_about)
{
	uint8_t bytes[LINE_LEN];
	int r = go_image_read(frame->image, bytes, sizeof(bytes),
			      frame->table + (uint64_t)line * LINE_LEN);

	if (r < 0)
		return r;
	*ret_start = frame->address + (uint64_t)(int64_t)get_signed(bytes);
	*ret_about = frame->address + (uint64_t)(int64_t)get_signed(bytes + 4);
	return 0;
}

/* The last line that begins at the address or before, and where the next one begins. */
static int find_line(const struct eh_frame *frame, uint64_t address, struct line *ret_line)
{
	struct line line = { .next = UINT64_MAX };
	uint32_t low = 0, high = frame->n;
	uint64_t start, about;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int r = read_line(frame, middle, &start, &about);

		if (r < 0)
			return r;
		if (start > address) {
			line.next = start;
			high = middle;
			continue;
		}
		line.start = start;
		line.about = about;
		low = middle + 1;
	}
	if (low == 0)
		return -ENOENT;
	*ret_line = line;
	return 0;
}

static int read_record(const struct eh_frame *frame, uint64_t address, struct record *ret_record)
{
	struct record record = { .address = address + 4 };
	uint64_t offset;
	uint8_t len[4];
	int r = go_image_offset(frame->image, address, sizeof(len), PF_R, &offset);

	if (r == 0)
		r = go_image_read(frame->image, len, sizeof(len), offset);
	if (r < 0)
		return r;
	/* all ones: one of 64 bits follows */
	if (get_unsigned(len) == UINT32_MAX)
		return -EOPNOTSUPP;
	record.len = get_unsigned(len) < RECORD_MAX ? get_unsigned(len) : RECORD_MAX;
	r = go_image_offset(frame->image, record.address, record.len, PF_R, &offset);
	if (r == 0)
		r = go_image_read(frame->image, record.bytes, record.len, offset);
	if (r < 0)
		return r;
	*ret_record = record;
	return 0;
}

static bool take_byte(struct record *record, uint8_t *ret_byte)
{
	if (record->at >= record->len)
		return false;
	*ret_byte = record->bytes[record->at++];
	return true;
}

/* Signed or not: its value is not asked for. */
static bool skip_number(struct record *record)
{
	uint8_t byte;

	for (int i = 0; i < NUMBER_MAX; i++) {
		if (!take_byte(record, &byte))
			return false;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct record *record, size_t len)
{
	if (len > record->len - record->at)
		return false;
	record->at += len;
	return true;
}

/*
 * What several functions have in common: must say that pointers count from their own place. The
 * letters stand for what follows, in their order; 'S' is of no function but a signal's frame.
 */
static int read_common(const struct eh_frame *frame, uint64_t address)
{
	struct record common;
	uint8_t byte, letters[8] = { 0 };
	size_t n = 0;
	int r = read_record(frame, address, &common);

	if (r < 0)
		return r;
	if (!skip(&common, 4) || get_unsigned(common.bytes) != 0 || !take_byte(&common, &byte) ||
	    byte != VERSION)
		return -EBADMSG;
	do {
		if (n == sizeof(letters) || !take_byte(&common, &letters[n]))
			return -EOPNOTSUPP;
	} while (letters[n++]);
	if (letters[0] != 'z' || !skip_number(&common) || !skip_number(&common) ||
	    !skip_number(&common) || !skip_number(&common))
		return -EOPNOTSUPP;
	for (size_t i = 1; letters[i]; i++) {
		if (letters[i] == 'B')
			continue;
		if (letters[i] == 'S' || !take_byte(&common, &byte))
			return -EOPNOTSUPP;
		if (letters[i] == 'R')
			return byte == ENCODED_RELATIVE ? 0 : -EOPNOTSUPP;
		/* of exceptions: where their handler is, of 32 bits, and how its table is told */
		if (letters[i] == 'P' &&
		    ((byte & ~ENCODED_ANY) != ENCODED_RELATIVE || !skip(&common, 4)))
			return -EOPNOTSUPP;
	}
	return -EOPNOTSUPP;
}

/*
 * A function is entered with nothing on its stack yet. What is told of the stack before the first
 * instruction is told of a part of a function that others jump into.
 */
static bool is_entry(struct record *about)
{
	uint8_t says;

	while (take_byte(about, &says)) {
		if (SAYS_UPPER(says) == SAYS_ADVANCE ||
		    (says >= SAYS_ADVANCE_1 && says <= SAYS_ADVANCE_4))
			return true;
		if (says != SAYS_NOTHING && says != SAYS_SIGNED)
			return false;
	}
	return true;
}

int eh_frame_find(const struct eh_frame *frame, uint64_t address, struct eh_function *ret_function)
{
	struct eh_function function;
	struct record about;
	struct line line;
	uint8_t more;
	int r = find_line(frame, address, &line);

	if (r == 0)
		r = read_record(frame, line.about, &about);
	if (r < 0)
		return r;
	/* how far back what is common lies; where it begins, how long it is, how much else is said
	 */
	if (!skip(&about, 12) || !take_byte(&about, &more) || more > 0x7f || !skip(&about, more))
		return -EBADMSG;
	function.start = about.address + 4 + (uint64_t)(int64_t)get_signed(about.bytes + 4);
	function.end = function.start + get_unsigned(about.bytes + 8);
	if (function.start != line.start || function.end > line.next ||
	    get_unsigned(about.bytes + 8) > FUNCTION_MAX)
		return -EBADMSG;
	r = read_common(frame, about.address - get_unsigned(about.bytes));
	if (r < 0)
		return r;
	if (address >= function.end || !is_entry(&about))
		return -ENOENT;
	*ret_function = function;
	return 0;
}
