/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/tls_marks.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define CONSTANTS_MAX                                                                              \
	(128u << 20)		  /* bytes of them that are looked through; browsers have 60 MB    \
				   */
#define CODE_MAX     (256u << 20) /* of code, if there is reason to; browsers have 150 MB */
#define PATH_MAX_LEN 255	  /* of the source file, as the compiler was told */
#define TEXT_MAX     32		  /* bytes of one, with its NUL */
#define OVERLAP	     (PATH_MAX_LEN + TEXT_MAX) /* of what is looked through at a time */
#define X86_CALL_LEN 5
#define ARM_CALL_LEN 4

enum text {
	TEXT_FILE_C,
	TEXT_FILE_CC,
	TEXT_READ,
	TEXT_READ_INTERNAL,
	TEXT_WRITE,
	TEXT_WRITE_INTERNAL,
	TEXT_READ_EARLY,
	TEXT_WRITE_EARLY,
	N_TEXTS,
};

static const struct {
	const char *text; /* with which a string ends */
	bool whole;	  /* not only the end of a path */
} texts[N_TEXTS] = {
	[TEXT_FILE_C] = { "ssl_lib.c", false },
	[TEXT_FILE_CC] = { "ssl_lib.cc", false },
	[TEXT_READ] = { "SSL_read", true },
	[TEXT_READ_INTERNAL] = { "ssl_read_internal", true },
	[TEXT_WRITE] = { "SSL_write", true },
	[TEXT_WRITE_INTERNAL] = { "ssl_write_internal", true },
	[TEXT_READ_EARLY] = { "SSL_read_early_data", true },
	[TEXT_WRITE_EARLY] = { "SSL_write_early_data", true },
};

_Static_assert(N_TEXTS == 8, "each text is told");

/* By the argument that a text becomes. */
static const struct {
	enum text text;
	int argument;
	enum mark mark;
} text_marks[] = {
	{ TEXT_FILE_C, 0, MARK_3_FILE },
	{ TEXT_READ, 2, MARK_3_READ },
	{ TEXT_READ_INTERNAL, 2, MARK_3_READ_INTERNAL },
	{ TEXT_WRITE, 2, MARK_3_WRITE },
	{ TEXT_WRITE_INTERNAL, 2, MARK_3_WRITE_INTERNAL },
	{ TEXT_READ_EARLY, 2, MARK_3_READ_EARLY },
	{ TEXT_WRITE_EARLY, 2, MARK_3_WRITE_EARLY },
	{ TEXT_FILE_C, 3, MARK_1_FILE },
	{ TEXT_FILE_CC, 3, MARK_B_FILE },
};

/* By the number that becomes an argument, in functions that pass the file, too. */
static const struct {
	enum mark file;
	unsigned int argument;
	uint16_t number;
	enum mark mark;
} number_marks[] = {
	{ MARK_1_FILE, 1, 223, MARK_1_READ },		/* SSL_F_SSL_READ */
	{ MARK_1_FILE, 1, 523, MARK_1_READ_INTERNAL },	/* SSL_F_SSL_READ_INTERNAL */
	{ MARK_1_FILE, 1, 208, MARK_1_WRITE },		/* SSL_F_SSL_WRITE */
	{ MARK_1_FILE, 1, 524, MARK_1_WRITE_INTERNAL }, /* SSL_F_SSL_WRITE_INTERNAL */
	{ MARK_1_FILE, 1, 529, MARK_1_READ_EARLY },	/* SSL_F_SSL_READ_EARLY_DATA */
	{ MARK_1_FILE, 1, 526, MARK_1_WRITE_EARLY },	/* SSL_F_SSL_WRITE_EARLY_DATA */
	{ MARK_B_FILE, 2, 66, MARK_B_QUIC },
	{ MARK_B_FILE, 2, 215, MARK_B_HANDSHAKE },     /* SSL_R_SSL_HANDSHAKE_FAILURE */
	{ MARK_B_FILE, 2, 226, MARK_B_UNINITIALIZED }, /* SSL_R_UNINITIALIZED */
};

void tls_marks_free(struct tls_marks *marks)
{
	if (marks)
		go_image_close(&marks->image);
	free(marks);
}

void tls_marks_clear(struct tls_marks **marks)
{
	tls_marks_free(*marks);
}

/* --- strings --- */

static bool is_print(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f;
}

/* Is there the end of such a text? Gives how many bytes of the string lie before it. */
static bool is_text(enum text text, const uint8_t *bytes, size_t at, size_t *ret_before)
{
	size_t before = 0;

	if (texts[text].whole) {
		*ret_before = 0;
		return true;
	}
	if (at > 0 && is_print(bytes[at - 1]) && bytes[at - 1] != '/')
		return false;
	while (before < PATH_MAX_LEN && before < at && is_print(bytes[at - before - 1]))
		before++;
	*ret_before = before;
	return true;
}

/* `first`: address of where the text begins. */
static int add_target(struct tls_marks *marks, enum text text, uint64_t first, size_t before)
{
	for (size_t i = 0; i < marks->n_targets; i++)
		if (marks->targets[i].what == text && marks->targets[i].last == first)
			return 0;
	if (marks->n_targets == MARKS_TARGETS_MAX)
		return -E2BIG;
	marks->targets[marks->n_targets++] =
		(struct code_target){ .first = first - before, .last = first, .what = text };
	return 0;
}

/* `at`: where a text may begin. */
static int compare_texts(struct tls_marks *marks, const uint8_t *bytes, size_t at, size_t len,
			 uint64_t address)
{
	size_t before;

	for (enum text i = 0; i < N_TEXTS; i++) {
		size_t text_len = strlen(texts[i].text) + 1; /* with its NUL */

		if (text_len <= len - at && memcmp(bytes + at, texts[i].text, text_len) == 0)
			return is_text(i, bytes, at, &before)
				       ? add_target(marks, i, address + at, before)
				       : 0;
	}
	return 0;
}

static bool is_mapped(const struct tls_marks *marks, const Elf64_Shdr *section, uint32_t flags)
{
	uint64_t offset;

	return go_image_offset(&marks->image, section->sh_addr, section->sh_size, flags, &offset) ==
		       0 &&
	       offset == section->sh_offset;
}

/* What the bytes of one go to. */
typedef int (*look_fn)(struct tls_marks *marks, const uint8_t *bytes, size_t len, uint64_t address);

/* All texts begin alike; the fourth byte is the one that is rare. */
static int look_for_texts(struct tls_marks *marks, const uint8_t *bytes, size_t len,
			  uint64_t address)
{
	const uint8_t *at = bytes, *end = bytes + len;
	int r = 0;

	for (; r == 0 && (at = memchr(at, '_', (size_t)(end - at))); at++)
		if (at - bytes >= 3 &&
		    (memcmp(at - 3, "ssl", 3) == 0 || memcmp(at - 3, "SSL", 3) == 0))
			r = compare_texts(marks, bytes, (size_t)(at - 3 - bytes), len, address);
	return r < 0 ? r : (int)(len > OVERLAP ? len - OVERLAP : 0);
}

static int look_for_refs(struct tls_marks *marks, const uint8_t *bytes, size_t len,
			 uint64_t address)
{
	return code_scan_add(&marks->scan, bytes, len, address);
}

/* Of the function that is asked for. */
static int look_for_calls(struct tls_marks *marks, const uint8_t *bytes, size_t len,
			  uint64_t address)
{
	uint16_t machine = marks->image.machine;
	size_t at = 0, call;

	while ((call = code_find_call(machine, bytes + at, len - at, address + at, marks->callee)) <
	       len - at) {
		at += call;
		if (marks->n_callers == MARKS_CALLERS_MAX)
			return -E2BIG;
		marks->callers[marks->n_callers++] = address + at;
		at += ARM_CALL_LEN; /* of x86-64 it has one byte more */
	}
	/* the last bytes of what calls may be of any instruction are looked at again */
	return len < X86_CALL_LEN ? 0
				  : (int)((len - (X86_CALL_LEN - 1)) & ~(size_t)(ARM_CALL_LEN - 1));
}

/* `look` says how many of the bytes it is done with, and sees the rest again, with more. */
static int walk_section(struct tls_marks *marks, const Elf64_Shdr *section, look_fn look)
{
	_cleanup_(go_window_close) struct go_window window = { 0 };
	uint64_t at = 0, rest;
	const uint8_t *bytes;
	size_t len;
	int r = go_window_open(&marks->image, section->sh_offset + section->sh_size, &window);

	while (r >= 0 && (rest = section->sh_size - at) > 0) {
		r = go_window_get(&window, section->sh_offset + at,
				  rest <= OVERLAP ? rest : OVERLAP + 1, &bytes, &len);
		if (r < 0)
			return r;
		r = look(marks, bytes, len, section->sh_addr + at);
		if (len == rest || r == 0)
			break;
		at += (uint64_t)r;
	}
	return r < 0 ? r : 0;
}

static int walk_sections(struct tls_marks *marks, uint64_t flags, uint64_t budget, look_fn look)
{
	const struct go_image *image = &marks->image;
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->n_sections; i++) {
		const Elf64_Shdr *section = &image->sections[i];

		if (section->sh_type != SHT_PROGBITS || section->sh_size == 0 ||
		    (section->sh_flags & (SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR)) != flags ||
		    !is_mapped(marks, section, flags & SHF_EXECINSTR ? PF_R | PF_X : PF_R))
			continue;
		if (section->sh_size > budget)
			return -E2BIG;
		budget -= section->sh_size;
		r = walk_section(marks, section, look);
	}
	return r;
}

/* -ENOENT: no library's source file is named. */
static int find_texts(struct tls_marks *marks)
{
	int r = walk_sections(marks, SHF_ALLOC, CONSTANTS_MAX, look_for_texts);

	for (size_t i = 0; r == 0 && i < marks->n_targets; i++)
		if (!texts[marks->targets[i].what].whole)
			return 0;
	return r < 0 ? r : -ENOENT;
}

/* Is that text still there, and nothing but text before it? */
static int check_target(const struct tls_marks *marks, const struct code_target *target)
{
	uint8_t bytes[PATH_MAX_LEN + TEXT_MAX];
	uint64_t before = target->last - target->first, offset;
	size_t text_len;
	int r;

	if (target->what >= N_TEXTS || target->last < target->first || before > PATH_MAX_LEN ||
	    (texts[target->what].whole && before > 0))
		return -ENOENT;
	text_len = strlen(texts[target->what].text) + 1;
	r = go_image_offset(&marks->image, target->first, before + text_len, PF_R, &offset);
	if (r == 0)
		r = go_image_read(&marks->image, bytes, before + text_len, offset);
	if (r < 0)
		return r;
	for (size_t i = 0; i < before; i++)
		if (!is_print(bytes[i]))
			return -ENOENT;
	return memcmp(bytes + before, texts[target->what].text, text_len) == 0 ? 0 : -ENOENT;
}

static int find_hinted_texts(struct tls_marks *marks, const struct tls_hints *hints)
{
	for (size_t i = 0; i < hints->n_targets; i++) {
		int r = check_target(marks, &hints->targets[i]);

		if (r < 0)
			return r;
		marks->targets[marks->n_targets++] = hints->targets[i];
	}
	return 0;
}

/* --- what functions pass on --- */

static void begin_scan(struct tls_marks *marks)
{
	marks->scan = (struct code_scan){ .machine = marks->image.machine,
					  .absolute = marks->image.type == ET_EXEC,
					  .targets = marks->targets,
					  .n_targets = marks->n_targets,
					  .refs = marks->refs,
					  .refs_max = MARKS_REFS_MAX };
	code_scan_begin(&marks->scan);
}

static uint32_t mark_of(const struct code_ref *ref)
{
	for (size_t i = 0; i < sizeof(text_marks) / sizeof(text_marks[0]); i++)
		if (text_marks[i].text == ref->what && text_marks[i].argument == ref->argument)
			return text_marks[i].mark;
	return 0;
}

/* References of a function stand together, as the code was looked through in its order. */
static int find_functions(struct tls_marks *marks)
{
	for (size_t i = 0; i < marks->scan.n_refs; i++) {
		struct marked *last = marks->functions, found = { 0 };
		const struct code_ref *ref = &marks->refs[i];
		uint32_t mark = mark_of(ref);
		int r;

		if (!mark)
			continue;
		last += marks->n_functions ? marks->n_functions - 1 : 0;
		if (marks->n_functions && ref->at >= last->place.start &&
		    ref->at < last->place.end) {
			last->marks |= mark;
			continue;
		}
		r = eh_frame_find(&marks->frame, ref->at, &found.place);
		if (r == -ENOENT)
			continue;
		if (r == 0 && marks->n_functions == MARKS_FUNCTIONS_MAX)
			r = -E2BIG;
		if (r < 0)
			return r;
		found.marks = mark;
		marks->functions[marks->n_functions++] = found;
	}
	return 0;
}

/* Reads it into `code`. -E2BIG: it is longer than functions that are looked for. */
static int read_code(struct tls_marks *marks, const struct eh_function *place, size_t *ret_len)
{
	uint64_t len = place->end - place->start, offset;
	int r = len > MARKS_CODE_MAX ? -E2BIG : 0;

	if (r == 0)
		r = go_image_offset(&marks->image, place->start, len, PF_R | PF_X, &offset);
	if (r == 0)
		r = go_image_read(&marks->image, marks->code, len, offset);
	if (r == 0)
		*ret_len = len;
	return r;
}

static int find_hinted_refs(struct tls_marks *marks, const struct tls_hints *hints)
{
	for (size_t i = 0; i < hints->n_functions; i++) {
		struct eh_function place;
		size_t len = 0;
		int r = eh_frame_find(&marks->frame, hints->functions[i], &place);

		if (r == 0)
			r = read_code(marks, &place, &len);
		if (r < 0)
			return r;
		marks->scan.known = 0;
		r = code_scan_add(&marks->scan, marks->code, len, place.start);
		if (r < 0)
			return r;
	}
	return 0;
}

static int find_refs(struct tls_marks *marks, const struct tls_hints *hints)
{
	begin_scan(marks);
	if (hints)
		return find_hinted_refs(marks, hints);
	return walk_sections(marks, SHF_ALLOC | SHF_EXECINSTR, CODE_MAX, look_for_refs);
}

static int find_numbers(struct tls_marks *marks)
{
	for (size_t i = 0; i < marks->n_functions; i++) {
		struct marked *function = &marks->functions[i];
		size_t len = 0;
		int r;

		if (!(function->marks & (MARK_1_FILE | MARK_B_FILE)))
			continue;
		r = read_code(marks, &function->place, &len);
		if (r == -E2BIG)
			continue;
		if (r < 0)
			return r;
		for (size_t k = 0; k < sizeof(number_marks) / sizeof(number_marks[0]); k++)
			if ((function->marks & number_marks[k].file) &&
			    code_passes(marks->image.machine, marks->code, len,
					number_marks[k].argument, number_marks[k].number))
				function->marks |= number_marks[k].mark;
	}
	return 0;
}

/* --- what is asked of them --- */

size_t tls_marks_count(const struct tls_marks *marks, uint32_t with, uint32_t without,
		       const struct marked *ret_functions[], size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < marks->n_functions; i++) {
		if ((marks->functions[i].marks & with) != with ||
		    (marks->functions[i].marks & without))
			continue;
		if (n < max)
			ret_functions[n] = &marks->functions[i];
		n++;
	}
	return n;
}

bool tls_marks_calls(struct tls_marks *marks, const struct eh_function *from,
		     const struct marked *function)
{
	size_t len = 0;

	return read_code(marks, from, &len) == 0 &&
	       code_find_call(marks->image.machine, marks->code, len, from->start,
			      function->place.start) < len;
}

int tls_marks_find_callers(struct tls_marks *marks, const struct eh_function *within,
			   const struct marked *function)
{
	uint64_t len = within->end - within->start;
	Elf64_Shdr part = { .sh_addr = within->start, .sh_size = len };
	int r = go_image_offset(&marks->image, within->start, len, PF_R | PF_X, &part.sh_offset);

	marks->callee = function->place.start;
	marks->n_callers = 0;
	return r < 0 ? r : walk_section(marks, &part, look_for_calls);
}

static int open_file(int fd, uint16_t machine, struct tls_marks **ret_marks)
{
	_cleanup_(tls_marks_clear) struct tls_marks *marks = calloc(1, sizeof(*marks));
	int r;

	if (!marks)
		return -ENOMEM;
	r = go_image_open(fd, machine, &marks->image);
	if (r < 0)
		return r;
	*ret_marks = TAKE_PTR(marks);
	return 0;
}

int tls_marks_read(int fd, uint16_t machine, const struct tls_hints *hints,
		   struct tls_marks **ret_marks)
{
	_cleanup_(tls_marks_clear) struct tls_marks *marks = NULL;
	int r = open_file(fd, machine, &marks);

	if (r == 0)
		r = hints ? find_hinted_texts(marks, hints) : find_texts(marks);
	if (r == 0)
		r = eh_frame_open(&marks->image, &marks->frame);
	if (r == 0)
		r = find_refs(marks, hints);
	if (r == 0)
		r = find_functions(marks);
	if (r == 0)
		r = find_numbers(marks);
	if (r < 0)
		return r;
	*ret_marks = TAKE_PTR(marks);
	return 0;
}

int tls_marks_hints(const struct tls_marks *marks, struct tls_hints *ret_hints)
{
	struct tls_hints hints = { .n_targets = marks->n_targets,
				   .n_functions = marks->n_functions };

	if (marks->n_functions > MARKS_HINTS_MAX)
		return -E2BIG;
	memcpy(hints.targets, marks->targets, sizeof(hints.targets));
	for (size_t i = 0; i < marks->n_functions; i++)
		hints.functions[i] = marks->functions[i].place.start;
	*ret_hints = hints;
	return 0;
}

int tls_marks_hinted(int fd, uint16_t machine)
{
	_cleanup_(tls_marks_clear) struct tls_marks *marks = NULL;
	int r = open_file(fd, machine, &marks);

	return r < 0 ? r : find_texts(marks);
}
