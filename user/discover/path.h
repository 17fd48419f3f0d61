/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths as text: nothing here looks at a file system.
 */
#ifndef WEFT_DISCOVER_PATH_H
#define WEFT_DISCOVER_PATH_H

#include <limits.h>

#include "base/view.h"

/* An absolute path, NUL-terminated. */
struct path {
	char text[PATH_MAX];
	size_t len;
};

/*
 * Joins `path` to `directory` unless it is absolute itself, and takes ".", ".." and double slashes
 * out. -EINVAL: the result would not be absolute; -ENAMETOOLONG.
 */
int path_resolve(struct view directory, struct view path, struct path *ret_path);

static inline struct view path_view(const struct path *path)
{
	return (struct view){ .data = path->text, .len = path->len };
}

/*
 * The file's name without the extension of a program ("server.js" -> "server", "App.dll" -> "App").
 * Empty for "/" and "".
 */
struct view path_program(struct view path);

/*
 * The innermost directory of `path` (a directory itself) whose name tells something:
 * "/srv/shop/dist"
 * -> "shop", "/usr/local/bin" -> empty.
 */
struct view path_telling_directory(struct view path);

#endif
