/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/tls_stripped.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "discover/tls_marks.h"

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

#define FILE_MAX     (1u << 20) /* bytes of the code of BoringSSL's ssl_lib.cc; 40 KB are usual */
#define INNER_MAX    2
#define PEEKS_MAX    2
#define REFUSING_MAX 32 /* functions that are not for QUIC */

static int take(struct tls_marks *marks, const struct marked *function, const char *name,
		enum tls_function_kind kind, struct tls_library *library)
{
	uint64_t offset;
	int r = go_image_offset(&marks->image, function->place.start,
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
	uint32_t early; /* SSL_read_early_data, into which it may be put, too */
	const char *inner_name, *name;
	enum tls_function_kind inner_kind, kind;
};

static int take_all(struct tls_marks *marks, const struct way *way, const struct marked *both,
		    struct tls_library *library)
{
	const struct marked *inner[INNER_MAX];
	size_t n = tls_marks_count(marks, way->file | way->inner, way->outer | way->early, inner,
				   INNER_MAX);
	int r = n > INNER_MAX ? -ENOENT : 0;

	/* what calls another one would tell the same bytes twice */
	for (size_t i = 0; r == 0 && i < n; i++)
		for (size_t k = 0; r == 0 && k < n; k++)
			if (tls_marks_calls(marks, &inner[i]->place, inner[k]) ||
			    tls_marks_calls(marks, &both->place, inner[k]))
				r = -ENOENT;
	if (r == 0)
		r = take(marks, both, way->name, way->kind, library);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = take(marks, inner[i], way->inner_name, way->inner_kind, library);
	return r;
}

/* Before 1.1.1 there was nothing within SSL_read and SSL_write. */
static bool is_older(const struct tls_marks *marks, const struct way *way)
{
	const struct marked *none;

	return way->file == MARK_1_FILE &&
	       tls_marks_count(marks, MARK_1_READ_INTERNAL, 0, &none, 1) == 0 &&
	       tls_marks_count(marks, MARK_1_WRITE_INTERNAL, 0, &none, 1) == 0;
}

static int take_way(struct tls_marks *marks, const struct way *way, struct tls_library *library)
{
	const struct marked *inner, *outer, *both;
	size_t n_inner = tls_marks_count(marks, way->file | way->inner, way->outer, &inner, 1);
	size_t n_outer = tls_marks_count(marks, way->file | way->outer, way->inner, &outer, 1);
	size_t n_both = tls_marks_count(marks, way->file | way->inner | way->outer, 0, &both, 1);

	/* The compiler has put the inner one into SSL_read. Another one that has it is SSL_read_ex
	 * or the inner one itself, and of the same shape. */
	if (n_both == 1 && n_outer == 0)
		return take_all(marks, way, both, library);
	if (n_both == 0 && n_inner == 1 && n_outer == 1 &&
	    tls_marks_calls(marks, &outer->place, inner))
		return take(marks, inner, way->inner_name, way->inner_kind, library);
	if (n_both == 0 && n_outer == 1 && is_older(marks, way))
		return take(marks, outer, way->name, way->kind, library);
	return -ENOENT;
}

static const struct way ways_3[] = {
	{ MARK_3_FILE, MARK_3_READ_INTERNAL, MARK_3_READ, MARK_3_READ_EARLY, "ssl_read_internal",
	  "SSL_read", TLS_FUNCTION_RECV_AT, TLS_FUNCTION_RECV },
	{ MARK_3_FILE, MARK_3_WRITE_INTERNAL, MARK_3_WRITE, MARK_3_WRITE_EARLY,
	  "ssl_write_internal", "SSL_write", TLS_FUNCTION_SEND, TLS_FUNCTION_SEND },
};

static const struct way ways_1[] = {
	{ MARK_1_FILE, MARK_1_READ_INTERNAL, MARK_1_READ, MARK_1_READ_EARLY, "ssl_read_internal",
	  "SSL_read", TLS_FUNCTION_RECV_AT, TLS_FUNCTION_RECV },
	{ MARK_1_FILE, MARK_1_WRITE_INTERNAL, MARK_1_WRITE, MARK_1_WRITE_EARLY,
	  "ssl_write_internal", "SSL_write", TLS_FUNCTION_SEND, TLS_FUNCTION_SEND },
};

static int find_openssl(struct tls_marks *marks, const struct way ways[2],
			struct tls_library *library)
{
	int r = take_way(marks, &ways[0], library);

	return r < 0 ? r : take_way(marks, &ways[1], library);
}

static int find_openssl_3(struct tls_marks *marks, struct tls_library *library)
{
	return find_openssl(marks, ways_3, library);
}

static int find_openssl_1(struct tls_marks *marks, struct tls_library *library)
{
	return find_openssl(marks, ways_1, library);
}

/*
 * BoringSSL's ssl/ssl_lib.cc, as it was in each year from 2019 to 2026: SSL_write is the only one
 * to refuse QUIC, to need to be initialised, and to report that a handshake failed. ssl_read_impl
 * does the last two. SSL_read reports nothing itself: it has SSL_peek copy what has come, and takes
 * that from the session; SSL_peek refuses QUIC and calls ssl_read_impl.
 */
#define BORING_IMPL  (MARK_B_FILE | MARK_B_HANDSHAKE | MARK_B_UNINITIALIZED)
#define BORING_PEEK  (MARK_B_FILE | MARK_B_QUIC)
#define BORING_WRITE (BORING_IMPL | MARK_B_QUIC)

/* Functions that refuse QUIC and call ssl_read_impl; gives how many. */
static size_t find_peeks(struct tls_marks *marks, const struct marked *impl,
			 const struct marked *peeks[PEEKS_MAX])
{
	const struct marked *all[REFUSING_MAX];
	size_t n_all =
		tls_marks_count(marks, BORING_PEEK, BORING_WRITE & ~BORING_PEEK, all, REFUSING_MAX);
	size_t n = 0;

	for (size_t i = 0; i < n_all && i < REFUSING_MAX; i++) {
		if (!tls_marks_calls(marks, &all[i]->place, impl))
			continue;
		if (n < PEEKS_MAX)
			peeks[n] = all[i];
		n++;
	}
	return n_all > REFUSING_MAX ? n_all : n;
}

static uint64_t length(const struct marked *function)
{
	return function->place.end - function->place.start;
}

/* From the first to the last function of the source file that has marks. -ENOENT: it is torn apart.
 */
static int find_file(const struct tls_marks *marks, struct eh_function *ret_file)
{
	struct eh_function file = { .start = UINT64_MAX };

	for (size_t i = 0; i < marks->n_functions; i++) {
		const struct marked *function = &marks->functions[i];

		if (!(function->marks & MARK_B_FILE))
			continue;
		if (function->place.start < file.start)
			file.start = function->place.start;
		if (function->place.end > file.end)
			file.end = function->place.end;
	}
	if (file.end - file.start > FILE_MAX)
		return -ENOENT;
	*ret_file = file;
	return 0;
}

/*
 * Who calls SSL_peek within the file of both: that is SSL_read alone. -ENOENT: nobody, or several.
 * Programs may call it, too.
 */
static int find_caller(struct tls_marks *marks, const struct marked *peek,
		       struct marked *ret_caller)
{
	struct marked caller = { 0 };
	struct eh_function file;
	int r = find_file(marks, &file);

	if (r == 0)
		r = tls_marks_find_callers(marks, &file, peek);
	for (size_t i = 0; r == 0 && i < marks->n_callers; i++) {
		uint64_t at = marks->callers[i];

		if (at >= caller.place.start && at < caller.place.end)
			continue;
		if (caller.place.end)
			return -ENOENT;
		r = eh_frame_find(&marks->frame, at, &caller.place);
	}
	if (r < 0)
		return r;
	if (!caller.place.end)
		return -ENOENT;
	*ret_caller = caller;
	return 0;
}

/*
 * If the compiler has put SSL_peek into SSL_read, there are two that look alike, and the one that
 * does more is the longer one. If not, there is one, and SSL_read calls it.
 */
static int find_boring_read(struct tls_marks *marks, const struct marked *impl,
			    struct marked *ret_read)
{
	const struct marked *peeks[PEEKS_MAX];
	struct marked caller;
	size_t n = find_peeks(marks, impl, peeks);

	if (n == 1)
		return find_caller(marks, peeks[0], ret_read);
	if (n != 2 || length(peeks[0]) == length(peeks[1]))
		return -ENOENT;
	*ret_read = length(peeks[0]) > length(peeks[1]) ? *peeks[0] : *peeks[1];
	/* then SSL_read calls neither */
	for (size_t i = 0; i < 2; i++)
		if (find_caller(marks, peeks[i], &caller) != -ENOENT)
			return -ENOENT;
	return 0;
}

static int find_boringssl(struct tls_marks *marks, struct tls_library *library)
{
	const struct marked *sends = NULL, *impl = NULL;
	struct marked receives;
	int r;

	if (tls_marks_count(marks, BORING_WRITE, 0, &sends, 1) != 1 ||
	    tls_marks_count(marks, BORING_IMPL, MARK_B_QUIC, &impl, 1) != 1 ||
	    tls_marks_calls(marks, &sends->place, impl))
		return -ENOENT;
	r = find_boring_read(marks, impl, &receives);
	if (r == 0)
		r = take(marks, sends, "SSL_write", TLS_FUNCTION_SEND, library);
	return r < 0 ? r : take(marks, &receives, "SSL_read", TLS_FUNCTION_RECV, library);
}

static const struct {
	const char *name;
	int (*find)(struct tls_marks *marks, struct tls_library *library);
} recognisers[] = {
	{ "OpenSSL", find_openssl_3 },
	{ "OpenSSL", find_openssl_1 },
	{ "BoringSSL", find_boringssl },
};

static int recognise(struct tls_marks *marks, struct tls_library *library)
{
	int found = -ENOENT;

	for (size_t i = 0; i < sizeof(recognisers) / sizeof(recognisers[0]); i++) {
		struct tls_library one = *library;
		int r;

		one.n_functions = 0;
		one.name = recognisers[i].name;
		r = recognisers[i].find(marks, &one);
		if (r == -ENOENT)
			continue;
		if (r < 0 || found == 0)
			return r < 0 ? r : -ENOENT;
		found = 0;
		*library = one;
	}
	return found;
}

/* Gives 1: there are hints for later. */
static int find(int fd, uint16_t machine, const struct tls_hints *hints,
		struct tls_library *library, struct tls_hints *ret_hints)
{
	_cleanup_(tls_marks_clear) struct tls_marks *marks = NULL;
	struct tls_library found = *library;
	int r = tls_marks_read(fd, machine, hints, &marks);

	if (r == 0)
		r = recognise(marks, &found);
	if (r < 0)
		return r;
	*library = found;
	return tls_marks_hints(marks, ret_hints) == 0;
}

int tls_stripped_find(int fd, uint16_t machine, struct tls_cache *cache,
		      struct tls_library *library)
{
	const struct tls_hints *known;
	struct tls_hints hints;
	struct stat file;
	int r;

	if (fstat(fd, &file) < 0)
		return -errno;
	known = tls_cache_find(cache, library->build_id, (uint64_t)file.st_size);
	if (known && find(fd, machine, known, library, &hints) >= 0)
		return 0;
	r = find(fd, machine, NULL, library, &hints);
	if (r > 0)
		tls_cache_add(cache, library->build_id, (uint64_t)file.st_size, &hints);
	return r < 0 ? r : 0;
}

int tls_stripped_hinted(int fd, uint16_t machine)
{
	return tls_marks_hinted(fd, machine);
}
