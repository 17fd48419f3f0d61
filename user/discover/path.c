/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/path.h"

#include <errno.h>

#include "discover/text.h"

/* Longest first where one ends in another. */
static const struct view extensions[] = {
	VIEW_INIT(".phar"),   VIEW_INIT(".mjs"),    VIEW_INIT(".cjs"),	  VIEW_INIT(".js"),
	VIEW_INIT(".mts"),    VIEW_INIT(".cts"),    VIEW_INIT(".ts"),	  VIEW_INIT(".pyc"),
	VIEW_INIT(".pyz"),    VIEW_INIT(".py"),	    VIEW_INIT(".rb"),	  VIEW_INIT(".ru"),
	VIEW_INIT(".php"),    VIEW_INIT(".pl"),	    VIEW_INIT(".psgi"),	  VIEW_INIT(".jar"),
	VIEW_INIT(".war"),    VIEW_INIT(".java"),   VIEW_INIT(".dll"),	  VIEW_INIT(".exe"),
	VIEW_INIT(".csproj"), VIEW_INIT(".fsproj"), VIEW_INIT(".vbproj"),
};

/* Directories that every second program lies in. */
static const char *const common_directories[] = {
	"bin",	  "sbin",   "src",     "dist", "build", "lib",	 "lib64", "libexec", "out",
	"public", "script", "scripts", "exe",  "usr",	"local", "opt",	  "srv",     "home",
	"root",	  "var",    "www",     "html", "tmp",	"share", "etc",	  "run",     NULL,
};

static void path_pop(struct path *path)
{
	while (path->len > 0 && path->text[--path->len] != '/')
		;
}

static int path_push(struct path *path, struct view parts)
{
	struct view part;

	while (text_next(&parts, '/', &part)) {
		if (part.len == 0 || view_equal(part, VIEW(".")))
			continue;
		if (view_equal(part, VIEW(".."))) {
			path_pop(path);
			continue;
		}
		if (path->len + 1 + part.len >= sizeof(path->text))
			return -ENAMETOOLONG;
		path->text[path->len++] = '/';
		memcpy(path->text + path->len, part.data, part.len);
		path->len += part.len;
	}
	return 0;
}

int path_resolve(struct view directory, struct view path, struct path *ret_path)
{
	int r = 0;

	ret_path->len = 0;
	if (path.len == 0 || path.data[0] != '/') {
		if (directory.len == 0 || directory.data[0] != '/')
			return -EINVAL;
		r = path_push(ret_path, directory);
	}
	if (r == 0)
		r = path_push(ret_path, path);
	if (r == 0 && ret_path->len == 0)
		ret_path->text[ret_path->len++] = '/';
	ret_path->text[ret_path->len] = '\0';
	return r;
}

struct view path_program(struct view path)
{
	struct view name = text_basename(path);

	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		if (name.len <= extensions[i].len || !text_ends_with(name, extensions[i]))
			continue;
		name.len -= extensions[i].len;
		break;
	}
	return name;
}

struct view path_telling_directory(struct view path)
{
	struct view name;

	for (; path.len > 0; path = text_dirname(path)) {
		name = text_basename(path);
		if (name.len == 0)
			break;
		/* "/home/NAME" and below "/root" a person's name says nothing of the program. */
		if (view_equal(text_dirname(path), VIEW("/home")))
			break;
		if (!text_in(name, common_directories))
			return name;
	}
	return (struct view){ 0 };
}
