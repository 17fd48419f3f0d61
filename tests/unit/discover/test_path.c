/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/path.h"

#include <errno.h>

#include "fake_proc.h"

static void test_resolve(void **state)
{
	static const struct {
		const char *directory, *path, *wanted;
	} rows[] = {
		{ "/srv/shop", "server.js", "/srv/shop/server.js" },
		{ "/srv/shop", "./dist/../server.js", "/srv/shop/server.js" },
		{ "/srv/shop", "../../../../x", "/x" },
		{ "/srv/shop", "/opt//x/", "/opt/x" },
		{ "/srv/shop", ".", "/srv/shop" },
		{ "/", "..", "/" },
		{ "", "/x", "/x" },
	};
	struct path path;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			path_resolve(view_of(rows[i].directory), view_of(rows[i].path), &path), 0);
		assert_string_equal(path.text, rows[i].wanted);
	}
	assert_int_equal(path_resolve(VIEW(""), VIEW("x"), &path), -EINVAL);
}

static void test_too_long(void **state)
{
	static char text[2 * PATH_MAX];
	struct path path;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 2 ? 'x' : '/';
	assert_int_equal(path_resolve(VIEW(""), view_of(text), &path), -ENAMETOOLONG);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(view_equal(path_program(VIEW("/srv/server.js")), VIEW("server")));
	assert_true(view_equal(path_program(VIEW("App.dll")), VIEW("App")));
	assert_true(view_equal(path_program(VIEW("shop")), VIEW("shop")));
	assert_true(view_equal(path_program(VIEW("/x/.js")), VIEW(".js")));
	assert_true(view_equal(path_telling_directory(VIEW("/srv/shop/dist")), VIEW("shop")));
	assert_int_equal(path_telling_directory(VIEW("/usr/local/bin")).len, 0);
	assert_int_equal(path_telling_directory(VIEW("/home/anna")).len, 0);
	assert_true(view_equal(path_telling_directory(VIEW("/home/anna/shop")), VIEW("shop")));
	assert_int_equal(path_telling_directory(VIEW("/")).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("discover/path", tests, NULL, NULL);
}
