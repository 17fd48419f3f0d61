/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/go_function.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "discover/go_code.h"
#include "discover/go_image.h"
#include "discover/go_module.h"

#define SAME_NAME_MAX 4 /* a function, and what passes its arguments as assembly does */
#define ABOUT_MAX     44

/* What is said of a function: bits of its flags. Before Go 1.18 the second is never set. */
#define FLAG_WRITES_STACK 2
#define FLAG_ASSEMBLY	  4

/* Where names are in their table, and what has been found of them. */
struct wanted {
	const char *name;
	size_t name_len;
	uint32_t name_at[SAME_NAME_MAX];
	size_t n_names;
	size_t n_found;
	struct go_place place;
	uint64_t about; /* offset in the file of what is said of it */
};

struct finder {
	struct go_image image;
	struct go_module module;
	struct wanted wanted[GO_FUNCTIONS_MAX];
	size_t n;
};

static void finder_close(struct finder *finder)
{
	go_image_close(&finder->image);
}

static int match_name(struct finder *finder, const uint8_t *name, size_t len, uint64_t at)
{
	for (size_t i = 0; i < finder->n; i++) {
		struct wanted *wanted = &finder->wanted[i];

		if (len != wanted->name_len || memcmp(name, wanted->name, len) != 0)
			continue;
		if (wanted->n_names == SAME_NAME_MAX)
			return -E2BIG;
		wanted->name_at[wanted->n_names++] = (uint32_t)at;
	}
	return 0;
}

/* The table is names, each with its NUL. */
static int find_names(struct finder *finder)
{
	const struct go_span *names = &finder->module.names;
	_cleanup_(go_window_close) struct go_window window = { 0 };
	const uint8_t *bytes, *end;
	uint64_t at = 0;
	size_t len, wish = 1;
	int r = go_window_open(&finder->image, names->offset + names->size, &window);

	while (r == 0 && at < names->size) {
		r = go_window_get(&window, names->offset + at, wish, &bytes, &len);
		if (r < 0)
			return r;
		while (r == 0 && (end = memchr(bytes, '\0', len))) {
			size_t name_len = (size_t)(end - bytes);

			r = match_name(finder, bytes, name_len, at);
			at += name_len + 1;
			len -= name_len + 1;
			bytes = end + 1;
		}
		/* one that goes on behind the window: read again, from its beginning */
		wish = len + 1;
		if (wish > GO_WINDOW)
			return -E2BIG;
	}
	return r;
}

static bool has_name(const struct wanted *wanted, uint32_t name_at)
{
	for (size_t i = 0; i < wanted->n_names; i++)
		if (wanted->name_at[i] == name_at)
			return true;
	return false;
}

static void match_function(struct finder *finder, uint32_t name_at, const struct go_place *place,
			   uint64_t about)
{
	for (size_t i = 0; i < finder->n; i++) {
		struct wanted *wanted = &finder->wanted[i];

		if (!has_name(wanted, name_at))
			continue;
		wanted->n_found++;
		wanted->place = *place;
		wanted->about = about;
	}
}

/* The offset of the name is all that is read here of what is said about each function. */
static int walk(struct finder *finder, struct go_window *list, struct go_window *abouts)
{
	const struct go_module *module = &finder->module;
	const struct go_layout *layout = module->layout;
	const struct go_span *span = &module->functions;
	uint64_t line = span->offset, next, before = 0;
	const uint8_t *bytes;
	struct go_place place;
	uint32_t name_at;
	size_t len;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < module->n_functions; i++, line += 2 * layout->word) {
		/* with the next one's address */
		r = go_window_get(list, line, 3 * layout->word, &bytes, &len);
		if (r < 0)
			return r;
		next = go_module_about(module, bytes);
		place.address = go_module_address(module, bytes);
		place.end = go_module_address(module, bytes + 2 * layout->word);
		/* rising, as the linker writes them: so each window moves on */
		if (place.end < place.address || next <= before || next > span->size)
			return -EBADMSG;
		before = next;
		r = go_window_get(abouts, span->offset + next, layout->size, &bytes, &len);
		if (r < 0)
			return r;
		memcpy(&name_at, bytes + layout->name_at, sizeof(name_at));
		match_function(finder, name_at, &place, span->offset + next);
	}
	return r;
}

static int find_functions(struct finder *finder)
{
	const struct go_span *span = &finder->module.functions;
	_cleanup_(go_window_close) struct go_window list = { 0 }, abouts = { 0 };
	int r = go_window_open(&finder->image, span->offset + span->size, &list);

	if (r == 0)
		r = go_window_open(&finder->image, span->offset + span->size, &abouts);
	return r < 0 ? r : walk(finder, &list, &abouts);
}

static int read_returns(const struct finder *finder, const struct wanted *wanted,
			struct go_function *function)
{
	const struct go_layout *layout = finder->module.layout;
	uint8_t about[ABOUT_MAX];
	uint32_t deltas;
	int r;

	if (wanted->n_found != 1)
		return wanted->n_found == 0 ? -ENOENT : -EOPNOTSUPP;
	r = go_image_read(&finder->image, about, layout->size, wanted->about);
	if (r < 0)
		return r;
	if (about[layout->flags_at] & (FLAG_WRITES_STACK | FLAG_ASSEMBLY))
		return -EOPNOTSUPP;
	memcpy(&deltas, about + layout->deltas_at, sizeof(deltas));
	return go_code_returns(&finder->image, &finder->module, &wanted->place, deltas, function);
}

static int finder_open(struct finder *finder, int fd, uint16_t machine, const char *const *names,
		       size_t n)
{
	int r;

	if (n == 0 || n > GO_FUNCTIONS_MAX || (machine != EM_X86_64 && machine != EM_AARCH64))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		finder->wanted[i].name = names[i];
		finder->wanted[i].name_len = strlen(names[i]);
	}
	finder->n = n;
	r = go_image_open(fd, machine, &finder->image);
	return r < 0 ? r : go_module_read(&finder->image, &finder->module);
}

static bool finder_has_any(const struct finder *finder)
{
	for (size_t i = 0; i < finder->n; i++)
		if (finder->wanted[i].n_names > 0)
			return true;
	return false;
}

int go_functions_find(int fd, uint16_t machine, const char *const *names, size_t n,
		      struct go_function *ret_functions)
{
	_cleanup_(finder_close) struct finder finder = { 0 };
	struct go_function functions[GO_FUNCTIONS_MAX];
	size_t n_found = 0;
	int r = finder_open(&finder, fd, machine, names, n);

	if (r == 0)
		r = find_names(&finder);
	if (r == 0)
		r = finder_has_any(&finder) ? find_functions(&finder) : -ENOENT;
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		functions[i] = (struct go_function){ .name = names[i] };
		functions[i].result = read_returns(&finder, &finder.wanted[i], &functions[i]);
		if (functions[i].result == -ENOMEM)
			return -ENOMEM;
		n_found += finder.wanted[i].n_found;
	}
	if (n_found == 0)
		return -ENOENT;
	memcpy(ret_functions, functions, n * sizeof(functions[0]));
	return 0;
}
