/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/tls_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/hashmap.h"
#include "base/list.h"

#define CLIENT_HELLO	     1
#define HELLO_RANDOM	     (2 + 32) /* version and random */
#define EXTENSION_NAME	     0
#define NAME_OF_HOST	     0
#define HELLO_EXTENSIONS_MAX 64 /* that are looked at */

/* --- a ClientHello --- */

/* A number of `n` bytes, the most significant one first. */
static int take_number(struct cursor *cursor, size_t n, uint32_t *ret_number)
{
	uint32_t number = 0;
	struct view bytes;
	int r = cursor_take(cursor, n, &bytes);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		number = number << 8 | (unsigned char)bytes.data[i];
	*ret_number = number;
	return 0;
}

/* Passes over a vector whose length is a number of `n` bytes. */
static int pass_vector(struct cursor *cursor, size_t n)
{
	struct view bytes;
	uint32_t len;
	int r = take_number(cursor, n, &len);

	return r < 0 ? r : cursor_take(cursor, len, &bytes);
}

/* Up to the extensions. */
static int pass_start(struct cursor *cursor)
{
	struct view bytes;
	uint32_t number;
	int r = take_number(cursor, 1, &number);

	if (r == 0 && number != CLIENT_HELLO)
		return -EBADMSG;
	if (r == 0)
		r = take_number(cursor, 3, &number); /* the message's length */
	if (r == 0)
		r = cursor_take(cursor, HELLO_RANDOM, &bytes);
	if (r == 0)
		r = pass_vector(cursor, 1); /* session */
	if (r == 0)
		r = pass_vector(cursor, 2); /* cipher suites */
	if (r == 0)
		r = pass_vector(cursor, 1); /* compression methods */
	return r;
}

/* What is shown to people has no bytes but those that a name may have. */
static bool is_name(struct view name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '.' && c != '_')
			return false;
	}
	return name.len > 0 && name.len <= TLS_NAME_MAX;
}

/* The extension's payload: a list, of which RFC 6066 knows one kind of names, once. */
static int read_name(struct cursor *cursor, struct view *ret_name)
{
	uint32_t number, kind;
	struct view name;
	int r = take_number(cursor, 2, &number);

	if (r == 0)
		r = take_number(cursor, 1, &kind);
	if (r == 0)
		r = take_number(cursor, 2, &number);
	if (r == 0)
		r = cursor_take(cursor, number, &name);
	if (r < 0)
		return r;
	if (kind != NAME_OF_HOST || !is_name(name))
		return -EBADMSG;
	*ret_name = name;
	return 0;
}

int tls_hello_name(struct view bytes, struct view *ret_name)
{
	struct cursor cursor = cursor_of(bytes);
	uint32_t left, type, len;
	int r = pass_start(&cursor);

	if (r < 0)
		return r;
	/* extensions there need not be */
	if (cursor_left(&cursor) == 0 || take_number(&cursor, 2, &left) < 0)
		return -ENOENT;
	for (int i = 0; i < HELLO_EXTENSIONS_MAX && left >= 4; i++) {
		struct view payload;

		r = take_number(&cursor, 2, &type);
		if (r == 0)
			r = take_number(&cursor, 2, &len);
		if (r < 0)
			return r;
		if (type == EXTENSION_NAME)
			return read_name(&cursor, ret_name);
		r = cursor_take(&cursor, len, &payload);
		if (r < 0)
			return r;
		left -= left < 4 + len ? left : 4 + len;
	}
	return -ENOENT;
}

/* --- the names of connections --- */

struct name {
	struct list_link age;
	uint64_t conn;
	size_t len;
	char text[];
};

struct tls_names {
	struct hashmap by_conn; /* struct name * */
	struct list by_age;	/* struct name */
};

static struct name *oldest_name(const struct tls_names *names)
{
	return list_item(names->by_age.oldest, struct name, age);
}

static void name_forget(struct tls_names *names, struct name *name)
{
	hashmap_delete(&names->by_conn, &name->conn);
	list_remove(&names->by_age, &name->age);
	free(name);
}

void tls_names_hello(struct tls_names *names, uint64_t conn, struct view bytes)
{
	struct name *name, **slot;
	struct view text;

	/* after a HelloRetryRequest the client says the same again */
	if (tls_names_get(names, conn).len > 0 || tls_hello_name(bytes, &text) < 0)
		return;
	while (hashmap_full(&names->by_conn) && (name = oldest_name(names)))
		name_forget(names, name);
	name = malloc(sizeof(*name) + text.len);
	if (!name)
		return;
	*name = (struct name){ .conn = conn, .len = text.len };
	memcpy(name->text, text.data, text.len);
	slot = hashmap_put(&names->by_conn, &conn, NULL);
	if (!slot) {
		free(name);
		return;
	}
	*slot = name;
	list_append(&names->by_age, &name->age);
}

struct view tls_names_get(const struct tls_names *names, uint64_t conn)
{
	struct name *const *name = hashmap_get(&names->by_conn, &conn);

	return name ? (struct view){ .data = (*name)->text, .len = (*name)->len } : (struct view){};
}

int tls_names_new(size_t max, struct tls_names **ret_names)
{
	struct tls_names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	r = hashmap_init_inner(&names->by_conn, sizeof(uint64_t), sizeof(struct name *), max);
	if (r < 0) {
		free(names);
		return r;
	}
	*ret_names = names;
	return 0;
}

struct tls_names *tls_names_free(struct tls_names *names)
{
	struct name *name;

	if (!names)
		return NULL;
	while ((name = oldest_name(names)))
		name_forget(names, name);
	hashmap_clear(&names->by_conn);
	free(names);
	return NULL;
}
