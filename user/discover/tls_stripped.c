/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/tls_stripped.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "discover/code_refs.h"
#include "discover/eh_frame.h"
#include "discover/go_image.h"

/*
 * Why what is found is what it is taken for. A function counts only if
 * - the table for unwinding says that one begins there, with nothing on its stack yet;
 * - its code puts the address of the library's source file, "ssl_lib.c", and what tells the
 *   function, where the arguments of the library's error function go: that is written by a macro
 *   that stands nowhere else;
 * - it is the only one in the file, and the call graph agrees: SSL_read's function calls what is
 *   taken for its inner part, and so on, each recogniser as below.
 * So a wrong one would have to pass "ssl_lib.c" and another function's name or number to an error
 * function, and be called by the one of the right name. If two recognisers find something, or one
 * finds two, nothing is taken.
 */

#define CONSTANTS_MAX                                                                              \
	(128u << 20)		   /* bytes of them that are looked through; browsers have 60 MB   \
				    */
#define CODE_MAX      (256u << 20) /* of code, if there is reason to; browsers have 150 MB */
#define FUNCTION_MAX  (16u << 10)  /* bytes of one that is looked at closely; real ones have 3 KB */
#define TARGETS_MAX   32
#define REFS_MAX      4096 /* to a file's name: some hundreds are usual */
#define FUNCTIONS_MAX 1024
#define PATH_MAX_LEN  255		  /* of the source file, as the compiler was told */
#define OVERLAP	      (PATH_MAX_LEN + 32) /* of what is looked through at a time */
#define CALLERS_MAX   (1u << 20)	  /* bytes of BoringSSL's ssl_lib.cc: 40 KB are usual */

enum text {
	TEXT_FILE_C,
	TEXT_FILE_CC,
	TEXT_READ,
	TEXT_READ_INTERNAL,
	TEXT_WRITE,
	TEXT_WRITE_INTERNAL,
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
};

_Static_assert(N_TEXTS == 6, "each text is told");

/* What the code of a function passes on: bits. */
enum mark {
	/* OpenSSL 3: ERR_set_debug(file, line, function), include/openssl/err.h */
	MARK_3_FILE = 1 << 0,
	MARK_3_READ = 1 << 1,
	MARK_3_READ_INTERNAL = 1 << 2,
	MARK_3_WRITE = 1 << 3,
	MARK_3_WRITE_INTERNAL = 1 << 4,
	/* before: ERR_put_error(library, function, reason, file, line), with numbers from
	 * include/openssl/sslerr.h of 1.1.1 (ssl.h of 1.0.2) */
	MARK_1_FILE = 1 << 5,
	MARK_1_READ = 1 << 6,
	MARK_1_READ_INTERNAL = 1 << 7,
	MARK_1_WRITE = 1 << 8,
	MARK_1_WRITE_INTERNAL = 1 << 9,
	/* BoringSSL: ERR_put_error(library, 0, reason, file, line), with reasons from
	 * include/openssl/ssl.h and err.h */
	MARK_B_FILE = 1 << 10,
	MARK_B_QUIC = 1 << 11, /* ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED: not for QUIC, since 2019 */
	MARK_B_LENGTH = 1 << 12,
	MARK_B_HANDSHAKE = 1 << 13,
	MARK_B_UNINITIALIZED = 1 << 14,
};

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
	{ MARK_B_FILE, 2, 66, MARK_B_QUIC },
	{ MARK_B_FILE, 2, 111, MARK_B_LENGTH },	       /* SSL_R_BAD_LENGTH */
	{ MARK_B_FILE, 2, 215, MARK_B_HANDSHAKE },     /* SSL_R_SSL_HANDSHAKE_FAILURE */
	{ MARK_B_FILE, 2, 226, MARK_B_UNINITIALIZED }, /* SSL_R_UNINITIALIZED */
};

struct function {
	struct eh_function place;
	uint32_t marks;
};

struct finder {
	struct go_image image;
	struct eh_frame frame;
	struct code_target targets[TARGETS_MAX];
	size_t n_targets;
	struct code_ref refs[REFS_MAX];
	struct code_scan scan;
	struct function functions[FUNCTIONS_MAX];
	size_t n_functions;
	uint8_t code[FUNCTION_MAX]; /* of the function that is looked at */
};

static struct finder *finder_free(struct finder *finder)
{
	if (finder)
		go_image_close(&finder->image);
	free(finder);
	return NULL;
}

static void finder_clear(struct finder **finder)
{
	*finder = finder_free(*finder);
}

/* --- strings --- */

/* Is there the end of such a text? Gives how many bytes of the string lie before it. */
static bool is_text(enum text text, const uint8_t *bytes, size_t at, size_t *ret_before)
{
	size_t before = 0;

	if (texts[text].whole) {
		*ret_before = 0;
		return true;
	}
	if (at > 0 && bytes[at - 1] >= 0x20 && bytes[at - 1] < 0x7f && bytes[at - 1] != '/')
		return false;
	while (before < PATH_MAX_LEN && before < at && bytes[at - before - 1] >= 0x20 &&
	       bytes[at - before - 1] < 0x7f)
		before++;
	*ret_before = before;
	return true;
}

/* `end`: address of the last byte before the NUL. */
static int add_target(struct finder *finder, enum text text, uint64_t end, size_t before)
{
	uint64_t first = end + 1 - strlen(texts[text].text);

	for (size_t i = 0; i < finder->n_targets; i++)
		if (finder->targets[i].what == text && finder->targets[i].last == first)
			return 0;
	if (finder->n_targets == TARGETS_MAX)
		return -E2BIG;
	finder->targets[finder->n_targets++] =
		(struct code_target){ .first = first - before, .last = first, .what = text };
	return 0;
}

static int search_bytes(struct finder *finder, enum text text, const uint8_t *bytes, size_t len,
			uint64_t address)
{
	size_t text_len = strlen(texts[text].text) + 1, before;
	const uint8_t *at = bytes;
	int r = 0;

	while (r == 0 &&
	       (at = memmem(at, len - (size_t)(at - bytes), texts[text].text, text_len))) {
		if (is_text(text, bytes, (size_t)(at - bytes), &before))
			r = add_target(finder, text,
				       address + (uint64_t)(at - bytes) + text_len - 2, before);
		at++;
	}
	return r;
}

static bool is_mapped(const struct finder *finder, const Elf64_Shdr *section, uint32_t flags)
{
	uint64_t offset;

	return go_image_offset(&finder->image, section->sh_addr, section->sh_size, flags,
			       &offset) == 0 &&
	       offset == section->sh_offset;
}

/* What the bytes of one go to. */
typedef int (*look_fn)(struct finder *finder, uint32_t what, const uint8_t *bytes, size_t len,
		       uint64_t address);

/* Each of `what`: bits of `enum text`. */
static int look_for_texts(struct finder *finder, uint32_t what, const uint8_t *bytes, size_t len,
			  uint64_t address)
{
	int r = 0;

	for (enum text i = 0; r == 0 && i < N_TEXTS; i++)
		if (what & 1u << i)
			r = search_bytes(finder, i, bytes, len, address);
	return r < 0 ? r : (int)(len > OVERLAP ? len - OVERLAP : 0);
}

static int look_for_refs(struct finder *finder, uint32_t what, const uint8_t *bytes, size_t len,
			 uint64_t address)
{
	(void)what;
	return code_scan_add(&finder->scan, bytes, len, address);
}

/* `look` says how many of the bytes it is done with, and sees the rest again, with more. */
static int walk_section(struct finder *finder, const Elf64_Shdr *section, look_fn look,
			uint32_t what)
{
	_cleanup_(go_window_close) struct go_window window = { 0 };
	uint64_t at = 0, rest;
	const uint8_t *bytes;
	size_t len;
	int r = go_window_open(&finder->image, section->sh_offset + section->sh_size, &window);

	while (r >= 0 && (rest = section->sh_size - at) > 0) {
		r = go_window_get(&window, section->sh_offset + at,
				  rest <= OVERLAP ? rest : OVERLAP + 1, &bytes, &len);
		if (r < 0)
			return r;
		r = look(finder, what, bytes, len, section->sh_addr + at);
		if (len == rest || r == 0)
			break;
		at += (uint64_t)r;
	}
	return r < 0 ? r : 0;
}

static int walk_sections(struct finder *finder, uint64_t flags, uint64_t budget, look_fn look,
			 uint32_t what)
{
	const struct go_image *image = &finder->image;
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->n_sections; i++) {
		const Elf64_Shdr *section = &image->sections[i];

		if (section->sh_type != SHT_PROGBITS || section->sh_size == 0 ||
		    (section->sh_flags & (SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR)) != flags ||
		    !is_mapped(finder, section, flags & SHF_EXECINSTR ? PF_R | PF_X : PF_R))
			continue;
		if (section->sh_size > budget)
			return -E2BIG;
		budget -= section->sh_size;
		r = walk_section(finder, section, look, what);
	}
	return r;
}

/* The names of functions are looked for only where the file of OpenSSL is named. */
static int find_texts(struct finder *finder)
{
	uint32_t files = 1u << TEXT_FILE_C | 1u << TEXT_FILE_CC, all = (1u << N_TEXTS) - 1;
	bool is_openssl = false;
	int r = walk_sections(finder, SHF_ALLOC, CONSTANTS_MAX, look_for_texts, files);

	if (r < 0)
		return r;
	for (size_t i = 0; i < finder->n_targets; i++)
		is_openssl |= finder->targets[i].what == TEXT_FILE_C;
	if (!finder->n_targets)
		return -ENOENT;
	return is_openssl ? walk_sections(finder, SHF_ALLOC, CONSTANTS_MAX, look_for_texts,
					  all & ~files)
			  : 0;
}

/* --- what functions pass on --- */

static int find_refs(struct finder *finder)
{
	finder->scan = (struct code_scan){ .machine = finder->image.machine,
					   .absolute = finder->image.type == ET_EXEC,
					   .targets = finder->targets,
					   .n_targets = finder->n_targets,
					   .refs = finder->refs,
					   .refs_max = REFS_MAX };
	code_scan_begin(&finder->scan);
	return walk_sections(finder, SHF_ALLOC | SHF_EXECINSTR, CODE_MAX, look_for_refs, 0);
}

static uint32_t mark_of(const struct code_ref *ref)
{
	for (size_t i = 0; i < sizeof(text_marks) / sizeof(text_marks[0]); i++)
		if (text_marks[i].text == ref->what && text_marks[i].argument == ref->argument)
			return text_marks[i].mark;
	return 0;
}

/* References of a function stand together, as the code was looked through in its order. */
static int find_functions(struct finder *finder)
{
	for (size_t i = 0; i < finder->scan.n_refs; i++) {
		struct function *last = finder->functions, found = { 0 };
		const struct code_ref *ref = &finder->refs[i];
		uint32_t mark = mark_of(ref);
		int r;

		if (!mark)
			continue;
		last += finder->n_functions ? finder->n_functions - 1 : 0;
		if (finder->n_functions && ref->at >= last->place.start &&
		    ref->at < last->place.end) {
			last->marks |= mark;
			continue;
		}
		r = eh_frame_find(&finder->frame, ref->at, &found.place);
		if (r == -ENOENT)
			continue;
		if (r == 0 && finder->n_functions == FUNCTIONS_MAX)
			r = -E2BIG;
		if (r < 0)
			return r;
		found.marks = mark;
		finder->functions[finder->n_functions++] = found;
	}
	return 0;
}

/* Reads it into `code`. -E2BIG: it is longer than functions that are looked for. */
static int read_code(struct finder *finder, const struct eh_function *place, size_t *ret_len)
{
	uint64_t len = place->end - place->start, offset;
	int r = len > FUNCTION_MAX ? -E2BIG : 0;

	if (r == 0)
		r = go_image_offset(&finder->image, place->start, len, PF_R | PF_X, &offset);
	if (r == 0)
		r = go_image_read(&finder->image, finder->code, len, offset);
	if (r == 0)
		*ret_len = len;
	return r;
}

static int find_numbers(struct finder *finder)
{
	for (size_t i = 0; i < finder->n_functions; i++) {
		struct function *function = &finder->functions[i];
		size_t len = 0;
		int r;

		if (!(function->marks & (MARK_1_FILE | MARK_B_FILE)))
			continue;
		r = read_code(finder, &function->place, &len);
		if (r == -E2BIG)
			continue;
		if (r < 0)
			return r;
		for (size_t k = 0; k < sizeof(number_marks) / sizeof(number_marks[0]); k++)
			if ((function->marks & number_marks[k].file) &&
			    code_passes(finder->image.machine, finder->code, len,
					number_marks[k].argument, number_marks[k].number))
				function->marks |= number_marks[k].mark;
	}
	return 0;
}

/* --- recognisers --- */

/* Those with all bits of `with`, and none of `without`. Gives the last. */
static size_t count(const struct finder *finder, uint32_t with, uint32_t without,
		    const struct function **ret_function)
{
	size_t n = 0;

	for (size_t i = 0; i < finder->n_functions; i++) {
		if ((finder->functions[i].marks & with) != with ||
		    (finder->functions[i].marks & without))
			continue;
		*ret_function = &finder->functions[i];
		n++;
	}
	return n;
}

static bool calls(struct finder *finder, const struct eh_function *from,
		  const struct function *function)
{
	size_t len = 0;

	return read_code(finder, from, &len) == 0 &&
	       code_calls(finder->image.machine, finder->code, len, from->start,
			  function->place.start);
}

static int take(struct finder *finder, const struct function *function, const char *name,
		enum tls_function_kind kind, struct tls_library *library)
{
	uint64_t offset;
	int r = go_image_offset(&finder->image, function->place.start,
				function->place.end - function->place.start, PF_R | PF_X, &offset);

	if (r < 0)
		return r;
	library->functions[library->n_functions++] =
		(struct tls_function){ .kind = kind, .name = name, .offset = offset };
	return 0;
}

/*
 * One direction of OpenSSL. From 1.1.1 on, all ways in go through the inner function, which has the
 * arguments of SSL_read_ex and SSL_write_ex, and returns what they do: 1, or none and less
 * (ssl/ssl_lib.c of 1.1.1 and 3.0 to 3.5; since 3.2 that of writing has flags after the size).
 */
struct way {
	uint32_t file, inner, outer;
	bool has_inner; /* every version of it */
	const char *inner_name, *name;
	enum tls_function_kind inner_kind, kind;
};

static int take_way(struct finder *finder, const struct way *way, struct tls_library *library)
{
	const struct function *inner = NULL, *outer = NULL, *both = NULL;
	size_t n_inner = count(finder, way->file | way->inner, way->outer, &inner);
	size_t n_outer = count(finder, way->file | way->outer, way->inner, &outer);
	size_t n_both = count(finder, way->file | way->inner | way->outer, 0, &both);
	int r;

	if (n_both == 0 && n_inner == 1 && n_outer == 1 && calls(finder, &outer->place, inner))
		return take(finder, inner, way->inner_name, way->inner_kind, library);
	/* before 1.1.1 there was but one */
	if (n_both == 0 && n_inner == 0 && n_outer == 1 && !way->has_inner)
		return take(finder, outer, way->name, way->kind, library);
	/* The compiler has put the inner one into SSL_read; another one that has it is SSL_read_ex
	 * or the inner one itself, and of the same shape. */
	if (n_both != 1 || n_outer != 0 || n_inner > 1 ||
	    (n_inner == 1 && calls(finder, &both->place, inner)))
		return -ENOENT;
	r = take(finder, both, way->name, way->kind, library);
	if (r == 0 && n_inner == 1)
		r = take(finder, inner, way->inner_name, way->inner_kind, library);
	return r;
}

static const struct way ways_3[] = {
	{ MARK_3_FILE, MARK_3_READ_INTERNAL, MARK_3_READ, true, "ssl_read_internal", "SSL_read",
	  TLS_FUNCTION_RECV_AT, TLS_FUNCTION_RECV },
	{ MARK_3_FILE, MARK_3_WRITE_INTERNAL, MARK_3_WRITE, true, "ssl_write_internal", "SSL_write",
	  TLS_FUNCTION_SEND, TLS_FUNCTION_SEND },
};

static const struct way ways_1[] = {
	{ MARK_1_FILE, MARK_1_READ_INTERNAL, MARK_1_READ, false, "ssl_read_internal", "SSL_read",
	  TLS_FUNCTION_RECV_AT, TLS_FUNCTION_RECV },
	{ MARK_1_FILE, MARK_1_WRITE_INTERNAL, MARK_1_WRITE, false, "ssl_write_internal",
	  "SSL_write", TLS_FUNCTION_SEND, TLS_FUNCTION_SEND },
};

static int find_openssl(struct finder *finder, const struct way ways[2],
			struct tls_library *library)
{
	int r = take_way(finder, &ways[0], library);

	return r < 0 ? r : take_way(finder, &ways[1], library);
}

static int find_openssl_3(struct finder *finder, struct tls_library *library)
{
	return find_openssl(finder, ways_3, library);
}

static int find_openssl_1(struct finder *finder, struct tls_library *library)
{
	return find_openssl(finder, ways_1, library);
}

static const struct {
	const char *name;
	int (*find)(struct finder *finder, struct tls_library *library);
} recognisers[] = {
	{ "OpenSSL", find_openssl_3 },
	{ "OpenSSL", find_openssl_1 },
};

static int recognise(struct finder *finder, struct tls_library *library)
{
	int found = -ENOENT;

	for (size_t i = 0; i < sizeof(recognisers) / sizeof(recognisers[0]); i++) {
		struct tls_library one = *library;
		int r;

		one.n_functions = 0;
		one.name = recognisers[i].name;
		r = recognisers[i].find(finder, &one);
		if (r == -ENOENT)
			continue;
		if (r < 0 || found == 0)
			return r < 0 ? r : -ENOENT;
		found = 0;
		*library = one;
	}
	return found;
}

int tls_stripped_find(int fd, uint16_t machine, struct tls_library *library)
{
	_cleanup_(finder_clear) struct finder *finder = calloc(1, sizeof(*finder));
	struct tls_library found = *library;
	int r;

	if (!finder)
		return -ENOMEM;
	r = go_image_open(fd, machine, &finder->image);
	if (r == 0)
		r = find_texts(finder);
	if (r == 0)
		r = eh_frame_open(&finder->image, &finder->frame);
	if (r == 0)
		r = find_refs(finder);
	if (r == 0)
		r = find_functions(finder);
	if (r == 0)
		r = find_numbers(finder);
	if (r == 0)
		r = recognise(finder, &found);
	if (r == 0)
		*library = found;
	return r;
}
